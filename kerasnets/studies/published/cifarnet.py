"""Report `cifarnet`: best and worst on CIFAR-10, best and deeper on Tiny ImageNet, and images of other sizes.

    kerasnets-study run cifarnet

It asks whether a shallow network of many filters beats a deep one of few, whether depth alone helps on Tiny ImageNet,
and, the report's last question, what the network does with images of 32x32 and 128x128 in place of 64x64.

The list of accuracies per class that the report prints for Tiny ImageNet is that of its worst network on CIFAR-10,
pasted again. Its rows stand here as impossible: Tiny ImageNet has 200 classes and none of these ten.
"""

from kerasnets.studies.study import Claim, Equal, Higher, Measure, Point, Row, Setting, Study

# In the report's order, which is that of the data set; it calls the first two plane and car.
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BEST_PER_CLASS = (79, 94, 73, 67, 89, 80, 95, 97, 98, 92)
WORST_PER_CLASS = (86, 86, 83, 61, 80, 83, 83, 86, 91, 88)
PASTED = (
    "The report prints {} % as the accuracy of {!r} on Tiny ImageNet, which has no such class: the list is that of "
    "resblocks on CIFAR-10, pasted again."
)


def row(setting: str, quantity: str, published: float, rounding: float) -> Row:
    """A number after the last epoch."""
    return Row(setting=setting, measure=Measure(quantity=quantity), published=published, rounding=rounding)


def class_rows(setting: str, per_cent: tuple[int, ...], impossible: str = "") -> tuple[Row, ...]:
    """A row for each class of CIFAR-10, printed in whole per cent."""
    return tuple(
        Row(
            setting=setting,
            measure=Measure(quantity="class_accuracy", class_name=name),
            published=number / 100,
            rounding=0.005,
            impossible=impossible.format(number, name),
        )
        for name, number in zip(CLASSES, per_cent, strict=True)
    )


TINY = {"dataset": "tiny_imagenet", "arch": "tinynet", "rotation": 30.0}
TEST_IMAGES = "tested on 8,000 images in the report, here on the 10,000 official validation images"

STUDY = Study(
    name="cifarnet",
    question="Do many filters beat many layers, and what do other image sizes change?",
    dataset="cifar10",
    settings=(
        Setting(name="cifarnet", config={"arch": "cifarnet"}),
        Setting(name="resblocks", config={"arch": "resblocks"}),
        Setting(name="tinynet", config=TINY, note=TEST_IMAGES),
        Setting(name="tinynet-deep", config=TINY | {"arch": "tinynet_deep"}, note=TEST_IMAGES),
        Setting(name="tinynet, 32x32", config=TINY | {"image_size": 32}),
        Setting(name="tinynet, 128x128", config=TINY | {"image_size": 128}),
    ),
    seeds=1,
    rows=(
        row("cifarnet", "train_loss", 0.151191, 5e-7),
        row("cifarnet", "test_loss", 0.4632, 5e-5),
        row("cifarnet", "test_accuracy", 0.8670, 5e-5),
        row("resblocks", "train_loss", 0.277197, 5e-7),
        row("resblocks", "test_loss", 0.4956, 5e-5),
        row("resblocks", "test_accuracy", 0.8386, 5e-5),
        *class_rows("cifarnet", BEST_PER_CLASS),
        *class_rows("resblocks", WORST_PER_CLASS),
        row("tinynet", "train_loss", 0.2075371, 5e-8),
        row("tinynet", "test_loss", 2.4071, 5e-5),
        row("tinynet", "test_accuracy", 0.4370, 5e-5),  # 3496 of 8000
        row("tinynet-deep", "test_accuracy", 0.44, 0.005),
        *class_rows("tinynet", WORST_PER_CLASS, PASTED),
    ),
    claims=(
        Claim(
            text="More filters in a shallow network beat a deep network of few filters.",
            comparisons=(Higher(first=Point(setting="cifarnet"), second=Point(setting="resblocks")),),
        ),
        Claim(
            text="On Tiny ImageNet depth alone adds nothing.",
            # Nothing: less than two points, where the report rounds both to 44 %.
            comparisons=(Equal(first=Point(setting="tinynet-deep"), second=Point(setting="tinynet"), margin=0.02),),
        ),
    ),
    assumes=(
        "resblocks: its layers are in the only order of the three poolings that ends in the listed 512 features, with "
        "ReLU after each batch normalisation and each hidden linear layer.",
        "tinynet ends in a pooling of 2x2, which gives the listed 4,096 features; the listed 4x4 cannot.",
        "The colour jitter of strength 0 is left out; a rotation by up to 30 degrees either way fills with black.",
        "The accuracies per class of resblocks have the mean 82.7, and its test accuracy is 83.86: with 1,000 test "
        "images of each class not both can be of all test images, rounded or cut off. Both are compared.",
        "Images of 32x32 and 128x128 are Tiny ImageNet's, shrunk and stretched, with everything else as for 64x64.",
        "Seed 0, as published; other seeds here have no more in common with the report's.",
    ),
    published_cost="not given",
)
