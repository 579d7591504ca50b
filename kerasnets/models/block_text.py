"""Reads the texts that lay out network `blocks`: its stages and its hidden layers; imports no TensorFlow."""

import dataclasses
import re
from dataclasses import dataclass

from kerasnets.errors import InputError

# Beyond these a text is a slip of the keyboard, not a network.
_MOST_UNITS = 65_536
_MOST_STEPS = 200
_WORDS = (
    "a number of filters with k5, valid, wide or bare behind it, res2 or skip2 with k5 behind it, max2, mean2 or act"
)


@dataclass(frozen=True)
class Step:
    """One step of the trunk of network `blocks`.

    Attributes:
        kind: ``convolution``, ``residual``, ``skip``, ``max``, ``mean`` or ``act``.
        size: Filters, residual blocks, convolutions under the shortcut, or the side of the pooling window; 0 for act.
        kernel_size: Of the convolutions.
        padding: ``same``, ``valid`` or ``wide``.
        bare: Whether a convolution stands without normalisation and activation.
    """

    kind: str
    size: int = 0
    kernel_size: int = 3
    padding: str = "same"
    bare: bool = False


_KINDS = {"": "convolution", "res": "residual", "skip": "skip", "max": "max", "mean": "mean"}
_LIMITS = {"convolution": _MOST_UNITS, "residual": 50, "skip": 50, "max": 64, "mean": 64}


def read_stages(text: str) -> list[Step]:
    """Reads the layout of the trunk, such as ``"64 128 max2, 128 128 256 max2"``.

    Words stand for layers, one after the other:

    - ``64``: a convolution with 64 filters, then normalisation and activation. Behind it may stand ``k5`` (kernels of
      5x5 in place of 3x3), ``valid`` (no padding) or ``wide`` (a border of half the kernel and one pixel more), and
      ``bare`` (no normalisation and no activation).
    - ``act``: normalisation and activation alone: ``64 bare max2 act`` pools between convolution and normalisation.
    - ``max2``, ``mean2``: pooling of 2x2.
    - ``res4``: four residual blocks, each a convolution, the activation and a convolution, added to what came in.
    - ``skip2``: two convolutions with normalisation and activation, and what came in added before the last activation.

    ``res`` and ``skip`` keep the number of filters and take ``k5`` too. Commas set stages apart for the eye.

    Returns:
        The steps; none for an empty text, which is a network without convolutions.

    Raises:
        InputError: A word is none of these, stands in the wrong place or has a number out of range.
    """
    steps: list[Step] = []
    for word in text.replace(",", " ").split():
        if word in ("valid", "wide", "bare") or re.fullmatch(r"k\d+", word):
            steps[-1:] = [_modified(steps[-1] if steps else None, word, text)]
        else:
            steps.append(_step(word, text))
            if steps[-1].kind in ("residual", "skip") and all(step.kind != "convolution" for step in steps):
                raise _mistake(text, word, "which needs a convolution before it")
    if len(steps) > _MOST_STEPS:
        raise InputError(f"Stages must have at most {_MOST_STEPS} steps. Received: {len(steps)}. Write fewer.")
    return steps


def read_hidden(text: str) -> list[int]:
    """Reads the units of the hidden linear layers, such as ``"512 500"``; none for an empty text.

    Raises:
        InputError: Something in it is no whole number above 0.
    """
    words = text.replace(",", " ").split()
    for word in words:
        if not re.fullmatch(r"[1-9]\d{0,5}", word) or int(word) > _MOST_UNITS:
            raise InputError(
                f"hidden must be whole numbers from 1 to {_MOST_UNITS}, such as '512 500', or empty. "
                f"Received: {word!r} in {text!r}."
            )
    return [int(word) for word in words]


def _step(word: str, text: str) -> Step:
    if word == "act":
        return Step("act")
    match = re.fullmatch(r"(res|skip|max|mean|)([1-9]\d{0,5})", word)
    if match is None:
        raise _mistake(text, word, f"Known: {_WORDS}")
    kind, size = _KINDS[match[1]], int(match[2])
    least = 2 if kind in ("max", "mean") else 1
    if not least <= size <= _LIMITS[kind]:
        raise _mistake(text, word, f"whose number must be from {least} to {_LIMITS[kind]}")
    return Step(kind, size)


def _modified(step: Step | None, word: str, text: str) -> Step:
    if step is None or step.kind not in ("convolution", "residual", "skip"):
        raise _mistake(text, word, "which belongs behind a convolution, res or skip")
    if word[0] == "k":
        if not 1 <= int(word[1:]) <= 15:
            raise _mistake(text, word, "whose number must be from 1 to 15")
        return dataclasses.replace(step, kernel_size=int(word[1:]))
    if step.kind != "convolution":
        raise _mistake(text, word, "which belongs behind a number of filters")
    return dataclasses.replace(step, **({"bare": True} if word == "bare" else {"padding": word}))


def _mistake(text: str, word: str, why: str) -> InputError:
    joint = ". " if why[0].isupper() else ", "
    return InputError(
        f"stages must be a text such as '64 128 max2, 256 max2'. Received: {word!r} in {text!r}{joint}{why}."
    )
