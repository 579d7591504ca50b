"""Who works on a temporary file or folder, and what those who waited find."""

import os
import threading

from pipelines.locks import locked


def test_the_file_is_made_and_what_is_in_it_stays(tmp_path):
    path = tmp_path / "work"
    for content in (b"", b"part"):
        with locked(path) as descriptor:
            assert os.read(descriptor, 10) == content
            os.write(descriptor, b"part")
    assert path.read_bytes() == b"partpart"


def test_one_works_while_the_other_waits_and_then_finds_the_file_gone(tmp_path):
    path, order, waits, inside = tmp_path / "work", [], threading.Event(), threading.Event()

    def second():
        inside.wait()
        with locked(path, waiting=waits.set) as descriptor:
            order.append(("second", os.read(descriptor, 10)))

    thread = threading.Thread(target=second)
    thread.start()
    with locked(path) as descriptor:
        inside.set()
        assert waits.wait(30)
        os.write(descriptor, b"done")
        os.replace(path, tmp_path / "result")
        order.append("first")
    thread.join()
    assert order == ["first", ("second", b"")]  # a new file, not the one that has been renamed
    assert (tmp_path / "result").read_bytes() == b"done"


def test_a_folder_is_held_as_a_file_is(tmp_path):
    path, waits, inside, found = tmp_path / "work", threading.Event(), threading.Event(), []

    def second():
        inside.wait()
        with locked(path, folder=True, waiting=waits.set):
            found.append(os.listdir(path))

    thread = threading.Thread(target=second)
    thread.start()
    with locked(path, folder=True):
        inside.set()
        assert waits.wait(30)
        (path / "a").write_text("a")
        os.replace(path, tmp_path / "result")
    thread.join()
    assert found == [[]] and os.listdir(tmp_path / "result") == ["a"]


def test_an_error_inside_frees_it(tmp_path):
    for _ in range(2):
        try:
            with locked(tmp_path / "work"):
                raise KeyError
        except KeyError:
            pass
