"""`pack_cells` and `unpack_cells`: finished runs in one small file, to be kept, or brought to another machine."""

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from kerasnets.errors import InputError
from kerasnets.runs.files import json_text, write_bytes_atomic
from kerasnets.runs.run import Run
from kerasnets.studies.cells import cell_key
from kerasnets.studies.results import ANSWERS_FILE, DONE, CellResult, read_answers
from kerasnets.training.config import config_from_dict, config_to_yaml
from pipelines.archives import extract
from pipelines.errors import DataError

# All that verdicts and reports are made of; `ANSWERS_FILE` stands for the predictions. No checkpoints, no pictures.
_FILES = ("config.yaml", "data.json", "diagnosis.json", "env.json", "per_class.csv", "results.csv", "summary.json")
# Where a run says where it and its data lie on the machine that ran it, which is nobody else's business.
_PLACES = {"config.yaml": "data_dir", "data.json": "origin", "env.json": "command", "summary.json": "run"}
_NEEDED = ("config.yaml", "data.json", "summary.json")
_CELLS = "cells"
# Of an archive from elsewhere: a hundred studies of a hundred runs, each with ten thousand test images.
_MAX_BYTES = 4 << 30
_MAX_MEMBERS = 100_000


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What `unpack_cells` has done.

    Attributes:
        added: Keys of the cells that were not there before.
        kept: Keys of those whose folder was there already, which was not touched.
    """

    added: tuple[str, ...]
    kept: tuple[str, ...]


def pack_cells(results: Sequence[CellResult], file: str | Path) -> int:
    """Writes the cells that are done into a zip file, beside those that it holds already.

    The same cells give the same bytes. Of each cell the file has what verdicts and reports are made of; of the
    predictions, for each test image its class, the predicted one and the loss. Where the run and its data
    directory lay is left out; a data set that is a folder keeps its path, which is its name.

    Args:
        results: Cells of a study, of which those that are not done are passed over.
        file: The archive; replaced as a whole.

    Returns:
        How many of the cells are in it that were given.

    Raises:
        InputError: None of the cells is done, or the file is no such archive.
        OSError: It cannot be written; the old one stays.
    """
    done = {result.cell.key: result for result in results if result.done}
    if not done:
        raise InputError("Runs that are done are packed. Received: none of this study. Run it first.")
    members = _members(Path(file)) if Path(file).exists() else {}
    for key, result in done.items():
        members = {name: content for name, content in members.items() if not name.startswith(f"{_CELLS}/{key}/")}
        members |= {f"{_CELLS}/{key}/{name}": content for name, content in _content(result).items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            # The time of writing is no part of the result.
            archive.writestr(zipfile.ZipInfo(name), members[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    write_bytes_atomic(file, buffer.getbuffer())
    return len(done)


def _members(file: Path) -> dict[str, bytes]:
    """What an archive of ours holds."""
    with tempfile.TemporaryDirectory() as folder:
        cells = _extracted(file, Path(folder))
        return {
            f"{_CELLS}/{path.parent.name}/{path.name}": path.read_bytes()
            for key in _checked(file, cells)
            for path in sorted((cells / key).iterdir())
        }


def _content(result: CellResult) -> dict[str, bytes]:
    content = {name: (result.path / name).read_bytes() for name in _FILES if (result.path / name).is_file()}
    content |= {name: _without_place(name, content[name]) for name in _PLACES if name in content}
    if result.answers is not None:
        content[ANSWERS_FILE] = _to_npz(result)
    return content


def _without_place(name: str, content: bytes) -> bytes:
    is_config = name == "config.yaml"
    values = yaml.safe_load(content) if is_config else json.loads(content)
    place = values.get(_PLACES[name])
    if not place or "/" not in place:
        return content
    if is_config:
        text = config_to_yaml(config_from_dict(values | {"data_dir": None}))
    else:
        # Of a command its program, of a path its last part.
        text = json_text(values | {_PLACES[name]: Path(place.split()[0] if name == "env.json" else place).name})
    return text.encode(errors="backslashreplace")  # as the run's own files, see `write_text_atomic`


def _to_npz(result: CellResult) -> bytes:
    """The arrays one after the other, so that the archive's own compression finds what cells have in common."""
    answers, buffer = result.answers, io.BytesIO()
    kind = np.uint8 if len(result.data["class_names"]) <= 256 else np.uint16
    arrays = {"labels": answers.labels.astype(kind), "predicted": answers.predicted.astype(kind)}
    np.savez(buffer, **arrays, losses=answers.losses)
    return buffer.getvalue()


def unpack_cells(file: str | Path, output: str | Path) -> Unpacked:
    """Puts the cells of an archive where studies look for them.

    Nothing in the archive is trusted: it may hold cells that are done, each under the hash of its own configuration,
    and their files, or it is refused as a whole.

    Args:
        file: What `pack_cells` has written.
        output: Folder of all studies. A cell that is there, finished or not, stays as it is.

    Raises:
        InputError: The file is missing or is no such archive.
        OSError: The folder cannot be written.
    """
    file, cells = Path(file), Path(output) / _CELLS
    if not file.is_file():
        raise InputError(f"An archive of runs was expected. Received: {file}, which is no file.")
    cells.mkdir(parents=True, exist_ok=True)
    added, kept = [], []
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=output) as folder:
        unpacked = _extracted(file, Path(folder))
        for key in _checked(file, unpacked):
            if (cells / key).exists():
                kept.append(key)
                continue
            shutil.move(unpacked / key, cells / key)  # a rename: both lie below the same folder
            added.append(key)
    return Unpacked(added=tuple(added), kept=tuple(kept))


def _extracted(file: Path, folder: Path) -> Path:
    try:
        return extract(file, folder / _CELLS, max_bytes=_MAX_BYTES, max_members=_MAX_MEMBERS, inside=_CELLS)
    except DataError as error:
        raise InputError(str(error)) from None


def _checked(file: Path, cells: Path) -> list[str]:
    """The keys of the cells in a folder, all of which are what they are named."""
    keys = sorted(path.name for path in cells.iterdir())
    for key in keys:
        reason = _why_wrong(cells / key)
        if reason:
            raise InputError(f"{file} must hold runs that are done. Received: {key}, {reason}. Pack them anew.")
    return keys


def _why_wrong(path: Path) -> str:
    if not path.is_dir():
        return "which is no folder"
    for name in (entry.name for entry in path.iterdir()):
        if name not in (*_FILES, ANSWERS_FILE):
            return f"with {name!r}, which no packed run has"
    for name in _NEEDED:
        if not (path / name).is_file():
            return f"without {name}"
    try:
        run = Run(path)
        if cell_key(config_from_dict(run.config)) != path.name:
            return "which is not the hash of its config.yaml in this release"
        if run.status not in DONE:
            return f"with status {run.status!r}"
        read_answers(path / ANSWERS_FILE)
    except (InputError, KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        return f"whose files cannot be read: {error}"
    return ""
