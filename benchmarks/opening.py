"""Open every table in a folder, and show what is refused, what columns are taken for, and what looks wrong.

A column is suspicious if at least 95 % of its cells that are not missing are numbers or dates by a reading that is
independent of the product's (regular expressions and dateutil, below), but it became a category, an identifier or text.
A suspicious column without any warning that names it is listed first. Columns of whole numbers whose name says that
they are codes or identifiers are counted apart: they are not to be taken for numbers.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from dateutil import parser as dates

from anomalo.errors import AnomaloError
from anomalo.registry.registry import Registry
from anomalo.tabular.cells import is_plain, whole
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema, SchemaOptions, infer

SUFFIXES = tuple(
    ".csv .tsv .tab .psv .data .dat .xlsx .xls .ods .jsonl .ndjson .feather .parquet .csv.gz".split()  # noqa: SIM905
)
MISSING = {
    "",
    *["na", "n/a", "nan", "null", "none", "-", "--", "?", ".", "missing", "unknown", "#n/a", "nil", "*", "n.a."],
}
CODES = re.compile(
    r"(?i)(^|[^a-z])(id|ids|code|zip|zipcode|postal|postcode|fips|zone|district|ward|precinct|status|class|type|group|"
    r"category|region|rank|no|num|number|index|key|x\.?\d*|rownames|obs|case|subject|respondent|column_1)([^a-z]|$)"
)
SHARE = 0.95
CELLS = 2000
"""So many distinct cells of a column are tried."""

_NUMBER = r"(?:\d{1,3}(?:[,.' \u00a0\u202f\u2009]\d{3})+|\d+)?(?:[.,]\d*)?(?:[eE][+-]?\d+)?"
_MONEY = r"(?:[$€£¥₹]|USD|EUR|GBP|JPY|CHF)"
_UNIT = rf"(?:%|‰|{_MONEY}|kg|g|mg|lbs?|km|m|cm|mm|mi|ft|in|h|s|ms|min|°[CF]?|[kKMBT]|bn|mn|km/h|mph)"
_BEFORE = rf"\s*[<>≤≥~]?\s*\(?\s*[-+\u2212]?\s*{_MONEY}?\s*[-+\u2212]?\s*"
NUMBER = re.compile(rf"{_BEFORE}(?=[\d.,]*\d){_NUMBER}\s*{_UNIT}?\s*\)?-?\s*")
DATED = re.compile(r"(?=.*\d)[\w\s:/.,+-]{4,40}")
DURATION = re.compile(r"-?\d{1,4}:\d{2}(:\d{2}(\.\d+)?)?|(\d+\s*(d|h|hr|hrs|min|m|sec|s)\b\s*)+|P(T?\d+[A-Z])+")


@dataclass
class Found:
    """What was seen in the files of one folder."""

    opened: int = 0
    refused: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    codes: list[str] = field(default_factory=list)
    suspicious: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    seconds: float = 0.0


def files(folder: Path) -> Iterator[Path]:
    """Yield the tables in a folder and below it, by name."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and path.name.lower().endswith(SUFFIXES))


def opened(registry: Registry, path: Path) -> tuple[pa.Table, Schema]:
    """Read a table and infer its columns."""
    table = pa.Table.from_batches(list(registry.read(str(path))))
    return table, infer(ParsedTable(table), SchemaOptions())


def looks_measured(cells: pa.Array) -> bool:
    """Whether nearly all cells that are not missing are numbers or dates."""
    if not is_plain(cells.type):
        return False
    counts = Counter(text.strip() for text in cells.cast(pa.string()).drop_null().to_pylist())
    kept = [(text, number) for text, number in counts.items() if text.lower() not in MISSING][:CELLS]
    total = sum(number for _, number in kept)
    if total < 3 or len(kept) < 2:
        return False
    return sum(number for text, number in kept if measured(text)) >= SHARE * total


def measured(text: str) -> bool:
    """Whether a text is a number, a date or a duration."""
    if NUMBER.fullmatch(text) or DURATION.fullmatch(text):
        return not re.fullmatch(r"0\d+", text)  # a code
    if not DATED.fullmatch(text) or sum(map(str.isdigit, text)) < 3:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dates.parse(text)
    except (ValueError, OverflowError, TypeError):
        return False
    return True


def look(folder: Path, most: int) -> Found:
    """Open the tables of a folder."""
    found, registry = Found(), Registry.load()
    begin = time.process_time()
    for path in list(files(folder))[:most]:
        name = str(path.relative_to(folder))
        try:
            table, schema = opened(registry, path)
        except AnomaloError as error:
            found.refused.append(f"{name}: {str(error).replace(str(path), path.name)}")
            continue
        except Exception as error:
            found.crashed.append(f"{name}: {type(error).__name__}: {error}")
            continue
        found.opened += 1
        for column in schema.columns:
            found.kinds[column.kind] += 1
            if column.kind not in ("category", "identifier", "text") or column.role == "id":
                continue
            if looks_measured(whole(table.column(column.name))):
                warned = any(repr(column.name) in text for text in schema.warnings)
                values = ", ".join(map(repr, table.column(column.name).drop_null().unique().to_pylist()[:4]))
                line = f"{name}: {column.name!r} is {column.kind} ({column.note or column.why}): {values[:120]}"
                if CODES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.name)):
                    found.codes.append(line)
                    continue
                found.suspicious.append(line)
                if not warned:
                    found.silent.append(line)
    found.seconds = time.process_time() - begin
    return found


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    command.add_argument("--most", type=int, default=sys.maxsize, help="open no more files of a folder")
    command.add_argument("--list", type=int, default=20, help="list no more of a kind")
    options = command.parse_args()
    lines = [
        "| folder | files | refused | crashed | columns | kinds | codes | suspicious | without a warning | CPU s |"
    ]
    lines.append("|" + "---|" * 10)
    for folder in options.folders:
        found = look(folder, options.most)
        total = found.opened + len(found.refused) + len(found.crashed)
        kinds = ", ".join(f"{number} {kind}" for kind, number in found.kinds.most_common())
        sizes = len(found.refused), len(found.crashed), sum(found.kinds.values())
        last = f"{len(found.codes)} | {len(found.suspicious)} | {len(found.silent)} | {found.seconds:.0f} |"
        lines.append(f"| {folder.name} | {total} | {sizes[0]} | {sizes[1]} | {sizes[2]} | {kinds} | {last}")
        for title, texts in (
            ("crashed", found.crashed),
            ("refused", found.refused),
            ("suspicious, without a warning", found.silent),
            ("suspicious", found.suspicious),
        ):
            if texts:
                print(f"\n{folder.name}, {title}: {len(texts)}")
                print("\n".join(f"- {text}" for text in texts[: options.list]))
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
