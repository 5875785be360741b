"""Download buttons: a table as the file on the disk, byte for byte, or converted to the other format."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from streamlit.delta_generator import DeltaGenerator

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
        )


def csv_button(
    column: DeltaGenerator, label: str, frame: Callable[[], pd.DataFrame], file_name: str, tip: str | None = None
) -> None:
    """Offer a table as CSV in a column of the page; it is made when the button is pressed."""
    column.download_button(
        label,
        lambda: frame().to_csv(index=False).encode(),
        file_name,
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help=tip,
    )


def as_csv(path: Path) -> bytes:
    """Return the table in a file as CSV; a CSV file as it is."""
    if path.suffix == ".csv":
        return path.read_bytes()
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(_plain(data.read_table(path)), buffer, pyarrow.csv.WriteOptions(quoting_style="needed"))
    return buffer.getvalue()


def as_parquet(path: Path) -> bytes:
    """Return the table in a file as Parquet; a Parquet file as it is."""
    if path.suffix in (".parquet", ".pq"):
        return path.read_bytes()
    buffer = io.BytesIO()
    table = data.read_table(path)
    pq.write_table(table.replace_schema_metadata(None), buffer)  # the reader's metadata is no part of the table
    return buffer.getvalue()


def _plain(table: pa.Table) -> pa.Table:
    """Return a table whose columns CSV can hold: no dictionaries."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
