"""Smaller images first: which size an epoch trains on, what that costs, and which networks can take it."""

import itertools
import math
from dataclasses import dataclass

import keras
import tensorflow as tf

from kerasnets.errors import InputError


@dataclass(frozen=True)
class ImageSizes:
    """The image sizes of a run.

    Attributes:
        early: Pairs [size, epochs], one after the other; the epochs after them use the full size.
        full: Height of the images, and width too where `early` is not empty.
    """

    early: list[list[int]]
    full: int

    @classmethod
    def planned(cls, early_sizes: list[list[float]], epochs: int, full: int) -> "ImageSizes":
        """Turns the shares of `TrainConfig.early_sizes` into epochs, rounded; at least the last has the full size."""
        ends = [min(round(share * epochs), epochs - 1) for _, share in early_sizes]
        counts = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        pairs = [[int(size), count] for (size, _), count in zip(early_sizes, counts, strict=True)]
        return cls([pair for pair in pairs if pair[1]], full)

    def replanned(self, early_sizes: list[list[float]], epochs: int, begun: int) -> "ImageSizes":
        """Plans again for another number of epochs, where the first ``begun`` stay what they are.

        No size is smaller than that of the epoch before it, so that a run which gets longer does not go back.
        """
        if not early_sizes:
            return self
        fresh = self.planned(early_sizes, max(epochs, begun), self.full)
        sizes = [self.at(epoch) for epoch in range(begun)]
        for epoch in range(begun, epochs):
            sizes.append(max(sizes[-1:] + [fresh.at(epoch)]))
        pairs = [[size, len(list(group))] for size, group in itertools.groupby(sizes)]
        return ImageSizes([pair for pair in pairs if pair[0] != self.full], self.full)

    def at(self, epoch: int) -> int:
        """Returns the size in an epoch, counted from 0."""
        for size, epochs in self.early:
            if epoch < epochs:
                return size
            epoch -= epochs
        return self.full

    def cost(self, epoch: int) -> float:
        """Returns the pixels of an image in an epoch, as a share of those of the full size."""
        return (self.at(epoch) / self.full) ** 2

    def work(self, steps: int, steps_per_epoch: int) -> float:
        """Returns how many steps at full size have as many pixels as the first `steps` of the run."""
        return sum(
            cost * (min(steps, end) - begin) for begin, end, cost in self._phases(steps_per_epoch) if begin < steps
        )

    def steps_within(
        self, seconds: float, *, done: int, steps_per_epoch: int, step_seconds: float, compile_seconds: float
    ) -> int:
        """Estimates how many more steps fit into a time, if they cost what their pixels are.

        Small images are not quite as cheap as that, so a run that has only seen them expects too little of the full
        size: it plans anew as it goes on.

        Args:
            seconds: The time that is left.
            done: Steps made so far.
            steps_per_epoch: As it says.
            step_seconds: Of a step at full size.
            compile_seconds: Spent before the first step of each size.
        """
        steps = 0
        for begin, end, cost in self._phases(steps_per_epoch):
            if end <= done:
                continue
            if 0 < begin >= done:
                seconds -= compile_seconds
            fitting = max(0, int(seconds / (cost * step_seconds)))
            if fitting < end - max(begin, done):
                return steps + fitting
            steps += end - max(begin, done)
            seconds -= (end - max(begin, done)) * cost * step_seconds
        return steps

    def __str__(self) -> str:
        """Says it in words, such as ``24x24 for 3 epochs, then 32x32``."""
        parts = [f"{size}x{size} for {epochs} epoch{'s' * (epochs > 1)}" for size, epochs in self.early]
        return ", then ".join([*parts, f"{self.full}x{self.full}"])

    def _phases(self, steps_per_epoch: int) -> list[tuple[int, float, float]]:
        """First step, end and cost of every part of the run in which the size stays the same."""
        phases, epoch = [], 0
        for _, epochs in self.early:
            phases.append((epoch * steps_per_epoch, (epoch + epochs) * steps_per_epoch, self.cost(epoch)))
            epoch += epochs
        return [*phases, (epoch * steps_per_epoch, math.inf, 1.0)]


def accept_sizes(
    model: keras.Model, arch: str, early_sizes: list[list[float]], image_shape: tuple[int, int, int]
) -> None:
    """Lets a network that was built for the full size be called with the smaller ones as well.

    Keras builds a functional model for one shape and checks every input against it. The layers do not depend on it, as
    long as the sizes of their weights do not.

    Args:
        model: Built for `image_shape`; what it takes is widened when `early_sizes` is not empty.
        arch: Its name, for the message.
        early_sizes: As in `TrainConfig`.
        image_shape: (height, width, channels) of the data set.

    Raises:
        InputError: The images are not square or smaller than a size, or the network cannot take a size.
    """
    height, width, channels = image_shape
    if not early_sizes:
        return
    if height != width:
        raise InputError(
            f"early_sizes needs square images. Received: {early_sizes} with images of {height}x{width}. "
            "Set early_sizes to []."
        )
    if max(size for size, _ in early_sizes) > height:
        raise InputError(
            f"early_sizes must not be larger than the images, {height}x{height}. Received: {early_sizes}. "
            "Take smaller sizes."
        )
    model.input_spec = keras.layers.InputSpec(shape=(None, None, None, channels))
    for size in {int(size) for size, _ in early_sizes}:
        _check_size(model, arch, size, channels)


def _check_size(model: keras.Model, arch: str, size: int, channels: int) -> None:
    # Layers know their output shape for any input, whether they can compute it or not; tracing finds out.
    function = tf.function(lambda images: model(images, training=False), autograph=False)
    try:
        function.get_concrete_function(tf.TensorSpec((None, size, size, channels), tf.float32))
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise InputError(
            "early_sizes needs a network whose weights and pooling windows do not depend on the image size. Received: "
            f"size {size} with {arch}, built for {model.input_shape[1]}x{model.input_shape[2]}. Use speednet, or set "
            "early_sizes to []."
        ) from error
