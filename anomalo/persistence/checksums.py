"""Checksums of bytes and of arrays: SHA-256, in hexadecimal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest(content: bytes) -> str:
    """Return the checksum of some bytes.

    Examples
    --------
    >>> digest(b"abc")[:16]
    'ba7816bf8f01cfea'
    """
    return hashlib.sha256(content).hexdigest()


def files_digest(files: Sequence[Path]) -> str:
    """Return the checksum of a file's bytes; of several files, that of their checksums one after the other."""
    found = []
    for path in files:
        with path.open("rb") as file:
            found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found[0] if len(found) == 1 else digest("".join(found).encode())


def array_digest(array: NDArray[Any]) -> str:
    """Return the checksum of an array's bytes, in C order; type and shape do not count."""
    return hashlib.sha256(_as_bytes(array)).hexdigest()


def arrays_digest(arrays: Mapping[str, NDArray[Any]], text: str = "") -> str:
    """Return the checksum of named arrays, their types and shapes, and a text; no copy of contiguous arrays is made.

    Examples
    --------
    >>> first, second = {"a": np.zeros(2), "b": np.ones(2)}, {"b": np.ones(2), "a": np.zeros(2)}
    >>> arrays_digest(first) == arrays_digest(second), arrays_digest(first) == arrays_digest(first, "a fact")
    (True, False)
    """
    names = sorted(arrays)
    outline = [[name, arrays[name].dtype.str, arrays[name].shape] for name in names]
    found = hashlib.sha256(json.dumps([text, outline]).encode())
    for name in names:
        found.update(_as_bytes(arrays[name]))
    return found.hexdigest()


def _as_bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
