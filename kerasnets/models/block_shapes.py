"""Size and shapes of network `blocks` by arithmetic, in microseconds and without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasnets.models.block_text import Step, read_hidden, read_stages
from kerasnets.models.options import check_image_shape, check_options

# Numbers that a normalisation has for each channel and are trained.
_OF_NORMALIZATION = {"none": 0, "batch": 2, "batch_no_scale": 1}


@dataclass
class BlockShapes:
    """What the network comes to.

    Attributes:
        weights: Trainable weights.
        flops: Operations of one image's forward pass, as `kerasnets.models.flops_per_image` counts them.
        elements: Numbers in one image's maps that convolutions and activations write and poolings read.
        idle_poolings: Poolings that find a map of one pixel, and do nothing.
        layers: Everything in which networks differ whose weights or windows depend on the image size: kernels with
            their paddings, pooling windows, features of the head.
    """

    weights: int = 0
    flops: int = 0
    elements: int = 0
    idle_poolings: int = 0
    layers: list[tuple] = field(default_factory=list)


def block_shapes(image_shape: tuple[int, int, int], num_classes: int, options: Mapping[str, Any]) -> BlockShapes:
    """Computes what `blocks` comes to with these options.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        options: Of `blocks`; those left out have their defaults.

    Raises:
        InputError: As `build_model`.
    """
    check_image_shape("blocks", image_shape, num_classes)
    options = check_options("blocks", options)
    trunk = _Trunk(image_shape, options)
    if options["stem"] == "whitening":
        trunk.height, trunk.width, trunk.channels = trunk.height - 1, trunk.width - 1, 8 * trunk.channels
        trunk.shapes.elements += trunk.numbers
    for step in read_stages(options["stages"]):
        trunk.apply(step)
    shapes = trunk.shapes
    pixels = trunk.height * trunk.width if options["head"] == "flatten" else 1
    features = pixels * trunk.channels
    shapes.layers.append(("features", features))
    for units in read_hidden(options["hidden"]):
        shapes.weights += (features + 1) * units + _OF_NORMALIZATION[options["hidden_normalization"]] * units
        shapes.flops += 2 * features * units
        features = units
    shapes.weights += (features + options["logits_bias"]) * num_classes
    shapes.flops += 2 * features * num_classes
    return shapes


class _Trunk:
    def __init__(self, image_shape: tuple[int, int, int], options: Mapping[str, Any]):
        self.height, self.width, self.channels = image_shape
        self.shapes = BlockShapes()
        self._bias = options["convolution_bias"]
        self._norm = _OF_NORMALIZATION[options["normalization"]]

    @property
    def numbers(self) -> int:
        """In one image's map as it is now."""
        return self.height * self.width * self.channels

    def apply(self, step: Step) -> None:
        if step.kind == "convolution":
            self._convolve(step.size, step.kernel_size, step.padding)
            self._activate(normalized=not step.bare, active=not step.bare)
        elif step.kind == "act":
            self._activate()
        elif step.kind in ("max", "mean"):
            self._pool(step.size)
        else:
            for _ in range(step.size * (2 if step.kind == "residual" else 1)):
                self._convolve(self.channels, step.kernel_size, "same")
                self._activate(normalized=step.kind == "skip")

    def _activate(self, *, normalized: bool = True, active: bool = True) -> None:
        self.shapes.weights += self._norm * self.channels if normalized else 0
        self.shapes.elements += self.numbers if active else 0

    def _convolve(self, filters: int, kernel_size: int, padding: str) -> None:
        border = 2 * (kernel_size // 2 + 1) if padding == "wide" else 0
        self.height, self.width = self.height + border, self.width + border
        cut = 0 if padding == "same" or min(self.height, self.width) < kernel_size else kernel_size - 1
        self.height, self.width = self.height - cut, self.width - cut
        kernel = kernel_size * kernel_size * self.channels * filters
        self.shapes.layers.append(("convolution", kernel_size, self.channels, filters, border, cut))
        self.shapes.weights += kernel + self._bias * filters
        self.shapes.flops += 2 * kernel * self.height * self.width
        self.channels = filters
        self.shapes.elements += self.numbers

    def _pool(self, window: int) -> None:
        windows = min(window, self.height), min(window, self.width)
        self.shapes.layers.append(("pool", *windows))
        self.shapes.idle_poolings += windows == (1, 1)
        self.shapes.elements += self.numbers
        self.height, self.width = self.height // windows[0], self.width // windows[1]
