"""Many image files to arrays: decoded on all cores, in parts that come in order."""

import contextlib
import hashlib
import mmap
import os
import pickle
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from pipelines.cores import usable_cores
from pipelines.decode import BadImage, decode_bytes, read_ahead, read_image_file

# Files that are decoded at a time, at most: enough that handing them out costs nothing.
_PART = 64
# Pixels of them, at most, unless a single image has more. Images of up to 256x256 in colour are not held back by it.
_PART_BYTES = 1 << 24
# From here on starting a process for each core, half a second, is worth it: threads wait for each other in Python.
_FILES_FOR_PROCESSES = 4_000
# Parts that may be finished or under way beyond the one that is asked for; bounds the memory.
_PARTS_AHEAD = 8
# A process whose answer is no answer has ended or is about to.
_SECONDS_TO_END = 5


@dataclass(frozen=True, kw_only=True)
class DecodedPart:
    """The next files of a list.

    Attributes:
        start: Place of the first of them in the list.
        images: (k, height, width, channels) uint8: those that could be decoded, in order. Their memory is used again
            once the next part is asked for.
        bad: (place in the list, `BadImage.kind`, reason) of the others.
        digests: One hash of the content for each of the files; b"" for one that could not be read.
    """

    start: int
    images: np.ndarray
    bad: list[tuple[int, str, str]]
    digests: list[bytes]


def decode_in_parts(
    paths: Sequence[Path], image_shape: Sequence[int], resize: str = "squash", *, processes: bool = True
) -> Iterator[DecodedPart]:
    """Decodes files on all cores, a few parts ahead of whoever takes them.

    Args:
        paths: The files.
        image_shape: (height, width, 1 or 3).
        resize: See `pipelines.decode.decode_bytes`.
        processes: Whether to start processes if the files are many; for whoever calls again and again, threads are
            better even then.

    Yields:
        The parts, in the order of `paths`.

    Raises:
        OSError: A process that decodes has ended.
        MemoryError: There was none left for an image.
    """
    cores, waiting = usable_cores(), deque()
    part = max(1, min(_PART, _PART_BYTES // prod(image_shape)))
    slots_shape = (_PARTS_AHEAD + 1, part, *image_shape)
    if len(paths) < _FILES_FOR_PROCESSES or not processes:
        workers, slots = None, np.empty(slots_shape, np.uint8)
        decode: Callable = _decode_into
    else:
        workers = _Workers(cores, slots_shape)
        decode, slots = workers.decode, workers.slots
    with ThreadPoolExecutor(cores) as pool:
        try:
            for number, start in enumerate(range(0, len(paths), part)):
                # The part that had this slot before has been taken, and given back by asking for another.
                slot = slots[number % len(slots)] if workers is None else number % len(slots)
                waiting.append(pool.submit(decode, slot, start, paths[start : start + part], resize))
                if len(waiting) > _PARTS_AHEAD:
                    yield _taken(waiting, slots)
            while waiting:
                yield _taken(waiting, slots)
        finally:
            pool.shutdown(cancel_futures=True)
            if workers:
                workers.close()


def _taken(waiting: deque[Future], slots: np.ndarray) -> DecodedPart:
    start, good, bad, digests = waiting.popleft().result()
    slot = slots[start // slots.shape[1] % len(slots)]
    return DecodedPart(start=start, images=slot[:good], bad=bad, digests=digests)


def _decode_into(images: np.ndarray, start: int, paths: Sequence[Path], resize: str) -> tuple[int, int, list, list]:
    """Decodes files, which stand in a list from place `start` on, into the first rows of an array.

    Returns:
        (start, how many could be decoded, bad, digests); see `DecodedPart`.
    """
    good, bad, digests = 0, [], []
    for path in paths:
        read_ahead(path)
    for place, path in enumerate(paths, start):
        digests.append(b"")
        try:
            content = read_image_file(path)
            digests[-1] = hashlib.blake2b(content, digest_size=16).digest()
            images[good] = decode_bytes(content, images.shape[1:], resize)
            good += 1
        except BadImage as problem:
            bad.append((place, problem.kind, problem.reason))
    return start, good, bad, digests


class _Workers:
    """Processes that decode into memory that they share with this one, each asked by one thread at a time.

    Not `multiprocessing`, which would import a user's script again in each of them.

    Attributes:
        slots: (slots, files of a part, height, width, channels) uint8: where the images arrive.
    """

    def __init__(self, count: int, slots_shape: Sequence[int]):
        memory = os.memfd_create("kerasnets-images")
        try:
            os.ftruncate(memory, prod(slots_shape))
            self.slots = _mapped(memory, slots_shape)
            code = f"from pipelines.image_files import serve; serve({memory}, {tuple(slots_shape)})"
            folder = str(Path(__file__).resolve().parents[1])
            self._processes: list[subprocess.Popen] = []
            try:
                for _ in range(count):
                    self._processes.append(_started(code, folder, memory))
            except BaseException:
                self.close()
                raise
        finally:
            os.close(memory)
        # One entry for each thread that asks, so that none waits for ever: a process that ended is replaced by None.
        self._idle: queue.SimpleQueue[subprocess.Popen | None] = queue.SimpleQueue()
        self._ended = "A process that decodes images gave no answer"
        for process in self._processes:
            self._idle.put(process)

    def decode(self, slot: int, start: int, paths: Sequence[Path], resize: str) -> tuple[int, int, list, list]:
        """As `_decode_into`, with the number of a slot."""
        process = self._idle.get()
        try:
            if process is None:
                raise OSError(self._ended)
            answer = self._ask(process, (slot, start, [os.path.abspath(path) for path in paths], resize))
        except BaseException:
            process = None
            raise
        finally:
            self._idle.put(process)
        if isinstance(answer, MemoryError):
            raise answer
        return answer

    def _ask(self, process: subprocess.Popen, work: tuple) -> tuple[int, int, list, list] | MemoryError:
        try:
            pickle.dump(work, process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self._ended = _how_it_ended(process)
            # Never a BrokenPipeError, by which commands know that the reader of their own output has gone.
            raise OSError(self._ended) from error

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            with contextlib.suppress(OSError):  # what it did not take of its work is flushed once more
                process.stdin.close()
            process.stdout.close()
            process.wait()


def _started(code: str, folder: str, memory: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(memory,),
        # Ctrl-C is for whoever asks; these then find their input closed. They stay in the session, which may give way.
        process_group=0,
    )


def _how_it_ended(process: subprocess.Popen) -> str:
    try:
        code = process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        return "A process that decodes images gave no answer"
    if code < 0:
        return "A process that decodes images was killed, perhaps for want of memory"
    return f"A process that decodes images ended with code {code}"


def _mapped(memory: int, shape: Sequence[int]) -> np.ndarray:
    return np.frombuffer(mmap.mmap(memory, prod(shape)), np.uint8).reshape(shape)


def serve(memory: int, slots_shape: Sequence[int]) -> None:
    """What a process of `_Workers` does: decodes what comes on stdin, and answers on stdout, until stdin ends."""
    slots = _mapped(memory, slots_shape)
    while True:
        try:
            slot, *work = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = _decode_into(slots[slot], *work)
        except MemoryError as error:
            answer = error
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
