"""The texts that lay out `blocks`: what each word gives, and one line for each slip."""

import pytest

from kerasnets.errors import InputError
from kerasnets.models.block_text import Step, read_hidden, read_stages


def test_every_word():
    assert read_stages("64 k5 wide bare, res4 k1 max2\nskip2 mean3, act 8 valid") == [
        Step("convolution", 64, kernel_size=5, padding="wide", bare=True),
        Step("residual", 4, kernel_size=1),
        Step("max", 2),
        Step("skip", 2),
        Step("mean", 3),
        Step("act"),
        Step("convolution", 8, padding="valid"),
    ]


@pytest.mark.parametrize("text", ["", " ", ","])
def test_nothing_is_no_trunk(text):
    assert read_stages(text) == []
    assert read_hidden(text) == []


def test_hidden_units():
    assert read_hidden("512 500, 100") == [512, 500, 100]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "64 maxx2",
            r"stages must be a text such as .*\. Received: 'maxx2' in '64 maxx2'\. Known: a number of filters",
        ),
        ("64 act2", "Received: 'act2' .* Known: "),
        ("64 0", "Received: '0' .* Known: "),
        ("64 -3", "Received: '-3' .* Known: "),
        ("64 max1", "Received: 'max1' .*, whose number must be from 2 to 64"),
        ("65537", "Received: '65537' .*, whose number must be from 1 to 65536"),
        ("64 res51", "Received: 'res51' .*, whose number must be from 1 to 50"),
        ("64 k0", "Received: 'k0' .*, whose number must be from 1 to 15"),
        ("64 k16", "Received: 'k16' .*, whose number must be from 1 to 15"),
        ("k5 64", "Received: 'k5' .*, which belongs behind a convolution, res or skip"),
        ("64 max2 valid", "Received: 'valid' .*, which belongs behind a convolution, res or skip"),
        ("64 skip2 bare", "Received: 'bare' .*, which belongs behind a number of filters"),
        ("res2 64", "Received: 'res2' .*, which needs a convolution before it"),
        ("max2 skip2", "Received: 'skip2' .*, which needs a convolution before it"),
        ("8 " * 201, "Stages must have at most 200 steps. Received: 201. Write fewer."),
    ],
)
def test_a_slip_is_named(text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_stages(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["512 x", "0", "70000", "1.5", "-3"])
def test_hidden_units_are_whole_numbers(text):
    with pytest.raises(InputError, match=r"hidden must be whole numbers from 1 to 65536, such as '512 500', or empty"):
        read_hidden(text)
