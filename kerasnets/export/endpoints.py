"""The functions inside an exported network: uint8 images, or encoded image bytes, to labels and probabilities."""

from collections.abc import Callable, Sequence

import tensorflow as tf

Answer = dict[str, tf.Tensor]


def make_serve(log_probabilities: Callable[[tf.Tensor], tf.Tensor], class_names: Sequence[str]) -> Callable:
    """Adds names to a function of images.

    Args:
        log_probabilities: (batch, height, width, channels) uint8 to (batch, classes) float32.
        class_names: Names in the order of its outputs.

    Returns:
        Function from images to ``label`` (batch,) string, ``probabilities`` and ``log_probabilities``
        (batch, classes) float32.
    """
    names = list(class_names)

    def serve(images: tf.Tensor) -> Answer:
        log_p = log_probabilities(images)
        label = tf.gather(tf.constant(names), tf.argmax(log_p, axis=-1))
        return {"label": label, "probabilities": tf.exp(log_p), "log_probabilities": log_p}

    return serve


def make_serve_bytes(
    serve: Callable[[tf.Tensor], Answer], image_shape: Sequence[int], resize: str = "squash"
) -> Callable:
    """Puts decoding before ``serve``, see `decode`.

    Returns:
        Function from (batch,) strings, each a whole JPEG, PNG, BMP or GIF file, to what ``serve`` gives. Unlike
        ``kerasnets-predict`` it does not know EXIF orientation: TensorFlow has no reader for it.
    """

    def serve_bytes(encoded: tf.Tensor) -> Answer:
        spec = tf.TensorSpec(image_shape, tf.uint8)
        return serve(tf.map_fn(lambda one: decode(one, image_shape, resize), encoded, fn_output_signature=spec))

    return serve_bytes


def decode(encoded: tf.Tensor, image_shape: Sequence[int], resize: str = "squash") -> tf.Tensor:
    """Decodes one image and brings it to a shape.

    Transparent parts become white and colours grey as in Pillow; another size is scaled by bilinear interpolation
    with antialiasing, which agrees with Pillow's to about one level.

    Args:
        encoded: Scalar string.
        image_shape: (height, width, 1 or 3).
        resize: ``squash``, ``crop`` or ``pad``, as in `pipelines.decode.decode_bytes`.

    Returns:
        uint8 of ``image_shape``.
    """
    height, width, channels = image_shape
    # The default, faster inverse transform gives pixels that Pillow and libjpeg do not.
    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=0, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels=0, expand_animations=False),
    )
    image = tf.ensure_shape(image, (None, None, None))
    image = _to_channels(_over_white(image), channels)
    same_size = tf.reduce_all(tf.shape(image)[:2] == (height, width))
    image = tf.cond(same_size, lambda: image, lambda: _resize(image, height, width, resize))
    return tf.ensure_shape(image, image_shape)


def _resize(image: tf.Tensor, height: int, width: int, resize: str) -> tf.Tensor:
    size, wanted = tf.cast(tf.shape(image)[:2], tf.float32), tf.constant([height, width], tf.float32)
    image = tf.cast(image, tf.float32)
    if resize == "crop":
        image = _scale(image, wanted, box=wanted / tf.reduce_max(wanted / size))
    elif resize == "pad":
        fitted = tf.maximum(tf.round(size * tf.reduce_min(wanted / size)), 1)
        before = tf.cast(tf.round((wanted - fitted) / 2), tf.int32)
        after = (height, width) - tf.cast(fitted, tf.int32) - before
        paddings = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
        image = tf.pad(_scale(image, fitted, box=size), paddings)
    else:
        image = _scale(image, wanted, box=size)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def _scale(image: tf.Tensor, size: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Scales the middle of an image, of the height and width ``box``, to another size."""
    scale = size / box
    start = (tf.cast(tf.shape(image)[:2], tf.float32) - box) / 2
    return tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=tf.cast(size, tf.int32),
        scale=scale,
        translation=-start * scale,
        kernel_type="triangle",
        antialias=True,
    )[0]


def _over_white(image: tf.Tensor) -> tf.Tensor:
    """(height, width, 1 to 4) to (height, width, 1 or 3); two and four channels end in alpha."""

    def blend() -> tf.Tensor:
        colour, alpha = tf.cast(image[..., :-1], tf.float32), tf.cast(image[..., -1:], tf.float32) / 255
        return tf.cast(tf.round(colour * alpha + 255 * (1 - alpha)), tf.uint8)

    return tf.cond(tf.shape(image)[-1] % 2 == 0, blend, lambda: image)


def _to_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    if channels == 3:
        # Grey becomes three equal channels; colour is tiled once, that is, left alone.
        return tf.tile(image, (1, 1, 3 // tf.shape(image)[-1]))

    def grey() -> tf.Tensor:
        # ITU-R 601-2 luma in the fixed-point form that Pillow's convert("L") uses.
        red, green, blue = tf.unstack(tf.cast(image[..., :3], tf.int32), 3, axis=-1)
        luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) // 65536
        return tf.cast(luma, tf.uint8)[..., tf.newaxis]

    return tf.cond(tf.shape(image)[-1] == 3, grey, lambda: image)
