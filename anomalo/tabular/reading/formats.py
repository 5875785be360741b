"""Which format a file is in: by its first bytes, and by its name where these could be several."""

from __future__ import annotations

import re
import zipfile
from contextlib import suppress
from pathlib import Path

from anomalo.errors import SourceError
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.text.packed import DAMAGED, SUFFIXES, member_suffix, opened, packing

TEXT, JSON = "text", "json"
KINDS: dict[str, tuple[str, ...]] = {
    TEXT: ("", ".csv", ".tsv", ".txt", ".tab", ".psv", ".data", ".dat"),
    JSON: (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet", ".pq"),
    "arrow": (".feather", ".arrow", ".ipc"),
    "workbook": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
}
"""The formats, and how the names of such files end; those of text may be packed."""
_STARTS = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"FEA1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "workbook",
}
_PARTS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
"""Files in a zip archive that is a workbook."""
_ASKED = {
    "parquet": "it does not start with PAR1",
    "arrow": "it does not start with ARROW1",
    "workbook": "it is no zip archive",
}


def known_suffix(path: Path) -> bool:
    """Whether a name ends as that of a table does, packed or not."""
    return any(_suffix(path.name) in suffixes for suffixes in KINDS.values())


def kind_of(file: LocalFile, name: str) -> str | None:
    """Return the format of a file that is not empty, one of `KINDS`; None if it is not known.

    Raises
    ------
    SourceError
        Its name says a format that its content is not in.
    """
    with file.path.open("rb") as opening:
        start = opening.read(8)
    found = next((kind for magic, kind in _STARTS.items() if start.startswith(magic)), None)
    packed = packing(file.path)
    if packed == "zip" and _is_workbook(file.path):
        found = "workbook"
    if found:
        return found
    archive = packed == "zip" and (not name or name.lower().endswith(".zip"))
    suffix = member_suffix(file.path) if archive else _suffix(name)
    said = next((kind for kind, suffixes in KINDS.items() if suffix in suffixes), None)
    if said in _ASKED:
        what = {"parquet": "a Parquet file", "arrow": "an Arrow or Feather file", "workbook": "a workbook"}[said]
        why = "it is damaged or locked" if said == "workbook" and packed == "zip" else _ASKED[said]
        raise SourceError(f"{file} is not {what}: {why}; name a text file .csv")
    if said == JSON or (said == TEXT and suffix == "" and _starts_as_json(file)):
        return JSON
    return said


def _suffix(name: str) -> str:
    path = Path(name)
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in SUFFIXES.values() else suffix


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return not set(_PARTS).isdisjoint(archive.namelist())
    except DAMAGED:
        return False


def _starts_as_json(file: LocalFile) -> bool:
    """Whether a text starts with an object, or with a list of objects."""
    start = b""
    with suppress(SourceError, *DAMAGED), opened(file) as stream:
        start = stream.read(4096).removeprefix(b"\xef\xbb\xbf")
    return re.match(rb'\s*(\[\s*)?\{\s*("|\})', start) is not None
