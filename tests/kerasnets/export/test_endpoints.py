"""Decoding inside the exported graph, against Pillow."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasnets.export.endpoints import decode, make_serve, make_serve_bytes
from kerasnets.export.predict import read_images


@pytest.fixture
def picture():
    """A smooth colour picture: scaling and JPEG do not fall apart on it as on noise."""
    y, x = np.mgrid[0:48, 0:60] / 48
    waves = np.stack([np.sin(5 * x + y), np.cos(4 * y), np.sin(3 * x * y)], axis=-1)
    return Image.fromarray(((waves + 1) * 127.5).astype(np.uint8))


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def in_graph(data, shape, resize="squash"):
    return tf.function(lambda one: decode(one, shape, resize))(tf.constant(data)).numpy()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(48, 60), (20, 32), (64, 64)])
def test_the_graph_reads_what_predict_reads(picture, tmp_path, mode, channels, size):
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    file = tmp_path / "image.png"
    file.write_bytes(encoded(picture.convert(mode)))
    shape = (*size, channels)
    ours, pillows = in_graph(file.read_bytes(), shape), read_images([file], shape)[0]
    # Pillow rounds between the two directions of scaling and blends in whole numbers.
    exact = size == (48, 60) and mode not in ("RGBA", "LA")
    assert np.abs(ours.astype(int) - pillows).max() <= (0 if exact else 2)


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("side", [(48, 60), (60, 48), (17, 90), (30, 30), (12, 10)])
@pytest.mark.parametrize("size", [(24, 24), (20, 31), (64, 64)])
def test_every_way_to_another_size_is_pillows(picture, tmp_path, resize, side, size):
    file = tmp_path / "image.png"
    file.write_bytes(encoded(picture.resize(side[::-1])))
    ours, pillows = in_graph(file.read_bytes(), (*size, 3), resize), read_images([file], (*size, 3), resize)[0]
    assert np.abs(ours.astype(int) - pillows).max() <= 2


@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_is_read_as_pillow_reads_it(picture, subsampling):
    data = encoded(picture, "JPEG", quality=90, subsampling=subsampling)
    np.testing.assert_array_equal(in_graph(data, (48, 60, 3)), Image.open(io.BytesIO(data)))


def test_sixteen_bits_keep_their_upper_byte():
    values = np.arange(0, 65536, 4096, dtype=np.uint16).reshape(4, 4)
    data = encoded(Image.fromarray(values))
    np.testing.assert_array_equal(in_graph(data, (4, 4, 1))[..., 0], values >> 8)


def test_transparent_black_is_white():
    data = encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))
    np.testing.assert_array_equal(in_graph(data, (4, 4, 3)), np.full((4, 4, 3), 255))


def test_bytes_that_are_no_image_are_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="image"):
        in_graph(b"no image at all", (4, 4, 3))


def test_endpoints_name_the_most_probable_class(picture):
    def function(images):
        dark = tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2, 3)) / 255
        return tf.math.log(tf.stack([1 - dark, dark], axis=1))

    serve = make_serve(function, ["night", "day"])
    answer = serve(tf.constant(np.stack([np.full((2, 2, 3), v, np.uint8) for v in (51, 204)])))
    assert answer["label"].numpy().tolist() == [b"night", b"day"]
    np.testing.assert_allclose(answer["probabilities"], [[0.8, 0.2], [0.2, 0.8]], rtol=1e-5)
    np.testing.assert_allclose(answer["log_probabilities"], np.log(answer["probabilities"]), rtol=1e-5)
    files = [encoded(Image.new("RGB", (5, 7), (v, v, v))) for v in (204, 51, 204)]
    assert make_serve_bytes(serve, (2, 2, 3))(tf.constant(files))["label"].numpy().tolist() == [
        b"day",
        b"night",
        b"day",
    ]
