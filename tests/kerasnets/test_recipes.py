"""The recipes are those of the published reports, and every one fits its network."""

import re

import pytest

from kerasnets.errors import InputError
from kerasnets.models.names import MODEL_NAMES
from kerasnets.recipes import read_best, recipe, resolve_arch
from kerasnets.training.config import TrainConfig, config_to_yaml


@pytest.mark.parametrize(
    ("dataset", "arch", "expected"),
    [
        ("cifar10", "best", "speednet"),
        ("cifar10", "worst", "resblocks"),
        ("tiny_imagenet", "best", "speednet"),
        ("tiny_imagenet", "worst", "resblocks"),
        ("never_heard_of", "best", "speednet"),
        ("cifar10", "tiny_leaky", "tiny_leaky"),
        ("cifar10", "no_such_network", "no_such_network"),  # refused later, with the known ones
    ],
)
def test_resolve_arch(dataset, arch, expected):
    assert resolve_arch(dataset, arch) == expected


def settings(dataset, arch, *names):
    values = recipe(dataset, arch).to_dict()
    return tuple(values[name] for name in names)


@pytest.mark.parametrize("arch", ["worst", "cifarnet", "resblocks"])
def test_cifar_report(arch):
    # "batch 256, SGD learning rate 0.01, momentum 0.9, 20 epochs, seed 0; padding 4, flip, mean and std 0.5"
    names = ("batch_size", "optimizer", "learning_rate", "momentum", "epochs", "seed", "schedule", "weight_decay")
    assert settings("cifar10", arch, *names) == (256, "sgd", 0.01, 0.9, 20, 0, "constant", 0.0)
    names = ("crop_padding", "crop_mode", "flip", "normalization", "loss")
    assert settings("cifar10", arch, *names) == (4, "zero", "random", "half", "cross_entropy")


def test_tiny_imagenet_report():
    names = ("arch", "batch_size", "learning_rate", "momentum", "weight_decay", "epochs", "flip", "normalization")
    assert settings("tiny_imagenet", "tinynet", *names) == ("tinynet", 256, 0.01, 0.9, 0.0005, 10, "random", "half")


def test_step_schedule_report():
    # "learning rate 0.05 multiplied by 0.9 after every epoch", momentum and batch as assumed there
    names = ("learning_rate", "schedule", "schedule_decay", "momentum", "batch_size", "epochs")
    assert settings("tiny_imagenet", "tiny_leaky", *names) == (0.05, "step", 0.9, 0.9, 128, 100)


@pytest.mark.parametrize("arch", ["lazynet", "boringnet", "coolnet_v7", "coolnet_v10", "lenet_bn"])
def test_coolnet_reports(arch):
    # "batch 4, learning rate 0.01, 50 epochs"; momentum 0 is the one with which the reports' numbers come out
    names = ("batch_size", "learning_rate", "momentum", "epochs")
    assert settings("cifar10", arch, *names) == (4, 0.01, 0.0, 50)


@pytest.mark.parametrize("arch", ["best", "worst", *MODEL_NAMES])
@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_written_digits_are_not_mirrored(dataset, arch):
    assert settings(dataset, arch, "flip", "tta") == ("none", "none")


@pytest.mark.parametrize("arch", ["best", "cifarnet"])
def test_written_digits_are_normalised_by_their_own_statistics(arch):
    assert settings("digits", arch, "normalization") == settings("mnist", arch, "normalization") == ("dataset",)


def test_speednet_has_the_rates_of_its_source():
    # airbench94_muon: batch 2000, Muon 0.24, biases 0.053 and head 0.67 for the sum of the losses, decay 2e-6 an image
    # and step; the head's outputs are divided by 256 there. Half the batch: the kernels' rate falls by its root.
    names = ("batch_size", "learning_rate", "bias_learning_rate_scale", "head_learning_rate_scale")
    batch, rate, bias_scale, head_scale = settings("cifar10", "speednet", *names)
    assert (batch, rate) == (1000, pytest.approx(0.24 / 2**0.5, rel=0.01))
    assert rate * bias_scale == pytest.approx(0.053 * batch, rel=0.01)
    assert rate * head_scale == pytest.approx(0.67 * batch / 256**2, rel=0.01)
    decay, bias_decay = settings("cifar10", "speednet", "weight_decay", "bias_weight_decay")
    assert rate * head_scale * decay == pytest.approx(2e-6 * batch, rel=0.03)
    assert rate * bias_scale * bias_decay == pytest.approx(2e-6 * batch, rel=0.06)
    names = ("optimizer", "momentum", "muon_momentum", "label_smoothing", "crop_padding", "crop_mode", "flip", "tta")
    expected = ("muon", 0.85, 0.6, 0.2, 2, "reflect", "alternating", "adaptive")
    assert settings("cifar10", "speednet", *names) == expected


@pytest.mark.parametrize("arch", MODEL_NAMES)
def test_every_network_has_a_recipe_of_its_own(arch):
    plain = TrainConfig(dataset="cifar10", arch=arch)
    assert recipe("cifar10", arch) != plain


def test_overrides():
    config = recipe("cifar10", epochs=3, learning_rate=0.5)
    assert (config.epochs, config.learning_rate, config.batch_size) == (3, 0.5, 1000)


@pytest.mark.parametrize("dataset", ["", None, 3])
def test_dataset_must_be_a_name(dataset):
    with pytest.raises(InputError, match="dataset must be a name such as cifar10. Received: "):
        recipe(dataset)


def test_unknown_override():
    with pytest.raises(InputError, match="Unknown setting 'epoch'.*Did you mean 'epochs'"):
        recipe("cifar10", epoch=3)


def test_override_out_of_range():
    with pytest.raises(InputError, match="epochs must be a whole number from 1"):
        recipe("cifar10", epochs=0)


@pytest.mark.parametrize("dataset", ["folder:/home/me/pets", "csv:list.csv", "npz:a.npz", "tfds:beans"])
def test_what_a_user_owns_gets_small_batches(dataset):
    # An eighth of the batch: the kernels' rate falls by its root, the biases' and the head's as the batch does.
    batch, *rates = settings(dataset, "best", "batch_size", "learning_rate", "bias_learning_rate_scale")
    large, *large_rates = settings("cifar10", "best", "batch_size", "learning_rate", "bias_learning_rate_scale")
    assert (batch, settings(dataset, "best", "arch", "early_sizes")) == (128, ("speednet", []))
    assert rates[0] == pytest.approx(large_rates[0] * (batch / large) ** 0.5, rel=0.01)
    assert rates[0] * rates[1] == pytest.approx(large_rates[0] * large_rates[1] * batch / large, rel=0.02)
    assert settings(dataset, "cifarnet", "batch_size", "learning_rate") == (256, 0.01)


def test_what_a_user_owns_is_varied_more():
    # Few images are soon known by heart: 1,000 of ten classes gave 60 % on the images alone with it, 52 % without.
    assert settings("folder:/home/me/pets", "best", "policy", "tta") == ("trivialaugment", "flip")
    assert settings("cifar10", "best", "policy") == ("none",)


@pytest.fixture
def winner_of(tmp_path):
    """Makes the folder of a search with a winner of these settings; its name as an arch comes back."""

    def make(dataset="cifar10", name="search", **settings):
        folder = tmp_path / name
        folder.mkdir()
        config = TrainConfig(dataset=dataset, arch="boringnet", arch_options={"activation": "relu"}, **settings)
        (folder / "best.yaml").write_text("# a word\n" + config_to_yaml(config))
        return f"search:{folder}"

    return make


def test_the_winner_of_a_search_brings_network_and_settings(winner_of):
    found = {"epochs": 7, "optimizer": "adamw", "learning_rate": 0.003, "flip": "random", "image_size": 24}
    arch = winner_of(**found, seed=5, output="trials", threads=1, data_dir="/data", validation=0.1, limit_train=99)
    expected = TrainConfig(dataset="cifar10", arch="boringnet", arch_options={"activation": "relu"}, **found)
    assert recipe("cifar10", arch) == expected == recipe("cifar10", f"{arch}/best.yaml")
    assert resolve_arch("cifar10", arch) == "boringnet"
    assert recipe("cifar10", arch, epochs=2, seed=3) == expected.replace(epochs=2, seed=3)


def test_a_winner_on_another_data_set_is_fitted_to_its_images(winner_of):
    pixels = {"crop_padding": 4, "cutout": 12, "early_sizes": [[16, 0.3], [24, 0.6]]}
    given = {"normalization": "given", "normalization_mean": [0.5] * 3, "normalization_std": [0.2] * 3}
    arch = winner_of(flip="random", tta="flip", channels=3, resize="pad", **pixels, **given)
    config = recipe("digits", arch)
    assert (config.crop_padding, config.cutout, config.early_sizes) == (1, 3, [[4, 0.3], [6, 0.6]])
    assert (config.flip, config.tta, config.normalization, config.normalization_mean) == (
        "none",
        "none",
        "dataset",
        None,
    )
    assert (config.channels, config.resize) == (None, "squash")
    larger = recipe("tiny_imagenet", arch)
    assert (larger.crop_padding, larger.cutout, larger.flip, larger.tta) == (8, 24, "random", "flip")
    assert recipe("tiny_imagenet", arch, image_size=32).cutout == 12
    own = recipe("folder:/pets", arch)  # of a size that is not known
    assert (own.crop_padding, own.cutout, own.early_sizes) == (4, 12, [])


def test_the_same_folder_of_images_is_the_same_data_set(winner_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arch = winner_of(dataset=f"folder:{tmp_path / 'pets'}", early_sizes=[[16, 0.3]], image_size=32)
    assert recipe("folder:pets", arch).early_sizes == [[16, 0.3]]
    assert recipe("folder:others", arch).image_size is None


def test_a_winner_that_smooths_nothing_stays_without_padding(winner_of):
    assert recipe("digits", winner_of(normalization="half")).crop_padding == 0
    assert recipe("digits", winner_of(name="b", normalization="half")).normalization == "half"


@pytest.mark.parametrize("path", ["", "nowhere", "no\nwhere"])
def test_a_search_without_a_winner(tmp_path, path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for ask in (lambda: recipe("digits", f"search:{path}"), lambda: resolve_arch("digits", f"search:{path}")):
        with pytest.raises(
            InputError, match="search:PATH must name the folder of a search that has a winner"
        ) as caught:
            ask()
        assert f"Received: {path!r}, which has none" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_winner_must_be_a_network(tmp_path):
    file = tmp_path / "best.yaml"
    for arch in ("best", "search:elsewhere"):
        file.write_text(f"dataset: digits\narch: {arch}\n")
        message = f"{re.escape(str(file))} must name a network as arch. Received: '{arch}'"
        with pytest.raises(InputError, match=message):
            read_best(file)
    file.write_text("dataset: digits\narch: lazynet\nepoch: 3\n")
    with pytest.raises(InputError, match=f"{re.escape(str(file))}: Unknown setting 'epoch'"):
        read_best(tmp_path)
