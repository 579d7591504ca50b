"""RandAugment and TrivialAugment: random operations from a fixed list, batched.

A batch is parted by the kind of operation that was drawn for each image, so that each kind runs once, over the images
that want it, and nothing runs for those that do not.
"""

import numpy as np
import tensorflow as tf

from pipelines.augment_color import GREY, change_color, rounded_maps
from pipelines.augment_geometry import affine_maps, warp_nearest
from pipelines.augment_seeds import POLICY_STREAM, draw_uniform
from pipelines.augment_tones import autocontrast, equalize, posterize, sharpen, solarize
from pipelines.augmentation import MAX_MAGNITUDE

OPERATIONS = (
    *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate"),
    *("brightness", "color", "contrast", "sharpness"),
    *("posterize", "solarize", "autocontrast", "equalize"),
)
# Those whose strength is negative for a random half of the images.
_SIGNED = range(OPERATIONS.index("shear_x"), OPERATIONS.index("sharpness") + 1)
# Operations of one kind run together: identity, geometry, colour, and the others one by one.
_KINDS = (0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7)


def policy_strengths(policy: str, width: int, height: int) -> np.ndarray:
    """How strong each operation is at each magnitude, (operations, 31) float32, before a sign is drawn.

    Shears in pixels a pixel, translations in whole pixels, rotation in degrees, brightness to sharpness as a change of
    the factor, posterize in bits kept, solarize as a threshold.

    Sources: Cubuk et al. 2019 (arXiv:1909.13719) and Müller and Hutter 2021 (arXiv:2103.10158, "Wide"), both with the
    ranges of torchvision's RandAugment and TrivialAugmentWide.
    """
    wide = policy == "trivialaugment"
    steps = np.linspace(0, 1, MAX_MAGNITUDE + 1)
    shear, turn, change, fewer_bits = (0.99, 135, 0.99, 6) if wide else (0.3, 30, 0.9, 4)
    right, down = (32, 32) if wide else (150 / 331 * width, 150 / 331 * height)
    strengths = dict.fromkeys(("identity", "autocontrast", "equalize"), 0 * steps)
    strengths |= {"shear_x": shear * steps, "shear_y": shear * steps, "rotate": turn * steps}
    strengths |= {"translate_x": np.trunc(right * steps), "translate_y": np.trunc(down * steps)}
    strengths |= dict.fromkeys(("brightness", "color", "contrast", "sharpness"), change * steps)
    strengths |= {"posterize": 8 - np.round(fewer_bits * steps), "solarize": 255 * (1 - steps)}
    return np.stack([strengths[name] for name in OPERATIONS]).astype(np.float32)


def draw_policy(
    num_examples: int,
    image_shape: tuple[int, ...],
    *,
    policy: str,
    operations: int,
    magnitude: int,
    seed: int,
    epoch: tf.Tensor | int,
) -> dict[str, tf.Tensor]:
    """Every example's operations in one epoch; row i depends on (seed, epoch, i) alone.

    Args:
        num_examples: How many.
        image_shape: (height, width, ...) in pixels.
        policy: "randaugment" draws each operation anew and applies it at `magnitude`; "trivialaugment" draws one
            operation and one of the 31 magnitudes.
        operations: One after the other (randaugment).
        magnitude: 0 to 30 (randaugment).
        seed: Of the training stream.
        epoch: From 0.

    Returns:
        "operation", (num_examples, operations) int32, positions in `OPERATIONS`, and "strength", the same shape,
        float32, for `apply_policy`.
    """
    trivial = policy == "trivialaugment"
    count = 1 if trivial else operations
    draws = draw_uniform(num_examples, 3 * count, POLICY_STREAM, seed=seed, epoch=epoch)
    kind, level, sign = tf.unstack(tf.reshape(draws, (num_examples, count, 3)), axis=2)
    chosen = tf.cast(kind * len(OPERATIONS), tf.int32)
    levels = tf.cast(level * (MAX_MAGNITUDE + 1), tf.int32) if trivial else tf.fill(tf.shape(chosen), magnitude)
    table = policy_strengths(policy, image_shape[1], image_shape[0])
    strengths = tf.gather_nd(table, tf.stack([chosen, levels], axis=2))
    negative = (chosen >= _SIGNED.start) & (chosen < _SIGNED.stop) & (sign < 0.5)
    return {"operation": chosen, "strength": tf.where(negative, -strengths, strengths)}


def apply_policy(images: tf.Tensor, operations: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    """Applies to each image its operations, one after the other.

    Args:
        images: (batch, height, width, channels) uint8. "color" changes images with three channels only.
        operations: (batch, count) int32, as `draw_policy` gives them.
        strengths: (batch, count) float32, likewise.

    Returns:
        The same shape and type as `images`.
    """
    for number in range(operations.shape[1]):
        images = apply_operations(images, operations[:, number], strengths[:, number])
    return images


def apply_operations(images: tf.Tensor, operations: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    """Applies one operation to each image: `operations` and `strengths` are (batch,)."""
    kinds = tf.gather(tf.constant(_KINDS), operations)
    every = (images, operations, strengths, tf.range(tf.shape(images)[0]))
    parts = zip(*(tf.dynamic_partition(values, kinds, max(_KINDS) + 1) for values in every), strict=True)
    same, moved, colored, sharpened, posterized, solarized, stretched, equalized = parts
    results = [
        same[0],
        _move(*moved[:3]),
        _change_color(*colored[:3]),
        sharpen(sharpened[0], 1 + sharpened[2]),
        posterize(posterized[0], tf.cast(posterized[2], tf.int32)),
        solarize(solarized[0], solarized[2]),
        autocontrast(stretched[0]),
        equalize(equalized[0]),
    ]
    places = [part[3] for part in (same, moved, colored, sharpened, posterized, solarized, stretched, equalized)]
    return tf.ensure_shape(tf.dynamic_stitch(places, results), images.shape)


def _move(images: tf.Tensor, operations: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    """Shears about the top left corner, translates, or turns anticlockwise about the centre; nearest pixels."""
    _, height, width, _ = images.shape
    # float64 for the reason given in augment_geometry.draw_affine.
    amount = tf.cast(strengths, tf.float64)

    def of(name):
        return tf.where(operations == OPERATIONS.index(name), amount, 0)

    zeros = tf.zeros_like(amount)
    angle = of("rotate") * (np.pi / 180)
    turned = affine_maps(angle, zeros, zeros, zeros + 1, height=height, width=width)
    others = [zeros, of("shear_x"), of("translate_x"), of("shear_y"), zeros, of("translate_y")]
    return warp_nearest(images, turned + tf.cast(tf.stack(others, axis=1), tf.float32))


def _change_color(images: tf.Tensor, operations: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    """Moves each image away from black (brightness), its mean grey (contrast) or its grey pixels (color)."""
    channels = images.shape[-1]
    contrast = operations == OPERATIONS.index("contrast")
    color = operations == OPERATIONS.index("color")
    pulls = tf.where(contrast, -strengths, 0.0)
    if channels != 3:
        return change_color(images, rounded_maps(tf.where(color, 1.0, 1 + strengths))[:, None], pulls)
    own = (1 + strengths)[:, None, None] * np.eye(3, dtype=np.float32)
    grey = tf.where(color, -strengths, 0.0)[:, None, None] * GREY.astype(np.float32)
    return change_color(images, rounded_maps(own + grey), pulls)
