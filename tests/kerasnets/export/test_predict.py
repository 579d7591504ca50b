"""Image files of every kind to arrays, and arrays to a table of answers."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import BatchedPredictor
from kerasnets.export.predict import predict, read_images


def save(path, array):
    Image.fromarray(array).save(path)
    return path


def test_files_keep_their_order(tmp_path):
    files = [save(tmp_path / f"{value}.png", np.full((2, 2), value, np.uint8)) for value in (9, 3, 7)]
    assert read_images(files, (2, 2, 1))[:, 0, 0, 0].tolist() == [9, 3, 7]


def one_line(path, match, shape=(4, 4, 3)):
    with pytest.raises(InputError, match=match) as caught:
        read_images([path], shape)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_what_is_no_image_is_named(tmp_path):
    one_line(tmp_path / "none.png", "it does not exist. Name files")
    one_line(tmp_path, "it is a folder. Name files")
    (tmp_path / "cut.png").write_bytes(save(tmp_path / "whole.png", np.zeros((64, 64), np.uint8)).read_bytes()[:60])
    one_line(tmp_path / "cut.png", "An image file was expected .*Received: .*cut.png: ")


def stub(images):
    """Probability 0.7 for class `first value`, 0.2 for the next one, 0.1 for the one after."""
    first = tf.cast(images[:, 0, 0, 0], tf.int32)
    p = sum(share * tf.one_hot((first + step) % 3, 3) for step, share in enumerate((0.7, 0.2, 0.1)))
    return tf.math.log(p)


def predictor(image_shape=(2, 2, 1), **more):
    return BatchedPredictor(stub, class_names=("cat", "dog", "ship"), image_shape=image_shape, name="stub", **more)


@pytest.mark.parametrize(("resize", "answer"), [("pad", "cat"), ("crop", "ship")])
def test_files_are_resized_as_in_training(tmp_path, resize, answer):
    # Padded, a low strip has black above it (class 0); cropped, its value is in the corner.
    file = save(tmp_path / "strip.png", np.full((2, 8), 2, np.uint8))
    assert predict(predictor((4, 4, 1), resize=resize), [file], top=1)["class"].tolist() == [answer]


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
