import pytest

from kerasnets.errors import InputError
from kerasnets.search.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("192.168.0.5:8000", "192.168.0.5", 8000, "192.168.0.5:8000"),
        (":8000", "127.0.0.1", 8000, "127.0.0.1:8000"),
        (":0", "127.0.0.1", 0, "127.0.0.1:0"),
        ("[::1]:65535", "::1", 65535, "[::1]:65535"),
        (" node-3.lab:1 ", "node-3.lab", 1, "node-3.lab:1"),
    ],
)
def test_addresses_are_read_and_written(text, host, port, written):
    address = parse_address(text)
    assert address == Address(host, port)
    assert str(address) == written
    assert parse_address(written) == address


@pytest.mark.parametrize(
    "text",
    ["", "8000", "host", "host:", "host:http", "host:65536", "host:-1", "host:١", "::1", "::1:80", "[::1]", "[host]:80",
     "http://host:80", "a b:80", "host:999999999999", "host:80:90", "-x:80", "[1.2.3.4]:80"],
)  # fmt: skip
def test_anything_else_is_told_in_one_line(text):
    with pytest.raises(InputError, match=r"^An address must be HOST:PORT .* Received: .*Write :8000 ") as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "loopback"), [(":1", True), ("localhost:1", True), ("[::1]:1", True),
                                                ("127.9.9.9:1", True), ("0.0.0.0:1", False), ("[::]:1", False),
                                                ("node3:1", False)])  # fmt: skip
def test_loopback_is_known(text, loopback):
    assert parse_address(text).is_loopback is loopback
