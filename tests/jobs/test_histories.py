"""The tables of a workspace and their scorings: which belong together, and which share of alerts is expected."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalo.jobs.comparing.histories import histories
from anomalo.workspace.workspace import ModelRecord, RunRecord

MODEL = ModelRecord(
    name="a",
    version=1,
    model="knn",
    plugin="p",
    source="/monday.csv",
    rows=999,
    columns=3,
    seconds=1.0,
    summary={"verbs": ["score"], "goals": []},
    created="2026-01-01T00:00:00+00:00",
    tags=(),
    path=Path(),
)


def run(number: int, model: str | None, source: str, **summary: Any) -> RunRecord:
    facts = {"rows": 1000, "alerts": 10, "threshold": "share=0.01"} | summary
    return RunRecord(f"{number:04}-score", "score", model, source, 1.0, facts, "done", "", Path())


def test_scorings_belong_to_the_table_that_their_model_learned() -> None:
    models = [
        replace(MODEL, version=2, source="/tuesday.csv", created="2026-01-02T00:00:00+00:00"),
        MODEL,
        replace(MODEL, name="b"),
        replace(MODEL, name="c", source="/other.csv"),
        replace(MODEL, name="d", source="/rows.csv", summary={"verbs": ["sample"], "goals": []}),
        replace(MODEL, name="e", source="/rows.csv", summary={"verbs": ["score", "sample"], "goals": ["sample"]}),
    ]
    runs = [
        run(10000, "a@1", "/wednesday.csv"),
        run(9999, "a@2", "/tuesday.csv"),
        run(3, "b@1", "/monday.csv"),
        run(2, "gone@1", "/gone.csv"),
        replace(run(1, "a@1", "/monday.csv"), verb="embed"),
    ]
    found = histories(models, runs)
    assert [table.source for table in found] == ["/monday.csv", "/gone.csv", "/other.csv"]
    monday = found[0]
    assert [model.reference for model in monday.models] == ["a@2", "a@1", "b@1"]
    assert [one.id for one in monday.runs] == ["0003-score", "9999-score", "10000-score"]
    assert monday.names == ["a", "b"]
    assert [one.id for one in monday.scorings("a")] == ["9999-score", "10000-score"], "in all its versions"
    assert found[2].latest is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (0.003, 0.02)),
        ({"threshold": "fdr=0.05"}, None),
        ({"threshold": "budget=10"}, None),
        ({"threshold": "?"}, None),
        ({"rows": 0}, None),
    ],
)
def test_the_expected_share_of_alerts_follows_from_the_threshold(facts: dict[str, Any], expected: Any) -> None:
    scored = run(1, "a@1", "/monday.csv", **facts)
    assert histories([MODEL], [scored])[0].expected(scored) == expected
    assert histories([], [scored])[0].expected(scored) is None, "the number of training rows is not known any more"
