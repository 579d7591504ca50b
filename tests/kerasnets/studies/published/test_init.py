"""What holds for every published study: it can be run as declared, and all that it says belongs together."""

import subprocess
import sys

import pytest

from kerasnets.models import check_options
from kerasnets.models.options import check_image_shape
from kerasnets.studies.cells import make_cells
from kerasnets.studies.published import STUDIES
from kerasnets.studies.study import Diverges

EVERY = pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
# Image side and channels, and classes, of the data sets.
DATA = {"cifar10": (32, 3, 10), "fashion_mnist": (28, 1, 10), "tiny_imagenet": (64, 3, 200)}


def points(study):
    """Every (setting, measure) that a row or claim is about."""
    yield from ((row.setting, row.measure) for row in study.rows)
    for comparison in (comparison for claim in study.claims for comparison in claim.comparisons):
        if not isinstance(comparison, Diverges):
            yield from ((point.setting, point.measure) for point in (comparison.first, comparison.second))


def test_all_five_reports():
    assert list(STUDIES) == ["tiny-leaky", "cifarnet", "coolnet-cpu", "from-scratch", "lenet-bn"]
    assert all(name == study.name for name, study in STUDIES.items())


def test_nothing_heavy_is_imported():
    heavy = "{'tensorflow', 'keras', 'pandas', 'scipy'}"
    code = f"import sys, kerasnets.studies.published; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@EVERY
def test_cells(study):
    # make_cells also sees to it that no two settings are the same run
    cells = make_cells(study)
    assert len(cells) == len(study.settings) * study.seeds == len({cell.key for cell in cells})
    for config in (cell.config for cell in cells):
        assert (config.precision, config.test_curve, config.validation) == ("float32", config.epochs, 0)
        # a run writes its options out in full, and its folder is named by what it writes
        assert config.arch_options == check_options(config.arch, config.arch_options)


@EVERY
def test_networks_take_the_images(study):
    for setting in study.settings:
        config = study.config(setting, seed=0)
        side, channels, classes = DATA[config.dataset]
        side = config.image_size or side
        check_image_shape(config.arch, (side, side, channels), classes)


@EVERY
def test_measures_lie_within_the_runs(study):
    for name, measure in points(study):
        assert (measure.epoch or 1) <= study.config(study.setting(name), seed=0).epochs, (name, measure)


@EVERY
def test_published_numbers_are_possible(study):
    for row in study.rows:
        assert 0 < row.rounding <= 0.05
        assert row.published > 0 and (not row.measure.is_share or (row.upper or row.published) < 1)


@EVERY
def test_what_a_reader_needs(study):
    assert study.question.endswith("?") and study.assumes and study.published_cost and study.claims
    names = {name for name, _ in points(study)}
    names |= {pair.setting for claim in study.claims for pair in claim.comparisons if isinstance(pair, Diverges)}
    # the image sizes are a question that the report asks and does not answer
    assert {setting.name for setting in study.settings} - names <= {"tinynet, 32x32", "tinynet, 128x128"}
    assert all(claim.comparisons for claim in study.claims)


def test_studies_share_the_runs_that_are_the_same():
    keys = {name: {cell.key: cell.setting for cell in make_cells(study)} for name, study in STUDIES.items()}
    both = set(keys["coolnet-cpu"]) & set(keys["lenet-bn"])
    # four networks with three seeds
    assert len(both) == 12
    assert {keys["lenet-bn"][key] for key in both} == {
        "LazyNet",
        "BoringNet",
        "BoringNet, ReLU",
        "BoringNet, LeakyReLU",
    }
