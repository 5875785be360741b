"""Find drift: whether the rows of a table that are not training rows come from another distribution than these."""

from __future__ import annotations

from dataclasses import dataclass, field

from anomalo.calibration.column_drift import Counts
from anomalo.calibration.drift import drift
from anomalo.calibration.results import Scored
from anomalo.calibration.tally import Tally
from anomalo.encoding.encoded import Encoded
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.fitted import Fitted


@dataclass
class DriftMonitor:
    """Collects new rows batch by batch, and reports whether they have drifted from the training rows.

    Parameters
    ----------
    fitted : Fitted
        The model that scores them.
    """

    fitted: Fitted
    _p_values: Tally = field(default_factory=Tally)
    _cells: Counts | None = None

    def find(self, data: Encoded, scored: Scored) -> Arrays:
        """Return what `see` needs of a batch: which rows are training rows, and counts of the others' cells."""
        found: Arrays = {"known": scored.known}
        if self.fitted.marginals is not None:
            new = data.take(~scored.known) if scored.known.any() else data
            found["cells"] = self.fitted.marginals.count(new)
        return found

    def see(self, arrays: Arrays) -> None:
        """Add a batch: its p-values, by the model alone if it has feedback, and what `find` returned."""
        self._p_values.add(arrays.get("model_p_value", arrays["p_value"])[~arrays["known"]])
        if "cells" in arrays:
            self._cells = arrays["cells"] if self._cells is None else self._cells + arrays["cells"]

    def warnings(self) -> list[str]:
        """Return one sentence if the new rows have drifted."""
        if not len(self._p_values) or not len(self.fitted.calibration.reference):
            return []
        sentence = drift(self._p_values, self.fitted.calibration.unique(), self._moved())
        return [sentence] if sentence else []

    def _moved(self) -> list[str]:
        marginals = self.fitted.marginals
        if marginals is None or self._cells is None:
            return []
        return marginals.moved(self._cells, self.fitted.encoder.layout)
