"""What each operation of the augmentation does to one image, to look at."""

import numpy as np
import tensorflow as tf

from pipelines.augment import Augmentation, augment, draw_augmentation
from pipelines.augment_mix import mix_images
from pipelines.errors import DataError


def augmentation_examples(image: np.ndarray, partner: np.ndarray, seed: int, count: int) -> dict[str, np.ndarray]:
    """Draws an image under each operation alone, at a usual strength.

    Args:
        image: (height, width, channels) uint8.
        partner: Like `image`; what mixup and cutmix mix it with.
        seed: Not negative, below 2**60; the same seed gives the same examples.
        count: How many of each operation, at least 1.

    Returns:
        From the name of an operation, in the order in which they are composed, to (count, height, width,
        channels) uint8. Saturation and hue do nothing to a grey image.

    Raises:
        DataError: The images differ in shape or are not uint8, `count` is below 1, or the seed is out of its range.
    """
    if image.shape != partner.shape or image.ndim != 3 or not image.dtype == partner.dtype == np.uint8:
        raise DataError(
            "image and partner must be uint8 of one shape (height, width, channels). "
            f"Received: {image.dtype} of {image.shape} and {partner.dtype} of {partner.shape}. Resize one of them."
        )
    if not 0 <= seed < 2**60:
        raise DataError(f"The seed must lie in 0..2**60 - 1. Received: {seed}. Choose a value in that range.")
    if count < 1:
        raise DataError(f"count must be 1 or more. Received: {count}. Ask for at least one example.")
    images, partners = (np.repeat(one[None], count, axis=0) for one in (image, partner))
    examples = {}
    for name, augmentation in usual_augmentations(min(image.shape[:2])).items():
        draws = draw_augmentation(augmentation, count, image.shape, seed=seed, epoch=0)
        # What is blanked is black here, so that it shows.
        varied = augment(tf.constant(images), draws, augmentation, (0.0,) * image.shape[-1])
        if augmentation.mixes:
            varied = mix_images(varied, tf.constant(partners), draws)
        examples[name] = np.rint(varied.numpy()).astype(np.uint8)
    return examples


def usual_augmentations(side: int) -> dict[str, Augmentation]:
    """Each operation alone, at a usual strength for images of that smaller side in pixels; erasing always happens."""
    return {
        "crop": Augmentation(crop_padding=max(side // 8, 1)),
        "flip": Augmentation(flip="random"),
        "zoom": Augmentation(zoom=0.2),
        "rotation": Augmentation(rotation=15),
        "translation": Augmentation(translation=0.1),
        "randaugment": Augmentation(policy="randaugment"),
        "trivialaugment": Augmentation(policy="trivialaugment"),
        "brightness": Augmentation(brightness=0.4),
        "contrast": Augmentation(contrast=0.4),
        "saturation": Augmentation(saturation=0.4),
        "hue": Augmentation(hue=0.1),
        "cutout": Augmentation(cutout=max(side // 4, 1)),
        "random_erasing": Augmentation(random_erasing=1.0),
        "mixup": Augmentation(mixup=1.0),
        "cutmix": Augmentation(cutmix=1.0),
    }
