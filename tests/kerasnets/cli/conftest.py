"""One real, tiny run on the digits for all tests of the commands that need one."""

import json

import pytest

from kerasnets.cli.train import main as train


@pytest.fixture(scope="session", autouse=True)
def all_threads():
    """A command may limit the threads of its process, which here is that of all tests: it does not reach TensorFlow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kerasnets.cli.train.choose_threads", lambda config, image_shape, begun: None)
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, all_threads):
    """A finished run folder: 200 digits, a fifth of them for validation, one epoch of the linear network."""
    output = tmp_path_factory.mktemp("tiny")
    words = ["digits", "--arch", "lazynet", "--epochs", "1", "--limit-train", "200", "--batch-size", "32"]
    assert train([*words, "--validation", "0.2", "--output", str(output / "runs")]) == 0
    (path,) = output.glob("runs/digits/*")
    return path


@pytest.fixture(scope="session")
def tiny_summary(tiny_run):
    return json.loads((tiny_run / "summary.json").read_text())


@pytest.fixture(scope="session")
def tiny_export(tiny_run, tmp_path_factory):
    """The saved model of the tiny run."""
    from kerasnets.cli.export import main as export

    path = tmp_path_factory.mktemp("exported") / "digits"
    assert export([str(tiny_run), "--to", str(path)]) == 0
    return path
