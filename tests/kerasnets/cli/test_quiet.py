"""What TensorFlow says of itself at every start is left out, what else it says comes through."""

import os
import subprocess
import sys

import pytest

from kerasnets.cli import quiet

LINES = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    "I0000 00:00:1.2 7 port.cc:153] oneDNN custom operations are on. You may see slightly different results.\n",
    "I0000 00:00:1.2 7 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n",
    "E0000 00:00:1.2 7 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error (303)\n",
    "E0000 00:00:1.2 7 something.cc:1] out of memory\n",
]


@pytest.mark.parametrize(("driver", "kept"), [(False, LINES[4:]), (True, LINES[2:])])
def test_what_is_about_a_gpu_stays_where_there_is_a_driver(monkeypatch, tmp_path, driver, kept):
    monkeypatch.setattr(quiet, "NVIDIA_DRIVER", tmp_path if driver else tmp_path / "none")
    assert quiet.without_noise("".join(LINES)) == "".join(kept)


def test_tensorflow_starts_in_silence_and_threads_can_still_be_set():
    program = (
        "from kerasnets.cli.quiet import import_tensorflow; import_tensorflow(); import os, tensorflow as tf; "
        "tf.config.threading.set_intra_op_parallelism_threads(1); os.write(2, b'ours')"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=True, env=environment)
    assert done.stderr == b"ours"


def test_a_log_level_that_is_set_stays(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    quiet.import_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
