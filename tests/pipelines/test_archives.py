"""Archives that are what they should be, and every kind of archive that is not."""

import gzip
import io
import os
import stat
import struct
import tarfile
import threading
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipelines import archives
from pipelines.archives import extract
from pipelines.errors import DataError

LIMITS = {"max_bytes": 1_000_000, "max_members": 50}
FILES = {"data/a.txt": b"first", "data/deep/er/b.bin": bytes(range(256)) * 20, "data/empty": b""}


def write_zip(path, files=FILES, change=None, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        with zipfile.ZipFile(path, "w", **arguments) as content:
            for name, data in files.items() if isinstance(files, dict) else files:
                info = zipfile.ZipInfo(name)
                info.compress_type = content.compression
                if change:
                    change(info)
                content.writestr(info, data)
    return path


def write_tar(path, files=FILES, change=None, mode="w", **arguments):
    with tarfile.open(path, mode, **arguments) as content:
        for name, data in files.items() if isinstance(files, dict) else files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change:
                change(info)
            content.addfile(info, io.BytesIO(data))
    return path


def write_tar_gz(path, files=FILES, change=None):
    return write_tar(path, files, change, mode="w:gz")


WRITERS = pytest.mark.parametrize("write", [write_zip, write_tar, write_tar_gz])


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "to" / "folder"


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive, folder, message, **arguments):
    with pytest.raises(DataError, match=message) as caught:
        extract(archive, folder, **{**LIMITS, **arguments})
    assert str(caught.value).isprintable() and str(archive) in str(caught.value)
    assert list(folder.parent.iterdir()) == []  # nothing is left, half done or hidden


@WRITERS
def test_files_and_folders_arrive(write, archive, folder):
    assert extract(write(archive), folder, **LIMITS) == folder
    assert contents(folder) == FILES and os.listdir(folder.parent) == ["folder"]


@WRITERS
def test_the_content_of_a_folder_inside_may_become_the_folder(write, archive, folder):
    extract(write(archive), folder, inside="data", **LIMITS)
    assert contents(folder) == {name.removeprefix("data/"): data for name, data in FILES.items()}


@WRITERS
def test_what_lies_beside_the_folder_inside_is_refused(write, archive, folder):
    write(archive, [*FILES.items(), ("beside", b"")])
    refused(archive, folder, "must hold everything in its folder 'data'. Received: 'beside'", inside="data")
    write(archive, [("data", b"a file")])
    refused(archive, folder, "Received: a file named 'data'", inside="data")


def test_packed_zips_explicit_folders_and_dots(archive, folder):
    write_zip(
        archive, [("./", b""), ("a/", b""), ("a/./b", b"1" * 9999), ("a/", b"")], compression=zipfile.ZIP_DEFLATED
    )
    extract(archive, folder, **LIMITS)
    assert contents(folder) == {"a/b": b"1" * 9999}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_tar_dialects_and_long_names(archive, folder, form):
    files = {"a" * 90 + "/" + "b" * 90: b"x" * 5000, "short": b"y"}
    extract(write_tar(archive, files, format=form), folder, **LIMITS)
    assert contents(folder) == files


def test_permissions_are_not_taken_over(archive, folder):
    def change(info):
        info.mode, info.uid = 0o6777, 12345

    extract(write_tar(archive, change=change), folder, **LIMITS)
    status = (folder / "data" / "a.txt").stat()
    assert stat.S_IMODE(status.st_mode) & 0o7111 == 0 and status.st_uid == os.getuid()


def test_progress_counts_the_written_bytes(archive, folder, tmp_path):
    calls = []
    extract(write_zip(archive), folder, **LIMITS, progress=lambda *call: calls.append(call))
    assert calls == [(5, 5125), (5125, 5125), (5125, 5125)]
    extract(write_tar(archive), tmp_path / "other", **LIMITS, progress=lambda *call: calls.append(call))
    assert calls[3:] == [(5, None), (5125, None), (5125, None)]


@WRITERS
@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a/..", "C:/x", "C:x", "a\\..\\x"])
def test_paths_that_lead_elsewhere_are_refused(write, archive, folder, name):
    write(archive, {"good": b"", name: b"bad"})
    refused(archive, folder, "must hold plain relative paths only. Received: ")


def test_a_name_with_a_zero_byte_is_refused(archive, folder):
    write_tar(archive, {"good": b"", "a" * 120 + "\0b": b""}, format=tarfile.PAX_FORMAT)
    refused(archive, folder, "plain relative paths only")


@WRITERS
def test_files_without_a_name_are_refused(write, archive, folder):
    refused(write(archive, {".": b"x"}), folder, "Received: a file named '.'")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"]
)
def test_tar_links_and_devices_are_refused(archive, folder, kind):
    def change(info):
        if info.name == "bad":
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    write_tar(archive, {"good": b"x", "bad": b""}, change)
    # tarfile itself takes types that it does not know for files
    if kind == b"Z":
        refused(archive, folder, "Received: 'bad'")
    else:
        refused(archive, folder, "must hold files and folders only, no links or devices. Received: 'bad'")


def test_sparse_files_are_refused(archive, folder):
    # A PAX header alone makes one; a crafted map can make tarfile search for ever.
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as content:
        info = tarfile.TarInfo("bad")
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}
        info.size = 1
        content.addfile(info, io.BytesIO(b"x"))
    refused(archive, folder, "no links or devices. Received: 'bad'")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_zip_links_and_devices_are_refused(archive, folder, kind):
    def change(info):
        info.external_attr = (kind | 0o777) << 16

    write_zip(archive, {"bad": b"/etc/passwd"}, change)
    refused(archive, folder, "must hold files and folders only, no links or devices. Received: 'bad'")


@WRITERS
@pytest.mark.parametrize(
    "files",
    [
        [("a", b"1"), ("a", b"2")],
        [("a", b"1"), ("./a", b"2")],
        [("a", b"1"), ("a/b", b"2")],
        [("a", b"1"), ("a/b/c", b"2")],
        [("a/b", b"1"), ("a", b"2")],
    ],
)
def test_an_entry_that_would_overwrite_another_is_refused(write, archive, folder, files):
    refused(write(archive, files), folder, "must hold every entry once. Received: one that would overwrite another, '")


def test_a_folder_in_place_of_a_file_is_refused(archive, folder):
    refused(write_zip(archive, [("a", b"1"), ("a/", b"")]), folder, "would overwrite another, 'a/'")


@WRITERS
def test_too_many_entries_are_refused(write, archive, folder, tmp_path):
    write(archive, {f"{number}": b"" for number in range(11)})
    refused(archive, folder, "must hold at most 10 entries. Received: more", max_members=10)
    extract(archive, folder, **{**LIMITS, "max_members": 11})


@WRITERS
def test_too_many_bytes_are_refused(write, archive, folder):
    write(archive, {"a": b"x" * 600, "b": b"x" * 600})
    refused(archive, folder, "must unpack to at most 1,199 bytes. Received: more", max_bytes=1199)
    extract(archive, folder, **{**LIMITS, "max_bytes": 1200})


def test_bytes_are_counted_whatever_the_headers_say(archive, folder):
    write_zip(archive, {"bomb": bytes(5_000_000)}, compression=zipfile.ZIP_DEFLATED)
    content = archive.read_bytes()
    assert len(content) < 10_000 and content.count(struct.pack("<I", 5_000_000)) == 2
    refused(archive, folder, "must unpack to at most 1,000,000 bytes")
    archive.write_bytes(content.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 5)))
    refused(archive, folder, "must be a complete archive. Received: a truncated or damaged one: Bad CRC-32")


def header_of(size, kind, before=bytes(512)):
    """A tar header with another size and kind."""
    header = bytearray(before)
    header[124:136] = b"%011o\0" % size if size >= 0 else b"\xff" + (size % (1 << 88)).to_bytes(11, "big")
    header[156:157] = kind
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    return bytes(header)


def test_long_names_in_a_tar_are_limited_and_counted(archive, folder):
    rest = write_tar(archive).read_bytes()
    name = header_of(1_000_448, tarfile.GNUTYPE_LONGNAME) + b"a" * 1_000_448
    archive.write_bytes(gzip.compress(name * 3 + rest, 1))
    refused(archive, folder, "must unpack to at most 1,000,000 bytes")
    huge = header_of(5_000_192, tarfile.GNUTYPE_LONGNAME) + b"a" * 5_000_192
    archive.write_bytes(
        gzip.compress(write_tar(archive, format=tarfile.USTAR_FORMAT).read_bytes()[:1024] + huge + rest, 1)
    )
    refused(archive, folder, "a truncated or damaged one: a header tells of 5000192 bytes")


@pytest.mark.parametrize("size", [-512, -1, -(1 << 40)])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME])
def test_negative_sizes_in_a_tar_are_damage(archive, folder, size, kind):
    write_tar(archive, {"good": b"x", "bad": b"", "last": b"y"})
    content = archive.read_bytes()
    archive.write_bytes(content[:1024] + header_of(size, kind, content[1024:1536]) + content[1536:])
    refused(archive, folder, "a header tells of -|a header points backwards|a file named ''")


def test_encrypted_entries_are_refused(archive, folder):
    content = bytearray(write_zip(archive).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    archive.write_bytes(content)
    refused(archive, folder, "must hold no encrypted entries. Received: 'data/a.txt'")


def test_patches_in_a_zip_and_places_beyond_any_file_are_damage(archive, folder):
    content = bytearray(write_zip(archive).read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 0x20
    content[content.index(b"PK\x01\x02") + 8] |= 0x20
    archive.write_bytes(content)
    refused(archive, folder, "a truncated or damaged one: compressed patched data")
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("a", b"x")
        content.infolist()[0].header_offset = (1 << 64) - 1
    refused(archive, folder, "a truncated or damaged one: ")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack_are_refused(archive, folder, method):
    write_zip(archive, compression=method)
    refused(archive, folder, "must be packed by deflate. Received: another method for 'data/a.txt'")


@WRITERS
def test_a_truncated_archive_is_refused_wherever_it_ends(write, archive, folder):
    files = {f"data/{number}": np.random.default_rng(number).bytes(700) for number in range(3)}
    content = write(archive, files).read_bytes()
    # A tar archive is padded: 1024 bytes of header and content each time three, then one block of zeros is its end.
    whole = 3 * 1536 + 512 if write is write_tar else len(content)
    for length in [1, 2, 3, 10, 100, 512, 1000, 1024, 1536, 2048, whole - 512, whole - 1]:
        archive.write_bytes(content[:length])
        refused(archive, folder, "a truncated or damaged one|a file that is neither|does not hold one")
    if write is write_tar:
        archive.write_bytes(content[:whole])
        extract(archive, folder, **LIMITS)


@WRITERS
def test_damaged_bytes_give_a_data_error_or_the_files(write, archive, folder):
    content = write(archive).read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(20):
        damaged = np.frombuffer(content, np.uint8).copy()
        places = generator.integers(0, min(len(content), 3000), size=3)
        damaged[places] = generator.integers(0, 256, size=3)
        archive.write_bytes(damaged.tobytes())
        try:
            extract(archive, folder, **LIMITS)
        except DataError as error:
            assert str(error).isprintable() and list(folder.parent.iterdir()) == []
        else:
            os.rename(folder, folder.parent.parent / "last")
            archives.shutil.rmtree(folder.parent.parent / "last")


def test_damage_in_the_content_of_a_zip_or_gz_is_seen(archive, folder):
    for write in (write_zip, write_tar_gz):
        content = bytearray(write(archive, {"a": np.random.default_rng(0).bytes(5000)}).read_bytes())
        content[2500] ^= 1
        archive.write_bytes(content)
        refused(archive, folder, "a truncated or damaged one: .*(CRC|invalid|block|code)")


def test_a_damaged_header_is_not_taken_for_the_end(archive, folder):
    content = bytearray(write_tar(archive, {"a": b"x", "b": b"y"}).read_bytes())
    content[1024 + 20] ^= 1
    archive.write_bytes(content)
    refused(archive, folder, "a truncated or damaged one: it has no end mark")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a zip or tar archive. Received: a file that is neither. Nothing of it is kept. Fetch"),
        (b"<html>" * 1000, "must be a zip or tar archive. Received: a file that is neither"),
        (gzip.compress(b"text" * 1000, mtime=0), "Received: a gzip file that does not hold one"),
        (b"PK\x05\x06" + bytes(18), "must hold files. Received: an archive without any"),
        (bytes(10240), "must hold files. Received: an archive without any"),
    ],
)
def test_what_is_no_archive_or_empty_is_refused(archive, folder, content, message):
    archive.write_bytes(content)
    refused(archive, folder, message)


@WRITERS
def test_very_deep_folders_are_refused(write, archive, folder):
    refused(write(archive, {"a/" * 2000 + "b": b""}), folder, "no more than 32 folders in one another")


def test_very_many_headers_for_one_entry_are_damage(archive, folder):
    one = io.BytesIO()
    write_tar("x", {"a" * 120: b""}, fileobj=one, format=tarfile.GNU_FORMAT)
    archive.write_bytes(one.getvalue()[:1024] * 3000 + one.getvalue()[1024:])
    refused(archive, folder, "a truncated or damaged one|neither")


def test_an_existing_folder_is_left_alone(archive, folder):
    write_zip(archive)
    folder.mkdir(parents=True)
    (folder / "mine").write_text("mine")
    with pytest.raises(DataError, match="to/folder must not exist before .*archive is unpacked. Received: a folder or"):
        extract(archive, folder, **LIMITS)
    assert contents(folder) == {"mine": b"mine"} and os.listdir(folder.parent) == ["folder"]


def test_what_a_killed_process_left_is_removed(archive, folder, tmp_path):
    write_zip(archive)
    partial = folder.with_name(".folder.partial")
    (partial / "data").mkdir(parents=True)
    (partial / "data" / "a.txt").write_text("half")
    (partial / "old").write_text("old")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("")
    (partial / "link").symlink_to(tmp_path / "elsewhere")
    extract(archive, folder, **LIMITS)
    assert contents(folder) == FILES and os.listdir(folder.parent) == ["folder"]
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_ctrl_c_leaves_nothing(archive, folder):
    def interrupt(written, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(write_zip(archive), folder, **LIMITS, progress=interrupt)
    assert list(folder.parent.iterdir()) == []


def test_the_second_of_two_at_once_waits_and_finds_it_done(archive, folder):
    write_zip(archive)
    inside, go_on, errors = threading.Event(), threading.Event(), []

    def pause(written, total):
        inside.set()
        go_on.wait(30)

    def second():
        inside.wait(30)
        try:
            extract(archive, folder, **LIMITS)
        except DataError as error:
            errors.append(str(error))

    threads = [
        threading.Thread(target=extract, args=(archive, folder), kwargs={**LIMITS, "progress": pause}),
        threading.Thread(target=second),
    ]
    for thread in threads:
        thread.start()
    threads[1].join(0.1)
    assert threads[1].is_alive()
    go_on.set()
    for thread in threads:
        thread.join()
    assert contents(folder) == FILES and "must not exist before" in errors[0]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), "Received: No space left on device. Make room on the disk and repeat"),
        (PermissionError(13, "Permission denied"), "Received: Permission denied. Look at the permissions and repeat"),
    ],
)
def test_what_the_disk_says_is_passed_on(archive, folder, monkeypatch, error, message):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(archives._Writer, "_copy", fail)
    refused(write_zip(archive), folder, message)


def test_a_missing_archive_is_named(archive, folder):
    refused(archive, folder, "archive must be readable and .*folder writable. Received: No such file or directory")


def test_a_tilde_is_home(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_zip(archive)
    assert extract("~/archive", "~/here", **LIMITS) == Path(tmp_path / "here")


def test_a_tar_is_read_forwards_only():
    stream = archives._CappedStream(io.BytesIO(b"content"), 100, None)
    stream.seek(5)
    assert stream.tell() == 5 and stream.read(10) == b"nt"
    with pytest.raises(tarfile.ReadError, match="a header points backwards"):
        stream.seek(4)
