"""What networks there are, where each comes from, and what options it has; imports no TensorFlow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasnets.models.block_text import read_hidden, read_stages

SMALLEST_SIDE = 8


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of one network.

    Attributes:
        default: The value if none is given; its type is the option's type (a whole number passes for a float).
        choices: The allowed values, if they can be listed.
        minimum: The least allowed number.
        maximum: The largest.
        read: For a text that is no choice: reads it, and raises `InputError` where it cannot be read.
        help: What it changes, in one line.
    """

    default: bool | int | float | str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    read: Callable[[str], Any] | None = None
    help: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a network before it is built.

    Attributes:
        source: The report and the row it comes from.
        image_shape: `(height, width, channels)` of the published data.
        num_classes: Number of classes of the published data.
        flops_per_image: Operations of one image's forward pass at the published data and with the default options, as
            `kerasnets.models.flops_per_image` counts them; None is unknown.
        smallest_side: The least height and width in pixels that the network takes.
        options: Its options by name.
    """

    source: str
    image_shape: tuple[int, int, int]
    num_classes: int
    flops_per_image: int | None = None
    smallest_side: int = SMALLEST_SIDE
    options: Mapping[str, Option] = field(default_factory=dict)


_CIFAR10 = {"image_shape": (32, 32, 3), "num_classes": 10}
_TINY_IMAGENET = {"image_shape": (64, 64, 3), "num_classes": 200}

_ACTIVATIONS = ("none", "relu", "leaky_relu", "silu")
_NORMALIZATIONS = ("none", "batch", "batch_no_scale")
BLOCKS_STAGES = "64 128 max2, 128 128 256 max2, 256 max2, 256 256 max4"

MODEL_FACTS: dict[str, Facts] = {
    "lazynet": Facts(source="report coolnet-cpu, LazyNet", flops_per_image=61_440, **_CIFAR10),
    "boringnet": Facts(
        source="report coolnet-cpu, BoringNet",
        flops_per_image=759_120,
        **_CIFAR10,
        options={
            "activation": Option(
                default="none", choices=("none", "relu", "leaky_relu"), help="after the two hidden linear layers"
            )
        },
    ),
    "coolnet_v7": Facts(source="report coolnet-cpu, CoolNet v7", flops_per_image=1_303_440, **_CIFAR10),
    "coolnet_v10": Facts(source="report coolnet-cpu, CoolNet v10", flops_per_image=1_303_440, **_CIFAR10),
    "lenet_bn": Facts(source="report lenet-bn, CoolNet", flops_per_image=1_303_440, **_CIFAR10),
    "scratch_mlp": Facts(
        source="report from-scratch",
        flops_per_image=616_400,
        **_CIFAR10,
        options={
            "width": Option(default=100, minimum=1, help="units of the hidden layer"),
            "initial_stddev": Option(default=0.1, minimum=0.0, help="standard deviation of the initial kernels"),
            "l2": Option(default=0.0, minimum=0.0, help="strength s of the penalty s * sum(weight ** 2)"),
        },
    ),
    "cifarnet": Facts(source="report cifarnet, CIFAR-10 best", flops_per_image=569_775_104, **_CIFAR10),
    "resblocks": Facts(source="report cifarnet, CIFAR-10 worst", flops_per_image=1_084_328_848, **_CIFAR10),
    "tiny_leaky": Facts(
        source="report tiny-leaky",
        flops_per_image=475_734_016,
        **_TINY_IMAGENET,
        options={
            "batch_norm": Option(default=True, help="batch normalisation after each pooling"),
            "output": Option(
                default="logits", choices=("logits", "probabilities"), help="probabilities is the report's mistake"
            ),
        },
    ),
    "tinynet": Facts(source="report cifarnet, Tiny ImageNet best", flops_per_image=2_280_718_336, **_TINY_IMAGENET),
    "tinynet_deep": Facts(
        source="report cifarnet, Tiny ImageNet deeper", flops_per_image=2_543_525_888, **_TINY_IMAGENET
    ),
    "speednet": Facts(
        source="our own, after cifar10-airbench",
        flops_per_image=235_741_184,
        **_CIFAR10,
        options={
            "width": Option(
                default=64, minimum=1, help="filters of the first group; the other two have four times as many"
            ),
            "depth": Option(default=2, minimum=2, help="convolutions in a group; from 3 on with a shortcut"),
        },
    ),
    "blocks": Facts(
        source="our own, for the search",
        flops_per_image=569_775_104,
        **_CIFAR10,
        options={
            "stages": Option(
                default=BLOCKS_STAGES, read=read_stages, help="the trunk, such as '64 max2, 128 k5 skip2 max2'"
            ),
            "stem": Option(default="none", choices=("none", "whitening"), help="a frozen first convolution"),
            "normalization": Option(default="batch", choices=_NORMALIZATIONS, help="after convolutions"),
            "activation": Option(default="relu", choices=_ACTIVATIONS, help="after normalisations"),
            "head": Option(default="flatten", choices=("flatten", "average", "max"), help="makes features of maps"),
            "hidden": Option(default="", read=read_hidden, help="units of hidden linear layers, such as '512 500'"),
            "hidden_normalization": Option(default="none", choices=_NORMALIZATIONS, help="after hidden layers"),
            "hidden_activation": Option(default="relu", choices=_ACTIVATIONS, help="after hidden layers"),
            "dropout": Option(default=0.0, minimum=0.0, maximum=0.95, help="before every linear layer"),
            "convolution_bias": Option(default=True, help="whether convolutions have a bias"),
            "logits_bias": Option(default=False, help="whether the last linear layer has a bias"),
            "initializer": Option(
                default="uniform", choices=("uniform", "normal", "identity"), help="how weights begin"
            ),
            "initial_stddev": Option(default=0.1, minimum=0.0, help="standard deviation of initial kernels (normal)"),
            "l2": Option(default=0.0, minimum=0.0, help="strength s of the penalty s * sum(kernel ** 2)"),
        },
    ),
}

MODEL_NAMES: tuple[str, ...] = tuple(MODEL_FACTS)
