"""Mixup and cutmix: each training image mixed with another one, and its label likewise."""

import tensorflow as tf

from pipelines.augment_erase import centred_boxes, paste_boxes
from pipelines.augment_seeds import GAMMA_STREAM, MIX_STREAM, draw_uniform, stream_seed


def draw_beta(num_examples: int, alpha: float, draws: tf.Tensor, *, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """Numbers in [0, 1] from the beta distribution with both parameters `alpha`.

    Args:
        num_examples: How many.
        alpha: Above 0.
        draws: (num_examples, 2) float32 in [0, 1), independent of everything else.
        seed: Of the training stream.
        epoch: From 0.

    Returns:
        (num_examples,) float32; row i depends on (seed, epoch, i) and its draws alone.
    """
    # A beta variable is x / (x + y) for two gamma variables. Those of a small alpha underflow, so they are taken in
    # logarithms, from gamma variables of alpha + 1 and a power of uniform ones (Marsaglia and Tsang 2000, section 6).
    pair = stream_seed(seed, GAMMA_STREAM, epoch)
    gammas = tf.random.stateless_gamma((num_examples, 2), pair, tf.constant(alpha + 1, tf.float64), dtype=tf.float64)
    logarithms = tf.math.log(gammas) + tf.math.log(1 - tf.cast(draws, tf.float64)) / alpha
    return tf.cast(tf.sigmoid(logarithms[:, 0] - logarithms[:, 1]), tf.float32)


def draw_mix(
    num_examples: int,
    image_shape: tuple[int, ...],
    *,
    mixup: float,
    cutmix: float,
    seed: int,
    epoch: tf.Tensor | int,
) -> dict[str, tf.Tensor]:
    """How every example is mixed with another one in one epoch; row i depends on (seed, epoch, i) alone.

    Args:
        num_examples: How many.
        image_shape: (height, width, ...) in pixels.
        mixup: Alpha of the beta distribution of an image's own share; 0 for no mixup.
        cutmix: Alpha of the same for cutmix; 0 for none. With both, a random half of the images has each.
        seed: Of the training stream.
        epoch: From 0.

    Returns:
        For `mix_images` and `mix_labels`: "share", (num_examples,) float32, each image's own share in its label; with
        mixup "weight", (num_examples,) float32, each image's own weight in all pixels; with cutmix "paste",
        (num_examples, 4) int32 boxes.

    Sources: Zhang et al. 2018 (arXiv:1710.09412); Yun et al. 2019 (arXiv:1905.04899), whose share is that of the
    pixels which are left when the box is cut off at the edges.
    """
    draws = draw_uniform(num_examples, 5, MIX_STREAM, seed=seed, epoch=epoch)
    coins, places, powers = draws[:, 0], draws[:, 1:3], draws[:, 3:]
    height, width = image_shape[:2]
    if mixup:
        blend = draw_beta(num_examples, mixup, powers, seed=seed, epoch=epoch)
        if not cutmix:
            return {"share": blend, "weight": blend}
    side = tf.sqrt(1 - draw_beta(num_examples, cutmix, powers, seed=seed, epoch=epoch))
    heights, widths = tf.cast(side * height, tf.int32), tf.cast(side * width, tf.int32)
    boxes = centred_boxes(places, heights, widths, image_shape)
    if mixup:
        boxes = tf.where(coins[:, None] < 0.5, boxes, 0)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = 1 - tf.cast(area, tf.float32) / (height * width)
    if not mixup:
        return {"share": left, "paste": boxes}
    blend = tf.where(coins < 0.5, 1.0, blend)
    return {"share": tf.where(coins < 0.5, left, blend), "weight": blend, "paste": boxes}


def mix_images(images: tf.Tensor, others: tf.Tensor, draws: dict[str, tf.Tensor]) -> tf.Tensor:
    """Mixes each image with the other one as drawn.

    Args:
        images: (batch, height, width, channels) uint8.
        others: Like `images`.
        draws: Rows of what `draw_mix` gave, one for each image.

    Returns:
        The same shape; float32 in 0..255, not rounded, if there is mixup, else uint8.
    """
    mixed = paste_boxes(images, others, draws["paste"]) if "paste" in draws else images
    if "weight" not in draws:
        return mixed
    size = images.shape[1] * images.shape[2] * images.shape[3]
    weights = draws["weight"][:, None]
    mixed, others = (tf.cast(tf.reshape(pixels, (-1, size)), tf.float32) for pixels in (mixed, others))
    return tf.reshape(mixed * weights + others * (1 - weights), tf.shape(images))


def mix_labels(labels: tf.Tensor, others: tf.Tensor, share: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Labels with two classes each, (batch, num_classes) float32: `share` of the own one, the rest of the other's.

    Args:
        labels: (batch,) int32.
        others: (batch,) int32.
        share: (batch,) float32 in [0, 1].
        num_classes: Width of the result.
    """
    share = share[:, None]
    return tf.one_hot(labels, num_classes) * share + tf.one_hot(others, num_classes) * (1 - share)
