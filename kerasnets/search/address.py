"""`Address`: where a chief listens, read from ``HOST:PORT``."""

import ipaddress
import re
from dataclasses import dataclass

from kerasnets.errors import InputError

LOOPBACK = "127.0.0.1"
_PORT = re.compile(r"[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Address:
    """A host and a port.

    Attributes:
        host: A name, or an IPv4 or IPv6 address without brackets.
        port: From 0, which lets the system choose, to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def parse_address(text: str) -> Address:
    """Reads ``HOST:PORT``; ``:PORT`` is this machine alone, and an IPv6 address stands in brackets, ``[::1]:8000``.

    Raises:
        InputError: It is something else.
    """
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        good = _is_ipv6(host)
    else:
        good = not host or _NAME.fullmatch(host) is not None
    if not colon or not good or not _PORT.fullmatch(port) or int(port) > 65535:
        raise InputError(
            f"An address must be HOST:PORT with a port up to 65535. Received: {text!r}. Write :8000 for this machine "
            "alone, 192.168.0.5:8000 or [fe80::1]:8000."
        )
    return Address(host or LOOPBACK, int(port))


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
