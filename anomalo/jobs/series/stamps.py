"""What is odd about the times of a source of series: points of one time, points that are not in the file, gaps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.series.sampling import Sampling, in_order
from anomalo.jobs.series.points import SeenPoints, known_series, seconds
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.quantities import count

Times = NDArray[np.float64]


@dataclass
class StampMonitor:
    """Counts them, as points come in the order of time within each series.

    Parameters
    ----------
    sampling : Sampling
        How the training series are sampled.
    """

    sampling: Sampling
    doubled: int = 0
    absent: int = 0
    gaps: int = 0
    longest: int = 0
    _last: dict[int, float] = field(default_factory=dict)

    def see(self, times: Times, series: NDArray[np.integer]) -> None:
        """Add points [n]."""
        for number in np.unique(series).tolist():
            mine = times[series == number]
            steps = np.diff(mine, prepend=self._last.get(number, mine[0]))
            self.doubled += int((steps == 0).sum()) - (number not in self._last)
            self._last[number] = float(mine[-1])
            if self.sampling.regular and self.sampling.step > 0:
                missing = np.maximum(np.round(steps / self.sampling.step) - 1, 0).astype(np.int64)
                self.absent += int(missing.sum())
                self.longest = max(self.longest, int(missing.max()))
            else:
                missing = steps > self.sampling.gap
            self.gaps += int((missing > 0).sum())

    def sentences(self) -> list[str]:
        """Return a sentence for each sort that there is."""
        found = []
        if self.doubled:
            found.append(
                f"{count(self.doubled, 'point')} at the time of another one of the same series: they stay in the order "
                "of the file, one after the other; name the series with --entity if they are of several"
            )
        if self.absent:
            found.append(
                f"{count(self.absent, 'point')} not in the file, in {count(self.gaps, 'gap')} of which the longest has "
                f"{self.longest:,}: they count as not observed"
            )
        elif self.gaps:
            found.append(f"{count(self.gaps, 'gap')} in times that are not regular: windows do not reach over them")
        return found


def stamps_of_fit(table: ParsedTable, fitted: Fitted) -> list[str]:
    """Return sentences on the times of the training table; none if it is no series."""
    if fitted.schema.time is None:
        return []
    times, series = known_series(fitted).read(table)
    order = in_order(times, series)
    monitor = StampMonitor(_sampling(fitted))
    monitor.see(times[order], series[order])
    return monitor.sentences()


def stamps_of(points: SeenPoints, fitted: Fitted) -> list[str]:
    """Return sentences on the times of a source."""
    monitor = StampMonitor(_sampling(fitted))
    for batch in points.batches():
        monitor.see(seconds(batch["time"]), batch["series"].to_numpy())
    return monitor.sentences()


def _sampling(fitted: Fitted) -> Sampling:
    found: Sampling = getattr(fitted.encoder, "sampling", Sampling())
    return found
