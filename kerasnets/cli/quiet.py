"""TensorFlow's start without the lines that it writes about itself on every machine."""

import os
import re
import tempfile
from pathlib import Path

# TensorFlow 2.21 writes these with a logger of its own that no environment variable silences.
NOISE = (
    r"WARNING: All log messages before absl::InitializeLog",
    r"oneDNN custom operations are on",
    r"This TensorFlow binary is optimized to use available CPU instructions",
    r"To enable the following instructions:",
)
NOISE_WITHOUT_GPU = (r"Could not find cuda drivers", r"failed call to cuInit")
NVIDIA_DRIVER = Path("/dev/nvidiactl")


def import_tensorflow() -> None:
    """Imports TensorFlow and looks for its devices; of what that writes to stderr only the unexpected comes through.

    A user who has set TF_CPP_MIN_LOG_LEVEL has said what to show, and is shown it.
    """
    wanted = "TF_CPP_MIN_LOG_LEVEL" in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if wanted:
        import tensorflow  # noqa: F401

        return
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        # The lines come from C++, past Python's sys.stderr, so the file descriptor itself is pointed elsewhere.
        os.dup2(held.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            os.write(2, without_noise(held.read().decode(errors="replace")).encode())


def without_noise(text: str) -> str:
    """Leaves out the lines that are the same on every machine; what is about a GPU stays where there is a driver."""
    noise = NOISE if NVIDIA_DRIVER.exists() else NOISE + NOISE_WITHOUT_GPU
    return "".join(line for line in text.splitlines(keepends=True) if not re.search("|".join(noise), line))
