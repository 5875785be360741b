"""What an id scored in other runs."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.jobs.context import JobContext
from anomalo.jobs.scoring import earlier as module
from anomalo.jobs.scoring.earlier import earlier_scores
from anomalo.jobs.scoring.score import score


def test_the_rows_with_an_id_are_found_in_other_runs_newest_first(
    untouched: Path, patients: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, context = shutil.copytree(untouched, tmp_path / "w"), JobContext.at(tmp_path / "w")
    patients.to_csv(tmp_path / "monday.csv", index=False)
    patients.drop(range(17)).to_csv(tmp_path / "tuesday.csv", index=False)
    patients.drop(columns="name").to_csv(tmp_path / "nameless.csv", index=False)
    results = [
        score(context, str(tmp_path / f"{day}.csv"), "full", device="cpu", threshold=Threshold("budget", 3))
        for day in ("monday", "tuesday", "nameless")
    ]
    runs = context.store.runs()[::-1]
    found = earlier_scores(runs, "name", "p017")
    assert [(one.run, one.row) for one in found] == [(results[1].run.id, 0), (results[0].run.id, 17)]
    assert [one.score for one in found] == [results[1].score[0], results[0].score[17]]
    assert all(one.alert for one in found)
    assert earlier_scores(runs, "name", "nobody") == []
    assert [one.run for one in earlier_scores(runs, "name", "p003")] == [results[0].run.id]
    monkeypatch.setattr(module, "ROWS", 240 + 223)
    assert len(earlier_scores(runs, "name", "p017")) == 1, "runs beyond the limit are not read"
    shutil.rmtree(results[1].run.path)
    assert earlier_scores(runs, "name", "p017") == []
    assert home.exists()
