"""Rows of images: where the pixels of each lie, and those of its mask. No pixel is read here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.column import IMAGE, read_notes, with_modality, write_notes
from anomalo.tabular.reading.folder.listing import MASK

PATH, IMAGE_FILE, MASK_FILE = "path", "image_file", "mask_file"
"""The columns of a source of images: what people call an image, its file, and that of its mask or null."""
BATCH = 256
"""Images in one batch, at most: their pixels are in memory together."""


def image_batches(
    paths: Sequence[str],
    files: Sequence[str],
    masks: Sequence[str | None],
    others: pa.Table | pa.RecordBatch | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield rows of images.

    Parameters
    ----------
    paths : sequence of str
        What people call each.
    files : sequence of str
        Where the pixels are: an absolute path, which for one of many in an .npz ends in "#" and its number.
    masks : sequence of str or None
        Where the masks are.
    others : RecordBatch, optional
        Further columns, which no model reads.

    Raises
    ------
    SourceError
        Another column has the name of one of these.
    """
    table = pa.table({PATH: _strings(paths), IMAGE_FILE: _strings(files), MASK_FILE: _strings(masks)})
    names = [] if others is None else others.schema.names
    for name in names:
        if name in (PATH, IMAGE_FILE, MASK_FILE):
            raise SourceError(f"the table has a column {name!r} beside that of its images; rename it")
        assert others is not None
        table = table.append_column(others.schema.field(name), others.column(name))
    notes = {} if others is None else read_notes(others.schema)
    texts = names if notes.pop("text", False) else notes.get("text_columns", [])
    notes |= {"images": [IMAGE_FILE, MASK_FILE], "id": PATH, "unread": [PATH, *names], "text_columns": texts}
    schema = write_notes(table.schema, notes)
    yield from table.replace_schema_metadata(with_modality(schema, IMAGE).metadata).to_batches(BATCH)


def mask_of(image: Path, below: str, folder: Path | None) -> str | None:
    """Return the file of an image's mask: beside it, or at the same path below another folder; None if there is none.

    Parameters
    ----------
    below : str
        The image's path below the folder that the user gave.
    folder : Path, optional
        Where the masks are: `NAME.mask.png`, or `NAME.png`.
    """
    if folder is None:
        names = [image.with_name(image.stem + MASK)]
    else:
        place = folder / below
        names = [place.with_name(place.stem + ending) for ending in (MASK, ".png")]
    return next((str(name.absolute()) for name in names if name.is_file()), None)


def masks_folder(text: str | None) -> Path | None:
    """Return the folder that --masks names.

    Raises
    ------
    SourceError
        It is none.
    """
    if text is None:
        return None
    if not Path(text).is_dir():
        raise SourceError(f"--masks {text}: there is no such folder")
    return Path(text)


def _strings(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())
