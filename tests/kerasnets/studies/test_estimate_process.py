"""The process that measures small networks."""

import io
import json
import runpy
import sys

from kerasnets.errors import InputError
from kerasnets.studies import estimate, estimate_process
from kerasnets.studies.cells import make_cells
from kerasnets.studies.estimate import Speed
from kerasnets.studies.study import Setting, Study
from kerasnets.training.callbacks import wants_every_batch

STUDY = Study(
    name="s",
    question="?",
    dataset="digits",
    base={"arch": "lazynet", "batch_size": 50},
    settings=(Setting(name="slow rate", config={"learning_rate": 0.001}), Setting(name="fast rate")),
    seeds=2,
)


def test_the_process_measures_what_it_is_asked_for_with_one_thread(monkeypatch, capsys):
    configs = [cell.config for cell in make_cells(STUDY)[:2]]
    asked = {"configs": [config.to_dict() for config in configs], "seconds": 0.5}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asked)))
    calls = []
    monkeypatch.setattr(estimate_process, "use_one_thread_if_small", lambda *asked: calls.append(("threads", *asked)))

    def measure(config, seconds):
        print("a library's noise")
        calls.append((config, seconds))
        if len(calls) == 3:
            raise InputError("too small")
        return Speed(images_per_second=1.0, start_seconds=2.0, train_images=3, test_images=4)

    monkeypatch.setattr(estimate, "measure_speed", measure)
    estimate_process.main()
    assert calls == [("threads", configs[0], (8, 8, 1), {}), (configs[0], 0.5), (configs[1], 0.5)]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"images_per_second": 1.0, "start_seconds": 2.0, "train_images": 3, "test_images": 4},
        {"error": "too small"},
    ]


def test_steps_are_called_many_at_a_time_as_they_will_be(monkeypatch, capsys):
    (config, *_) = (cell.config for cell in make_cells(STUDY))
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"configs": [config.to_dict()], "seconds": 0.5})))
    monkeypatch.setattr("kerasnets.training.distribute.use_one_thread_if_small", lambda *asked: None)
    given = []

    def train(config, *, callbacks, **_):
        given.extend(callbacks)
        raise InputError("seen enough")

    monkeypatch.setattr("kerasnets.training.train.train", train)
    monkeypatch.delitem(sys.modules, estimate_process.__name__)  # runpy warns of a module that is there already
    runpy.run_module(estimate_process.__name__, run_name="__main__")
    assert json.loads(capsys.readouterr().out) == {"error": "seen enough"}
    assert len(given) == 1 and not wants_every_batch(given)
