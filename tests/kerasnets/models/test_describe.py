import keras
import pytest

from kerasnets.errors import InputError
from kerasnets.models.build import build_model
from kerasnets.models.describe import describe_models, flops_per_image, output_kind
from kerasnets.models.names import MODEL_FACTS, MODEL_NAMES


def test_output_kind():
    assert output_kind(build_model("lazynet", (8, 8, 1), 3)) == "logits"
    assert output_kind(build_model("tiny_leaky", (8, 8, 1), 3, output="probabilities")) == "probabilities"


def test_an_unnamed_output_is_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, name="scores")(inputs), name="mine")
    with pytest.raises(
        InputError, match="of model 'mine' must be named 'logits' or 'probabilities'. Received: 'scores'"
    ):
        output_kind(model)


def test_flops_of_cifarnet_by_hand():
    # multiply-adds of the eight convolutions on maps of 32, 32, 16, 16, 16, 8, 4, 4, then the linear layer
    layers = [
        (32, 3, 64),
        (32, 64, 128),
        (16, 128, 128),
        (16, 128, 128),
        (16, 128, 256),
        (8, 256, 256),
        (4, 256, 256),
        (4, 256, 256),
    ]
    multiply_adds = sum(side * side * 9 * inputs * filters for side, inputs, filters in layers) + 256 * 10
    assert flops_per_image(build_model("cifarnet", (32, 32, 3), 10)) == 2 * multiply_adds == 569_775_104


def test_flops_of_convolutions_without_padding_and_of_depthwise_ones():
    inputs = keras.Input((10, 8, 4))
    outputs = keras.layers.Conv2D(6, 3)(inputs)  # 8 x 6 positions
    outputs = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(outputs)  # 4 x 3 positions
    model = keras.Model(inputs, outputs)
    assert flops_per_image(model) == 2 * 8 * 6 * 3 * 3 * 4 * 6 + 2 * 4 * 3 * 3 * 3 * 6


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_flops_written_down_are_those_of_the_network(name):
    facts = MODEL_FACTS[name]
    assert flops_per_image(build_model(name, facts.image_shape, facts.num_classes)) == facts.flops_per_image


def test_the_table_lists_every_network():
    table = describe_models()
    assert list(table.columns) == ["name", "weights", "flops", "smallest_image", "source"]
    assert tuple(table["name"]) == MODEL_NAMES
    row = table.set_index("name").loc["cifarnet"]
    assert row.tolist() == [2_441_728, 569_775_104, "8x8", "report cifarnet, CIFAR-10 best"]


def test_the_table_can_be_narrowed():
    assert list(describe_models("*lazy*")["name"]) == ["lazynet"]
    with pytest.raises(InputError, match=r"No model matches 'cifarnt'\. Known: .* Did you mean 'cifarnet'\?"):
        describe_models("cifarnt")
