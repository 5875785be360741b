"""A fitted model as a folder: manifest.json and safetensors files, checksummed, written atomically, never pickle."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from anomalo.errors import ArtefactError
from anomalo.models.results import ModelState
from anomalo.persistence.atomic import atomic_folder
from anomalo.persistence.checksums import digest
from anomalo.version import __version__
from anomalo.workspace.sealed import opened, sealed

Arrays = dict[str, NDArray[Any]]

OLDEST, FORMAT = 5, 5
"""The oldest format that is read, and the one that is written; a test keeps a model of each between them."""
MANIFEST = "manifest.json"
RESERVED = ("anomalo", "arrays", "files", "format", "sha256", "state")
ADVICE = "fit the model again or restore the folder from a copy"


@dataclass(frozen=True)
class Artefact:
    """A loaded model.

    Attributes
    ----------
    manifest : dict
        The whole manifest: the caller's entries, and `format`, `anomalo` (the version that wrote it),
        `arrays`, `files` (sizes and checksums), `state` and `sha256` (of the manifest without that entry).
    state : ModelState
        What `Model.restore` takes.
    arrays : dict of str to dict of str to ndarray
        The arrays that were saved beside the model, such as those of the calibration.
    """

    manifest: dict[str, Any]
    state: ModelState
    arrays: dict[str, Arrays]


def save(
    folder: Path,
    manifest: Mapping[str, Any],
    state: ModelState,
    arrays: Mapping[str, Mapping[str, NDArray[Any]]] = {},
) -> None:
    """Write one model as a new folder, atomically.

    Parameters
    ----------
    folder : Path
        Must not exist; its parents are created.
    manifest : mapping
        JSON-ready entries (see `json_ready`), under names other than those in `RESERVED`.
    state : ModelState
        Arrays of truth values, integers, floating-point or complex64 numbers, of any shape and strides;
        JSON-ready values; nested models, which go to `models/<attribute>/`.
    arrays : mapping of str to mapping of str to ndarray
        Each entry becomes the file `<name>.safetensors`.

    Raises
    ------
    ArtefactError
        Something in it cannot be saved; the message names it.
    OutputError
        The folder exists or cannot be written.
    """
    taken = sorted(set(RESERVED) & set(manifest))
    if taken:
        raise ArtefactError(f"manifest entry {taken[0]!r} is written by anomalo itself: give it another name")
    document = json_ready(manifest, "manifest") | {
        "anomalo": __version__,
        "arrays": sorted(arrays),
        "format": FORMAT,
        "state": _outline(state, "state"),
    }
    with atomic_folder(folder) as temporary:
        document["files"] = {}
        for name, tensors in [*_walk(state), *((_array_file(name), arrays[name]) for name in arrays)]:
            content = _serialise(tensors, name)
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
            document["files"][name] = {"bytes": len(content), "sha256": digest(content)}
        (temporary / MANIFEST).write_bytes(sealed(document))


def load(folder: Path) -> Artefact:
    """Read a model back after checking every byte of it; nothing in the folder is ever executed.

    Tuples come back as lists, and NumPy scalars as Python scalars.

    Raises
    ------
    ArtefactError
        The folder is absent or of another format, or a file in it is missing, damaged or unexpected; the
        message names the file and says what to do.
    """
    manifest = read_manifest(folder)
    reader = _Reader(folder, manifest)
    try:
        reader.check_names()
        state = reader.state(manifest["state"], "")
        arrays = {str(name): reader.tensors(_array_file(name)) for name in manifest["arrays"]}
    except ArtefactError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(folder / MANIFEST, "its entries are not those of a saved model") from error
    return Artefact(manifest, state, arrays)


def json_ready(value: Any, name: str) -> Any:
    """Return a copy of a value as plain JSON types: tuples become lists, NumPy scalars Python scalars.

    Parameters
    ----------
    value : None, bool, int, float, str, list, tuple or mapping with text keys
        Nested to any depth.
    name : str
        What the value is called in messages.

    Raises
    ------
    ArtefactError
        A part is of another type or is not a finite number; the message names it.

    Examples
    --------
    >>> json_ready({"sizes": (8, 4)}, "parameters")
    {'sizes': [8, 4]}
    """
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if isinstance(value, Mapping):
        return {_text_key(key, name): json_ready(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item, f"{name}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ArtefactError(f"{name} is {value}, which JSON cannot hold: give a finite number or None")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ArtefactError(
        f"{name} is of type {type(value).__name__}: expected text, numbers, truth values, None, or lists and "
        "dictionaries of them; keep anything larger in a NumPy array"
    )


def _text_key(key: Any, name: str) -> str:
    if not isinstance(key, str):
        raise ArtefactError(f"{name} has the key {key!r} of type {type(key).__name__}: expected text")
    return key


def _identifier(name: Any) -> str:
    """Return a name that is safe as a file name: no separators, no dots, nothing a file system would fold."""
    if isinstance(name, str) and name.isidentifier() and name.isascii():
        return name
    raise ArtefactError(f"{name!r} cannot name a saved part: expected ASCII letters, digits and underscores")


def _array_file(name: Any) -> str:
    if name == "model":
        raise ArtefactError("the arrays 'model' would replace the model's arrays: give them another name")
    return f"{_identifier(name)}.safetensors"


def _inner(prefix: str, attribute: Any) -> str:
    return f"{prefix}models/{_identifier(attribute)}/"


def _outline(state: ModelState, name: str) -> dict[str, Any]:
    """The part of a state that goes into the manifest: values, and the names of nested models."""
    models = {
        attribute: {
            "name": kind,
            "params": json_ready(params, f"{name}.{attribute}"),
            "state": _outline(inner, f"{name}.{attribute}"),
        }
        for attribute, (kind, params, inner) in state.models.items()
    }
    return {"models": models, "values": json_ready(state.values, name)}


def _walk(state: ModelState, prefix: str = "") -> Iterator[tuple[str, Mapping[str, NDArray[Any]]]]:
    yield f"{prefix}model.safetensors", state.arrays
    for attribute, (_, _, inner) in state.models.items():
        yield from _walk(inner, _inner(prefix, attribute))


def _serialise(tensors: Mapping[str, NDArray[Any]], name: str) -> bytes:
    # safetensors writes the memory as it is, so arrays must be contiguous.
    plain = {_text_key(key, name): np.asarray(array, order="C") for key, array in tensors.items()}
    if "__metadata__" in plain:
        raise ArtefactError(f"array '__metadata__' of {name} has a name that safetensors reserves: give it another")
    for key, array in plain.items():
        known = array.dtype.kind in "biuf" and array.dtype.itemsize <= 8
        if not known and array.dtype != np.complex64:
            raise ArtefactError(
                f"array {key!r} of {name} has the type {array.dtype}: expected truth values, integers or "
                "floating-point numbers of at most 64 bits; keep text in a list"
            )
    return safetensors.numpy.save(plain)


def _damaged(path: Path, what: str) -> ArtefactError:
    return ArtefactError(f"{path}: {what}; {ADVICE}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _damaged(path, "the file is missing") from None
    except OSError as error:
        raise _damaged(path, f"the file cannot be read ({error.strerror})") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a saved model's manifest, checked against its own checksum; no other file is read.

    Raises
    ------
    ArtefactError
        It is absent, damaged or of another format.
    """
    if not os.path.isdir(folder):
        found = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise ArtefactError(f"{folder}: no saved model, because it {found}; expected a folder with a {MANIFEST}")
    path = folder / MANIFEST
    content = _read(path)
    try:
        document, intact = opened(content)
        version = document["format"]
    except (ValueError, KeyError) as error:
        raise _damaged(path, "it is not the manifest of a saved model, or it is damaged") from error
    if not (isinstance(version, int) and OLDEST <= version <= FORMAT):
        older = isinstance(version, int) and version < OLDEST
        reads = f"format {FORMAT}" if OLDEST == FORMAT else f"formats {OLDEST} to {FORMAT}"
        raise ArtefactError(
            f"{path}: it is of format {version!r}, but anomalo {__version__} reads {reads}; "
            f"{'fit the model again' if older else f'update anomalo, or {ADVICE}'}"
        )
    if not intact:
        raise _damaged(path, "it is damaged: its content does not match its checksum")
    return document


@dataclass(frozen=True)
class _Reader:
    """Reads the files that a manifest lists, and no others."""

    folder: Path
    manifest: dict[str, Any]

    def check_names(self) -> None:
        """Compare the folder with the files that the manifest lists, and those with the files that the model needs."""
        found = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if not path.is_dir()}
        listed = {*self.manifest["files"], MANIFEST}
        for name in sorted(listed - found):
            raise _damaged(self.folder / name, "the file is missing")
        for name in sorted(found - listed):
            raise ArtefactError(f"{self.folder / name}: a file that does not belong to the saved model; remove it")
        needed = {*self._needed(self.manifest["state"], ""), *map(_array_file, self.manifest["arrays"]), MANIFEST}
        if needed != listed:
            raise _damaged(self.folder / MANIFEST, "it does not list the files of the model that it describes")

    def _needed(self, outline: Mapping[str, Any], prefix: str) -> Iterator[str]:
        yield f"{prefix}model.safetensors"
        for attribute, inner in outline["models"].items():
            yield from self._needed(inner["state"], _inner(prefix, attribute))

    def state(self, outline: Mapping[str, Any], prefix: str) -> ModelState:
        models = {
            attribute: (inner["name"], dict(inner["params"]), self.state(inner["state"], _inner(prefix, attribute)))
            for attribute, inner in outline["models"].items()
        }
        return ModelState(self.tensors(f"{prefix}model.safetensors"), dict(outline["values"]), models)

    def tensors(self, name: str) -> Arrays:
        path, facts = self.folder / name, self.manifest["files"][name]
        content = _read(path)
        if len(content) != facts["bytes"]:
            raise _damaged(path, f"it has {len(content):,} bytes and should have {facts['bytes']:,}")
        if digest(content) != facts["sha256"]:
            raise _damaged(path, "it is damaged: its content does not match its checksum")
        try:
            return dict(safetensors.numpy.load(content))
        except (SafetensorError, KeyError, ValueError) as error:
            raise _damaged(path, "it is not a safetensors file that NumPy can read") from error
