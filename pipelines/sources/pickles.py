"""A reader for pickled NumPy arrays that admits nothing else: CIFAR's files are pickles, and a pickle is a program."""

import io
import pickle

import numpy as np

from pipelines.errors import DataError

# The function that rebuilds a pickled array is private to NumPy and has moved before; an array tells where it is.
_RECONSTRUCT = np.empty(0).__reduce__()[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """What protocol 2 calls to write bytes; the real `codecs.encode` would import a module by the encoding's name."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return text.encode("latin1")


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no data file needs")
        return _ADMITTED[module, name]


def load_pickled_dict(content: bytes, file: str) -> dict:
    """Reads a pickled dictionary of numbers, text, lists and NumPy arrays.

    Args:
        content: The bytes of the pickle, written by Python 2 or 3.
        file: The name for error messages.

    Returns:
        The dictionary with its keys as str.

    Raises:
        DataError: The pickle is damaged, holds something else, or names any function or class beyond arrays.
    """
    try:
        value = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
        # A damaged pickle can raise nearly anything; whatever it is, this file cannot be used.
    except Exception as error:
        raise DataError(
            f"{file} must be a pickle of NumPy arrays. Received a damaged or unsafe one: "
            f"{error or type(error).__name__}. Fetch the official file again."
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"{file} must hold a dictionary. Received: {type(value).__name__}. Fetch the official file again."
        )
    return {key.decode("latin1") if isinstance(key, bytes) else str(key): entry for key, entry in value.items()}
