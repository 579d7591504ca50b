"""Which images are on a sheet and where, at which size, and that no class name breaks it."""

import re

import numpy as np
import pytest
from PIL import Image

from kerasnets.errors import InputError
from kerasnets.reporting.contact_sheet import augmentation_sheet, contact_sheets, save_sheet

RNG = np.random.default_rng(0)


def pixels(figure):
    """What is drawn below the words, (height, width, 3) uint8."""
    (drawn,) = figure.images
    return np.asarray(drawn.get_array())


def words(figure):
    return [text.get_text() for text in figure.texts]


def grey(values, side=4):
    """An image of one grey each."""
    return np.array(values, np.uint8)[:, None, None, None] * np.ones((side, side, 1), np.uint8)


def test_each_class_has_a_row_with_its_name_and_number_of_images():
    (sheet,) = contact_sheets(grey([10, 20, 30]), np.array([1, 0, 1]), ["cat", "dog", "emu"], "pets · train")
    assert words(sheet) == ["pets · train", "cat", "1 image", "dog", "2 images", "emu", "0 images"]
    drawn = pixels(sheet)
    # Images of 4x4 are enlarged 24 times, rows of 100 pixels begin at 44, images at 190.
    assert [drawn[44 + 100 * row + 50, 190 + 50, 0] for row in range(3)] == [20, 10, 255]
    assert drawn[44 + 150, 290 + 50, 0] == 30
    assert sorted(np.unique(drawn)) == [10, 20, 30, 255]


def test_a_large_class_shows_eight_that_are_evenly_spaced():
    (sheet,) = contact_sheets(grey(range(80)), np.zeros(80, int), ["a"], "x")
    drawn = pixels(sheet)
    assert [drawn[94, 240 + 100 * place, 0] for place in range(8)] == [0, 10, 20, 30, 40, 50, 60, 70]


def test_small_images_keep_their_pixels():
    image = RNG.integers(0, 255, (1, 28, 28, 3), np.uint8)
    (sheet,) = contact_sheets(image, np.array([0]), ["a"], "x")
    shown = pixels(sheet)[44 : 44 + 84, 190 : 190 + 84]
    np.testing.assert_array_equal(shown, image[0].repeat(3, axis=0).repeat(3, axis=1))


def test_large_images_are_reduced_and_keep_their_shape():
    image = np.full((1, 256, 512, 3), 7, np.uint8)
    (sheet,) = contact_sheets(image, np.array([0]), ["a"], "x")
    dark = (pixels(sheet) == 7).all(axis=-1)
    assert (dark.any(axis=1).sum(), dark.any(axis=0).sum()) == (64, 128)


def test_many_classes_go_to_two_columns_and_further_sheets():
    names = [f"class {label}" for label in range(41)]
    first, second = contact_sheets(grey(range(41)), np.arange(41), names, "x")
    assert words(first)[0] == "x · classes 1 to 40 of 41"
    assert words(second) == ["x · classes 41 to 41 of 41", "class 40", "1 image"]
    drawn = pixels(first)
    width = drawn.shape[1] // 2
    assert [drawn[44 + 100 * row + 50, 240, 0] for row in (0, 19)] == [0, 19]
    assert [drawn[44 + 100 * row + 50, width + 240, 0] for row in (0, 19)] == [20, 39]


def test_there_are_at_most_ten_sheets():
    sheets = list(contact_sheets(grey(range(200), 1), np.arange(200), [str(n) for n in range(1000)], "x"))
    assert len(sheets) == 10
    assert words(sheets[-1])[0] == "x · classes 361 to 400 of 1,000"


NAMES = ["$x_{1$", "<script>alert(1)</script>", "W" * 60, "日本語", "--help", "a\nb\x07", "", "[red]"]


def test_no_name_breaks_a_sheet_or_runs_into_the_images(tmp_path):
    images = np.full((16, 28, 28, 1), 255, np.uint8)
    (sheet,) = contact_sheets(images, np.arange(16) % 8, NAMES, "$title$ <b>")
    path = save_sheet(sheet, tmp_path / "sheet.png")
    with Image.open(path) as written:
        drawn = np.asarray(written.convert("RGB"))
    assert drawn.shape == pixels(sheet).shape
    # Right of the names everything is as composed: the words are cut off before.
    np.testing.assert_array_equal(drawn[44:, 190:], pixels(sheet)[44:, 190:])
    assert (drawn[44:, :186] < 128).any()


def test_augmentations_have_a_row_each_below_the_image_and_its_partner():
    original, partner, changed = grey([10])[0], grey([20])[0], grey([30, 40])
    sheet = augmentation_sheet(original, partner, {"flip": changed, "cutout": changed[::-1]}, "x")
    assert [word for word in words(sheet) if word] == [
        "x",
        "original",
        "beside what it is mixed with",
        "flip",
        "cutout",
    ]
    drawn = pixels(sheet)
    shown = [[int(drawn[94 + 100 * row, 240 + 100 * column, 0]) for column in range(2)] for row in range(3)]
    assert shown == [[10, 20], [30, 40], [40, 30]]


def test_only_an_older_sheet_is_written_over(tmp_path):
    def sheet(value):
        return next(contact_sheets(grey([value]), np.array([0]), ["a"], "x"))

    path = save_sheet(sheet(1), tmp_path / "sheet.png")
    old = path.read_bytes()
    assert save_sheet(sheet(9), path).read_bytes() != old
    (tmp_path / "letter.png").write_text("Dear reader")
    (tmp_path / "folder.png").mkdir()
    for name in ("letter.png", "folder.png"):
        with pytest.raises(InputError, match=re.escape(f"{tmp_path / name} must be free or an older sheet")):
            save_sheet(sheet(1), tmp_path / name)
    assert (tmp_path / "letter.png").read_text() == "Dear reader"
