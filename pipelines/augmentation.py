"""`Augmentation`: which variations of training images there are, what they may be set to, and the order they come in.

Nothing here needs NumPy or TensorFlow, so that a command line can ask for the ranges at no cost.
"""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from pipelines.errors import DataError

MAX_MAGNITUDE = 30
CHOICES = {
    "crop_mode": ("zero", "reflect"),
    "flip": ("none", "random", "alternating"),
    "policy": ("none", "randaugment", "trivialaugment"),
}
# field: (lowest, highest, what to do); integers are told from floats by the field's type.
RANGES: dict[str, tuple[float, float, str]] = {
    "crop_padding": (0, 1000, "4 is usual for 32x32 images."),
    "policy_operations": (1, 16, "2 is usual."),
    "policy_magnitude": (0, MAX_MAGNITUDE, "9 is usual."),
    "rotation": (0, 180, "15 is a common start."),
    "translation": (0, 1, "0.1 is a common start."),
    "zoom": (0, 0.99, "0.1 is a common start."),
    "brightness": (0, 1, "0.2 is a common start."),
    "contrast": (0, 1, "0.2 is a common start."),
    "saturation": (0, 1, "0.2 is a common start."),
    "hue": (0, 0.5, "0.05 is a common start."),
    "cutout": (0, 4096, "A quarter of the side is usual."),
    "random_erasing": (0, 1, "0.25 is usual."),
    "mixup": (0, 100, "0.2 is usual."),
    "cutmix": (0, 100, "1 is usual."),
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training images are varied. What is 0 or "none" is off and costs nothing.

    Whatever the order in which fields are given, an image goes through

    1. crop, then flip;
    2. zoom and rotation about the centre, then translation: one bilinear interpolation, black outside the image;
    3. the operations of the policy, in the order drawn, with nearest pixels and black outside the image;
    4. brightness, contrast, saturation, then hue: one linear map, clipped once;
    5. cutout, then random erasing, both with the mean that normalisation subtracts, be it the training images' own,
       one half (grey) or 0 (black): what is blanked becomes 0 but for rounding to whole values;
    6. mixup or cutmix with another training image that has gone through 1 to 5 as it does itself in that epoch.

    Every step rounds to whole values from 0 to 255 but mixup, which does not round.

    Attributes:
        crop_padding: Pixels added on each side before a random window of the original size is cut; 0 means no crop.
        crop_mode: What the padding holds: "zero" (black) or "reflect" (the image mirrored about its edge pixels).
        flip: "none"; "random" (mirrored left to right with probability 1/2, anew each epoch); or "alternating"
            (a random half in the first epoch, the other half in the next, and so on).
        policy: "none"; "randaugment" (`policy_operations` random operations at `policy_magnitude`); or
            "trivialaugment" (one random operation at a random magnitude; its translation goes up to 32 pixels
            whatever the size of the images, as published). See `augment_policy.OPERATIONS`.
        policy_operations: From 1 (randaugment).
        policy_magnitude: From 0 to 30 (randaugment).
        rotation: Largest angle in degrees, either way.
        translation: Largest shift, as a share of the height and of the width.
        zoom: Largest change of scale, as a share.
        brightness: Largest change of brightness, as a share.
        contrast: Largest change of the distance from the image's mean grey, as a share.
        saturation: Largest change of the distance from each pixel's grey, as a share. It and hue change images with
            three channels; for others they do nothing.
        hue: Largest turn of the hue, as a share of the colour circle.
        cutout: Side in pixels of a square at a random place that is blanked with the mean of the normalisation.
        random_erasing: Probability that a random rectangle is blanked likewise.
        mixup: Alpha of the beta distribution of an image's own share in the pixels and in the label.
        cutmix: Alpha of the beta distribution of the share that is not pasted over; with mixup each image gets one of
            the two, with probability 1/2.

    Raises:
        DataError: A number lies outside its range in `RANGES`, or a choice is none of those in `CHOICES`.

    Source: alternating flip, Jordan 2024 (arXiv:2404.00498), section 3.6. The others' stand with their functions.
    """

    crop_padding: int = 0
    crop_mode: str = "zero"
    flip: str = "none"
    policy: str = "none"
    policy_operations: int = 2
    policy_magnitude: int = 9
    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    cutout: int = 0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self):
        for field, (low, high, remedy) in RANGES.items():
            _check_number(field, getattr(self, field), low, high, remedy)
        for field, known in CHOICES.items():
            if getattr(self, field) not in known:
                raise DataError(
                    f"{field} must be one of {', '.join(known)}. Received: {getattr(self, field)!r}. Choose one."
                )

    @property
    def mixes(self) -> bool:
        """Whether labels are mixed, too."""
        return self.mixup > 0 or self.cutmix > 0


def _check_number(field: str, value: Any, low: float, high: float, remedy: str) -> None:
    whole = Augmentation.__dataclass_fields__[field].type is int
    good = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise DataError(f"{field} must be {kind} from {low:g} to {high:g}. Received: {value!r}. {remedy}")
