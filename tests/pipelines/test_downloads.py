"""fetch_file against a server on this machine that does what servers and lines do to downloads."""

import errno
import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import FileIO

import numpy as np
import pytest

from pipelines import downloads
from pipelines.downloads import fetch_file, partial_path, received_bytes
from pipelines.errors import DataError

CONTENT = np.random.default_rng(0).bytes(400_000)
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WRONG = hashlib.sha256(b"wrong").hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Does what the server's `behaviours` say for the path: a function of this handler."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        self.server.behaviours[self.path](self)

    def log_message(self, *words):
        pass

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def count(self):
        """How many requests there have been for this path, this one included."""
        return sum(path == self.path for path, *_ in self.server.seen)


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # that the client hangs up is what some tests are about
            super().handle_error(request, client_address)


def serve(handler, content=CONTENT, ranges=True, until=None, etag='"v1"', length=None):
    """Answers properly; `until` breaks off after so many bytes of the whole file."""
    span = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    changed = handler.headers.get("If-Range", etag) != etag
    start = int(span[1]) if span and ranges and not changed else 0
    if span and ranges and start >= len(content):
        handler.head(416, Content_Range=f"bytes */{len(content)}")
        return
    headers = {"Content_Length": len(content) - start if length is None else length, "ETag": etag}
    if start:
        headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.head(206 if start else 200, **headers)
    handler.wfile.write(content[start:until])


@pytest.fixture
def server(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(downloads, "_PAUSES_SECONDS", (0.0, 0.01, 0.01))
    server = Server(("127.0.0.1", 0), Handler)
    server.seen, server.behaviours = [], {"/file": serve}
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(server, tmp_path):
    """Fetches from paths of the server, or whole addresses, to tmp_path/to/file."""

    def run(*urls, sha256=SHA256, size=SIZE, timeout_seconds=10.0, **arguments):
        urls = [url if ":" in url else server.url + url for url in urls or ("/file",)]
        target = tmp_path / "to" / "file"
        return fetch_file(urls, target, sha256=sha256, size=size, timeout_seconds=timeout_seconds, **arguments)

    return run


@pytest.fixture
def target(tmp_path):
    return tmp_path / "to" / "file"


def keep(target, content):
    """Leaves a partial file, as a killed process does."""
    target.parent.mkdir(exist_ok=True)
    partial_path(target).write_bytes(content)


def refused(fetch, *urls, **arguments):
    with pytest.raises(DataError, match="must be fetched from one of its addresses. Received: ") as caught:
        fetch(*urls, **arguments)
    assert str(caught.value).isprintable()  # so it is one line
    return str(caught.value)


def only(target):
    return os.listdir(target.parent) == [target.name] and target.read_bytes() == CONTENT


def test_a_file_is_fetched_with_its_progress_and_only_once(fetch, server, target):
    calls = []
    assert fetch(progress=lambda *call: calls.append(call)) == target
    assert only(target)
    assert calls[0] == (0, SIZE) and calls[-1] == (SIZE, SIZE) and calls == sorted(calls)
    fetch()
    assert server.seen == [("/file", None, None)]


def test_a_file_with_another_hash_is_replaced_once_the_right_one_is_there(fetch, server, target):
    target.parent.mkdir()
    target.write_bytes(b"old")
    server.behaviours["/gone"] = lambda handler: handler.head(404)
    refused(fetch, "/gone")
    assert os.listdir(target.parent) == ["file"] and target.read_bytes() == b"old"
    fetch()
    assert only(target)


def test_without_a_known_size_the_total_is_the_servers_or_none(fetch, server, target):
    def no_length(handler):
        handler.head(200)
        handler.wfile.write(CONTENT)

    server.behaviours["/no-length"] = no_length
    calls = []
    fetch(size=None, progress=lambda *call: calls.append(call))
    assert calls[-1] == (SIZE, SIZE)
    target.unlink()
    fetch("/no-length", size=None, progress=lambda *call: calls.append(call))
    assert calls[-1] == (SIZE, None) and only(target)
    target.unlink()
    fetch("/no-length")
    assert only(target)


def test_a_broken_connection_goes_on_where_it_broke_off(fetch, server, target):
    server.behaviours["/file"] = lambda handler: serve(handler, until=[150_000, 300_000, None][handler.count() - 1])
    fetch()
    assert only(target)
    assert server.seen == [
        ("/file", None, None),
        ("/file", "bytes=150000-", '"v1"'),
        ("/file", "bytes=300000-", '"v1"'),
    ]


def test_a_server_that_has_answered_may_be_out_of_reach_for_a_moment(fetch, server, monkeypatch, target):
    def refuse_once(self, *arguments):
        if server.seen and refuse_once in server.behaviours.values():
            del server.behaviours["refuse"]
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        return connect(self, *arguments)

    connect = socket.socket.connect
    server.behaviours["refuse"] = refuse_once
    server.behaviours["/file"] = lambda handler: serve(handler, until=1000 if handler.count() == 1 else None)
    monkeypatch.setattr(socket.socket, "connect", refuse_once)
    fetch()
    assert "refuse" not in server.behaviours and only(target)


def test_a_silent_server_is_left_after_the_time_out(fetch, server, target):
    silent = threading.Event()

    def stall(handler):
        if handler.count() == 1:
            handler.head(200, Content_Length=SIZE)
            handler.wfile.write(CONTENT[:1000])
            silent.wait(30)
        else:
            serve(handler)

    server.behaviours["/file"] = stall
    start = time.monotonic()
    fetch(timeout_seconds=0.5)
    silent.set()
    assert time.monotonic() - start < 10 and only(target)
    assert server.seen[1][1] == "bytes=1000-"


def test_who_always_stalls_is_given_up_with_what_has_come_kept(fetch, server, target):
    silent = threading.Event()

    def stall(handler):
        if handler.headers.get("Range"):
            handler.head(206, Content_Range=f"bytes 1000-{SIZE - 1}/{SIZE}")
        else:
            handler.head(200, Content_Length=SIZE)
            handler.wfile.write(CONTENT[:1000])
        silent.wait(30)

    server.behaviours["/file"] = stall
    message = refused(fetch, timeout_seconds=0.25)
    silent.set()
    assert "nothing more for 0.25 s after 1,000 bytes (http://127" in message
    assert "Repeat the command later, which goes on where this one stopped, or fetch the file" in message
    assert f"put it at {target}." in message
    assert len(server.seen) == 4 and received_bytes(target) == 1000 and not target.exists()


def test_a_line_that_breaks_often_but_gets_on_is_not_given_up(fetch, server, monkeypatch, target):
    monkeypatch.setattr(downloads, "_FORWARD_BYTES", 40_000)
    server.behaviours["/file"] = lambda handler: serve(handler, until=50_000 * handler.count())
    fetch()
    assert len(server.seen) == 8 and only(target)


def test_a_killed_download_is_continued(fetch, server, target):
    keep(target, CONTENT[:123_456])
    calls = []
    fetch(progress=lambda *call: calls.append(call))
    assert only(target) and calls[0] == (123_456, SIZE)
    assert server.seen == [("/file", "bytes=123456-", None)]


@pytest.mark.parametrize("size", [None, SIZE])
def test_a_partial_file_that_is_whole_is_only_checked(fetch, server, target, size):
    keep(target, CONTENT)
    fetch(size=size)
    assert only(target) and len(server.seen) == (size is None)  # asked for more, the server says 416


@pytest.mark.parametrize("size", [None, SIZE])
@pytest.mark.parametrize("partial", [b"x" * 1000, b"x" * SIZE, b"x" * (SIZE + 5)])
def test_a_partial_file_of_something_else_costs_a_new_start(fetch, server, target, partial, size):
    keep(target, partial)
    fetch(size=size)
    assert only(target) and server.seen[-1] == ("/file", None, None)


def test_a_server_that_refuses_ranges_starts_over(fetch, server, target):
    keep(target, CONTENT[:1000])
    server.behaviours["/file"] = lambda handler: serve(handler, ranges=False)
    fetch()
    assert only(target) and server.seen == [("/file", "bytes=1000-", None)]


def test_a_server_that_sends_another_part_is_asked_for_all(fetch, server, target):
    keep(target, CONTENT[:1000])

    def other_part(handler):
        if handler.headers.get("Range"):
            handler.head(206, Content_Range=f"bytes 0-{SIZE - 1}/{SIZE}", Content_Length=SIZE)
        else:
            serve(handler)

    server.behaviours["/file"] = other_part
    fetch()
    assert only(target)


def test_a_file_that_changes_between_two_parts_starts_over(fetch, server, target):
    old = b"x" * SIZE

    def change(handler):
        serve(handler, old, until=1000, etag='"old"') if handler.count() == 1 else serve(handler, etag='"new"')

    server.behaviours["/file"] = change
    fetch()
    assert only(target) and server.seen[1:] == [("/file", "bytes=1000-", '"old"')]


def test_wrong_bytes_are_not_kept_and_both_hashes_named(fetch, server, target):
    wrong = b"x" * SIZE
    server.behaviours["/file"] = lambda handler: serve(handler, wrong)
    message = refused(fetch)
    assert f"a file with sha256 {hashlib.sha256(wrong).hexdigest()} in place of {SHA256}" in message
    assert len(server.seen) == 1 and os.listdir(target.parent) == []


@pytest.mark.parametrize(
    ("content", "length", "message"),
    [
        (CONTENT + b"more", None, "a file of 400,004 bytes in place of 400,000"),
        (CONTENT[:-4], None, "a file of 399,996 bytes in place of 400,000"),
        (CONTENT[:-4], SIZE, "the connection broke off after 399,996 of 400,000 bytes"),
    ],
)
def test_another_size_is_no_success(fetch, server, content, length, message):
    server.behaviours["/file"] = lambda handler: serve(handler, content, length=length, ranges=False)
    assert message in refused(fetch)


def test_an_announced_wrong_size_does_not_cost_what_has_been_received(fetch, server, target):
    keep(target, CONTENT[:1000])
    server.behaviours["/portal"] = lambda handler: serve(handler, b"<html>Log in", ranges=False)
    assert "a file of 12 bytes in place of" in refused(fetch, "/portal")
    assert received_bytes(target) == 1000


def test_what_never_ends_is_cut_off_at_the_known_size(fetch, server, target):
    def endless(handler):
        handler.head(200)
        for _ in range(100):
            handler.wfile.write(CONTENT)

    server.behaviours["/file"] = endless
    assert "a file of more than 400,000 bytes" in refused(fetch)
    assert os.listdir(target.parent) == []


def test_bytes_beyond_the_announced_length_are_not_taken(fetch, server, target):
    server.behaviours["/file"] = lambda handler: serve(handler, CONTENT + b"more", length=SIZE)
    fetch()
    assert only(target)


def test_a_server_that_hangs_up_or_talks_nonsense_is_asked_again(fetch, server, target):
    def rude(handler):
        if handler.count() == 2:
            handler.wfile.write(b"nonsense\r\n\r\n")
        elif handler.count() == 3:
            handler.head(200, Transfer_Encoding="chunked")
            handler.wfile.write(b"5\r\n" + CONTENT[:3])
        elif handler.count() == 4:
            serve(handler)

    server.behaviours["/file"] = rude
    fetch()
    assert only(target) and len(server.seen) == 4


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (500, 4), (503, 4), (429, 4), (204, 1)])
def test_what_may_pass_is_tried_again_and_what_will_not_is_not(fetch, server, target, status, times):
    server.behaviours["/file"] = lambda handler: handler.head(status)
    message = refused(fetch)
    assert str(status) in message and "/file). Repeat the command later or fetch the file" in message
    assert len(server.seen) == times and os.listdir(target.parent) == []


def test_a_passing_error_passes(fetch, server, target):
    server.behaviours["/file"] = lambda handler: handler.head(503) if handler.count() < 3 else serve(handler)
    fetch()
    assert only(target) and len(server.seen) == 3


def test_the_next_address_goes_on_with_what_the_first_gave(fetch, server, target):
    server.behaviours["/first"] = lambda handler: (
        serve(handler, until=1000) if handler.count() == 1 else handler.head(404)
    )
    fetch("/first", "/file")
    assert only(target) and server.seen[-1] == ("/file", "bytes=1000-", None)


def test_all_addresses_are_named_when_none_gives_the_file(fetch, server):
    server.behaviours["/first"] = lambda handler: handler.head(404)
    server.behaviours["/second"] = lambda handler: serve(handler, b"wrong")
    message = refused(fetch, "/first", "/second", size=None)
    assert f"the answer 404 Not Found ({server.url}/first); a file with sha256 {WRONG} in place of {SHA256}" in message


def test_redirects_are_followed_and_the_range_goes_with_them(fetch, server, target):
    keep(target, CONTENT[:1000])
    server.behaviours["/one"] = lambda handler: handler.head(301, Location="/two")
    server.behaviours["/two"] = lambda handler: handler.head(308, Location=f"{server.url}/file")
    fetch("/one")
    assert only(target) and server.seen[-1] == ("/file", "bytes=1000-", None)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/file", "infinite loop"),
        ("file:///etc/passwd", "file:///etc/passwd' is not allowed"),
        ("ftp://127.0.0.1/file", "redirection to 'ftp://127.0.0.1/file' is not allowed"),
        ("data:,text", "'data:,text' is not allowed"),
        ("data:,\x1b[2Jtext", "'data:, [2Jtext' is not allowed"),
    ],
)
def test_redirects_that_are_not_followed(fetch, server, location, message):
    server.behaviours["/file"] = lambda handler: handler.head(302, Location=location)
    assert message in refused(fetch)
    assert len(server.seen) <= 11


def test_a_chain_of_redirects_has_an_end(fetch, server):
    for number in range(20):
        server.behaviours[f"/{number}"] = lambda handler, number=number: handler.head(302, Location=f"/{number + 1}")
    assert "infinite loop" in refused(fetch, "/0")
    assert len(server.seen) == 11


@pytest.mark.parametrize("urls", [["file:///etc/passwd"], ["/local"], ["ftp://host/file"], []])
def test_only_web_addresses_are_accepted(tmp_path, urls):
    with pytest.raises(DataError, match=r"must have addresses that begin with http:// or https://. Received: .*\."):
        fetch_file(urls, tmp_path / "file", sha256=SHA256)


def test_a_refused_port_is_no_network_and_tried_once(fetch, monkeypatch, target):
    monkeypatch.setattr(downloads, "_PAUSES_SECONDS", (20,))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
    start = time.monotonic()
    assert "Connection refused (http://127.0.0.1" in refused(fetch, url, url)
    assert time.monotonic() - start < 10 and os.listdir(target.parent) == []


def test_a_name_that_is_not_found_is_said_so(fetch, monkeypatch):
    def getaddrinfo(*arguments, **keywords):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    message = refused(fetch, "https://data.invalid/file")
    assert "the server's name is not found (https://data.invalid/file). Repeat the command when there is a" in message


@pytest.mark.parametrize("step", ["name", "connection", "answer"])
def test_a_black_hole_is_left_in_time_whatever_swallows(fetch, monkeypatch, step):
    released = threading.Event()

    def swallow(*arguments, **keywords):
        released.wait(30)
        raise OSError("released")

    monkeypatch.setattr(downloads, "_ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if step == "name":
            monkeypatch.setattr(socket, "getaddrinfo", swallow)
        elif step == "connection":
            monkeypatch.setattr(socket.socket, "connect", swallow)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        start = time.monotonic()
        message = refused(fetch, url, url, timeout_seconds=30)
        assert 0.2 < time.monotonic() - start < 10
        released.set()
    assert message.count("no answer within 0.1 s") == 2 and "when there is a network" in message


def test_the_first_answers_are_awaited_for_less_than_ten_seconds():
    assert downloads._ANSWER_SECONDS < 9


def test_an_answer_that_comes_too_late_is_closed(fetch, server, monkeypatch):
    monkeypatch.setattr(downloads, "_ANSWER_SECONDS", 0.05)
    closed = threading.Event()

    def late(handler):
        time.sleep(0.15)
        serve(handler, until=0)
        handler.connection.settimeout(10)
        if handler.connection.recv(1) == b"":
            closed.set()

    server.behaviours["/file"] = late
    refused(fetch)
    assert closed.wait(10)


def test_proxies_from_the_environment_are_used(fetch, server, monkeypatch, target):
    monkeypatch.setenv("http_proxy", server.url)
    server.behaviours["http://data.invalid/file"] = serve
    fetch("http://data.invalid/file")
    assert only(target)


def test_ctrl_c_keeps_what_has_come(fetch, server, target):
    def interrupt(received, total):
        if received > 100_000:
            raise KeyboardInterrupt

    server.behaviours["/file"] = lambda handler: serve(handler, until=200_000)
    with pytest.raises(KeyboardInterrupt):
        fetch(progress=interrupt)
    kept = received_bytes(target)
    assert 100_000 < kept <= 200_000 and partial_path(target).read_bytes() == CONTENT[:kept]


def test_ctrl_c_before_anything_has_come_leaves_nothing(fetch, target):
    def interrupt(received, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(progress=interrupt)
    assert os.listdir(target.parent) == []


def test_two_at_once_fetch_it_once(fetch, server, target):
    half, go_on = threading.Event(), threading.Event()
    seen_by_the_second = []

    def slow(handler):
        handler.head(200, Content_Length=SIZE)
        handler.wfile.write(CONTENT[:200_000])
        half.set()
        go_on.wait(30)
        handler.wfile.write(CONTENT[200_000:])

    def watch(received, total):
        seen_by_the_second.append((received, total))
        if received == 200_000:
            go_on.set()

    server.behaviours["/file"] = slow
    first = threading.Thread(target=fetch)
    first.start()
    assert half.wait(30)
    fetch(progress=watch)
    first.join()
    assert len(server.seen) == 1 and only(target)
    assert (200_000, SIZE) in seen_by_the_second  # how far the other is


def test_a_full_disk_keeps_what_has_come_and_says_so(fetch, monkeypatch, target):
    class FullDisk(FileIO):
        def write(self, content):
            if self.tell() >= 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content[:50_000])

    monkeypatch.setattr(downloads, "FileIO", FullDisk)
    with pytest.raises(
        DataError, match="must have 400,000 bytes for file. Received: No space left on device. Make room"
    ):
        fetch()
    kept = received_bytes(target)
    assert os.listdir(target.parent) == [".file.partial"] and 100_000 <= kept <= 150_000
    assert partial_path(target).read_bytes() == CONTENT[:kept]
    monkeypatch.undo()
    fetch()
    assert only(target)


def test_what_stands_in_the_way_is_named(fetch, target, tmp_path):
    target.mkdir(parents=True)
    with pytest.raises(DataError, match="to/file must be a file that can be written. Received: a folder. Choose"):
        fetch()
    target.rmdir()
    target.parent.rmdir()
    target.parent.write_text("a file")
    with pytest.raises(DataError, match="must be a file that can be written. Received: .*[Ee]xists"):
        fetch()


def test_a_left_over_partial_file_goes_when_the_file_is_there(fetch, server, target):
    keep(target, CONTENT[:1000])
    target.write_bytes(CONTENT)
    fetch()
    assert only(target) and server.seen == []


def test_importing_it_brings_no_array_library():
    code = "import sys, pipelines.downloads; print([name for name in ('numpy', 'tensorflow') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
