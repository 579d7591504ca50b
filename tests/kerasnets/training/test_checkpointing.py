"""When checkpoints are written, which are kept, and what taking one up refuses or mends."""

import pytest

from kerasnets.errors import InputError
from kerasnets.runs.checkpoint import load_checkpoint, load_newest, save_checkpoint


def names(run):
    return sorted(path.name for path in run.parts.folder.checkpoints.iterdir())


def test_last_two_and_their_best_are_kept(fake_run):
    run = fake_run(epochs=5, validation=0.1, checkpoint_seconds=0.0)
    run.answers = [(1.0, 0.1), (1.0, 0.2), (1.0, 0.3), (1.0, 0.25), (1.0, 0.4)]
    run.run()
    assert names(run) == ["best-00003.ckpt", "best-00005.ckpt", "step-000000019.ckpt", "step-000000020.ckpt"]
    older, newer = (load_checkpoint(run.parts.folder.checkpoints / name)[1] for name in names(run)[2:])
    assert older["state"]["best"] == {"file": "best-00003.ckpt", "epoch": 3}
    assert newer["state"]["best"] == {"file": "best-00005.ckpt", "epoch": 5}


def test_what_a_checkpoint_holds(fake_run):
    run = fake_run(ema=0.5).run()
    _, arrays, meta, _ = load_newest(run.parts.folder.checkpoints)
    assert arrays["model/0000"] == 8.0 and arrays["ema/0000"].dtype == "float32"
    # step counter, rate and momentum
    assert sorted(arrays) == ["ema/0000", "model/0000", "optimizer/0000", "optimizer/0001", "optimizer/0002"]
    assert meta["sizes"] == {"weights": 1} and meta["epoch"] == 2
    assert meta["state"]["rows"] == run.state.rows
    assert [state["type"] for state in meta["callbacks"]] == ["LearningRateScheduler", "BestCheckpoint"]


def steps_written(run) -> list[int]:
    """Steps at which a checkpoint was written during the run."""
    loop, written = run.loop(), []
    write = loop.checkpointer.write

    def note():
        before = loop.checkpointer.written_at
        write()
        if loop.checkpointer.written_at != before:
            written.append(len(run.rates))

    loop.checkpointer.write = note
    loop.run()
    return written


def test_time_between_checkpoints(fake_run):
    run = fake_run(epochs=4, checkpoint_seconds=5.5)
    run.parts.folder.log = lambda *arguments, **values: None
    run_loop_cost(run, 1.0)
    # a write costs a second, 25 times less than 2 %: only the clock counts
    assert steps_written(run) == [6, 12, 16]


def run_loop_cost(run, seconds):
    """Lets every checkpoint take this long."""
    identity = run.parts.meta

    class Slow(dict):
        def __or__(self, other):
            run.now += seconds
            return identity | other

    run.parts.meta = Slow()


def test_an_epochs_end_is_kept_where_it_costs_next_to_nothing(fake_run):
    assert steps_written(fake_run(epochs=3)) == [4, 8, 12]


def test_an_epochs_end_is_not_kept_where_it_costs_much(fake_run):
    run = fake_run(epochs=3)
    run_loop_cost(run, 0.5)  # 2 % of 25 seconds; an epoch takes 4
    assert steps_written(run) == [12]


def test_nothing_is_written_twice(fake_run):
    run = fake_run(epochs=1)
    run.run()
    loop_names, before = names(run), [path.stat().st_mtime_ns for path in run.parts.folder.checkpoints.iterdir()]
    loop = run.loop()
    loop.checkpointer.written_at = (run.state.epoch, run.state.step)
    loop.checkpointer.write()
    assert names(run) == loop_names
    assert [path.stat().st_mtime_ns for path in run.parts.folder.checkpoints.iterdir()] == before


def test_fresh_folder(fake_run):
    run = fake_run()
    loop = run.loop()
    assert names(run) == ["step-000000000.ckpt"] and loop.checkpointer.taken_up == []


def test_seconds_add_up(fake_run):
    run = fake_run()
    run.run()
    later = fake_run(run)
    later.state.seconds["setup"] = 3.0
    later.loop()
    assert later.state.seconds["setup"] == 3.0 and later.state.seconds["train"] == run.state.seconds["train"] > 0


def test_settings_that_were_changed(fake_run):
    run = fake_run().run()
    later = fake_run(run, batch_size=5)
    with pytest.raises(InputError, match=r"must belong to .*config.yaml. Received: settings that were changed since"):
        later.loop()
    fake_run(later, batch_size=3, threads=2, checkpoint_seconds=3.0).loop()  # place and pace may differ


def test_every_checkpoint_damaged(fake_run):
    run = fake_run().run()
    for path in run.parts.folder.checkpoints.glob("step-*"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="A whole checkpoint was expected in .* Start a new run"):
        fake_run(run).loop()


def test_damaged_newest_is_passed_over_and_told(fake_run):
    run = fake_run().run()
    newest = run.parts.folder.checkpoints / "step-000000008.ckpt"
    newest.write_bytes(b"")
    later, told = fake_run(run), []
    later.parts.progress.message = told.append
    later.loop()
    assert (later.state.epoch, later.weight) == (1, 4.0)
    assert "step-000000008.ckpt must start as" in told[0] and told[0].endswith("Going on from step-000000004.ckpt.")
    assert told[1] == "Going on from epoch 2, step 1 (step-000000004.ckpt)"
    assert "damaged checkpoint" in (run.parts.folder.path / "log.jsonl").read_text()


def test_other_network(fake_run):
    run = fake_run().run()
    path, arrays, meta, _ = load_newest(run.parts.folder.checkpoints)
    save_checkpoint(path, arrays | {"model/0001": arrays["model/0000"]}, meta)
    with pytest.raises(InputError, match="must hold 1 arrays of model. Received: 2"):
        fake_run(run).loop()


def test_best_weights_that_no_state_names_are_removed(fake_run):
    run = fake_run(validation=0.1)
    run.answers = [(1.0, 0.5), (1.0, 0.4)]
    run.run()
    for name in ("best-00002.ckpt", "best-00007.ckpt"):
        save_checkpoint(run.parts.folder.checkpoints / name, {}, {})
    fake_run(run).loop()
    assert [name for name in names(run) if name.startswith("best")] == ["best-00001.ckpt"]
