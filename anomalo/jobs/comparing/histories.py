"""The tables of a workspace, each with the models that learned it and its scorings over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anomalo.calibration.expected_alerts import expected_alerts
from anomalo.calibration.thresholds import Threshold
from anomalo.errors import UsageError
from anomalo.workspace.workspace import ModelRecord, RunRecord


@dataclass(frozen=True)
class History:
    """A table, as it was when models learned it, and whenever they scored a later state of it.

    Attributes
    ----------
    source : str
        What the first version of its models was fitted on; of scorings whose model is gone, what was scored.
    models : tuple of ModelRecord
        All versions of them, newest first.
    runs : tuple of RunRecord
        The scorings, oldest first; they may be of other files with the same columns.
    """

    source: str
    models: tuple[ModelRecord, ...]
    runs: tuple[RunRecord, ...]

    @property
    def latest(self) -> RunRecord | None:
        """The last scoring."""
        return self.runs[-1] if self.runs else None

    @property
    def names(self) -> list[str]:
        """The names of the models that scored it, the latest first."""
        return list(dict.fromkeys(_name(run) for run in reversed(self.runs)))

    def scorings(self, name: str) -> list[RunRecord]:
        """Return the scorings by any version of a model, oldest first."""
        return [run for run in self.runs if _name(run) == name]

    def expected(self, run: RunRecord) -> tuple[float, float] | None:
        """Return the least and the greatest share of alerts that is expected of a run; None if that is unknown.

        It is unknown if the threshold is no share of normal rows, or the model is gone. See `expected_alerts`.
        """
        rows, limit = run.summary.get("rows"), _threshold(run)
        model = next((model for model in self.models if model.reference == run.model), None)
        if not rows or limit is None or limit.kind != "share" or model is None:
            return None
        low, high = expected_alerts(rows, limit.value, model.rows)
        return low / rows, high / rows


def histories(models: Sequence[ModelRecord], runs: Sequence[RunRecord]) -> list[History]:
    """Return the tables that were scored or that a model can score, the latest scored first.

    A model's scorings are of the table that its first version was fitted on, whatever file was scored: it only scores
    tables with the same columns.

    Parameters
    ----------
    models, runs
        In any order.
    """
    first: dict[str, str] = {}
    for model in sorted(models, key=lambda model: model.version):
        first.setdefault(model.name, model.source)
    learned: dict[str, list[ModelRecord]] = {}
    for model in sorted(models, key=lambda model: (model.created, model.version), reverse=True):
        learned.setdefault(first[model.name], []).append(model)
    scored: dict[str, list[RunRecord]] = {}
    for run in sorted((run for run in runs if run.verb == "score"), key=_number):
        scored.setdefault(first.get(_name(run), run.source), []).append(run)
    able = [source for source, of in learned.items() if any(_scores(model) for model in of)]
    found = [
        History(source, tuple(learned.get(source, ())), tuple(scored.get(source, ())))
        for source in dict.fromkeys([*scored, *able])
    ]
    return sorted(found, key=lambda table: _number(table.latest) if table.latest else 0, reverse=True)


def _name(run: RunRecord) -> str:
    return "" if run.model is None else run.model.partition("@")[0]


def _number(run: RunRecord) -> int:
    return int(run.id.partition("-")[0])


def _scores(model: ModelRecord) -> bool:
    goals = model.summary.get("goals") or ["score"]
    return "score" in model.summary.get("verbs", []) and "score" in goals


def _threshold(run: RunRecord) -> Threshold | None:
    try:
        return Threshold.parse(run.summary.get("threshold", ""))
    except UsageError:
        return None
