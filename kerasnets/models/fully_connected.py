"""Networks without convolutions: lazynet, boringnet, scratch_mlp."""

import keras

from kerasnets.models.published_layers import image_input, leaky_relu, linear, logits, relu

ACTIVATIONS = {"none": lambda features: features, "relu": relu, "leaky_relu": leaky_relu}


def lazynet(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """One linear layer from pixels to classes.

    Source: report `coolnet-cpu` (and `lenet-bn`), LazyNet: 3,072 to 10, so 30,730 weights.

    Args:
        image_shape: `(height, width, channels)`, from 8x8.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("lazynet", image_shape, num_classes)
    features = keras.layers.Flatten()(images)
    return keras.Model(images, logits(features, num_classes), name="lazynet")


def boringnet(image_shape: tuple[int, int, int], num_classes: int, *, activation: str = "none") -> keras.Model:
    """Three linear layers: 120, 84, classes.

    Source: report `coolnet-cpu` (and `lenet-bn`), BoringNet. Assumed: the widths, LeNet's.

    Args:
        image_shape: `(height, width, channels)`, from 8x8.
        num_classes: Number of classes.
        activation: "none", "relu" or "leaky_relu", after each of the first two layers.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("boringnet", image_shape, num_classes)
    features = keras.layers.Flatten()(images)
    for units in (120, 84):
        features = ACTIVATIONS[activation](linear(features, units))
    return keras.Model(images, logits(features, num_classes), name="boringnet")


def scratch_mlp(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    width: int = 100,
    initial_stddev: float = 0.1,
    l2: float = 0.0,
) -> keras.Model:
    """Two linear layers with ReLU between, optionally with an L2 penalty on both kernels.

    Source: report `from-scratch`. Assumed: width 100 on both data sets; kernels normal, biases zero.

    The report gives neither the initial scale nor the penalty. On CIFAR-10 its losses tell: batch 1, kernels from the
    standard normal distribution and l2 = 0.005 predict a penalty of 0.005 * 308,200 = 1,541 at the start that falls by
    exp(4 * 0.001 * 0.005 * 50,000) = e an epoch, to 567 after the first; published are 566.63 and a factor of 2.7. On
    Fashion-MNIST, without penalty, 0.1 with batch 100 came nearest of what we tried.

    Args:
        image_shape: `(height, width, channels)`, from 8x8.
        num_classes: Number of classes.
        width: Units of the hidden layer.
        initial_stddev: Standard deviation of the initial kernels.
        l2: Strength s of the penalty s * sum(kernel ** 2), which `model.losses` holds for the training loop to add.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """

    def layer(units, **options):
        return keras.layers.Dense(
            units,
            kernel_initializer=keras.initializers.RandomNormal(stddev=initial_stddev),
            kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
            **options,
        )

    images = image_input("scratch_mlp", image_shape, num_classes)
    features = layer(width, activation="relu")(keras.layers.Flatten()(images))
    return keras.Model(images, layer(num_classes, name="logits", dtype="float32")(features), name="scratch_mlp")
