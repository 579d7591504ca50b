"""Figures of a run folder: files in, PNG files out, and damaged folders refused."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from kerasnets.errors import InputError
from kerasnets.reporting.figures import save_figure, write_figures

N, NAMES = 30, ["cat", "dog", "ship"]


@pytest.fixture
def run(tmp_path):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, N).astype(np.int32)
    p = generator.dirichlet(np.ones(3), N)
    test = {
        "accuracy": 0.5, "loss": 1.0, "correct": 15, "n": N, "interval": [0.3, 0.7], "split": "test",
        "selection": "last epoch", "epoch": 2,
    }  # fmt: skip
    summary = {"dataset": "digits", "arch": "lenet_bn", "seed": 0, "status": "finished", "test": test}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "data.json").write_text(json.dumps({"class_names": NAMES}))
    # As pandas writes it: empty cells, and an infinite loss.
    (tmp_path / "results.csv").write_text(
        "epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,test_loss,test_accuracy\n"
        "1,0.1,inf,0.3,,,,\n2,0.1,1.2,0.4,,,,\n"
    )
    np.savez(tmp_path / "predictions.npz", labels=labels, log_probabilities=np.log(p).astype(np.float32))
    return tmp_path


def images(n=N):
    return np.random.default_rng(1).integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)


def test_all_figures_are_written(run):
    written = write_figures(run, images())
    assert [path.name for path in written] == ["curves.png", "confusion_matrix.png", "misclassified.png"]
    for path in written:
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
    assert not list(run.glob(".*")), "nothing may be left aside"


def test_the_same_run_gives_the_same_bytes(run):
    first = [path.read_bytes() for path in write_figures(run, images())]
    assert [path.read_bytes() for path in write_figures(run, images())] == first


def test_without_images_there_are_no_misclassified(run):
    assert [path.name for path in write_figures(run)] == ["curves.png", "confusion_matrix.png"]


def test_an_unevaluated_run_gets_its_curves(run):
    (run / "predictions.npz").unlink()
    assert [path.name for path in write_figures(run, images())] == ["curves.png"]


def test_a_run_before_its_first_epoch_is_drawn(run):
    (run / "predictions.npz").unlink()
    pd.read_csv(run / "results.csv").head(0).to_csv(run / "results.csv", index=False)
    assert write_figures(run)


def test_other_images_are_refused(run):
    with pytest.raises(InputError, match=r"must be those of the evaluated split of .*: 30. Received: 29"):
        write_figures(run, images(29))


@pytest.mark.parametrize("name", ["summary.json", "results.csv", "data.json"])
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    with pytest.raises(InputError, match=f"must hold {name}") as caught:
        write_figures(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["summary.json", "results.csv", "data.json", "predictions.npz"])
def test_a_damaged_file_is_named(run, name):
    (run / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"{name} must be the file that training wrote") as caught:
        write_figures(run)
    assert "\n" not in str(caught.value)


def test_a_name_in_another_script_is_drawn_without_a_warning(tmp_path):
    figure = Figure()
    figure.text(0.5, 0.5, "\u732b")
    assert save_figure(figure, tmp_path / "cat.png").stat().st_size > 0


def test_drawing_needs_neither_tensorflow_nor_pyplot(run):
    program = (
        "import sys, kerasnets.reporting as r; r.write_figures(sys.argv[1]); "
        "print([name for name in ('tensorflow', 'keras', 'matplotlib.pyplot') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(run)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
