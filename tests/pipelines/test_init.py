"""The package's public face: every name is found, and importing it costs neither TensorFlow nor NumPy."""

import subprocess
import sys

import pytest

import pipelines


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=pipelines.__path__[0] + "/..", timeout=60)


def test_every_public_name_is_found_and_listed():
    for name in pipelines.__all__:
        public = getattr(pipelines, name)
        assert isinstance(public, dict) if name.isupper() else public.__name__ == name
    assert set(pipelines.__all__) <= set(dir(pipelines))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pipelines.nonsense  # noqa: B018


def test_importing_the_package_in_a_fresh_process_imports_neither_tensorflow_nor_numpy():
    run("import sys, pipelines; assert not {'tensorflow', 'numpy', 'sklearn'} & set(sys.modules)")


def test_loading_and_splitting_a_source_in_a_fresh_process_does_not_import_tensorflow():
    run(
        "import sys, pipelines\n"
        "source = pipelines.limit_train(pipelines.load_source('digits'), 100)\n"
        "pipelines.carve_validation(source, 0.1, 0).channel_statistics()\n"
        "assert 'tensorflow' not in sys.modules"
    )
