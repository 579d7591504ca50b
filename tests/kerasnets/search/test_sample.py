"""What is rejected before it is trained, and why."""

import pytest
import tensorflow as tf

from kerasnets.models import build_model, flops_per_image
from kerasnets.search.sample import (
    RejectedSample,
    SampleFacts,
    check_sample,
    orthogonalization_flops,
    training_flops,
)
from kerasnets.training.config import TrainConfig
from kerasnets.training.muon import orthogonalize

SHAPE = (16, 16, 3)


def config(stages="8 max2, 8 max2", **changes):
    options = {"stages": stages, "head": "max"}
    return TrainConfig(**{"dataset": "digits", "arch": "blocks", "arch_options": options} | changes)


def test_facts_of_blocks_and_of_another_network():
    model = build_model("lenet_bn", SHAPE, 3)
    assert check_sample(config(arch="lenet_bn", arch_options={}), SHAPE, 3) == SampleFacts(
        weights=sum(weight.numpy().size for weight in model.trainable_weights),
        flops=flops_per_image(model),
        muon_flops=(4 * 6**2 * 75 + 22 * 6**3) + (4 * 16**2 * 150 + 22 * 16**3),
    )
    # 9 * 3 * 8 + 8 + 16, 9 * 8 * 8 + 8 + 16, 8 * 3
    assert check_sample(config(), SHAPE, 3) == SampleFacts(
        weights=240 + 600 + 24,
        flops=2 * (216 * 256 + 576 * 64 + 24),
        muon_flops=(4 * 8**2 * 27 + 22 * 8**3) + (4 * 8**2 * 72 + 22 * 8**3),
        # Convolution, activation and pooling, on maps of 16x16 and then of 8x8 with 8 channels.
        elements=3 * 256 * 8 + 3 * 64 * 8,
    )


@pytest.mark.parametrize(("rows", "columns"), [(27, 8), (8, 27), (4, 4)])
def test_the_operations_of_an_orthogonalised_update_are_those_of_its_products(rows, columns, monkeypatch):
    counted = []
    real = tf.matmul

    def count(first, second, **options):
        result = real(first, second, **options)
        inner = first.shape[0] if options.get("transpose_a") else first.shape[1]
        counted.append(2 * inner * result.shape[0] * result.shape[1])
        return result

    monkeypatch.setattr(tf, "matmul", count)
    orthogonalize(tf.random.stateless_normal((rows, columns), (0, 0)))
    assert sum(counted) == orthogonalization_flops(rows, columns)


def test_what_training_costs_beside_the_operations():
    facts = SampleFacts(weights=1000, flops=1_000_000, muon_flops=10**10, elements=10)
    small, large = config(batch_size=10), config(batch_size=1000)
    assert training_flops(small, facts) == pytest.approx(3_000_000 + 7_000 + 34_000_000 + 130_000)
    assert training_flops(large, facts) == pytest.approx(3_000_000 + 7_000 + 340_000 + 1_300)
    muon = training_flops(small.replace(optimizer="muon"), facts)
    assert muon == pytest.approx(training_flops(small, facts) + 3.4e9)


def test_limits():
    facts = check_sample(config(), SHAPE, 3)
    check_sample(config(), SHAPE, 3, max_weights=facts.weights, max_flops=facts.flops)
    with pytest.raises(RejectedSample, match="^over 863 weights$"):
        check_sample(config(), SHAPE, 3, max_weights=facts.weights - 1)
    with pytest.raises(RejectedSample, match="^over 1,000 FLOPs an image$"):
        check_sample(config(), SHAPE, 3, max_flops=1000)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stages": "8 max8 max2 max2 max2"}, "images too small for so many poolings"),
        ({"crop_mode": "reflect", "crop_padding": 16}, "images too small for the padding of the crop"),
        (
            {"crop_mode": "reflect", "crop_padding": 8, "early_sizes": [[8, 0.5]]},
            "images too small for the padding of the crop",
        ),
        ({"early_sizes": [[17, 0.5]]}, "smaller images first, but the images are not square or no larger"),
        (
            {"stages": "8 max2 max2 max4", "early_sizes": [[8, 0.2], [12, 0.5]]},
            "smaller images first, but weights or windows of the network depend on the size",
        ),
        ({"arch_options": {"stages": "8 maxx"}}, "Option 'stages' of model 'blocks': stages must be a text .*"),
        ({"arch": "lazynett", "arch_options": {}}, "Unknown model 'lazynett'.*"),
    ],
)
def test_reasons(changes, reason):
    with pytest.raises(RejectedSample, match=f"^{reason}$"):
        check_sample(config(**changes), SHAPE, 3)


def test_images_that_are_not_square():
    check_sample(config(), (16, 12, 3), 3)
    with pytest.raises(RejectedSample, match="not square"):
        check_sample(config(early_sizes=[[8, 0.5]]), (16, 12, 3), 3)


def test_smaller_images_first_where_the_network_takes_them():
    facts = check_sample(config(early_sizes=[[8, 0.2], [12, 0.5]]), SHAPE, 3)
    # A fifth of the run with a quarter of the pixels, three tenths with nine sixteenths.
    assert facts.pixels == pytest.approx(0.2 / 4 + 0.3 * 9 / 16 + 0.5)
    half = SampleFacts(weights=0, flops=1_000_000, elements=1000, pixels=0.5)
    assert training_flops(config(batch_size=1000), half) == pytest.approx(0.5 * (3_000_000 + 700_000) + 340_000)
