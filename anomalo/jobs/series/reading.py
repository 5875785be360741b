"""Parts of a source of series, each with the points that its windows reach, whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from anomalo.jobs.part import Part
from anomalo.jobs.series.surroundings import Surroundings, survey
from anomalo.pipeline.fitted import Fitted

SORTED = (
    "the rows are not in the order of {time!r}: all were read into memory and sorted by it; results stay in their order"
)


def series_parts(
    read: Callable[[], Iterable[Part]], fitted: Fitted, *, ahead: bool, strict: bool = False
) -> tuple[Iterator[Part], str | None]:
    """Return the parts of a source, ready to be encoded, and a sentence if its rows are not in the order of time.

    A source in the order of time is read twice, and only the points that windows reach are carried from part to part.
    Another one is read into memory and encoded as a whole.

    Parameters
    ----------
    read : callable
        Returns the parts in the order of the source.
    ahead : bool
        Whether windows reach points after a row, as those of imputation do.
    """
    schema, layout = fitted.schema, fitted.encoder.layout
    width, ahead = layout.window, ahead or layout.averaged
    found = survey((part.batch for part in read()), schema)
    if found is not None:
        return Surroundings(found.stamps, width - 1, width - 1 if ahead else 0, found.points).of(read()), None
    return _sorted(list(read()), fitted, strict), SORTED.format(time=schema.time)


def _sorted(parts: list[Part], fitted: Fitted, strict: bool) -> Iterator[Part]:
    data = fitted.encode(pa.concat_batches([part.batch for part in parts]), strict=strict)
    for part in parts:
        yield replace(part, data=data.take(part.rows))
