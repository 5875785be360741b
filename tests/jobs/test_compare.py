"""`anomalo compare`, the comparisons that scoring runs store, and `anomalo runs --trend`."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.jobs.comparing import profiles
from anomalo.jobs.comparing.profiles import profile_of_source
from anomalo.jobs.context import JobContext
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.sealed import sealed


def day(seed: int, rows: int = 900, shift: float = 0.0, first: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "id": [f"A{first + at:06d}" for at in range(rows)],
            "amount": np.round(rng.lognormal(3 + shift, 1, rows), 2),
            "age": rng.integers(18, 90, rows).astype(float),
            "region": rng.choice(["north", "south", "east"], rows),
        }
    )
    found.loc[rng.random(rows) < 0.1, "age"] = np.nan
    return found


@pytest.fixture(scope="module")
def folder(anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days, of which the last differs, a model of the first one, and a run of each other."""
    folder = tmp_path_factory.mktemp("days")
    day(1).to_csv(folder / "monday.csv", index=False)
    day(2, first=900).to_csv(folder / "tuesday.csv", index=False)
    day(3, shift=0.6, first=1800).to_csv(folder / "wednesday.csv", index=False)
    common = ("--workspace", folder / "w", "--device", "cpu")
    for words in (
        ("fit", folder / "monday.csv", "--as", "days", "--model", "knn"),
        ("score", folder / "tuesday.csv", "--with", "days"),
        ("score", folder / "wednesday.csv", "--with", "days"),
    ):
        outcome = anomalo(*words, *common)
        assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture
def compare(anomalo: Any, folder: Path) -> Any:
    def run(*words: str) -> Any:
        paths = [str(folder / word) if word.endswith((".csv", ".html")) else word for word in words]
        return anomalo("compare", *paths, "--workspace", folder / "w")

    return run


def test_two_days_alike(compare: Any) -> None:
    outcome = compare("monday.csv", "tuesday.csv", "--fail-on-drift")
    assert outcome.code == 0, outcome.err
    assert "no difference found" in outcome.out
    assert "table: 900 rows, reference 900 (+0.0 %)" in outcome.out
    assert "table: column 'id': values not compared, it names the row" in outcome.out


def test_a_day_that_differs_is_a_gate(compare: Any) -> None:
    outcome = compare("monday.csv", "wednesday.csv", "--fail-on-drift")
    assert outcome.code == 3
    assert outcome.err.count("\n") == 1
    assert "today differs (p = " in outcome.err
    assert "mainly amount (median " in outcome.err
    assert compare("monday.csv", "wednesday.csv").code == 0


def test_json_is_one_object(compare: Any, folder: Path) -> None:
    outcome = compare("monday.csv", "wednesday.csv", "--json")
    found = outcome.json
    assert found["differs"]
    assert found["columns"][0]["column"] == "amount"
    assert found["columns"][0]["bins"]
    stored = json.loads((folder / "w" / "runs" / found["run"] / "comparison.json").read_text())
    assert {key: found[key] for key in stored} == stored


def test_the_page_is_self_contained_and_escaped(compare: Any, folder: Path) -> None:
    pytest.importorskip("jinja2")
    table = day(4, shift=1.0).rename(columns={"amount": "<b>amount"})
    table.to_csv(folder / "odd.csv", index=False)
    day(1).rename(columns={"amount": "<b>amount"}).to_csv(folder / "odd-before.csv", index=False)
    outcome = compare("odd-before.csv", "odd.csv", "--html", "page.html")
    assert outcome.code == 0, outcome.err
    text = (folder / "page.html").read_text()
    assert "&lt;b&gt;amount" in text
    assert "<b>amount" not in text
    assert "http" not in text


def test_each_scoring_stores_its_comparison_with_the_training_table(folder: Path) -> None:
    for run, differs in (("0001-score", False), ("0002-score", True)):
        stored = json.loads((folder / "w" / "runs" / run / "comparison.json").read_text())
        assert stored["differs"] is differs
        assert stored["rows"] == [900, 900]
        assert (folder / "w" / "runs" / run / profiles.FILE).exists()


def test_a_run_is_compared_with_the_training_table_and_with_another_run(compare: Any, folder: Path) -> None:
    alone = compare("0002-score", "--json").json
    assert (alone["reference"], alone["current"]) == ("days@1", "0002-score")
    assert compare("days@1", "0002-score", "--json").json["p_value"] == alone["p_value"]
    runs = compare("0001-score", "0002-score", "--json").json
    assert runs["differs"]
    assert runs["columns"][0]["column"] == "amount"
    by_source = compare("days", "wednesday.csv", "--json").json
    assert by_source["columns"][0]["distance"] == alone["columns"][0]["distance"]


def test_a_run_whose_source_is_gone_is_compared_by_what_it_kept(compare: Any, folder: Path, anomalo: Any) -> None:
    shutil.copy(folder / "tuesday.csv", folder / "short.csv")
    scored = anomalo("score", folder / "short.csv", "--with", "days", "--workspace", folder / "w", "--json").json
    (folder / "short.csv").unlink()
    assert compare(scored["id"]).code == 0


def test_what_cannot_be_compared_is_one_line(compare: Any, folder: Path) -> None:
    (folder / "none.csv").write_text("a,b\n")
    (folder / "other.csv").write_text("p,q\n1.5,2.5\n2.5,3.5\n")
    for words, code, text in (
        (("monday.csv",), 2, "is no run: give two tables to compare"),
        (("monday.csv", "none.csv"), 1, "rows"),
        (("monday.csv", "absent.csv"), 1, "absent.csv"),
        (("monday.csv", "other.csv"), 4, "no column in common: id, amount, age, region in the reference, p, q now"),
        (("monday.csv", "tuesday.csv", "--level", "1.5"), 2, "--level"),
        (("monday.csv", "tuesday.csv", "--drop", "ages"), 2, "ages"),
    ):
        outcome = compare(*words)
        assert outcome.code == code, outcome.err
        assert text in outcome.err
        assert outcome.err.count("\n") == 1


def test_a_model_without_a_profile_is_as_before_and_says_so(compare: Any, folder: Path, anomalo: Any) -> None:
    store = JobContext.at(folder / "w").store
    shutil.copytree(folder / "w", folder / "older")
    path = folder / "older" / store.model("days").path.relative_to(folder / "w")
    remove_profile(path)
    outcome = anomalo("score", folder / "tuesday.csv", "--with", "days", "--workspace", folder / "older", "--json")
    assert outcome.code == 0, outcome.err
    assert "drift" not in outcome.json["summary"]
    outcome = anomalo("compare", "days", folder / "tuesday.csv", "--workspace", folder / "older")
    assert outcome.code == 2
    assert "model days@1 has no profile of its training table" in outcome.err


def remove_profile(path: Path) -> None:
    """Make an artefact what a version without profiles wrote."""
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest["files"]["profile.safetensors"]
    manifest["arrays"].remove("profile")
    (path / "manifest.json").write_bytes(sealed(manifest))
    (path / "profile.safetensors").unlink()


def test_a_damaged_profile_of_a_run_is_one_line(anomalo: Any, folder: Path) -> None:
    shutil.copytree(folder / "w", folder / "damaged")
    (folder / "damaged" / "runs" / "0001-score" / profiles.FILE).write_bytes(b"nothing")
    outcome = anomalo("compare", "0001-score", "--workspace", folder / "damaged")
    assert outcome.code == 1
    assert "is damaged" in outcome.err
    assert outcome.err.count("\n") == 1


def test_the_trend_of_runs(anomalo: Any, folder: Path) -> None:
    outcome = anomalo("runs", "days", "--trend", "--workspace", folder / "w", "--json")
    first, second, *_ = outcome.json["trend"]
    assert (first["run"], second["run"]) == ("0001-score", "0002-score")
    assert (first["differs"], second["differs"]) == (False, True)
    assert second["auroc"] > 0.55
    assert 0 < second["alert_rate"] < 1
    assert first["missing_rate"] == pytest.approx(day(2)["age"].isna().sum() / 3600)
    shown = anomalo("runs", "--trend", "--workspace", folder / "w").out
    assert "0002-score" in shown
    assert "█" in shown
    assert anomalo("runs", "nothing", "--trend", "--workspace", folder / "w").code == 2
    assert "No runs to show" in anomalo("runs", "--trend", "--workspace", folder / "empty").out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_profile_counts_all_rows_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(profiles, "MOST_ROWS", 200)
    table = pd.concat([day(1), day(2).assign(id=day(1).id)])
    source = tmp_path / f"t{suffix}"
    table.to_csv(source, index=False) if suffix == ".csv" else table.to_parquet(source)
    found = [
        profile_of_source(JobContext.at(tmp_path / "w", batch_rows=rows), str(source), None, SchemaOptions(id="id"))
        for rows in (None, 97)
    ]
    for one in found:
        columns = {column.name: column for column in one.columns}
        assert (one.rows, one.sampled) == (1800, 200)
        assert columns["age"].missing == table.age.isna().sum()
        assert columns["amount"].missing == 0
        assert dict(zip(columns["region"].levels, columns["region"].counts, strict=True)) == dict(
            table.region.value_counts()
        )
        assert columns["id"].repeated == 900
    for first, second in zip(found[0].columns, found[1].columns, strict=True):
        np.testing.assert_array_equal(first.values, second.values)


def test_scores_are_the_same_bytes_with_workers_and_so_is_the_comparison(anomalo: Any, folder: Path) -> None:
    runs = []
    for words in ((), ("--workers", "2")):
        outcome = anomalo(
            "score", folder / "wednesday.csv", "--with", "days", "--workspace", folder / "w", "--json", *words
        )
        runs.append(folder / "w" / "runs" / outcome.json["id"])
    for name in ("scores.parquet", "cells.parquet", "comparison.json", profiles.FILE):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes(), name


def test_a_run_says_how_much_later_its_rows_are(anomalo: Any, tmp_path: Path) -> None:
    common = ("--workspace", tmp_path / "w")
    for at, name in enumerate(("monday", "tuesday")):
        when = pd.date_range(f"2024-05-{6 + at:02}", periods=300, freq="4min")
        day(at, rows=300).assign(when=when.astype(str)).to_csv(tmp_path / f"{name}.csv", index=False)
    assert anomalo("fit", tmp_path / "monday.csv", "--as", "days", "--model", "knn", *common).code == 0
    assert anomalo("score", tmp_path / "tuesday.csv", "--with", "days", *common).code == 0
    outcome = anomalo("compare", "0001-score", *common)
    assert outcome.code == 0, outcome.err
    assert "the latest 'when' is 2024-05-07 19:56:00, 24 h after the reference's 2024-05-06 19:56:00" in outcome.out
