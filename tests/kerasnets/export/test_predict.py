"""Image files of every kind to arrays, and arrays to a table of answers."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import BatchedPredictor
from kerasnets.export import predict as predict_module
from kerasnets.export.predict import predict, read_images

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
    np.testing.assert_array_equal(read_images([file], (8, 6, 3))[0], seen)


def test_colour_becomes_grey_by_luma(tmp_path):
    file = save(tmp_path / "colour.png", gradient())
    luma = (gradient() @ np.array([0.299, 0.587, 0.114])).round()
    assert np.abs(read_images([file], (8, 6, 1))[0, ..., 0] - luma).max() <= 1


def test_grey_becomes_colour(tmp_path):
    grey = gradient()[..., 0]
    file = save(tmp_path / "grey.png", grey)
    np.testing.assert_array_equal(read_images([file], (8, 6, 3))[0], np.stack([grey] * 3, axis=-1))


def test_transparency_lies_over_white(tmp_path):
    array = np.zeros((2, 2, 4), np.uint8)
    array[0, 0] = (10, 20, 30, 255)
    array[1, 1] = (0, 0, 0, 51)
    shown = read_images([save(tmp_path / "clear.png", array)], (2, 2, 3))[0]
    # 51 of 255 is a fifth: black at a fifth over white is 204.
    np.testing.assert_array_equal(shown, [[[10, 20, 30], [255] * 3], [[255] * 3, [204] * 3]])


def test_a_palette_is_looked_up_and_its_transparency_honoured(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([200, 100, 50, 1, 2, 3])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=1)
    np.testing.assert_array_equal(
        read_images([tmp_path / "palette.png"], (1, 2, 3))[0], [[[200, 100, 50], [255, 255, 255]]]
    )


def test_sixteen_bits_keep_their_upper_byte(tmp_path):
    values = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    shown = read_images([save(tmp_path / "deep.png", values)], (2, 3, 1))[0, ..., 0]
    np.testing.assert_array_equal(shown, [[0, 0, 1], [128, 255, 255]])


def test_other_sizes_are_scaled_with_antialiasing(tmp_path):
    # A chessboard of single pixels is even grey from afar; without antialiasing it would stay black and white.
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shown = read_images([save(tmp_path / "board.png", board)], (8, 8, 1))
    assert np.abs(shown.astype(int) - 127.5).max() < 4


@pytest.mark.parametrize("kind", ["jpg", "bmp", "gif", "webp", "tif", "ppm"])
def test_usual_formats_are_read(tmp_path, kind):
    file = save(tmp_path / f"image.{kind}", np.full((4, 4, 3), 200, np.uint8))
    assert np.abs(read_images([file], (4, 4, 3)).astype(int) - 200).max() <= 3


def test_files_keep_their_order(tmp_path):
    files = [save(tmp_path / f"{value}.png", np.full((2, 2), value, np.uint8)) for value in (9, 3, 7)]
    assert read_images(files, (2, 2, 1))[:, 0, 0, 0].tolist() == [9, 3, 7]


def one_line(path, match, shape=(4, 4, 3)):
    with pytest.raises(InputError, match=match) as caught:
        read_images([path], shape)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    one_line(tmp_path / "none.png", "which does not exist")
    one_line(tmp_path, "which is a folder")


@pytest.mark.parametrize("content", [b"", b"just text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n"])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    one_line(tmp_path / "bad.png", "An image file was expected .*cannot identify")


def test_a_truncated_image_is_refused(tmp_path):
    file = save(tmp_path / "cut.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    file.write_bytes(file.read_bytes()[:1500])
    one_line(file, "An image file was expected .*truncated")


def test_floats_and_32_bits_are_refused(tmp_path):
    one_line(save(tmp_path / "f.tif", np.zeros((4, 4), np.float32)), "its values are floats")
    one_line(save(tmp_path / "i.tif", np.full((4, 4), 70000, np.int32)), "its values have 32 bits")


def png_that_claims(width, height):
    """A PNG header for any size; there is no picture behind it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8001, 10_000, 50_000])
def test_the_number_of_pixels_is_checked_before_decoding(tmp_path, side, monkeypatch):
    (tmp_path / "huge.png").write_bytes(png_that_claims(side, side))
    monkeypatch.setattr(predict_module, "_convert", lambda *_: pytest.fail("was decoded"))
    one_line(tmp_path / "huge.png", "at most 64,000,000 pixels")


def stub(images):
    """Probability 0.7 for class `first value`, 0.2 for the next one, 0.1 for the one after."""
    first = tf.cast(images[:, 0, 0, 0], tf.int32)
    p = sum(share * tf.one_hot((first + step) % 3, 3) for step, share in enumerate((0.7, 0.2, 0.1)))
    return tf.math.log(p)


def predictor():
    return BatchedPredictor(stub, class_names=("cat", "dog", "ship"), image_shape=(2, 2, 1), name="stub")


def test_the_table_holds_the_most_probable_classes(tmp_path):
    files = [save(tmp_path / f"{value}.png", np.full((2, 2), value, np.uint8)) for value in (1, 2)]
    table = predict(predictor(), files, top=2)
    assert list(table.columns) == ["file", "rank", "class", "probability"]
    assert table["file"].tolist() == [str(files[0])] * 2 + [str(files[1])] * 2
    assert table["rank"].tolist() == [1, 2, 1, 2]
    assert table["class"].tolist() == ["dog", "ship", "ship", "cat"]
    np.testing.assert_allclose(table["probability"], [0.7, 0.2, 0.7, 0.2], rtol=1e-5)


def test_more_classes_than_there_are_mean_all(tmp_path):
    file = save(tmp_path / "0.png", np.zeros((2, 2), np.uint8))
    assert len(predict(predictor(), [file], top=10)) == 3


def test_nothing_to_classify_is_refused():
    with pytest.raises(InputError, match="At least one image file"):
        predict(predictor(), [])


def test_top_below_one_is_refused(tmp_path):
    with pytest.raises(InputError, match="top must be at least 1. Received: 0"):
        predict(predictor(), [tmp_path / "0.png"], top=0)
