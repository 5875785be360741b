"""What the benchmarks of detection and attribution rely on: the summary's arithmetic, corrupted cells, resuming."""

import itertools
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.errors import UsageError
from anomalo.registry.registry import Registry
from tests.benchmarks.loading import BENCHMARKS, load

FUSION = """
from dataclasses import dataclass

from anomalo.plugin import Model, hookimpl, param

@dataclass(kw_only=True)
class Fusion(Model):
    name = "fusion"
    members: str = param("knn,masked, iforest,residual")

    def fit(self, data, run):
        return self

@hookimpl
def anomalo_models():
    return [Fusion]
"""


attribution, corruption, detection = load("attribution"), load("corruption"), load("detection")
harness, methods, summary = load("harness"), load("methods"), load("summary")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Our models, and one that fuses others."""
    (tmp_path / "fusion.py").write_text(FUSION)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fusion", raising=False)
    modules = ("anomalo_autoencoders", "anomalo_baselines", "fusion")
    return Registry.load(entry_points=[EntryPoint(name, name, "anomalo") for name in modules])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with two labelled tables, of 3 and of 8 columns."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, columns in (("narrow", 3), ("wide", 8)):
        table = pd.DataFrame(rng.normal(size=(60, columns)), columns=[f"f{j}" for j in range(columns)])
        table["label"] = np.arange(60) < 10
        table.iloc[:10, 0] += 4
        table.astype({"label": int}).to_parquet(folder / f"{name}.parquet")
    return folder


def run(benchmark: Any, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    benchmark.main()


def random_results(seed: int = 0, sets: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cells = itertools.product([f"s{i}" for i in range(sets)], ["oneclass"], [0, 1, 2], ["auto", "knn", "lof"])
    results = pd.DataFrame(list(cells), columns=["set", "protocol", "seed", "method"])
    results[["auroc", "ap", "fit_s", "score_s"]] = rng.uniform(size=(len(results), 4))
    return results.assign(status="ok")


def test_means_ranks_and_seconds_by_hand() -> None:
    results = random_results()
    lines = summary.overview(results, summary.DETECTION)
    per_set = {
        method: [part[part["set"] == name] for name in sorted(part["set"].unique())]
        for method, part in results.groupby("method")
    }
    auroc = {method: [cells["auroc"].mean() for cells in parts] for method, parts in per_set.items()}
    for method, parts in per_set.items():
        better = [sum(auroc[other][i] > auroc[method][i] for other in auroc) for i in range(len(parts))]
        line = lines.loc[method]
        assert line["auroc"] == pytest.approx(100 * np.mean(auroc[method]))
        assert line["ap"] == pytest.approx(100 * np.mean([cells["ap"].mean() for cells in parts]))
        assert line["rank auroc"] == pytest.approx(1 + np.mean(better))
        assert line["fit_s"] == pytest.approx(sum(cells["fit_s"].mean() for cells in parts))
        assert line["lowest auroc"] == pytest.approx(100 * min(auroc[method]))
        assert line["lowest set"] == f"s{int(np.argmin(auroc[method]))}"
        assert (line["sets"], line["cells"], line["problems"]) == (7, 21, 0)
    assert lines["auroc"].is_monotonic_decreasing


def test_cells_that_failed_count_as_problems_and_leave_ranks_to_the_common_tables() -> None:
    results = random_results()
    lost = (results["method"] == "lof") & (results["set"] == "s0")
    results.loc[lost, ["auroc", "ap", "status"]] = [np.nan, np.nan, "ValueError: no"]
    one_seed = (results["method"] == "knn") & (results["set"] == "s1") & (results["seed"] == 2)
    results.loc[one_seed, "status"] = "ValueError: no"
    lines = summary.overview(results, summary.DETECTION)
    assert lines.loc["lof", ["sets", "cells", "problems"]].tolist() == [6, 18, 3]
    assert lines.loc["knn", ["sets", "cells", "problems"]].tolist() == [7, 20, 1]
    common = summary.overview(results[~lost & ~one_seed & (results["set"] != "s0")], summary.DETECTION)
    pd.testing.assert_series_equal(lines["rank auroc"].sort_index(), common["rank auroc"].sort_index())
    compared = summary.comparison(results, summary.DETECTION, "auto")
    pairs = results[(results["set"] == "s1") & (results["seed"] < 2)].groupby("method")["auroc"].mean()
    rest = results[results["set"] != "s1"].groupby(["method", "set"])["auroc"].mean()
    by_set = [pairs["auto"] - pairs["knn"], *(rest["auto"] - rest["knn"])]
    assert compared.loc["knn", "auroc"] == pytest.approx(100 * np.mean(by_set))
    assert compared.loc["lof", "sets"] == 6


def test_a_method_that_finished_nothing_is_still_listed() -> None:
    results = random_results()
    results.loc[results["method"] == "lof", ["auroc", "ap", "status"]] = [np.nan, np.nan, "ValueError: no"]
    lines = summary.overview(results, summary.DETECTION)
    assert lines.loc["lof", ["sets", "cells", "problems"]].tolist() == [0, 0, 21]
    assert lines.loc["knn", "rank auroc"] + lines.loc["auto", "rank auroc"] == pytest.approx(3)
    text = "\n".join(summary.summary_lines(results, summary.DETECTION))
    assert "| lof    | 0    | 0     | -" in text


def test_the_signed_rank_test_by_enumeration() -> None:
    results = random_results(seed=3)
    means = results.groupby(["method", "set"])["ap"].mean().unstack("method")
    difference = (means["auto"] - means["knn"]).to_numpy()
    ranks = pd.Series(np.abs(difference)).rank().to_numpy()
    sums = np.array([ranks @ signs for signs in itertools.product([0, 1], repeat=len(ranks))])
    observed = ranks[difference > 0].sum()
    p = min(1.0, 2 * min((sums <= observed).mean(), (sums >= observed).mean()))
    line = summary.comparison(results, summary.DETECTION, "auto").loc["knn"]
    assert line["ap p"] == pytest.approx(p)
    assert line["ap"] == pytest.approx(100 * difference.mean())
    assert (line["ap worst"], line["ap worst set"]) == (
        pytest.approx(100 * difference.min()),
        means.index[difference.argmin()],
    )


def test_equal_methods_do_not_differ() -> None:
    results = random_results()
    mine = results[results["method"] == "auto"]
    twin = pd.concat([mine, mine.assign(method="twin")])
    line = summary.comparison(twin, summary.DETECTION, "auto").loc["twin"]
    assert (line["auroc"], line["auroc low"], line["auroc high"], line["auroc p"]) == (0, 0, 0, 1)


def test_the_bootstrap_by_enumeration() -> None:
    difference = np.array([3.0, -1.0, 0.5, 7.0, 2.0])
    exact = [np.mean(drawn) for drawn in itertools.product(difference, repeat=5)]
    low, high = summary.bootstrap(difference)
    # The exact distribution has steps: the sampled quantile lies between its neighbours there.
    assert np.quantile(exact, 0.02) <= low <= np.quantile(exact, 0.03)
    assert np.quantile(exact, 0.97) <= high <= np.quantile(exact, 0.98)
    assert summary.bootstrap(difference) == (low, high)


def test_several_files_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = random_results()
    ours, theirs = results[results["method"] != "lof"], results[results["method"] != "auto"]
    ours.to_csv(tmp_path / "ours.csv", index=False)
    theirs.assign(fit_s=1.0).to_csv(tmp_path / "theirs.csv", index=False)
    merged, study = summary.read([tmp_path / "ours.csv", tmp_path / "theirs.csv"])
    assert study == summary.DETECTION
    assert len(merged) == len(results)
    assert set(merged.loc[merged["method"] == "knn", "fit_s"]) == {1.0}
    summary.report([tmp_path / "ours.csv", tmp_path / "theirs.csv"], None, tmp_path / "s.md")
    assert (tmp_path / "s.md").read_text().strip() == capsys.readouterr().out.strip()
    assert "`auto` less each other method" in (tmp_path / "s.md").read_text()
    with pytest.raises(ValueError, match="no finished cell of 'lofty'; the methods are: auto, knn, lof"):
        summary.report([tmp_path / "ours.csv", tmp_path / "theirs.csv"], "lofty")
    pd.DataFrame({"set": ["a"]}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(ValueError, match="expected results of"):
        summary.read([tmp_path / "ours.csv", tmp_path / "other.csv"])


def test_results_that_we_stand_by_can_be_read() -> None:
    files = sorted(BENCHMARKS.glob("detection-*.csv"))
    assert files
    for file in files:
        results, study = summary.read([file])
        assert study == summary.DETECTION
        assert "| auto " in "\n".join(summary.summary_lines(results, study))


def test_a_run_goes_on_where_it_was(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.csv"
    arguments = ("--data", data, "--out", out, "--models", "knn,knn[neighbours=2;reference=9]", "--seeds", "0,1")
    run(detection, monkeypatch, *arguments)
    whole = pd.read_csv(out)
    assert len(whole) == 2 * 2 * 2 * 2
    assert (whole["status"] == "ok").all()
    assert whole.groupby("method")["auroc"].mean().nunique() == 2  # the parameters matter
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:6]) + lines[6][:12])  # a kill in the middle of a line
    measured = []
    measure = detection.measure
    monkeypatch.setattr(detection, "measure", lambda row, *rest: (measured.append(row), measure(row, *rest))[1])
    run(detection, monkeypatch, *arguments)
    pd.testing.assert_frame_equal(
        pd.read_csv(out).drop(columns=["fit_s", "score_s"]), whole.drop(columns=["fit_s", "score_s"])
    )
    assert len(measured) == 16 - 5
    run(detection, monkeypatch, *arguments)
    assert len(measured) == 16 - 5


def test_the_protocols(data: Path) -> None:
    table = pd.read_parquet(data / "wide.parquet")
    train, test = detection.split(table, "oneclass", 1)
    order = np.random.default_rng(1001).permutation(np.arange(10, 60))
    assert train.index.tolist() == order[:25].tolist()
    assert sorted(test.index) == sorted([*range(10), *order[25:]])
    assert all(part is table for part in detection.split(table, "unsupervised", 1))


def test_a_failure_is_a_status(data: Path) -> None:
    class Broken:
        def __init__(self, seed: int) -> None: ...

        def fit(self, train: pd.DataFrame) -> None:
            assert "label" not in train
            raise RuntimeError("no\nway")

    row = detection.measure(detection.Row("s", "oneclass", 0, "m"), pd.read_parquet(data / "wide.parquet"), Broken)
    assert row.status == "RuntimeError: no"
    assert np.isnan(row.auroc)


def test_other_results_are_not_added_to(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"other.csv holds a,b; expected set,protocol"):
        harness.Results(tmp_path / "other.csv", detection.Row, summary.DETECTION.key)


def test_models_with_parameters(registry: Registry) -> None:
    found = methods.ours("knn, knn[neighbours=3;reference=40],undercomplete[hidden=8,4;epochs=2]", registry)
    assert list(found) == ["knn", "knn[neighbours=3;reference=40]", "undercomplete[hidden=8,4;epochs=2]"]
    detectors = [create(5).detector for create in found.values()]
    assert [detector.model for detector in detectors] == ["knn", "knn", "undercomplete"]
    assert [detector.params for detector in detectors] == [
        {},
        {"neighbours": 3, "reference": 40},
        {"hidden": (8, 4), "epochs": 2},
    ]
    assert {detector.random_state for detector in detectors} == {5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("knn[neighbours]", "expected NAME or NAME"),
        ("knn[neighbours=3", "expected NAME or NAME"),
        ("knn[neighbors=3]", "no parameter 'neighbors'"),
        ("knn[neighbours=0]", "expected a value from 1"),
        ("kn", "no model is named 'kn'"),
    ],
)
def test_a_wrong_specification_is_a_usage_error(registry: Registry, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        methods.ours(text, registry)


def test_ablations_come_from_the_default_members(registry: Registry) -> None:
    found = methods.ablations("fusion", registry)
    assert {label: create(0).detector.params["members"] for label, create in found.items()} == {
        "fusion without knn": "masked,iforest,residual",
        "fusion without masked": "knn,iforest,residual",
        "fusion without iforest": "knn,masked,residual",
        "fusion without residual": "knn,masked,iforest",
        "fusion non-neural": "knn,iforest",
        "fusion PCA": "knn,iforest,linear",
    }
    with pytest.raises(UsageError, match="model 'knn' has no parameter 'members'"):
        methods.ablations("knn", registry)


def test_robust_scale_and_its_fallback() -> None:
    train = np.array([[0.0, 0.0, 5.0], [1.0, 0.0, 5.0], [2.0, 0.0, 5.0], [4.0, 8.0, 5.0], [100.0, 0.0, 5.0]])
    scales = corruption.RobustScale.of(train)
    assert scales.centre.tolist() == [2, 0, 5]
    assert scales.scale == pytest.approx([1.4826 * 2, train[:, 1].std(), 1])
    assert scales.varying.tolist() == [0, 1]


@pytest.fixture
def rows() -> np.ndarray:
    """Rows with heavy tails, a column that is mostly 0, and a constant one."""
    rng = np.random.default_rng(1)
    found = rng.standard_t(2, size=(400, 6))
    found[:, 4] *= rng.random(400) < 0.2
    found[:, 5] = 7
    return found


@pytest.mark.parametrize("kind", ["far", "mild", "outlying"])
def test_one_cell_is_corrupted_by_the_distance_that_was_promised(kind: str, rows: np.ndarray) -> None:
    clean, scales, rng = rows[200:], corruption.RobustScale.of(rows[:200]), np.random.default_rng(2)
    if kind == "far":
        found = corruption.far(clean, scales, rng)
    else:
        found = corruption.mild(clean, scales, rng, clean, outlying=kind == "outlying")
    changed = found.values != clean[found.source]
    assert (changed.sum(axis=1) == 1).all()
    assert (changed.argmax(axis=1) == found.column).all()
    assert set(found.column) == set(range(5))
    at = np.arange(len(found.column)), found.column
    scale = scales.scale[found.column]
    moved = np.abs(found.values[at] - clean[found.source][at]) / scale
    away = np.abs(found.values[at] - scales.centre[found.column]) / scale
    if kind == "far":
        assert len(found.source) == 200
        assert moved.min() >= 3 - 1e-9
        assert away.min() >= 3 - 1e-9
        assert away.max() <= 6 + 1e-9
        sides = np.sign(found.values[at] - scales.centre[found.column])
        assert 60 < (sides > 0).sum() < 140
    else:
        assert all(value in clean[:, column] for value, column in zip(found.values[at], found.column, strict=True))
        assert moved.min() >= 1
        bounded = moved if kind == "mild" else away
        assert bounded.min() >= 1
        assert bounded.max() <= 3


def test_a_row_without_a_mild_value_is_left_out() -> None:
    train = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    pool = np.array([[2.0], [4.0], [50.0]])
    found = corruption.mild(pool, corruption.RobustScale.of(train), np.random.default_rng(0), pool)
    assert found.source.tolist() == [0, 1]
    assert found.values.ravel().tolist() == [4, 2]


def test_ties_count_as_a_random_choice() -> None:
    contribution = np.array([[3.0, 1, 2], [2, 2, 1], [5, 5, 5], [0, 9, 1]])
    column = np.array([0, 1, 2, 0])
    assert corruption.ranked_first(contribution, column) == pytest.approx((1 + 1 / 2 + 1 / 3 + 0) / 4)


def test_the_conditional_gaussian_is_a_regression_on_the_other_columns() -> None:
    rng = np.random.default_rng(4)
    train = pd.DataFrame(rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) + 3, columns=list("abcd"))
    yardstick = attribution.ConditionalGaussian()
    yardstick.fit(train)
    covariance, deviation = np.linalg.inv(yardstick.precision), (train.to_numpy() - yardstick.centre) / yardstick.scale
    for j in range(4):
        rest = [i for i in range(4) if i != j]
        weights = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, j])
        variance = covariance[j, j] - covariance[j, rest] @ weights
        expected = np.square(deviation[:, j] - deviation[:, rest] @ weights) / variance
        np.testing.assert_allclose(yardstick.explain(train)[:, j], expected, rtol=1e-8)


def test_attribution_runs_resumes_and_names_the_far_cell(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    arguments = ("--data", data, "--out", out, "--models", "knn", "--seeds", "0", "--summary", tmp_path / "s.md")
    run(attribution, monkeypatch, *arguments, "--kinds", "far")
    assert "narrow: left out, it has 3 columns" in capsys.readouterr().out
    first = pd.read_csv(out)
    run(attribution, monkeypatch, *arguments)
    whole = pd.read_csv(out)
    pd.testing.assert_frame_equal(whole[:3], first)
    assert len(whole) == 3 * 3
    assert (whole["status"] == "ok").all()
    assert set(whole["rows"]) == {25}
    far = whole[whole["kind"] == "far"].set_index("method")["first"]
    assert far["knn"] > 0.7
    assert far["marginal z"] > 0.7
    text = (tmp_path / "s.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## far", "## mild", "## outlying"]


def test_contributions_are_in_the_order_of_the_columns(rows: np.ndarray) -> None:
    frame = pd.DataFrame(rows, columns=["z", "a", "10", "9", "m", "b"])
    reasons = attribution.Reasons(methods.Ours("knn", {}, 0))
    reasons.fit(frame[:200])
    anomalous = frame[200:205].reset_index(drop=True)
    anomalous["10"] = 40.0
    assert (reasons.explain(anomalous).argmax(axis=1) == 2).all()
