"""Image files of every kind to arrays, against arrays made by hand, and why a file is refused."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines import decode
from pipelines.decode import BadImage, decode_image, fit_array

ORIENTATION = 0x0112


def gradient(height=8, width=6):
    """A picture whose every turn differs: red grows to the right, green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 40, y * 30, np.full_like(x, 7)], axis=-1).astype(np.uint8)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        # What a camera that was held so has written, from the picture as it should be seen.
        (1, lambda seen: seen),
        (2, lambda seen: seen[:, ::-1]),
        (3, lambda seen: seen[::-1, ::-1]),
        (4, lambda seen: seen[::-1]),
        (6, lambda seen: np.rot90(seen, 1)),
        (8, lambda seen: np.rot90(seen, -1)),
    ],
)
def test_exif_orientation_is_honoured(tmp_path, orientation, undo):
    seen = gradient()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = save(tmp_path / "turned.png", np.ascontiguousarray(undo(seen)), exif=exif)
    np.testing.assert_array_equal(decode_image(file, (8, 6, 3)), seen)


def test_colour_becomes_grey_by_luma(tmp_path):
    file = save(tmp_path / "colour.png", gradient())
    luma = (gradient() @ np.array([0.299, 0.587, 0.114])).round()
    assert np.abs(decode_image(file, (8, 6, 1))[..., 0] - luma).max() <= 1


def test_grey_becomes_colour(tmp_path):
    grey = gradient()[..., 0]
    file = save(tmp_path / "grey.png", grey)
    np.testing.assert_array_equal(decode_image(file, (8, 6, 3)), np.stack([grey] * 3, axis=-1))


def test_transparency_lies_over_white(tmp_path):
    array = np.zeros((2, 2, 4), np.uint8)
    array[0, 0] = (10, 20, 30, 255)
    array[1, 1] = (0, 0, 0, 51)
    shown = decode_image(save(tmp_path / "clear.png", array), (2, 2, 3))
    # 51 of 255 is a fifth: black at a fifth over white is 204.
    np.testing.assert_array_equal(shown, [[[10, 20, 30], [255] * 3], [[255] * 3, [204] * 3]])


def test_a_palette_is_looked_up_and_its_transparency_honoured(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([200, 100, 50, 1, 2, 3])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=1)
    np.testing.assert_array_equal(
        decode_image(tmp_path / "palette.png", (1, 2, 3)), [[[200, 100, 50], [255, 255, 255]]]
    )


def test_sixteen_bits_keep_their_upper_byte(tmp_path):
    values = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    shown = decode_image(save(tmp_path / "deep.png", values), (2, 3, 1))[..., 0]
    np.testing.assert_array_equal(shown, [[0, 0, 1], [128, 255, 255]])


def test_other_sizes_are_scaled_with_antialiasing(tmp_path):
    # A chessboard of single pixels is even grey from afar; without antialiasing it would stay black and white.
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shown = decode_image(save(tmp_path / "board.png", board), (8, 8, 1))
    assert np.abs(shown.astype(int) - 127.5).max() < 4


@pytest.mark.parametrize("kind", ["jpg", "bmp", "gif", "webp", "tif", "ppm"])
def test_usual_formats_are_read(tmp_path, kind):
    file = save(tmp_path / f"image.{kind}", np.full((4, 4, 3), 200, np.uint8))
    assert np.abs(decode_image(file, (4, 4, 3)).astype(int) - 200).max() <= 3


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (13, 31), (3, 5)])
@pytest.mark.parametrize("target", [(8, 8), (8, 12)])
def test_crop_cuts_the_middle_out_and_pad_keeps_everything(tmp_path, shape, target):
    # A white frame two pixels wide around a grey middle, as large as its own size asks.
    array = np.full(shape, 128, np.uint8)
    array[:, 0] = array[:, -1] = 255
    file = save(tmp_path / "frame.png", array)
    image = Image.fromarray(array)
    size = (target[1], target[0])
    for resize, reference in (("crop", ImageOps.fit), ("pad", ImageOps.pad)):
        expected = np.asarray(reference(image, size, Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(decode_image(file, (*target, 1), resize)[..., 0], expected)


def test_pad_puts_black_around_and_crop_leaves_nothing_empty(tmp_path):
    file = save(tmp_path / "wide.png", np.full((4, 8, 3), 200, np.uint8))
    padded = decode_image(file, (8, 8, 3), "pad")
    np.testing.assert_array_equal(padded[:, 0, 0], [0, 0, 200, 200, 200, 200, 0, 0])
    assert (decode_image(file, (8, 8, 3), "crop") == 200).all()
    assert (decode_image(file, (8, 8, 3), "squash") == 200).all()


def test_cmyk_becomes_what_pillow_makes_of_it(tmp_path):
    image = Image.new("CMYK", (4, 4), (20, 90, 160, 30))
    image.save(tmp_path / "print.jpg", quality=95)
    with Image.open(tmp_path / "print.jpg") as opened:
        expected = np.asarray(opened.convert("RGB"))
    np.testing.assert_array_equal(decode_image(tmp_path / "print.jpg", (4, 4, 3)), expected)


def test_the_first_image_of_an_animation_counts(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (50, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert (decode_image(tmp_path / "moving.gif", (4, 4, 1)) == 50).all()


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("shape", [(5, 9, 1), (5, 9, 3), (13, 31, 3)])
def test_an_array_becomes_what_its_file_becomes(tmp_path, resize, channels, shape):
    size = (13, 31, channels) if channels else (13, 31)
    array = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    file = save(tmp_path / "array.png", array[..., 0] if channels == 1 else array)
    fitted = fit_array(array, shape, resize)
    assert fitted.shape == shape and fitted.dtype == np.uint8
    np.testing.assert_array_equal(fitted, decode_image(file, shape, resize))


def refused(path, kind, match, shape=(4, 4, 3)):
    with pytest.raises(BadImage, match=match) as caught:
        decode_image(path, shape)
    assert caught.value.kind == kind
    assert caught.value.reason == str(caught.value) and "\n" not in caught.value.reason


def test_a_missing_file_and_a_folder(tmp_path):
    refused(tmp_path / "none.png", "missing", "it does not exist")
    refused(tmp_path, "folder", "it is a folder")


def test_what_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    refused(tmp_path / "loop.png", "unreadable", "[Tt]oo many levels of symbolic links")
    file = save(tmp_path / "locked.png", gradient())

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(decode, "open", denied, raising=False)  # root may read everything
    refused(file, "unreadable", "Permission denied")


def test_reading_ahead_waits_for_nothing_and_complains_of_nothing(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        decode.os, "posix_fadvise", lambda descriptor, *_: asked.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    )
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    file = save(tmp_path / "good.png", gradient())
    descriptors = os.listdir("/proc/self/fd")
    for path in (tmp_path / "pipe.png", tmp_path / "loop.png", tmp_path / "none.png", tmp_path, file):
        decode.read_ahead(path)
    assert asked == [str(file)]
    assert os.listdir("/proc/self/fd") == descriptors


@pytest.mark.parametrize(
    ("content", "kind", "match"),
    [
        (b"", "empty", "0 bytes"),
        (b"just text", "no image", "none of JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n", "no image", "none of JPEG, PNG"),
    ],
)
def test_what_is_no_image(tmp_path, content, kind, match):
    (tmp_path / "bad.png").write_bytes(content)
    refused(tmp_path / "bad.png", kind, match)


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "gif", "webp", "tif", "ppm"])
def test_what_is_cut_off_at_any_place(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = save(tmp_path / f"whole.{kind}", noise).read_bytes()
    for share in (0.02, 0.3, 0.7, 0.95):
        (tmp_path / f"cut.{kind}").write_bytes(content[: int(share * len(content))])
        with pytest.raises(BadImage) as caught:
            decode_image(tmp_path / f"cut.{kind}", (8, 8, 3))
        assert caught.value.kind in ("damaged", "no image") and caught.value.reason


def test_want_of_memory_is_no_damage(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(decode, "_convert", full)
    with pytest.raises(MemoryError):
        decode_image(save(tmp_path / "good.png", gradient()), (8, 6, 3))


def test_a_wrong_ending_does_not_matter(tmp_path):
    file = save(tmp_path / "a.png", gradient())
    file.rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(decode_image(tmp_path / "a.jpg", (8, 6, 3)), gradient())


def test_floats_and_32_bits(tmp_path):
    refused(save(tmp_path / "f.tif", np.zeros((4, 4), np.float32)), "damaged", "its values are floats")
    refused(save(tmp_path / "i.tif", np.full((4, 4), 70000, np.int32)), "damaged", "its values have 32 bits")


def png_that_claims(width, height):
    """A PNG header for any size; there is no picture behind it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8001, 10_000, 50_000])
def test_the_number_of_pixels_is_checked_before_decoding(tmp_path, side, monkeypatch):
    (tmp_path / "huge.png").write_bytes(png_that_claims(side, side))
    monkeypatch.setattr(decode, "_convert", lambda *_: pytest.fail("was decoded"))
    refused(tmp_path / "huge.png", "too large", "more than 64,000,000")
