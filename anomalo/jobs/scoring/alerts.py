"""Score all rows of a table and decide which are alerts: the first pass of `score` and `repair`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from anomalo.calibration.tally import Tally
from anomalo.calibration.thresholds import Threshold
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.errors import OutputError
from anomalo.evaluation.comparison.profile import Profile
from anomalo.jobs.comparing.profiles import ProfileMonitor
from anomalo.jobs.context import EQUAL_ROWS, PRETRAINED, DataQualityMonitor, counts
from anomalo.jobs.monitor import DriftMonitor
from anomalo.jobs.part import Found, Part, Rows
from anomalo.jobs.scoring import accepted
from anomalo.jobs.scoring.candidates import Candidates, Selection
from anomalo.jobs.scoring.labelled import LabelMonitor, Positives
from anomalo.jobs.scoring.neighbours import NormalRows, sampled_rows
from anomalo.jobs.scoring.shadow import Challenger, Shadow
from anomalo.jobs.scoring.spool import Spool
from anomalo.jobs.series.changes import FoundChanges
from anomalo.jobs.series.intervals import AlertPlaces, Intervals
from anomalo.jobs.series.points import CHANNELS, SeenPoints, numbers_of
from anomalo.jobs.series.stamps import stamps_of
from anomalo.jobs.sharding import Work
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.column import TABLE

KIND = "scores"
TOP = 10
"""How many of the most anomalous rows are always candidates: a result lists them."""


@dataclass
class ScoredTable:
    """The scores, p-values and alerts of all rows of a table.

    They are in the job's shards, from which they are read batch by batch, or as a whole where that is asked for.

    Attributes
    ----------
    work : Work
        The job.
    candidates : Candidates
        The alerts, and as many of the most anomalous rows as were asked for, for one use.
    ids : Spool
        The cells of the column that names the rows, in batches of one column; empty if there is none.
    ends : list of int
        How many rows there are up to the end of each part.
    profile : Profile or None
        What was seen of the table; see `score_table`.
    normal : NormalRows or None
        Some of its rows, likewise.
    positives : Positives or None
        The rows that the table's label marks, if it has one.
    intervals : Intervals or None
        Of a series, the intervals that its alerts make.
    points : SeenPoints or None
        Of a series, its points.
    changes : FoundChanges or None
        Of a series, its changes.
    """

    work: Work
    candidates: Candidates
    ids: Spool
    ends: list[int] = field(default_factory=list)
    id_type: pa.DataType | None = None
    selection: Selection = field(default_factory=Selection)
    alerts: int = 0
    warnings: list[str] = field(default_factory=list)
    profile: Profile | None = None
    normal: NormalRows | None = None
    positives: Positives | None = None
    intervals: Intervals | None = None
    points: SeenPoints | None = None
    changes: FoundChanges | None = None

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.ends[-1] if self.ends else 0

    def parts(self) -> Iterator[tuple[Rows, Scores, Scores, Mask]]:
        """Yield rows, scores, p-values and which of them are alerts, part by part; raises as `results` does."""
        for rows, alert, arrays in self.results():
            yield rows, arrays["score"], arrays["p_value"], alert

    def results(self) -> Iterator[tuple[Rows, Mask, Arrays]]:
        """Yield rows, which of them are alerts, and all that was found of them, part by part.

        Raises
        ------
        OutputError
            What was kept of a part is damaged.
        """
        for start, end in zip([0, *self.ends], self.ends, strict=False):
            rows = np.arange(start, end)
            kept = self.work.shards.load(KIND, rows)
            if kept is None:
                raise OutputError(f"the scores of rows from {start} on are damaged on disk; continue with --resume")
            yield rows, self.selection.of(rows, kept[0]["p_value"]), kept[0]

    def selected(self, selection: Selection, most: int) -> Iterator[Part]:
        """Yield the candidates that are selected, ascending and at most `most` in each part; once."""
        if self.work.fitted.schema.time is not None:
            return self._read_again(selection, most)
        return self.candidates.parts(selection, most)

    def _read_again(self, selection: Selection, most: int) -> Iterator[Part]:
        """Read the source again for what is selected: to keep points, those around them would have to be kept, too."""
        for part, (rows, _, arrays) in zip(self.work.read(), self.results(), strict=True):
            here = np.flatnonzero(selection.of(rows, arrays["p_value"]))
            if not len(here):
                continue
            data = part.data or part.encoded(self.work.fitted, self.work.context.strict)
            for start in range(0, len(here), most):
                at = here[start : start + most]
                yield Part(rows[at], part.batch.take(pa.array(at)), data.take(at))

    def normal_rows(self) -> Part | None:
        """Return some of the rows that are no alerts; None if none were kept."""
        return None if self.normal is None else self.normal.found(self.selection)

    @property
    def score(self) -> Scores:
        """All scores, float64 [n]."""
        return self._whole[0]

    @property
    def p_value(self) -> Scores:
        """All p-values, float64 [n]."""
        return self._whole[1]

    @property
    def alert(self) -> Mask:
        """Which rows are alerts, bool [n]."""
        return self._whole[2]

    @cached_property
    def _whole(self) -> tuple[Scores, Scores, Mask]:
        nothing = (np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_))
        _, score, p_value, alert = (np.concatenate(columns) for columns in zip(nothing, *self.parts(), strict=True))
        return score, p_value, alert


@dataclass(frozen=True)
class _ScoreRows:
    """Finds the scores and p-values of rows, and what the monitors need of them.

    Parameters
    ----------
    known : float64 [rows of the table] or None
        The model's scores of all rows, where they are known.
    challenger : Challenger, optional
        A model that scores them, too.
    """

    known: Scores | None
    challenger: Challenger | None = None

    def __call__(self, fitted: Fitted, data: Encoded, part: Part) -> Found:
        scored = fitted.score(data, None if self.known is None else self.known[part.rows])
        found: Arrays = {"score": scored.score, "p_value": scored.p_value} | DriftMonitor(fitted).find(data, scored)
        found |= accepted.found(scored)
        if data.positions is not None:
            found[CHANNELS] = numbers_of(data)
        return found | ({} if self.challenger is None else self.challenger.find(part)), counts(data)


def score_table(
    work: Work, threshold: Threshold, explain: int = 0, shadow: Shadow | None = None, *, profiled: bool = False
) -> ScoredTable:
    """Score the rows of a source and find the alerts; shards that are already finished are not computed again.

    Alerts and the `explain` most anomalous rows are kept, raw and, if they are few, encoded. In the same pass `shadow`
    sees what its model says of the rows. If it is to be `profiled`, there is a profile, unless the table is that of
    the fit, or the model has none; and of a table some rows are kept.
    """
    fitted, folder = work.fitted, work.job.folder
    quality, drift, p_values = DataQualityMonitor(fitted), DriftMonitor(fitted), Tally()
    labels = LabelMonitor(fitted.schema)
    new = profiled and fitted.profile is not None and work.opened.table is None
    seen = ProfileMonitor(fitted) if new else None
    spool = Spool(folder / "candidates.arrow")
    candidates = Candidates(threshold, max(explain, TOP), spool, kept=fitted.schema.time is None)
    scored = ScoredTable(work, candidates, Spool(folder / "ids.arrow"))
    if profiled and fitted.schema.modality == TABLE:
        scored.normal = NormalRows(sampled_rows(len(fitted.schema.columns)))
    alert_places = None if fitted.schema.time is None else AlertPlaces(fitted, folder / "series.arrow")
    find = _ScoreRows(work.opened.scores, None if shadow is None else shadow.challenger)
    for part in work.parts(KIND, find):
        quality.see(len(part.rows), part.counts)
        if seen is not None:
            seen.see(part.batch)
        if scored.normal is not None:
            scored.normal.see(part, part.arrays["p_value"])
        labels.see(part.batch)
        drift.see(part.arrays)
        if alert_places is not None:
            alert_places.see(part)
        p_values.add(part.arrays["p_value"])
        candidates.see(part, part.arrays["p_value"], part.arrays["score"])
        if shadow is not None:
            shadow.see(part)
        scored.ends.append(int(part.rows[-1]) + 1)
        identifiers = work.identifiers(part.batch)
        if identifiers is not None:
            scored.id_type = identifiers.type
            scored.ids.write(pa.RecordBatch.from_arrays([identifiers], names=["id"]))
        work.context.report_rows(quality.rows)
    quality.require_readable()
    scored.selection, scored.alerts = _alerts(threshold, p_values, candidates)
    if alert_places is not None:
        scored.intervals = alert_places.intervals(scored.results)
        scored.selection, scored.alerts = scored.selection.and_rows(scored.intervals.rows), len(scored.intervals.rows)
    reference = len(fitted.calibration.reference)
    uncalibrated = EQUAL_ROWS if fitted.facts["calibrated"] else PRETRAINED
    limit = threshold.limits(scored.rows, reference) if reference else uncalibrated
    scored.warnings = [*quality.warnings(), *drift.warnings(), *([limit] if limit else [])]
    if alert_places is not None:
        scored.points, scored.changes = alert_places.points, alert_places.changes()
        scored.warnings += stamps_of(alert_places.points, fitted)
        scored.warnings += [] if scored.changes is None else scored.changes.sentences()
    scored.profile = None if seen is None else seen.profile(quality)
    scored.positives = labels.positives()
    return scored


def _alerts(threshold: Threshold, p_values: Tally, candidates: Candidates) -> tuple[Selection, int]:
    """Return which rows are alerts, and how many."""
    if threshold.kind == "budget":
        rows = candidates.most_anomalous[0][: int(threshold.value)]
        return Selection(rows=np.sort(rows)), len(rows)
    largest = threshold.largest(p_values)
    return Selection(largest), int(p_values.counts[p_values.values <= largest].sum())
