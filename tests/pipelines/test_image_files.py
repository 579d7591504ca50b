"""Many files to one array: order, threads, and files that cannot be used."""

import numpy as np
from PIL import Image

from pipelines.decode import decode_image
from pipelines.image_files import BadFile, decode_files


def files(folder, count):
    generator = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(path)
    return paths


def test_every_file_is_decoded_in_its_place(tmp_path):
    paths = files(tmp_path, 150)  # no multiple of what a thread takes at a time
    for resize in ("squash", "crop"):
        images, bad = decode_files(paths, (4, 4, 3), resize)
        assert (images.shape, images.dtype, bad) == ((150, 4, 4, 3), np.uint8, [])
        np.testing.assert_array_equal(images, [decode_image(path, (4, 4, 3), resize) for path in paths])


def test_bad_files_are_listed_in_order_and_leave_zeros(tmp_path):
    paths = files(tmp_path, 140)
    paths[3].write_bytes(b"")
    paths[139].write_bytes(b"text")
    paths[70].unlink()
    images, bad = decode_files(paths, (4, 4, 1))
    assert [(file.path, file.kind) for file in bad] == [
        (paths[3], "empty"),
        (paths[70], "missing"),
        (paths[139], "no image"),
    ]
    assert bad[0] == BadFile(paths[3], "empty", "it holds 0 bytes")
    empty = [number for number, image in enumerate(images) if not image.any()]
    assert empty == [3, 70, 139]


def test_no_file_at_all():
    images, bad = decode_files([], (4, 4, 1))
    assert images.shape == (0, 4, 4, 1) and bad == []
