"""uint8 images to log-probabilities: the graph that evaluation and export share, and batching that leaves no trace."""

import math
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasnets.errors import InputError, closest
from kerasnets.models import output_kind
from pipelines.augment import normalize
from pipelines.stored_images import StoredImages

BATCH_SIZE = 250
TTA = ("none", "flip", "flip+shift", "adaptive")
# How near the two highest mean probabilities of an image and its mirror image must lie for shifted views to be asked,
# the share of the mean that those get, and their shifts down and to the right.
_SHIFTS = {
    "flip+shift": (math.inf, 0.5, ((-1, -1), (1, 1))),
    "adaptive": (0.3, 0.8, ((-1, -1), (1, 1), (-1, 1), (1, -1))),
}
# Batches whose answers are held at once. Their images are not: each batch is read when its turn comes.
_BLOCK = 40


def serve_log_probabilities(
    model: keras.Model, mean: Sequence[float], std: Sequence[float]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Joins preprocessing, network and log-softmax into one function.

    Training, evaluation and the exported model all answer through this function, so their numbers agree to the bit.

    Args:
        model: Network on normalised images that ends in ``logits`` or ``probabilities``.
        mean: One value per channel, in units of [0, 1].
        std: One value per channel, in units of [0, 1].

    Returns:
        Function from (batch, height, width, channels) uint8 to (batch, classes) float32 log-probabilities. A model
        that ends in probabilities has them clipped below at Keras's epsilon (1e-7), as Keras's own losses do.
    """
    kind = output_kind(model)

    def log_probabilities(images: tf.Tensor) -> tf.Tensor:
        outputs = tf.cast(model(normalize(images, mean, std), training=False), tf.float32)
        if kind == "logits":
            return tf.nn.log_softmax(outputs)
        return tf.math.log(tf.clip_by_value(outputs, keras.config.epsilon(), 1.0))

    return log_probabilities


class BatchedPredictor:
    """Feeds a function of images in batches of one fixed size.

    The last batch is filled with zeros that are cut off again: kernels choose their blocking by batch size, so only
    a fixed size makes an image's answer independent of how many images came with it.

    Args:
        function: (batch, height, width, channels) uint8 tensor to (batch, classes) float32 log-probabilities.
        class_names: Names in the order of the function's outputs.
        image_shape: (height, width, channels) that the function takes.
        name: What to call it in messages and reports.
        selection: How the weights were chosen, for example ``last epoch``; evaluations carry it along.
        loss: Name of the loss that evaluations report, see ``metrics.mean_loss``.
        resize: What an image file of another size goes through, see `pipelines.decode.decode_bytes`.
    """

    def __init__(
        self,
        function: Callable[[tf.Tensor], tf.Tensor],
        *,
        class_names: Sequence[str],
        image_shape: Sequence[int],
        name: str,
        selection: str | None = None,
        loss: str = "cross_entropy",
        resize: str = "squash",
    ):
        self.function = function
        self.class_names = tuple(class_names)
        self.image_shape = tuple(image_shape)
        self.name = name
        self.selection = selection
        self.loss = loss
        self.resize = resize

    def log_probabilities(
        self, images: np.ndarray | StoredImages | tf.data.Dataset, batch_size: int = BATCH_SIZE, tta: str = "none"
    ) -> np.ndarray:
        """Natural logarithms of the class probabilities.

        Args:
            images: (n, height, width, channels) uint8, or a data set of batches of (uint8 images, labels). Of
                `StoredImages` one batch at a time is read, and read again if its shifted views are asked for.
            batch_size: Images in one call of the function.
            tta: Test-time augmentation: ``none``; ``flip`` averages the probabilities of the image and its mirror
                image; ``flip+shift`` gives half the weight to that, and a quarter each to the same pair shifted by one
                pixel up and left, and down and right (edges reflected); ``adaptive`` leaves it at ``flip`` unless the
                two highest probabilities differ by less than 0.3 there, and then averages five pairs alike: that, and
                those shifted by one pixel along either diagonal.

        Returns:
            (n, classes) float32.

        Raises:
            InputError: For an unknown ``tta``, or images of another shape or type.

        Source:
            The views are those of KellerJordan/cifar10-airbench (``tta_level`` 1 and 2). Departure: it averages
            logits; an exported network answers in probabilities, so those are averaged here. ``adaptive`` is our own.
        """
        return self.with_and_without_tta(images, batch_size, tta)[0]

    def with_and_without_tta(
        self, images: np.ndarray | StoredImages | tf.data.Dataset, batch_size: int, tta: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both answers at the price of one, because the first view of an image is the image itself.

        Takes the arguments of `log_probabilities` and raises what it raises.

        Returns:
            Two times (n, classes) float32: averaged over the views, and of the images alone.
        """
        if tta not in TTA:
            raise InputError(
                f"tta must be the name of a test-time augmentation. Received: '{tta}'. {closest(tta, TTA)}"
            )
        parts = [self._block(*block, batch_size, tta) for block in self._blocks(images, batch_size)]
        if not parts:
            return (np.zeros((0, len(self.class_names)), np.float32),) * 2
        averaged, plain = zip(*parts, strict=True)
        return np.concatenate(averaged), np.concatenate(plain)

    def _blocks(
        self, images: np.ndarray | StoredImages | tf.data.Dataset, batch_size: int
    ) -> Iterator[tuple[np.ndarray | StoredImages, np.ndarray]]:
        """Images, and the places in them of those that are answered together."""
        if isinstance(images, tf.data.Dataset):
            for batch, _ in images:
                yield from self._blocks(batch.numpy(), batch_size)
            return
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape:
            raise InputError(
                f"images for '{self.name}' must be uint8 of shape (n, {', '.join(map(str, self.image_shape))}). "
                f"Received: {images.dtype} {images.shape}. Use a data set of that shape, or convert the images."
            )
        for start in range(0, len(images), _BLOCK * batch_size):
            yield images, np.arange(start, min(start + _BLOCK * batch_size, len(images)))

    def _block(
        self, images: np.ndarray | StoredImages, places: np.ndarray, batch_size: int, tta: str
    ) -> tuple[np.ndarray, np.ndarray]:
        views = self._answers(images, places, batch_size, _itself if tta == "none" else _mirrored)
        averaged = _mean(views)
        if tta in _SHIFTS:
            doubt, share, shifts = _SHIFTS[tta]
            low, high = np.sort(np.exp(averaged), axis=1)[:, -2:].T
            doubtful = np.flatnonzero(high - low < doubt)
            if len(doubtful):
                again = self._answers(images, places[doubtful], batch_size, lambda part: _shifted(part, shifts))
                shifted = _mean(again)
                averaged[doubtful] = _mean([averaged[doubtful], shifted], [1 - share, share])
        return averaged, views[0]

    def _answers(
        self, images: np.ndarray | StoredImages, places: np.ndarray, batch_size: int, views: Callable
    ) -> list[np.ndarray]:
        """The function's answers to each view of the images at these places, (len(places), classes) each."""
        answers = []
        for start in range(0, len(places), batch_size):
            batch = images[places[start : start + batch_size]]
            filled = np.pad(batch, [(0, batch_size - len(batch))] + [(0, 0)] * 3)
            answers.append([self.function(tf.constant(view)).numpy()[: len(batch)] for view in views(filled)])
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


class Predictor(BatchedPredictor):
    """A live Keras model as a predictor. Later changes of the model's weights are seen.

    Args:
        model: Network on normalised images that ends in ``logits`` or ``probabilities``.
        class_names: Names in the order of the model's outputs.
        image_shape: (height, width, channels).
        mean: One value per channel, in units of [0, 1].
        std: One value per channel, in units of [0, 1].
        name: What to call it in messages and reports.
        selection: How the weights were chosen, for example ``last epoch``; evaluations carry it along.
        loss: Name of the loss that evaluations report, see ``metrics.mean_loss``.
        resize: What an image file of another size goes through, see `pipelines.decode.decode_bytes`.

    Raises:
        InputError: When the model has another number of outputs than there are names.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        class_names: Sequence[str],
        image_shape: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
        name: str,
        selection: str | None = None,
        loss: str = "cross_entropy",
        resize: str = "squash",
    ):
        if model.output_shape[-1] != len(class_names):
            raise InputError(
                f"model '{name}' must have one output per class name: {len(class_names)}. "
                f"Received: {model.output_shape[-1]} outputs. Pass the class names it was trained with."
            )
        function = tf.function(serve_log_probabilities(model, mean, std))
        super().__init__(
            function,
            class_names=class_names,
            image_shape=image_shape,
            name=name,
            selection=selection,
            loss=loss,
            resize=resize,
        )
        self.model, self.mean, self.std = model, tuple(mean), tuple(std)


def _mean(answers: list[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Logarithm of the mean of probabilities that are given as logarithms; the weights add up to 1."""
    if len(answers) == 1:
        return answers[0].copy()
    weights = [1 / len(answers)] * len(answers) if weights is None else weights
    shares = [answer + math.log(weight) for answer, weight in zip(answers, weights, strict=True)]
    return np.logaddexp.reduce(np.asarray(shares, np.float64)).astype(np.float32)


def _itself(images: np.ndarray) -> list[np.ndarray]:
    return [images]


def _mirrored(images: np.ndarray) -> list[np.ndarray]:
    return [images, images[:, :, ::-1]]


def _shifted(images: np.ndarray, shifts: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    height, width = images.shape[1:3]
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    for down, right in shifts:
        yield from _mirrored(padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width])
