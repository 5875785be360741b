"""What the rows of a source are, as far as it can be said before any is read."""

from __future__ import annotations

from pathlib import Path

from anomalo.tabular.column import IMAGE, SERIES, TABLE
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.folder.listing import IMAGES, folder_images
from anomalo.tabular.reading.formats import known_suffix
from anomalo.tabular.reading.images.files import ARRAYS
from anomalo.tabular.reading.stdin import STDIN


def known_modality(source: str, options: ReadOptions, time: str | None = None) -> str | None:
    """Return the modality of a local source; None where only its first rows can say, as of what a plugin reads.

    Parameters
    ----------
    time : str, optional
        The column with the times of points: the rows are those of series.

    Examples
    --------
    >>> known_modality("visits.csv", ReadOptions()), known_modality("digits.npz", ReadOptions())
    ('table', 'image')
    >>> known_modality("visits.csv", ReadOptions(), time="day")
    'series'
    >>> known_modality("sqlite:///visits.db::visits", ReadOptions()) is None
    True
    """
    if time is not None:
        return SERIES
    path = Path(source)
    if options.images is not None or path.suffix.lower() in (ARRAYS, *IMAGES) or folder_images(source):
        return IMAGE
    local = "::" not in source and "://" not in source
    return TABLE if local and (source == STDIN or known_suffix(path)) else None
