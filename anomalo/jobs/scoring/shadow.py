"""A challenger scored beside the model of a job, on the same rows: what it would have said instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import spearmanr

from anomalo.calibration.tally import Tally
from anomalo.calibration.thresholds import Threshold
from anomalo.encoding.encoded import Mask, Scores
from anomalo.errors import SchemaError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.part import Part, Rows
from anomalo.jobs.scoring.candidates import Candidates, Selection
from anomalo.persistence.checksums import digest
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.registry import Registry
from anomalo.tabular.writing.writer import TableWriter
from anomalo.workspace.artifacts import MANIFEST

FILE = "shadow.parquet"
SCORE, P_VALUE = "shadow_score", "shadow_p_value"
"""The challenger's results among those of a part."""
LISTED = 10
"""So many alerts gained, and lost, are named by their rows."""
RANKED = 1_000_000
"""So many rows are ranked, at most, evenly over the table."""
SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("score", pa.float64()),
        pa.field("p_value", pa.float64()),
        pa.field("alert", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Challenger:
    """A saved model that scores beside another; it can be pickled for workers, each of which loads it once.

    Attributes
    ----------
    reference : str
        Its version.
    folder : str
        Where it is.
    device : str
        Where to compute.
    strict : bool
        Whether a cell that is not of its column's kind is an error.
    sha256 : str
        The checksum of its manifest.
    """

    reference: str
    folder: str
    device: str
    strict: bool
    sha256: str

    @classmethod
    def of(cls, context: JobContext, reference: str, device: str) -> Challenger:
        """Load a saved model that is to score beside another.

        Raises
        ------
        UsageError
            There is no such model, it does not score, or the engine's workers may not see its folder.
        ArtefactError
            It is damaged.
        """
        if context.engine.name != "local":
            raise UsageError(f"--shadow computes on this machine: leave out --engine {context.engine.name}")
        record = context.store.model(reference)
        folder = record.path.absolute()
        made = cls(record.reference, str(folder), device, context.strict, digest((folder / MANIFEST).read_bytes()))
        try:
            made.fitted.require("score")
        except UsageError as error:
            raise UsageError(f"--shadow {record.reference}: {error}") from error
        return made

    @property
    def fitted(self) -> Fitted:
        """The model."""
        return _loaded(self.folder, self.device, self.sha256)

    def find(self, part: Part) -> Arrays:
        """Return the scores and p-values of rows.

        Raises
        ------
        SchemaError
            They do not fit the challenger's schema.
        """
        try:
            self.fitted.schema.check(part.batch.schema.names)
            scored = self.fitted.score(part.encoded(self.fitted, self.strict))
        except SchemaError as error:
            raise SchemaError(f"--shadow {self.reference}: {error}") from error
        return {SCORE: scored.score, P_VALUE: scored.p_value}


@lru_cache(maxsize=1)
def _loaded(folder: str, device: str, sha256: str) -> Fitted:
    return load_fitted(Path(folder), Registry.load(), device)


@dataclass
class Shadow:
    """The challenger's side of a job: collects its p-values in the one pass over the rows, then compares its alerts.

    Parameters
    ----------
    challenger : Challenger
        The model.
    threshold : Threshold
        The job's rule, applied to the challenger's p-values.
    """

    challenger: Challenger
    threshold: Threshold
    _p_values: Tally = field(default_factory=Tally)
    _candidates: Candidates = field(init=False)

    def __post_init__(self) -> None:
        self._candidates = Candidates(self.threshold, 0)

    @property
    def facts(self) -> dict[str, str]:
        """What identifies the challenger."""
        return {"reference": self.challenger.reference, "sha256": self.challenger.sha256}

    def see(self, part: Part) -> None:
        """Add the results of a part."""
        self._p_values.add(part.arrays[P_VALUE])
        if self.threshold.kind == "budget":
            numbers = pa.RecordBatch.from_arrays([pa.array(part.rows)], names=["row"])
            self._candidates.see(Part(part.rows, numbers), part.arrays[P_VALUE], part.arrays[SCORE])

    def write(self, folder: Path, parts: Iterator[tuple[Rows, Mask, Arrays]], rows: int) -> dict[str, Any]:
        """Write the challenger's scores, and return how its alerts compare.

        Parameters
        ----------
        parts : iterator
            Rows, which of them are alerts of the job's model, and all results of these rows.
        rows : int
            How many rows there are.
        """
        selection, compared, ranked = self._selection(), _Compared(), _Ranked(-(-rows // RANKED))
        with TableWriter(folder / FILE, SCHEMA) as writer:
            for numbers, alert, arrays in parts:
                other = selection.of(numbers, arrays[P_VALUE])
                columns = [numbers, arrays[SCORE], arrays[P_VALUE], other]
                writer.write(pa.RecordBatch.from_arrays([pa.array(each) for each in columns], schema=SCHEMA))
                compared.see(numbers, alert, other)
                ranked.see(numbers, arrays["score"], arrays[SCORE])
        return {"model": self.challenger.reference, **compared.facts(), "rank_correlation": ranked.correlation()}

    def _selection(self) -> Selection:
        if self.threshold.kind == "budget":
            return Selection(rows=np.sort(self._candidates.most_anomalous[0][: int(self.threshold.value)]))
        return Selection(self.threshold.largest(self._p_values))


@dataclass
class _Compared:
    """Counts of rows by what two models say of them."""

    both: int = 0
    neither: int = 0
    gained: int = 0
    lost: int = 0
    first: dict[str, list[int]] = field(default_factory=lambda: {"gained": [], "lost": []})

    def see(self, rows: Rows, alert: Mask, other: Mask) -> None:
        for name, mask in (("gained", other & ~alert), ("lost", alert & ~other)):
            setattr(self, name, getattr(self, name) + int(mask.sum()))
            self.first[name] += rows[mask][: LISTED - len(self.first[name])].tolist()
        self.both += int((alert & other).sum())
        self.neither += int((~alert & ~other).sum())

    def facts(self) -> dict[str, Any]:
        """Return the share of rows on which both agree, and Cohen's kappa: how far that is beyond chance.

        Cohen, "A coefficient of agreement for nominal scales", 1960: (p_o - p_e) / (1 - p_e), where p_e is the
        agreement of independent decisions with the same numbers of alerts. None where all decisions are equal.
        """
        rows = self.both + self.neither + self.gained + self.lost
        agreed = (self.both + self.neither) / rows
        alerts, others = (self.both + self.lost) / rows, (self.both + self.gained) / rows
        chance = alerts * others + (1 - alerts) * (1 - others)
        return {
            "alerts": self.both + self.gained,
            "agreement": agreed,
            "kappa": None if chance == 1 else (agreed - chance) / (1 - chance),
            "gained": self.gained,
            "lost": self.lost,
            "first_gained": self.first["gained"],
            "first_lost": self.first["lost"],
        }


@dataclass
class _Ranked:
    """The scores of two models on every so manieth row."""

    every: int
    _scores: list[Scores] = field(default_factory=list)
    _others: list[Scores] = field(default_factory=list)

    def see(self, rows: Rows, scores: Scores, others: Scores) -> None:
        at = rows % max(self.every, 1) == 0
        self._scores.append(scores[at])
        self._others.append(others[at])

    def correlation(self) -> float | None:
        """Return Spearman's rank correlation; None where a model gives all rows the same score."""
        scores, others = np.concatenate(self._scores), np.concatenate(self._others)
        if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(others) == 0:
            return None
        return float(spearmanr(scores, others).statistic)
