"""The configuration checks itself, is written whole, read back equal, and named by what it computes."""

import dataclasses
import math
import typing

import pytest

from kerasnets.errors import InputError
from kerasnets.training.config import (
    PLACE_FIELDS,
    TrainConfig,
    check_keys,
    config_from_dict,
    config_hash,
    config_to_yaml,
    load_config,
    parse_seconds,
)
from pipelines.augmentation import CHOICES
from pipelines.reading import Reading


def config(**settings) -> TrainConfig:
    return TrainConfig(**{"dataset": "digits", "arch": "lazynet"} | settings)


NUMBERS = {
    "seed": (0, 2**31 - 1),
    "epochs": (1, 1_000_000),
    "batch_size": (1, 1_000_000),
    "learning_rate": (1e-12, 1e6),
    "momentum": (0, 0.99999),
    "muon_momentum": (0, 0.99999),
    "head_learning_rate_scale": (0, 1e6),
    "weight_decay": (0, 1e3),
    "bias_learning_rate_scale": (0, 1e6),
    "bias_weight_decay": (0, 1e3),
    "ema": (0, 0.9999999),
    "schedule_decay": (1e-9, 1),
    "warmup_epochs": (0, 1e6),
    "final_learning_rate_scale": (0, 1),
    "label_smoothing": (0, 0.999999),
    "image_size": (1, 4096),
    "channels": (1, 3),
    "max_bad": (0, 1),
    "cache_bytes": (0, 10**18),
    "crop_padding": (0, 1000),
    "policy_operations": (1, 16),
    "policy_magnitude": (0, 30),
    "rotation": (0, 180),
    "translation": (0, 1),
    "zoom": (0, 0.99),
    "brightness": (0, 1),
    "contrast": (0, 1),
    "saturation": (0, 1),
    "hue": (0, 0.5),
    "cutout": (0, 4096),
    "random_erasing": (0, 1),
    "mixup": (0, 100),
    "cutmix": (0, 100),
    "validation": (0, 0.9),
    "limit_train": (1, 10**12),
    "early_stopping": (0, 1_000_000),
    "test_curve": (0, 1_000_000),
    "threads": (0, 4096),
    "checkpoint_seconds": (0, 1e9),
}


def test_every_number_is_in_the_table():
    kinds = (int, float, int | None, float | None)
    assert set(NUMBERS) == {field.name for field in dataclasses.fields(TrainConfig) if field.type in kinds}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name):
    low, high = NUMBERS[name]
    others = {"validation": 0.1} if name == "early_stopping" else {}
    for good in (low, high):
        assert getattr(config(**others | {name: good}), name) == good
    for bad in (low - 1, high + 1, math.nan, math.inf, "1", True, [1], 10**400):
        with pytest.raises(InputError, match=rf"^{name} must be a (whole )?number from .* to .*\. Received: "):
            config(**others | {name: bad})


@pytest.mark.parametrize("name", ["seed", "epochs", "batch_size", "limit_train", "crop_padding", "threads"])
def test_whole_numbers(name):
    with pytest.raises(InputError, match=f"{name} must be a whole number from .* Received: 1.5"):
        config(**{name: 1.5})


def test_only_two_numbers_may_be_left_out():
    assert config(limit_train=None, bias_weight_decay=None).limit_train is None
    with pytest.raises(InputError, match="learning_rate must be a number from 1e-12 to 1e.06. Received: None. 0.01 is"):
        config(learning_rate=None)


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("optimizer", "sdg", "Did you mean 'sgd'"),
        ("schedule", "cosin", "Did you mean 'cosine'"),
        ("loss", "cross_entrpy", "Did you mean 'cross_entropy'"),
        ("crop_mode", "mirror", "Known: reflect, zero"),
        ("flip", True, "Known: alternating, none, random"),
        ("normalization", "imagenet", "Known: dataset, given, half"),
        ("precision", "float16", "Did you mean '.*float"),
        ("optimizer", ["sgd"], "Known: adam, adamw, muon, rmsprop, sgd"),
    ],
)
def test_choices(name, value, answer):
    with pytest.raises(InputError, match=rf"{name} must be one of the known. Received: .*{answer}"):
        config(**{name: value})


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_those_of_the_augmentation(name):
    assert typing.get_args(TrainConfig.__dataclass_fields__[name].type) == CHOICES[name]


def test_remedies_are_those_of_the_augmentation():
    with pytest.raises(InputError, match="crop_padding must be .* Received: -1. 4 is usual for 32x32 images."):
        config(crop_padding=-1)


def test_truth_values():
    with pytest.raises(InputError, match="nesterov must be true or false. Received: 1"):
        config(nesterov=1)


@pytest.mark.parametrize("name", ["dataset", "arch", "output", "devices"])
@pytest.mark.parametrize("value", ["", None, 3])
def test_names(name, value):
    with pytest.raises(InputError, match=f"{name} must be a name. Received: "):
        config(**{name: value})


def test_arch_options():
    with pytest.raises(InputError, match="arch_options must map option names to values. Received: 'width=3'"):
        config(arch_options="width=3")


@pytest.mark.parametrize(
    "settings",
    [
        {"normalization": "given"},
        {"normalization": "given", "normalization_mean": [0.5]},
        {"normalization": "given", "normalization_std": [0.5]},
        {"normalization": "half", "normalization_mean": [0.5]},
        {"normalization_mean": [0.5], "normalization_std": [0.5]},
        {"normalization_mean": []},
    ],
)
def test_normalization_needs_both_or_neither(settings):
    with pytest.raises(InputError, match="normalization given needs .*, other kinds take neither. Received: "):
        config(**settings)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ([0.5, 0.5], [0.5]),
        ([0.5], [0.0]),
        ([0.5], [-1.0]),
        ([0.5], [math.nan]),
        (["0.5"], [0.5]),
        ("0.5", "0.5"),
        ([], []),
        (0.5, 0.5),
    ],
)
def test_normalization_values(mean, std):
    with pytest.raises(InputError, match="must be lists of numbers, one a channel, the std above 0. Received: "):
        config(normalization="given", normalization_mean=mean, normalization_std=std)


def test_two_channels_are_neither_grey_nor_colour():
    with pytest.raises(InputError, match=r"channels must be 1 \(grey\) or 3 \(colour\). Received: 2."):
        config(channels=2)


def test_how_data_is_read():
    reading = config(image_size=48, resize="pad", channels=1, max_bad=0.5, cache_bytes=9, seed=4).reading()
    assert reading == Reading(image_size=48, resize="pad", channels=1, max_bad=0.5, cache_bytes=9, seed=4)
    assert config().reading() == Reading()


def test_normalization_given():
    given = config(normalization="given", normalization_mean=[0.0, 0.5], normalization_std=[1, 0.2])
    assert given.normalization_mean == [0.0, 0.5]


@pytest.mark.parametrize("loss", ["mse", "cross_entropy_on_probabilities"])
def test_label_smoothing_needs_cross_entropy(loss):
    with pytest.raises(InputError, match=f"label_smoothing works with loss cross_entropy. Received: loss {loss}"):
        config(label_smoothing=0.1, loss=loss)


def test_max_time():
    assert config(max_time="30m").max_time == "30m"
    with pytest.raises(InputError, match="max_time must be above zero. Received: 0s. Write 90s, 30m or 8h"):
        config(max_time="0s")
    with pytest.raises(InputError, match="A time must look like"):
        config(max_time="soon")


def test_devices():
    for good in ("auto", "cpu", "cpu:2", "cpu:16"):
        config(devices=good)
    for bad in ("gpu", "cpu:0", "cpu:x", "cpu:2 ", "CPU"):
        with pytest.raises(InputError, match="devices must be auto, cpu or cpu:N. Received: "):
            config(devices=bad)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1.5h", 5400),
        ("30m", 1800),
        ("30 min", 1800),
        ("1h30m", 5400),
        (" 1H 30m 5s ", 5405),
        ("2d", 172800),
        (45, 45),
    ],
)
def test_parse_seconds(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "1 30", "5 weeks", "1..5h", "1e3", "h", "None"])
def test_parse_seconds_refuses(text):
    with pytest.raises(InputError, match="A time must look like 90s, 30m, 8h or 1h30m. Received: "):
        parse_seconds(text)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        config().epochs = 3


def test_replace_checks_again():
    assert config().replace(epochs=3).epochs == 3
    with pytest.raises(InputError, match="Unknown setting 'epoch'.*Did you mean 'epochs'"):
        config().replace(epoch=3)
    with pytest.raises(InputError, match="epochs must be"):
        config().replace(epochs=0)


def test_unknown_key():
    check_keys({"epochs": 3})
    with pytest.raises(InputError, match="Unknown setting 'learning_rte'.*Did you mean 'learning_rate'"):
        check_keys({"epochs": 3, "learning_rte": 0.1})


def test_from_dict():
    assert config_from_dict({"dataset": "digits", "arch": "lazynet"}) == config()
    with pytest.raises(InputError, match="must name its dataset. Received none. Add, for example, dataset: cifar10"):
        config_from_dict({"arch": "lazynet"})
    with pytest.raises(InputError, match="must name its arch. Received none. Add, for example, arch: cifarnet"):
        config_from_dict({"dataset": "digits"})


def test_hash_names_what_is_computed():
    other = {"data_dir": "/data", "cache_bytes": 7, "output": "elsewhere", "threads": 3, "checkpoint_seconds": 5.0}
    assert set(other) == set(PLACE_FIELDS)
    assert config_hash(config(**other)) == config_hash(config())
    assert len(config_hash(config())) == 8 and int(config_hash(config()), 16) >= 0
    changes = [{"seed": 1}, {"epochs": 3}, {"arch_options": {"width": 3}}, {"max_time": "1h"}, {"precision": "float32"}]
    hashes = {config_hash(config(**change)) for change in [{}, *changes]}
    assert len(hashes) == len(changes) + 1


def test_hash_does_not_depend_on_the_order_of_options():
    one, two = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert config_hash(config(arch_options=one)) == config_hash(config(arch_options=two))


def test_yaml_holds_every_default_and_reads_back_equal(tmp_path):
    original = config(
        learning_rate=1e-05,
        arch_options={"activation": "relu", "width": 3},
        max_time="90",
        normalization="given",
        normalization_mean=[0.1],
        normalization_std=[1 / 3],
        data_dir="/Grüße/no",
    )
    text = config_to_yaml(original)
    names = [line.partition(":")[0] for line in text.splitlines() if line[0] not in " -"]
    assert names == [field.name for field in dataclasses.fields(TrainConfig)]
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    assert load_config(tmp_path / "config.yaml") == original


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b"dataset: [digits", "must be YAML. Received: while parsing"),
        (b"\xff\xfe\x00", "must be YAML. Received: "),
        (b"- digits", "must hold settings, one 'name: value' a line. Received: list"),
        (b"", "must hold settings, one 'name: value' a line. Received: NoneType"),
        (b"dataset: digits\narch: lazynet\nepoch: 3", "Unknown setting 'epoch'"),
        (b"dataset: digits\narch: lazynet\nepochs: many", "epochs must be a whole number.*'many'"),
    ],
)
def test_load_refuses(tmp_path, text, answer):
    (tmp_path / "config.yaml").write_bytes(text)
    with pytest.raises(InputError, match=answer):
        load_config(tmp_path / "config.yaml")


def test_load_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="A configuration file was expected. Received: .*gone.yaml, which does not"):
        load_config(tmp_path / "gone.yaml")


def test_early_sizes():
    assert config(early_sizes=[[16, 0.2], [24, 0.5]]).early_sizes == [[16, 0.2], [24, 0.5]]
    for bad in (
        [16, 0.5],
        [[16]],
        [[16, 0]],
        [[16, 1.0]],
        [[True, 0.5]],
        "16",
        [["16", 0.5]],
        [[1.5, 0.5]],
        ((16, 0.5),),
    ):
        with pytest.raises(InputError, match=r"early_sizes must be pairs .* Received: .* Write \[\[20, 0.3\]"):
            config(early_sizes=bad)
    for bad in ([[16, 0.5], [24, 0.2]], [[16, 0.5], [24, 0.5]]):
        with pytest.raises(InputError, match=r"early_sizes must have rising shares"):
            config(early_sizes=bad)
