"""How much of a table may be unpacked: a small file can hold more than the memory of this machine."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from pathlib import Path

from anomalo.errors import UsageError

MOST = "ANOMALO_DASHBOARD_MAX_UNPACKED"
"""The environment variable with the most bytes of an unpacked table."""
DEFAULT = "2GB"
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_RATIO, _FREE = 200, 10**8
"""A table that shrinks by more than this ratio, and holds more than these bytes, is one that is made to fill memory."""
_CHUNK = 1 << 20
_PARQUET = b"PAR1"


def size(text: str) -> int:
    """Return the number of bytes that a text such as "500 MB" names.

    Raises
    ------
    UsageError
        It names none.

    Examples
    --------
    >>> size("2GB"), size("500 mb"), size("1000")
    (2000000000, 500000000, 1000)
    """
    given = text.replace(" ", "").upper()
    number = given.rstrip("BKMGT")
    unit = given[len(number) :]
    if not number.isascii() or not number.isdecimal() or unit not in _UNITS or int(number) == 0:
        raise UsageError(f"size {text!r}: expected a whole number of B, KB, MB, GB or TB, such as {DEFAULT}")
    return int(number) * _UNITS[unit]


def check_unpacked(path: Path) -> None:
    """Check that a file holds no more than may be unpacked; what is not packed may be of any size.

    Raises
    ------
    UsageError
        It holds more.
    """
    most = int(os.environ.get(MOST) or size(DEFAULT))
    with path.open("rb") as file:
        start = file.read(4)
    found = _in_parquet(path) if start == _PARQUET else _in_packed(path, most)
    if found > most:
        raise UsageError(
            f"{path} holds more than {most:,} bytes once it is unpacked: give a smaller table, or start the dashboard "
            "with a larger --max-unpacked"
        )


def _in_packed(path: Path, most: int) -> int:
    """Return how many bytes a file holds, of more than `most` only that; damage is left to the reader of tables."""
    from anomalo.tabular.reading.source import LocalFile  # not above: `anomalo --help` reads this module
    from anomalo.tabular.text.packed import DAMAGED, opened, packing

    found, packed = 0, path.stat().st_size
    kind = packing(path)
    if kind is None:
        return 0
    if kind == "zip":
        with suppress(*DAMAGED), zipfile.ZipFile(path) as archive:
            return sum(part.file_size for part in archive.infolist())
    with suppress(*DAMAGED), opened(LocalFile(path, str(path))) as file:
        while found <= most and (chunk := file.read(_CHUNK)):
            found += len(chunk)
            if found > max(_FREE, _RATIO * packed):
                return most + 1
    return found


def _in_parquet(path: Path) -> int:
    """Return how many bytes a file says that it holds; no cell takes less than one."""
    import pyarrow as pa  # not above: `anomalo --help` reads this module
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return 0
    groups = [found.row_group(at).total_byte_size for at in range(found.num_row_groups)]
    return int(max(sum(groups), found.num_rows * found.num_columns))
