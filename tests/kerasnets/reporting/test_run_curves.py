"""Which curves a report draws."""

from kerasnets.reporting import svg
from kerasnets.reporting.run_curves import curves_of_one, curves_of_several
from kerasnets.reporting.run_facts import read_run


def names(figures):
    return [figure.name for figure in figures]


def test_one_run_has_loss_accuracy_rate_and_gradient(tmp_path, write_run):
    figures = curves_of_one(read_run(write_run(tmp_path / "run"), 0))
    assert names(figures) == ["loss-1", "accuracy-1", "learning-rate-1", "gradient-norm-1"]
    assert ">train<" in figures[0].svg and ">selected epoch<" in figures[0].svg and ">validation<" not in figures[0].svg


def test_a_run_without_an_epoch_has_none(tmp_path, write_run):
    run = write_run(tmp_path / "run", status="running", epochs=0)
    assert curves_of_one(read_run(run, 0)) == []


def test_a_run_without_a_test_curve_has_its_one_number(tmp_path, write_run):
    path = write_run(tmp_path / "run")
    lines = (path / "results.csv").read_text().splitlines()
    (path / "results.csv").write_text("\n".join([lines[0], *(line.rsplit(",", 2)[0] + ",," for line in lines[1:])]))
    assert ">test<" in curves_of_one(read_run(path, 0))[0].svg


def test_several_runs_share_a_drawing_of_each_quantity(tmp_path, write_run, monkeypatch):
    runs = [read_run(write_run(tmp_path / f"run {place}"), place) for place in range(2)]
    figures = curves_of_several(runs)
    assert names(figures) == [
        f"{name}-1"
        for name in ("train-loss", "test-loss", "train-accuracy", "test-accuracy", "learning-rate", "gradient-norm")
    ]
    assert "A: run 0" in figures[0].svg and "B: run 1" in figures[0].svg
    monkeypatch.setattr(svg, "LINES_IN_A_DRAWING", 1)
    assert names(curves_of_several(runs))[:2] == ["train-loss-1", "train-loss-2"]
