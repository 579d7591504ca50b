"""What a run is made of, and that every mistake is found before anything is written."""

import keras
import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.layers import Whitening
from kerasnets.models import MODELS, build_model
from kerasnets.training.config import TrainConfig
from kerasnets.training.progress import Silent
from kerasnets.training.setup import _adapt, prepare, training_stream
from pipelines.errors import DataError
from pipelines.source import ImageSource, Split
from pipelines.sources import load_source
from pipelines.stored_images import StoredImages


class Heard(Silent):
    """Keeps the messages."""

    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


def config(**settings) -> TrainConfig:
    defaults = {"dataset": "digits", "arch": "lazynet", "limit_train": 100, "precision": "float32", "batch_size": 25}
    return TrainConfig(**defaults | settings)


@pytest.fixture(scope="module")
def digits() -> ImageSource:
    return load_source("digits")


def make(digits, progress=None, source=None, model=None, precision=None, **settings):
    return prepare(config(**settings), source or digits, progress or Silent(), model=model, precision=precision)


def test_data_and_sizes(digits):
    setup = make(digits, validation=0.2)
    counts = setup.data["class_counts"]
    assert setup.data["split_sizes"] == {"train": 80, "test": len(digits.splits["test"]), "validation": 20}
    assert [sum(counts[split]) for split in ("train", "validation")] == [80, 20]
    assert min(counts["validation"]) >= 1  # stratified
    assert setup.data["class_names"] == list(digits.class_names) and setup.data["image_shape"] == [8, 8, 1]
    # one linear layer from 64 pixels to 10 classes
    assert setup.sizes["weights"] == setup.sizes["trainable_weights"] == 650
    assert setup.sizes["flops_per_image"] == pytest.approx(2 * 64 * 10, rel=0.02)
    assert (setup.sizes["train_images"], setup.sizes["precision"]) == (80, "float32")
    assert setup.model.optimizer is setup.optimizer.main and setup.averages == []


def test_normalisation_is_that_of_the_images_trained_on(digits):
    setup = make(digits, validation=0.2)
    pixels = setup.source.splits["train"].images.astype(np.float64) / 255
    assert len(pixels) == 80
    assert setup.data["mean"] == pytest.approx([pixels.mean()], rel=1e-12)
    assert setup.data["std"] == pytest.approx([pixels.std()], rel=1e-12)


def test_normalisation_by_rule(digits):
    half = make(digits, normalization="half").data
    assert (half["mean"], half["std"]) == ([0.5], [0.5])
    given = make(digits, normalization="given", normalization_mean=[0.25], normalization_std=[2.0]).data
    assert (given["mean"], given["std"]) == ([0.25], [2.0])


def test_options_are_written_out(digits):
    assert make(digits, arch="boringnet").config.arch_options == {"activation": "none"}


def test_same_seed_same_weights(digits):
    one, same, other = (make(digits, seed=seed).model.get_weights()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_start_from_given_weights(digits):
    given = build_model("lazynet", (8, 8, 1), 10, seed=77)
    setup = make(digits, model=given, ema=0.9)
    for mine, average, theirs in zip(setup.model.weights, setup.averages, given.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
        np.testing.assert_array_equal(average.numpy(), theirs.numpy())
    assert setup.model is not given


def test_given_model_of_another_shape(digits):
    with pytest.raises(InputError, match="model must have the weights of arch 'lazynet' with .* Received: 'boringnet'"):
        make(digits, model=build_model("boringnet", (8, 8, 1), 10, seed=0))


def adapting(image_shape, num_classes):
    """A layer of ours that takes weights from images, and one of Keras's that could."""
    inputs = keras.Input(image_shape)
    x = keras.layers.Normalization()(Whitening(2, name="whitening")(inputs))
    x = keras.layers.Dense(num_classes, name="logits")(keras.layers.Flatten()(x))
    return keras.Model(inputs, x, name="lazynet")


def test_layers_adapt_to_the_first_training_images(digits, monkeypatch):
    monkeypatch.setitem(MODELS, "lazynet", adapting)
    monkeypatch.setattr("kerasnets.training.setup._ADAPT_IMAGES", 30)
    setup = make(digits, validation=0.2, ema=0.9)
    images = setup.source.splits["train"].images[:30] / 255
    expected = Whitening(2)
    expected.build((None, 8, 8, 1))
    untouched = expected.kernel.numpy()
    expected.adapt(((images - setup.data["mean"]) / setup.data["std"]).astype(np.float32))
    kernel = setup.model.get_layer("whitening").kernel
    np.testing.assert_allclose(kernel, expected.kernel, rtol=1e-3, atol=1e-4)
    (average,) = [a for a, weight in zip(setup.averages, setup.model.weights, strict=True) if weight is kernel]
    np.testing.assert_array_equal(average, kernel)
    assert np.abs(kernel - untouched).max() > 0.1
    assert (setup.model.layers[2].mean.numpy() == 0).all() and (setup.model.layers[2].variance.numpy() == 1).all()


@pytest.mark.parametrize(
    ("image_shape", "count"), [((8, 8, 1), 5000), ((64, 64, 3), 5000), ((128, 128, 3), 1365), ((9000, 9000, 1), 1)]
)
def test_the_larger_the_images_the_fewer_are_adapted_to(image_shape, count):
    asked, seen = [], []

    def blank(rows):
        asked.append(len(rows))
        return np.zeros((len(rows), 2, 2, 1), np.uint8)  # small ones, so that the test needs no memory

    class Adapting(Whitening):
        __module__ = "kerasnets.layers.adapting"

        def adapt(self, images):
            seen.append((images.shape, images.dtype))

    split = Split(images=StoredImages(blank, np.arange(6000), image_shape), labels=np.zeros(6000, np.int32))
    source = ImageSource(name="toy", class_names=("a", "b"), splits={"train": split}, origin="memory")
    inputs = keras.Input((2, 2, 1))
    _adapt(keras.Model(inputs, Adapting(2)(inputs)), source, [0.5], [0.5])
    assert asked == [count]  # 2**28 // (4 * 128 * 128 * 3)
    assert seen == [((count, 2, 2, 1), np.float32)]


def test_given_weights_are_not_adapted(digits, monkeypatch):
    monkeypatch.setitem(MODELS, "lazynet", adapting)
    given = build_model("lazynet", (8, 8, 1), 10, seed=77)
    setup = make(digits, model=given)
    np.testing.assert_array_equal(setup.model.get_layer("whitening").kernel, given.get_layer("whitening").kernel)


def test_precision_of_the_beginning_is_kept(digits):
    setup = make(digits, precision="bfloat16")
    assert (setup.sizes["precision"], setup.environment["precision_reason"]) == ("bfloat16", "as the run began")
    assert setup.model.get_layer("logits").compute_dtype == "float32"


def test_training_stream(digits):
    setup = make(digits, batch_size=40)
    stream = list(training_stream(setup, 0, 0, 8).take(6))
    assert [len(images) for images, _, _ in stream] == [40, 40, 20] * 2
    labels = np.concatenate([labels for _, labels, _ in stream[:3]])
    np.testing.assert_array_equal(np.sort(labels), np.sort(setup.source.splits["train"].labels))
    later = next(iter(training_stream(setup, 1, 2, 8)))
    for value, expected in zip(later, stream[5], strict=True):
        np.testing.assert_array_equal(value, expected)


def test_mixed_labels_have_a_share_for_each_class(digits):
    _, labels, _ = training_stream(make(digits, mixup=0.2), 0, 0, 8).element_spec
    assert labels.shape.as_list() == [None, 10]


@pytest.mark.parametrize(("cutout", "size", "expected"), [(4, 8, 4), (4, 4, 2), (4, 6, 3), (1, 2, 1), (0, 4, 0)])
def test_cutout_shrinks_with_early_images_and_crop_padding_does_not(digits, monkeypatch, cutout, size, expected):
    asked = {}
    monkeypatch.setattr("kerasnets.training.setup.training_dataset", lambda split, **settings: asked.update(settings))
    monkeypatch.setattr("kerasnets.training.setup.accept_sizes", lambda *_: None)  # lazynet takes one size
    training_stream(make(digits, early_sizes=[[size, 0.5]], cutout=cutout, crop_padding=3), 0, 0, size)
    assert (asked["augmentation"].cutout, asked["augmentation"].crop_padding) == (expected, 3)


def test_announcement(digits):
    heard = Heard()
    make(digits, heard, validation=0.2)
    by_split = {line.partition(":")[0]: line for line in heard.lines}
    assert by_split["train"].startswith("train: 80 images, ") and "in each of 10 classes" in by_split["train"]
    assert by_split["validation"].startswith("validation: 20 images, ")
    assert by_split["lazynet"].startswith("lazynet: 650 trainable weights, ")
    assert by_split["lazynet"].endswith("float32 (as asked)")
    assert not any("Warning" in line for line in heard.lines)


@pytest.mark.parametrize(("loss", "warned"), [("cross_entropy", True), ("mse", False)])
def test_probabilities_in_a_loss_of_logits_are_warned_about(digits, monkeypatch, loss, warned):
    def squashed(image_shape, num_classes):
        inputs = keras.Input(image_shape)
        layer = keras.layers.Dense(num_classes, "softmax", name="probabilities")
        return keras.Model(inputs, layer(keras.layers.Flatten()(inputs)), name="lazynet")

    monkeypatch.setitem(MODELS, "lazynet", squashed)
    heard = Heard()
    setup = make(digits, heard, loss=loss)
    assert any("squashed twice" in line for line in heard.lines) == warned
    assert setup.evaluated_loss == ("cross_entropy_on_probabilities" if warned else "mse")


def tiny(side=8, **splits) -> ImageSource:
    def split(count):
        images = np.arange(count * side * side, dtype=np.uint32) % 251
        labels = np.arange(count, dtype=np.int32) % 2
        return Split(images=images.astype(np.uint8).reshape(count, side, side, 1), labels=labels)

    names = {"train": 20, "test": 4} | splits
    chosen = {name: split(count) for name, count in names.items() if count}
    return ImageSource(name="tiny", class_names=("a", "b"), splits=chosen, origin="made up")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "digit"}, "Unknown data set .*digit.*Did you mean 'digits'"),
        ({"arch": "lazynt"}, "Unknown model 'lazynt'.*Did you mean 'lazynet'"),
        ({"arch_options": {"width": 3}}, "Unknown option 'width' of model 'lazynet'. It has none"),
        ({"arch": "boringnet", "arch_options": {"activation": "rlu"}}, "must be one of none, relu, leaky_relu"),
        ({"limit_train": 10**6}, "limit on training examples must lie in .* Received: 1000000"),
        ({"limit_train": 20, "validation": 0.001}, "validation fraction must leave examples on both sides"),
        ({"threads": 61}, "threads must be set before TensorFlow starts. Received: 61"),
        ({"devices": "cpu:3"}, "devices cpu:3 must be set before TensorFlow starts"),
        (
            {"normalization": "given", "normalization_mean": [0.1] * 3, "normalization_std": [1.0] * 3},
            "normalization_mean must have 1 values for images of digits. Received: ",
        ),
    ],
)
def test_mistakes(settings, message):
    with pytest.raises((InputError, DataError), match=message):
        prepare(config(**settings), None, Silent())


@pytest.mark.parametrize(("early", "side"), [([], 16), ([[10, 0.5]], 10)])
def test_reflected_padding_must_be_smaller_than_all_images(early, side):
    settings = {"source": tiny(side=16), "limit_train": None, "early_sizes": early, "arch": "speednet"}
    settings["arch_options"] = {"width": 4}
    words = f"smaller than the smallest images, {side} pixels, with crop_mode reflect. Received: {side}."
    with pytest.raises(InputError, match=words):
        make(None, crop_mode="reflect", crop_padding=side, **settings)
    assert make(None, crop_mode="reflect", crop_padding=side - 1, **settings)
    assert make(None, crop_padding=side, **settings)


def test_image_too_small():
    with pytest.raises(InputError, match="image size must be at least 8x8 for model 'lazynet'. Received: 7x7"):
        make(None, source=tiny(side=7), limit_train=None)


def test_test_curve_without_a_test_split():
    with pytest.raises(InputError, match="test_curve needs a test split. Received: 2 with tiny, which has train. Set"):
        make(None, source=tiny(test=0), limit_train=None, test_curve=2)
    assert make(None, source=tiny(test=0), limit_train=None).data["split_sizes"] == {"train": 20}


def test_early_stopping_needs_held_out_images(digits):
    with pytest.raises(InputError, match="early_stopping needs held-out images. Received: 3 with validation 0. Add"):
        make(digits, early_stopping=3)
    own = make(None, source=tiny(validation=4), limit_train=None, early_stopping=3)
    assert own.data["split_sizes"]["validation"] == 4


def test_validation_twice(digits):
    with pytest.raises(InputError, match="tiny has a validation split of its own. Received: validation 0.2. Set it"):
        make(None, source=tiny(validation=4), limit_train=None, validation=0.2)
