"""Read the images that a column of a table names; their paths are relative to the table's file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from anomalo.errors import SourceError, UsageError
from anomalo.tabular.column import column_hint
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.images.rows import image_batches, mask_of, masks_folder
from anomalo.tabular.reading.stdin import STDIN

ReadTable = Callable[[str, ReadOptions], Iterator[pa.RecordBatch] | None]


def read_named_images(source: str, options: ReadOptions, read: ReadTable) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table whose column `options.images` names images.

    Parameters
    ----------
    read : callable
        Reads the table.

    Raises
    ------
    SourceError
        The table cannot be read, or a row names no image.
    UsageError
        There is no such column, or the table is no local file.
    """
    folder = Path.cwd() if source == STDIN else Path(source).absolute().parent
    masks, name, row = masks_folder(options.masks), str(options.images), 0
    batches = read(source, options)
    if batches is None:
        raise UsageError(f"--images {name}: {source} is no local table")
    for batch in batches:
        if name not in batch.schema.names:
            raise UsageError(f"--images {name}: there is no such column{column_hint(name, batch.schema.names)}")
        paths = batch.column(name).cast(pa.string()).to_pylist()
        for at, path in enumerate(paths):
            if not (path or "").strip():
                raise SourceError(f"row {row + at} names no image in column {name!r}; leave the row out")
        files = [folder / path for path in paths]
        found = [mask_of(file, path, masks) for file, path in zip(files, paths, strict=True)]
        yield from image_batches(paths, list(map(str, files)), found, batch.drop_columns([name]))
        row += len(paths)
