"""kerasnets-train: what flags, file and recipe come to, every mistake, and real runs on the digits."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kerasnets.cli.train import main, read_config
from kerasnets.models import MODEL_NAMES
from kerasnets.recipes import recipe
from kerasnets.training.config import config_to_yaml

ROOT = Path(__file__).resolve().parents[3]
TINY = ["digits", "--arch", "lazynet", "--epochs", "1", "--limit-train", "200", "--batch-size", "64"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERASNETS_DATA", raising=False)


def config_of(*words):
    return read_config(list(words))[0]


def complaint(capsys, *words):
    """Runs the command, which must refuse in one line, and returns that line."""
    assert main(list(words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kerasnets-train: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_defaults_are_the_recipe_of_data_set_and_network():
    assert config_of("digits") == recipe("digits", "best")
    assert config_of("cifar10", "--arch", "worst") == recipe("cifar10", "worst")
    assert config_of("--arch=lazynet", "fashion_mnist") == recipe("fashion_mnist", "lazynet")


def test_a_flag_wins_over_the_file_wherever_it_stands_and_the_file_over_the_recipe(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("dataset: digits\narch: lazynet\nepochs: 7\nbatch_size: 9\n")
    for words in (["--epochs", "2", "--config", str(path)], [f"--config={path}", "--epochs=2"]):
        assert config_of(*words) == recipe("digits", "lazynet", epochs=2, batch_size=9)


def test_a_later_file_wins_over_an_earlier_one_and_the_word_over_both(tmp_path):
    (tmp_path / "a.yaml").write_text("dataset: digits\nepochs: 1\nseed: 5\n")
    (tmp_path / "b.yaml").write_text("epochs: 2\n")
    config = config_of("mnist", "--config", "a.yaml", "--config", "b.yaml")
    assert config == recipe("mnist", epochs=2, seed=5)


@pytest.fixture
def search():
    """The folder of a search on the digits that has found boringnet."""
    Path("found").mkdir()
    options = {"activation": "relu"}
    found = recipe("digits", "boringnet", arch_options=options, epochs=2, batch_size=50, validation=0.1)
    Path("found/best.yaml").write_text(config_to_yaml(found))
    return "search:found"


def test_the_winner_of_a_search_is_a_network_with_its_settings(search):
    expected = recipe("digits", "boringnet", arch_options={"activation": "relu"}, epochs=2, batch_size=50)
    assert config_of("digits", "--arch", search) == expected
    assert config_of("digits", f"--arch={search}", "--epochs", "4") == expected.replace(epochs=4)
    changed = config_of("digits", "--arch", search, "--arch-options.activation", "none")
    assert changed == expected.replace(arch_options={"activation": "none"})
    Path("mine.yaml").write_text(f"arch: {search}\nepochs: 7\n")
    assert config_of("digits", "--config", "mine.yaml") == expected.replace(epochs=7)


def test_the_printed_config_repeats_the_run(capsys):
    words = [
        "digits",
        "--arch",
        "boringnet",
        "--arch_options.activation",
        "relu",
        "--max-time",
        "30m",
        "--threads",
        "1",
    ]
    words += ["--normalization", "given", "--normalization-mean", "[0.5]", "--normalization-std", "[0.25]"]
    assert main([*words, "--print_config"]) == 0
    text = capsys.readouterr().out
    with open("printed.yaml", "w") as file:
        file.write(text)
    config = config_of("--config", "printed.yaml")
    assert config == config_of(*words)
    assert config.arch_options == {"activation": "relu"}
    assert text == config_to_yaml(config)
    assert yaml.safe_load(text)["normalization_std"] == [0.25]


def test_help_shows_the_values_of_the_named_recipe_and_the_options_of_its_network(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["digits", "--arch", "boringnet", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 0
    assert "Defaults shown: the recipe of digits with boringnet." in text
    assert f"(default: {recipe('digits', 'boringnet').batch_size})" in text
    assert "--arch-options.activation none|relu|leaky_relu:" in text
    assert "--data-dir DIR Folder that holds the data set; without it the usual places are searched." in text


@pytest.mark.parametrize(
    "words", ["--help", "digits --help", "digits --epoch 3", "digits --epochs x", "digits --seed -1"]
)
def test_no_heavy_package_is_imported_to_answer_a_question_or_a_mistake(words):
    program = (
        "import sys\n"
        "from kerasnets.cli.train import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'numpy', 'sklearn', 'rich'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    line = [sys.executable, "-c", program, *words.split()]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


MISTAKES = {
    "": "A data set must be named. Received: none. Known: cifar10, cifar100, digits,",
    "cifar01": "tiny_imagenet, folder:PATH, csv:FILE, npz:FILE, tfds:NAME. Did you mean 'cifar10'?",
    "digits --arch cifrnet": "Did you mean 'cifarnet'?",
    "digits --arch search:nowhere": "search:PATH must name the folder of a search that has a winner, or its best.yaml.",
    "digits --arch search:": "Received: '', which has none.",
    "digits --epoch 3": "Unknown flag --epoch. Did you mean --epochs?",
    "--epoch 3 digits": "Unknown flag --epoch. Did you mean --epochs?",
    "digits mnist": "Nothing more was expected. Received: 'mnist'.",
    "digits --epochs 1.5": "--epochs must be a whole number. Received: 1.5. For example: --epochs 11.",
    "digits --batch-size 0": "batch_size must be a whole number from 1",
    "digits --learning-rate -1": "learning_rate must be a number from",
    "digits --optimizer sdg": "--optimizer must be one of sgd, adam, adamw, rmsprop, muon. Received: sdg.",
    "digits --flip sometimes": "--flip must be one of none, random, alternating. Received: sometimes.",
    "digits --max-time soon": "A time must look like 90s, 30m, 8h or 1h30m. Received: 'soon'.",
    "digits --early-stopping 3": "early_stopping needs held-out images.",
    "digits --arch boringnet --arch-options.activaton relu": "Did you mean 'activation'?",
    "digits --arch boringnet --arch-options.activation tanh": "one of none, relu, leaky_relu. Received: 'tanh'.",
    "digits --arch lazynet --arch-options.width 3": "Unknown option 'width' of model 'lazynet'. It has none.",
    "digits --devices gpu7": "devices must be auto, cpu or cpu:N. Received: 'gpu7'.",
    "--config missing.yaml": "--config must name a file that can be read. Received: ",
    "cifar10 --data-dir nowhere": "The data folder must be an existing folder. Received: /",
    "--resume runs/none": "runs/none",
    "--resume": "--resume needs a value",
    "--resume x --epochs 3": "--resume takes only --threads and --json beside it",
    "--resume x digits": "Nothing more was expected. Received: 'digits'.",
    "--list-archs q*": "q*",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_answered_in_one_line_and_leaves_nothing_behind(capsys, tmp_path, words):
    assert MISTAKES[words] in complaint(capsys, *words.split())
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_setting_in_the_file_names_the_nearest(capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text("dataset: digits\nlerning_rate: 0.1\n")
    text = complaint(capsys, "--config", "mine.yaml")
    assert "Unknown setting lerning_rate in the file of --config. Did you mean learning_rate?" in text


def test_an_output_folder_that_cannot_be_made(capsys):
    assert main([*TINY, "--output", "/dev/null/runs"]) == 2
    assert capsys.readouterr().err == (
        "kerasnets-train: error: output must be a folder that can be written. Received: /dev/null/runs "
        "(/dev/null is a file). Use --output with another folder.\n"
    )


@pytest.fixture
def fake(monkeypatch):
    """Puts another function in the place of training."""
    module = importlib.import_module("kerasnets.training.train")
    return lambda name, function: monkeypatch.setattr(module, name, function)


@pytest.mark.parametrize(("status", "code"), [("finished", 0), ("diverged", 1)])
def test_the_exit_code_says_how_the_run_ended(capsys, fake, status, code):
    summary = {"status": status, "test": None, "run": "runs/x", "dataset": "digits"}
    fake("train", lambda config, **options: SimpleNamespace(path="runs/x", summary=summary, status=status))
    assert main(TINY) == code
    assert "Run folder: runs/x" in capsys.readouterr().out
    assert main([*TINY, "--json"]) == code
    assert json.loads(capsys.readouterr().out) == summary


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_ends_with_the_command_that_goes_on(capsys, fake, number, code):
    interrupt = importlib.import_module("kerasnets.training.interrupt")

    def stopped(config, **options):
        raise interrupt.Interrupted(number, "runs/digits/x")

    fake("train", stopped)
    assert main([*TINY, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("Go on with: kerasnets-train --resume runs/digits/x\n")


def test_resume_hands_on_the_folder_and_the_threads(fake, tmp_path, capsys):
    assert main(TINY) == 0
    (run,) = tmp_path.glob("runs/digits/*")
    received = []

    def resumed(path, **options):
        received.append((path, options["threads"]))
        return SimpleNamespace(path=path, summary={"status": "finished"}, status="finished")

    fake("resume", resumed)
    assert main(["--resume", str(run), "--threads", "2", "--json"]) == 0
    assert main([f"--resume={run}", "--json"]) == 0
    assert received == [(str(run), 2), (str(run), None)]


def test_threads_are_chosen_by_the_run_or_as_it_began(fake, monkeypatch, tmp_path):
    assert main(TINY) == 0
    (run,) = tmp_path.glob("runs/digits/*")
    for ended in run.glob("summary.json"):
        ended.unlink()  # so that there is something to resume
    done = SimpleNamespace(path="x", summary={"status": "finished", "test": None, "run": "x"}, status="finished")
    fake("train", lambda config, **options: done)
    fake("resume", lambda path, **options: done)
    chosen = []
    monkeypatch.setattr("kerasnets.cli.train.choose_threads", lambda *given: chosen.append(given))
    assert main([*TINY, "--json"]) == 0
    assert main(["--resume", str(run), "--threads", "2", "--json"]) == 0
    (config, shape, begun), (again, shape_again, begun_again) = chosen
    assert (config.threads, shape, begun) == (0, (8, 8, 1), {})
    assert (again.threads, shape_again) == (2, (8, 8, 1))
    assert begun_again == json.loads((run / "env.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("words, threads", [([], [1, 0]), (["--threads", "2"], [2, 2])])
def test_a_small_run_in_a_process_of_its_own_uses_one_thread(tmp_path, words, threads):
    code = "import sys; from kerasnets.cli.train import main; sys.exit(main(sys.argv[1:]))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, *TINY, *words], env=environment, check=True, capture_output=True)
    (file,) = tmp_path.glob("runs/digits/*/env.json")
    begun = json.loads(file.read_text())
    assert [begun["intra_op_threads"], begun["inter_op_threads"]] == threads


def test_a_real_run_says_the_same_in_json_and_in_its_folder(capsys, tmp_path):
    assert main([*TINY, "--json"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result == json.loads((tmp_path / result["run"] / "summary.json").read_text())
    assert (result["status"], result["test"]["n"]) == ("finished", 360)
    assert {"accuracy", "loss"} <= set(result["test"])
    assert result["seconds"]["total"] > 0
    assert "epoch 1/1" in captured.err

    assert main(["--resume", result["run"]]) == 0
    captured = capsys.readouterr()
    assert "nothing to do" in captured.err
    assert f"Run folder: {result['run']}" in captured.out
    assert f"{result['test']['correct']} of 360" in captured.out


def test_the_networks_are_listed(capsys):
    assert main(["--list-archs", "cool*"]) == 0
    text = capsys.readouterr().out
    assert "coolnet_v7" in text
    assert "lazynet" not in text
    assert main(["--list-archs", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["archs"]}
    assert tuple(rows) == MODEL_NAMES
    assert rows["cifarnet"]["weights"] >= 2_441_728  # published


def test_the_installed_command_is_this_one():
    command = os.path.join(os.path.dirname(sys.executable), "kerasnets-train")
    if not os.path.exists(command):
        pytest.skip("the package is not installed beside this interpreter")
    done = subprocess.run([command, "--epoch"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "kerasnets-train: error: Unknown flag --epoch. Did you mean --epochs?\n",
    )


def test_a_run_of_a_winner_names_its_network_and_not_the_search(search, capsys, tmp_path):
    assert main(["digits", "--arch", search, "--epochs", "1", "--limit-train", "200", "--json"]) == 0
    run = tmp_path / json.loads(capsys.readouterr().out)["run"]
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["arch"], config["arch_options"], config["batch_size"]) == ("boringnet", {"activation": "relu"}, 50)
    assert run.name.startswith("boringnet-s0-")
    assert "search:" not in (run / "config.yaml").read_text()
