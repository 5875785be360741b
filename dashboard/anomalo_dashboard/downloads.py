"""Download buttons: a table as CSV without formulas, or as Parquet as it is."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from streamlit.delta_generator import DeltaGenerator

from anomalo.tabular.safe_csv import HOW, safe, safe_name
from anomalo.tabular.writing.writer import TableWriter
from anomalo_dashboard import data


def table_buttons(columns: Sequence[DeltaGenerator], label: str, path: Path, stem: str) -> None:
    """Offer the table in a file as CSV and as Parquet; it is read when a button is pressed.

    Parameters
    ----------
    columns : sequence of DeltaGenerator
        Two columns of the page, one for each button.
    label : str
        What the table is, such as "Imputed table".
    path : Path
        The file.
    stem : str
        The name of the downloaded file without its suffix.
    """
    for column, suffix, name, read in zip(
        columns, ("csv", "parquet"), ("CSV", "Parquet"), (as_csv, as_parquet), strict=True
    ):
        column.download_button(
            f"{label} as {name}",
            partial(read, path),
            f"{stem}.{suffix}",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            type="primary" if path.suffix == f".{suffix}" else "secondary",
            help=HOW if suffix == "csv" else None,
        )


def csv_button(
    column: DeltaGenerator, label: str, frame: Callable[[], pd.DataFrame], file_name: str, tip: str | None = None
) -> None:
    """Offer a table as CSV in a column of the page; it is made when the button is pressed."""
    column.download_button(
        label,
        lambda: without_formulas(frame()).to_csv(index=False).encode(),
        file_name,
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help=f"{tip}. {HOW}" if tip else HOW,
    )


def as_csv(path: Path) -> bytes:
    """Return the table in a file as CSV that a spreadsheet finds no formulas in."""
    table = data.read_table(path)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "table.csv"
        with TableWriter(written, table.schema, safe_csv=True) as writer:
            for batch in table.to_batches():
                writer.write(batch)
        return written.read_bytes()


def as_parquet(path: Path) -> bytes:
    """Return the table in a file as Parquet; a Parquet file as it is."""
    if path.suffix in (".parquet", ".pq"):
        return path.read_bytes()
    buffer = io.BytesIO()
    table = data.read_table(path)
    pq.write_table(table.replace_schema_metadata(None), buffer)  # the reader's metadata is no part of the table
    return buffer.getvalue()


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts and names a spreadsheet takes for no formulas."""
    texts = {
        str(name): safe(pa.array(table[name], pa.string(), from_pandas=True)).to_numpy(zero_copy_only=False)
        for name in table.select_dtypes(["object", "string"])
    }
    return table.assign(**texts).rename(columns=safe_name)
