"""A frozen first convolution that decorrelates image patches, computed from training images."""

import keras
import numpy as np
import tensorflow as tf

# Added to the eigenvalues, so that directions which hardly occur in the images are not blown up.
_LEAST_VARIANCE = 5e-4


@keras.saving.register_keras_serializable(package="kerasnets")
class Whitening(keras.layers.Layer):
    """Convolution without padding whose filters whiten the patches of the training images; it is not trained.

    A patch of k x k pixels and c channels has k * k * c principal directions. Each becomes a filter, divided by the
    standard deviation along it, and each comes a second time with the opposite sign, because an activation follows that
    keeps one side only. Until `adapt` is called the directions are the single pixels and channels themselves.

    Args:
        kernel_size: Height and width of a patch.
        **kwargs: As for `keras.layers.Layer`.

    Input `(batch, height, width, c)`, output `(batch, height - k + 1, width - k + 1, 2 * k * k * c)`.

    Source: Jordan 2024, https://arxiv.org/abs/2404.00498, section 3.1, after Page 2019. Departure: the bias, which is
    trained there for three epochs, is left out.
    """

    def __init__(self, kernel_size: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, input_shape):
        size = self.kernel_size * self.kernel_size * input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, input_shape[-1], 2 * size),
            initializer=lambda shape, dtype=None: tf.cast(_both_signs(np.eye(size), shape), dtype or "float32"),
            trainable=False,
        )

    def adapt(self, images: np.ndarray) -> None:
        """Computes the filters.

        Args:
            images: `(n, height, width, c)` float32, normalised as in training.
        """
        k, channels = self.kernel_size, images.shape[-1]
        size = k * k * channels
        covariance, count = np.zeros((size, size)), 0
        for start in range(0, len(images), 500):  # the patches of all images at once would take k * k their memory
            patches = np.lib.stride_tricks.sliding_window_view(images[start : start + 500], (k, k), axis=(1, 2))
            patches = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size)
            covariance += patches.T @ patches
            count += len(patches)
        variances, directions = np.linalg.eigh(covariance / count)
        # An eigenvector's sign is arbitrary: it is fixed, so that every machine finds the same order of filters.
        directions *= np.where(directions[np.abs(directions).argmax(axis=0), np.arange(size)] < 0, -1.0, 1.0)
        self.kernel.assign(_both_signs(directions / np.sqrt(variances + _LEAST_VARIANCE), self.kernel.shape))

    def call(self, inputs):
        """Returns the whitened patches of `inputs`, in the compute dtype."""
        return tf.nn.conv2d(inputs, tf.cast(self.kernel, self.compute_dtype), strides=1, padding="VALID")

    def compute_output_shape(self, input_shape):
        """Returns the shape of the output for that of the input."""
        height, width = (None if side is None else side - self.kernel_size + 1 for side in input_shape[1:3])
        return (input_shape[0], height, width, 2 * self.kernel_size**2 * input_shape[-1])

    def get_config(self):
        """Returns the arguments of the constructor."""
        return super().get_config() | {"kernel_size": self.kernel_size}


def _both_signs(columns: np.ndarray, shape) -> np.ndarray:
    """Lays (k * k * c, filters) out as a kernel, followed by its negative."""
    return np.concatenate([columns, -columns], axis=1).reshape(shape).astype(np.float32)
