"""JSON documents that hold their own checksum, so that any change to them is noticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from anomalo.persistence.checksums import digest

SEAL = "sha256"


def sealed(document: Mapping[str, Any]) -> bytes:
    """Return a document with the checksum of all its other entries, as the only bytes that it may consist of.

    Examples
    --------
    >>> opened(sealed({"format": 5}))[0]["format"]
    5
    """
    return _canonical({**document, SEAL: digest(_canonical(_without_seal(document)))})


def opened(content: bytes) -> tuple[dict[str, Any], bool]:
    """Return a document, and whether it is as it was sealed.

    Raises
    ------
    ValueError
        It is no JSON object.
    """
    try:
        document = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    try:
        intact = content == _canonical(document) and document.get(SEAL) == digest(_canonical(_without_seal(document)))
    except (ValueError, RecursionError):  # numbers that are not finite
        intact = False
    return document, intact


def _without_seal(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != SEAL}


def _canonical(document: Mapping[str, Any]) -> bytes:
    """Even a changed space makes other bytes."""
    return (json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n").encode("ascii")
