"""Searches made up, for tests and pictures of what is told of them: no network is trained."""

import json

import numpy as np
import pytest

from kerasnets.search.trial import TrialRecord

CAUSES = {
    "diverged": "epoch 1, step 31: the loss was not finite. The learning rate is too large for this network.",
    "failed": "out of memory: its process was ended by the system (signal 9), twice",
}


def sample(random):
    """A choice of settings, some of which depend on others."""
    values = {
        "stages": int(random.integers(2, 5)),
        "width": int(random.choice([16, 32, 64, 128])),
        "kernel_size": int(random.choice([3, 5])),
        "blocks": str(random.choice(["plain", "residual"])),
        "normalization": str(random.choice(["none", "batch"])),
        "activation": str(random.choice(["relu", "leaky_relu", "silu"])),
        "head": str(random.choice(["flatten", "average", "max"])),
        "dropout": round(float(random.uniform(0, 0.5)), 3),
        "optimizer": str(random.choice(["sgd", "adamw", "muon"])),
        "label_smoothing": round(float(random.uniform(0, 0.3)), 3),
        "batch_size": int(random.choice([64, 128, 256, 512])),
        "flip": bool(random.integers(2)),
        "schedule": str(random.choice(["constant", "linear", "cosine", "one_cycle"])),
        "space": "built-in",
    }
    if values["head"] == "flatten" and random.uniform() < 0.6:
        values["hidden"] = int(random.choice([64, 256, 512]))
    rate = {"sgd": (0.003, 1.0), "adamw": (0.0001, 0.03), "muon": (0.02, 0.5)}[values["optimizer"]]
    values[f"{values['optimizer']}_learning_rate"] = float(np.exp(random.uniform(*np.log(rate))))
    if values["optimizer"] == "sgd":
        values["momentum"] = round(float(random.uniform(0.6, 0.97)), 3)
    return values


def accuracy(values, budget, random):
    """What such a network might get right after so many epochs."""
    best = 0.60 + 0.05 * np.log2(values["width"] / 16) / 3 + 0.03 * (values["stages"] - 2)
    best += {"muon": 0.09, "adamw": 0.04, "sgd": 0.0}[values["optimizer"]]
    best += 0.06 * (values["normalization"] == "batch") + 0.01 * values["flip"] - 0.05 * (values["head"] == "flatten")
    best -= 0.1 * max(0.0, values["dropout"] - 0.3)
    return float(np.clip(best - 0.22 / budget**0.7 + random.normal(0, 0.012), 0.1, 0.95))


def made_up_records(n, seed=0, unit="epochs"):
    """Records of a Hyperband search: the best of each three that had one epoch has three, of three of these nine."""
    random, records, clock = np.random.default_rng(seed), [], 0.0
    waiting = [(None, 1, 0)] * n
    rounds = {1: [], 3: [], 9: []}
    while len(records) < n:
        promoted = next((budget for budget in (3, 1) if len(rounds[budget]) >= 3), None)
        if promoted:
            group, rounds[promoted] = rounds[promoted], []
            first = max(group, key=lambda record: record.score)
            run, values, budget, before = first.run, first.values, promoted * 3, promoted
        else:
            waiting.pop()
            run, values, budget, before = f"trials/{len(records):04d}", sample(random), 1, 0
        flops = int(2e5 * values["width"] ** 1.3 * values["stages"] * (values["kernel_size"] / 3) ** 2)
        seconds = (budget - before) * (4 + flops / 2e6 * random.uniform(0.8, 1.2))
        clock += seconds + 3
        status = "completed"
        if before == 0 and random.uniform() < 0.1:
            status = "diverged" if values["optimizer"] == "sgd" else "failed" if random.uniform() < 0.3 else status
        right = accuracy(values, budget, random) if status == "completed" else None
        record = TrialRecord(
            trial=f"{len(records):04d}", run=run, values=values, status=status, unit=unit, budget=budget,
            score={"completed": right, "diverged": 0.0, "failed": None}[status], initial_budget=before, bracket=2,
            round={1: 0, 3: 1, 9: 2}[budget], epochs=float(budget), val_accuracy=right, val_loss=1.0, train_loss=0.9,
            weights=values["width"] * 4000 * values["stages"], flops=flops, train_seconds=budget * (4 + flops / 2e6),
            seconds=seconds, search_seconds=clock, images_per_second=9000 / (4 + flops / 2e6),
            peak_memory_bytes=900 * 2**20, worker="worker-0", reason=CAUSES.get(status, ""),
        )  # fmt: skip
        records.append(record)
        if status == "completed":
            rounds[budget].append(record)
    return records


def write_search_folder(folder, records, summary=None, best=True):
    """Writes what a search leaves for its page."""
    (folder / "results").mkdir(parents=True)
    for record in records:
        (folder / "results" / f"{record.trial}.json").write_text(json.dumps(record.to_dict()))
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    settings = "dataset: cifar10\nspace: null\ntuner: hyperband\nobjective: val_accuracy\nepochs: 9\nmax_time: 1h\n"
    (folder / "search.yaml").write_text(settings)
    if best:
        (folder / "best.yaml").write_text("# The best of search night.\ndataset: cifar10\narch: lazynet\nepochs: 9\n")
    return folder


SUMMARY = {
    "search": "night", "dataset": "cifar10", "objective": "val_accuracy", "tuner": "hyperband", "unit": "epochs",
    "command": "kerasnets-search cifar10 --limit-train 10000 --max-time 1h --name night", "seconds": 3541.2,
    "status": "finished", "seed": 0,
    "final": {
        "seeds": [1, 2, 3], "accuracies": [0.7712, 0.7689, 0.7741], "n": 10000, "mean": 0.7714,
        "interval": [0.7649, 0.7779],
    },
    "reference": [
        {"name": "cifarnet", "accuracies": [0.7012, 0.6988, 0.7051], "train_seconds": [184.0, 185.0, 186.0]},
        {"name": "resblocks", "accuracies": [0.7702, 0.7744, 0.7718]},
    ],
    "rejected": {"more than 2,000,000 weights (--max-weights)": 14, "images of 32x32 are too small for 6 poolings": 3},
    "hardware": "a processor, 2 cores", "versions": {"kerasnets": "0.1.0", "keras": "3.15.1", "keras-tuner": "1.4.8"},
}  # fmt: skip


@pytest.fixture(scope="session")
def records_of():
    """The function that makes records up; see `made_up_records`."""
    return made_up_records


@pytest.fixture(scope="session")
def write_search():
    """The function that writes the folder of a search; see `write_search_folder`."""
    return write_search_folder


@pytest.fixture
def summary():
    """A whole ``summary.json``."""
    return json.loads(json.dumps(SUMMARY))
