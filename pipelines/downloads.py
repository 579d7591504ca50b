"""fetch_file: a file from the first address that has it, resumed where it broke off, checked, renamed at the end."""

import errno
import hashlib
import http.client
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from pipelines.errors import DataError
from pipelines.locks import locked

# All addresses together get this long to give their first answer: a machine without network is told so within 10 s.
# The time-outs of `socket` do not do that: they hold for each of a name's addresses, and not for finding them.
_ANSWER_SECONDS = 8.0
_PAUSES_SECONDS = (0.5, 1.0, 2.0)  # before the second, third and last try of an address
_FORWARD_BYTES = 1 << 20  # a try that brought as much does not count: a bad line may break often and still get there
_CHUNK_BYTES = 1 << 18


class _Unreachable(Exception):
    """No server answered at an address."""


class _Refused(Exception):
    """The server's answer will not do, and another try would not change it."""


class _Broken(Exception):
    """Something that another try may mend."""


def fetch_file(
    urls: Sequence[str],
    target: str | Path,
    *,
    sha256: str,
    size: int | None = None,
    timeout_seconds: float = 10.0,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Fetches a file, unless it is there already with the right hash.

    What has been received lies beside the target as ``.NAME.partial`` until it is complete and checked. It survives a
    broken connection, Ctrl-C and a kill, and the next call goes on where it ended, at whichever address. Several
    processes may fetch the same file: one does, the others wait for it. Proxies are taken from the environment.

    Args:
        urls: http or https addresses of the same file, the preferred first. Redirects are followed.
        target: Where to put the file; its folder is made. A file of another hash is replaced.
        sha256: Of the whole file, in hexadecimal.
        size: Of the whole file in bytes, if known: what announces another size is not received at all.
        timeout_seconds: How long a connection may take, and how long it may be silent afterwards.
        progress: Called with the bytes received so far, those of earlier calls included, and the total or None.

    Raises:
        DataError: No address gave the file, or it cannot be written.
    """
    target = Path(target).expanduser()
    wrong = [url for url in urls if urllib.parse.urlsplit(url).scheme not in ("http", "https")]
    if wrong or not urls:
        raise DataError(
            f"{target.name} must have addresses that begin with http:// or https://. Received: {wrong or 'none'}. "
            "Correct them."
        )
    partial = partial_path(target)
    report = progress or (lambda received, total: None)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is_complete(target, sha256, size) and not partial.exists():
            return target
        with locked(partial, waiting=lambda: report(received_bytes(target), size)) as descriptor:
            if _is_complete(target, sha256, size):  # by another process, while this one waited for it
                partial.unlink()
                return target
            try:
                with FileIO(descriptor, "r+", closefd=False) as file:
                    _Fetch(target, file, sha256, size, timeout_seconds, report).from_any(urls)
                os.fsync(descriptor)
                os.replace(partial, target)
            except BaseException:  # Ctrl-C as well
                if os.fstat(descriptor).st_size == 0:
                    partial.unlink(missing_ok=True)
                raise
    except OSError as error:  # of the disk: those of the network have been dealt with
        raise _disk_error(error, target, size) from error
    return target


def partial_path(target: Path) -> Path:
    """Where the part of a file that has been received is kept."""
    return target.with_name(f".{target.name}.partial")


def received_bytes(target: Path) -> int:
    """How much of a file has been received by calls that did not get to its end."""
    try:
        return partial_path(target).stat().st_size
    except FileNotFoundError:
        return 0


def _is_complete(target: Path, sha256: str, size: int | None) -> bool:
    if not target.is_file() or size not in (None, target.stat().st_size):
        return False
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _disk_error(error: OSError, target: Path, size: int | None) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needs = f"{size:,} bytes" if size else "room"
        return DataError(
            f"The disk of {target.parent} must have {needs} for {target.name}. Received: {error.strerror}. Make room "
            "and repeat the command: it goes on where it stopped."
        )
    return DataError(
        f"{target} must be a file that can be written. Received: {error.strerror or error}. Choose another folder or "
        "mend its permissions."
    )


@dataclass
class _Fetch:
    """The work of `fetch_file` while it holds the partial file."""

    target: Path
    file: FileIO
    sha256: str
    size: int | None
    timeout_seconds: float
    report: Callable[[int, int | None], None]
    answered: set[str] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=dict)  # address: ETag of what the partial file has from it

    def from_any(self, urls: Sequence[str]) -> None:
        reasons = []
        for url in urls:
            try:
                self.from_one(url, _ANSWER_SECONDS / len(urls))
                return
            except (_Unreachable, _Refused, _Broken) as error:
                reasons.append(f"{_one_line(error)} ({url})")
        when = "later" if self.answered else "when there is a network"
        goes_on = ", which goes on where this one stopped," if self.file.seek(0, os.SEEK_END) else ""
        raise DataError(
            f"{self.target.name} must be fetched from one of its addresses. Received: {'; '.join(reasons)}. Repeat the "
            f"command {when}{goes_on} or fetch the file by other means and put it at {self.target}."
        )

    def from_one(self, url: str, answer_seconds: float) -> None:
        """Tries one address as often as it is worth it."""
        tries, furthest = 0, self.file.seek(0, os.SEEK_END)
        while True:
            try:
                self.once(url, answer_seconds)
                return
            except _Broken:
                received = self.file.seek(0, os.SEEK_END)
                if received >= furthest + _FORWARD_BYTES:
                    tries, furthest = 0, received
                if tries == len(_PAUSES_SECONDS):
                    raise
            time.sleep(_PAUSES_SECONDS[tries])
            tries += 1

    def once(self, url: str, answer_seconds: float) -> None:
        """One request: what is missing from the partial file, or all of it if the server does not give parts."""
        start = self.file.seek(0, os.SEEK_END)
        if self.size is not None and start >= self.size:
            self.check(resumed=True)
            return
        request = urllib.request.Request(url, headers={"User-Agent": "kerasnets"})
        if start:
            request.add_header("Range", f"bytes={start}-")
            if url in self.versions:
                request.add_header("If-Range", self.versions[url])
        try:
            response = self.open(request, answer_seconds)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and start:  # there is nothing after what we have: it is all, or it is something else
                self.check(resumed=True)
                return
            raise _refusal(error) from error
        with response:
            total = self.begin(response, url, start)
            self.receive(response, total)
        received = self.file.tell()
        expected = self.size if total is None else total
        if expected is not None and received < expected:
            raise _Broken(f"the connection broke off after {received:,} of {expected:,} bytes")
        self.check(resumed=response.status == 206)

    def open(self, request: urllib.request.Request, answer_seconds: float) -> http.client.HTTPResponse:
        """Opens an address in a thread of its own, which is left to its fate if it takes too long."""
        url = request.full_url
        opened: Future = Future()

        def work():
            answer = error = None
            try:
                answer = _opener().open(request, timeout=self.timeout_seconds)
            except Exception as any_error:  # raised again by `result` below
                error = any_error
            if opened.set_running_or_notify_cancel():
                opened.set_exception(error) if error else opened.set_result(answer)
            elif answer is not None:
                answer.close()

        threading.Thread(target=work, daemon=True).start()
        wait([opened], timeout=answer_seconds)
        unanswered = _Broken if url in self.answered else _Unreachable
        if opened.cancel():
            raise unanswered(f"no answer within {answer_seconds:.3g} s")
        try:
            response = opened.result()
        except urllib.error.HTTPError:
            self.answered.add(url)
            raise
        except urllib.error.URLError as error:  # no connection: if there never was one, there is no use in trying again
            raise unanswered(_connection_words(error.reason)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _Broken(_connection_words(error)) from error
        self.answered.add(url)
        return response

    def begin(self, response: http.client.HTTPResponse, url: str, start: int) -> int | None:
        """Puts the file where the response begins, and returns the size of the whole file if the server says it."""
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        if response.status == 206:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
            if span is None or int(span[1]) != start:
                self.file.truncate(0)
                raise _Broken(f"another part than the one from byte {start:,} on")
            total = int(span[2]) if span[2] != "*" else None
        elif response.status != 200:
            raise _Refused(f"an answer with status {response.status}")
        if None not in (total, self.size) and total != self.size:
            raise _Refused(f"a file of {total:,} bytes in place of {self.size:,}")
        version = response.headers.get("ETag", "")
        if version.startswith('"'):  # weak ones, W/"...", are no good for parts
            self.versions[url] = version
        if response.status == 200:
            self.file.truncate(0)
            start = 0
        self.file.seek(start)
        return total

    def receive(self, response: http.client.HTTPResponse, total: int | None) -> None:
        shown = self.size if total is None else total
        received = self.file.tell()
        self.report(received, shown)
        while True:
            try:
                chunk = response.read1(_CHUNK_BYTES)
            except TimeoutError as error:
                raise _Broken(f"nothing more for {self.timeout_seconds:g} s after {received:,} bytes") from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _Broken(f"{_connection_words(error)} after {received:,} bytes") from error
            if not chunk:
                return
            received += len(chunk)
            if self.size is not None and received > self.size:
                self.file.truncate(0)
                raise _Refused(f"a file of more than {self.size:,} bytes")
            rest = memoryview(chunk)
            while rest:
                rest = rest[self.file.write(rest) :]
            self.report(received, shown)

    def check(self, *, resumed: bool) -> None:
        """Compares the hash of what has been received; if it is wrong nothing of it is kept."""
        self.file.seek(0)
        received = hashlib.file_digest(self.file, "sha256").hexdigest()
        if received != self.sha256:
            self.file.truncate(0)
            # The parts may come from different files. Only a file in one piece shows that the address is wrong.
            raise (_Broken if resumed else _Refused)(f"a file with sha256 {received} in place of {self.sha256}")


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Redirects to http and https, ten at most; urllib itself would follow them to ftp too."""

    max_redirections = 10

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise urllib.error.HTTPError(newurl, code, f"redirection to '{newurl}' is not allowed", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """As `urllib.request.build_opener`, without what opens files on this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _WebOnly,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _refusal(error: urllib.error.HTTPError) -> Exception:
    if 300 <= error.code < 400:
        return _Refused(str(error.msg).splitlines()[0])
    words = f"the answer {error.code} {http.client.responses.get(error.code, '')}".strip()
    return _Broken(words) if error.code >= 500 or error.code in (408, 429) else _Refused(words)


def _connection_words(reason: Exception | str) -> str:
    if isinstance(reason, socket.gaierror):
        return "the server's name is not found"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _one_line(error: Exception) -> str:
    """Words from elsewhere, without line breaks or what a terminal might obey."""
    return "".join(letter if letter.isprintable() else " " for letter in str(error))[:400]
