"""The package's face: every name is there, and importing it imports nothing heavy."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import kerasnets

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", kerasnets.__all__)
def test_every_name_is_there_and_is_no_module(name):
    value = getattr(kerasnets, name)
    assert isinstance(value, str) if name == "__version__" else callable(value)
    assert not inspect.ismodule(value)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'kerasnets' has no attribute 'trian'"):
        kerasnets.trian  # noqa: B018


def test_importing_the_packages_imports_nothing_heavy():
    heavy = "{'tensorflow', 'keras', 'numpy', 'pandas'}"
    program = f"import sys, kerasnets, pipelines; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
