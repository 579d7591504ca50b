import subprocess
import sys

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.models.options import check_image_shape, check_options, model_facts


def test_defaults_are_written_out_in_order():
    assert list(check_options("tiny_leaky", {"output": "probabilities"}).items()) == [
        ("batch_norm", True),
        ("output", "probabilities"),
    ]
    assert check_options("cifarnet", {}) == {}


def test_a_text_of_one_number_may_come_as_the_number():
    checked = check_options("blocks", {"hidden": 512, "stages": " 64  max2,\n128 "})
    assert (checked["hidden"], checked["stages"]) == ("512", "64 max2, 128")


def test_a_whole_number_passes_for_a_float():
    checked = check_options("scratch_mlp", {"l2": 1, "width": 30})
    assert checked == {"width": 30, "initial_stddev": 0.1, "l2": 1.0}
    assert type(checked["l2"]) is float


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("cifarnt", {}, r"Unknown model 'cifarnt'\. Known: .*lazynet.*\. Did you mean 'cifarnet'\?"),
        ("scratch_mlp", {"widht": 3}, r"Unknown option 'widht' of model 'scratch_mlp'\. .* Did you mean 'width'\?"),
        ("lazynet", {"width": 3}, r"Unknown option 'width' of model 'lazynet'\. It has none\."),
        ("boringnet", {"activation": "gelu"}, r"must be one of none, relu, leaky_relu\. Received: 'gelu'"),
        ("boringnet", {"activation": ["relu"]}, r"must be one of none, relu, leaky_relu\. Received: \['relu'\]"),
        ("tiny_leaky", {"batch_norm": 1}, r"'batch_norm' of model 'tiny_leaky' must be true or false\. Received: 1"),
        ("scratch_mlp", {"width": 0}, r"must be a whole number of at least 1\. Received: 0"),
        ("scratch_mlp", {"width": 2.5}, r"must be a whole number of at least 1\. Received: 2\.5"),
        ("scratch_mlp", {"width": True}, r"must be a whole number of at least 1\. Received: True"),
        (
            "scratch_mlp",
            {"l2": -0.1},
            r"'l2' of model 'scratch_mlp' must be a number of at least 0\.0\. Received: -0\.1",
        ),
        ("scratch_mlp", {"l2": "0.1"}, r"must be a number of at least 0\.0\. Received: '0\.1'"),
        ("scratch_mlp", {"l2": float("nan")}, r"must be a number of at least 0\.0\. Received: nan"),
        ("scratch_mlp", {"l2": float("inf")}, r"must be a number of at least 0\.0\. Received: inf"),
        ("blocks", {"dropout": 0.96}, r"must be a number of at least 0\.0 and at most 0\.95\. Received: 0\.96"),
        (
            "blocks",
            {"stages": ["64"]},
            r"'stages' of model 'blocks' must be a text\. Received: \['64'\]\. Put it into quotes",
        ),
        ("blocks", {"stages": True}, r"'stages' of model 'blocks' must be a text\. Received: True"),
        ("blocks", {"stages": "64 maxx"}, r"Option 'stages' of model 'blocks': stages must be .* Received: 'maxx'"),
        ("blocks", {"hidden": "a"}, r"Option 'hidden' of model 'blocks': hidden must be whole numbers"),
    ],
)
def test_a_wrong_name_or_option_is_refused(name, options, message):
    with pytest.raises(InputError, match=message):
        check_options(name, options)


@pytest.mark.parametrize(
    "image_shape, num_classes, message",
    [
        ((7, 28, 1), 10, r"image size must be at least 8x8 for model 'cifarnet'\. Received: 7x28\. Use larger images"),
        ((28, 7, 1), 10, r"Received: 28x7\."),
        ((28, 28), 10, r"image_shape must be three positive whole numbers .* Received: \(28, 28\)\."),
        ((28, 28, 0), 10, r"image_shape must be three positive whole numbers"),
        ((28.0, 28, 1), 10, r"image_shape must be three positive whole numbers"),
        ((28, 28, 1), 1, r"num_classes must be a whole number of at least 2\. Received: 1"),
        ((28, 28, 1), "10", r"num_classes must be a whole number of at least 2\. Received: '10'"),
    ],
)
def test_a_wrong_shape_or_number_of_classes_is_refused(image_shape, num_classes, message):
    with pytest.raises(InputError, match=message):
        check_image_shape("cifarnet", image_shape, num_classes)


def test_facts_of_an_unknown_model_are_refused():
    with pytest.raises(InputError, match="Unknown model 'best'"):
        model_facts("best")


def test_checking_imports_no_tensorflow():
    code = (
        "import sys; from kerasnets.models import MODEL_NAMES, check_options; print(*map(sys.modules.get, ['keras']))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "None\n"


def test_numpy_numbers_are_numbers():
    check_image_shape("lazynet", np.array([8, 8, 1]), np.int64(10))
    assert type(check_options("scratch_mlp", {"width": np.int64(3)})["width"]) is int
