"""What the benchmark of imputation relies on: masks, metrics, the peers, the summary's arithmetic, resuming."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import accuracy_score, f1_score

from anomalo.plugin import HiddenCells
from tests.benchmarks.loading import load

harness, masked_tables, metrics = load("harness"), load("masked_tables"), load("imputation_metrics")
imputation, imputers = load("imputation"), load("imputers")
matrices, missforest, pmm, ratios = load("matrices"), load("missforest"), load("pmm"), load("ratios")


def mixed(rows: int, seed: int = 0) -> pd.DataFrame:
    """Two numbers that go together, one that goes with a category, and a category of three levels."""
    rng = np.random.default_rng(seed)
    x, kind = rng.normal(size=rows), rng.integers(3, size=rows)
    table = pd.DataFrame({"x": x, "y": 10 + 3 * x + rng.normal(size=rows), "z": kind + 0.1 * rng.normal(size=rows)})
    return table.assign(kind=np.array(["007", "NA", "c"], dtype=object)[kind])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a table of 80 rows and one of 40."""
    folder = tmp_path / "data"
    folder.mkdir()
    about = {}
    for name, rows in (("large", 80), ("small", 40)):
        mixed(rows).to_csv(folder / f"{name}.csv", index=False)
        about[name] = {"file": f"{name}.csv", "categorical": ["kind"]}
    (folder / "manifest.json").write_text(json.dumps(about))
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    imputation.main()


@pytest.fixture
def sample() -> Any:
    return masked_tables.mask_cells(mixed(400), "mcar30", 200, 1)


def test_categories_stay_text(data: Path) -> None:
    table = masked_tables.read(data, "large")
    assert set(table["kind"]) == {"007", "NA", "c"}
    assert [masked_tables.is_number(table[name]) for name in table] == [True, True, True, False]


def test_the_sample_is_one_for_all_mechanisms_and_its_parts_do_not_meet() -> None:
    table = mixed(400)
    found = {name: masked_tables.mask_cells(table, name, 200, 3) for name in ("mcar10", "mcar50", "mar30", "mnar30")}
    for one in found.values():
        pd.testing.assert_frame_equal(one.complete, found["mcar10"].complete)
        assert len(one.train) == 140
        assert (one.masked.isna().to_numpy() == one.hidden).all()
        pd.testing.assert_frame_equal(pd.concat([one.train, one.test], ignore_index=True), one.masked)
        for held, part in ((False, one.train), (True, one.test)):
            assert (one.part(held).hidden == part.isna().to_numpy()).all()
    assert found["mcar10"].hidden.mean() == pytest.approx(0.1, abs=0.04)
    assert found["mcar50"].hidden.mean() == pytest.approx(0.5, abs=0.06)
    assert not found["mar30"].hidden.all(axis=0).any()
    assert (~found["mar30"].hidden.any(axis=0)).any()  # the drivers
    again, other = masked_tables.mask_cells(table, "mnar30", 200, 3), masked_tables.mask_cells(table, "mnar30", 200, 4)
    assert (again.hidden == found["mnar30"].hidden).all()
    assert (other.hidden != found["mnar30"].hidden).any()
    assert not other.complete.equals(again.complete)


@pytest.mark.parametrize("text", ["mcar", "mcar0", "mcar100", "mpar30", "30mcar"])
def test_a_wrong_mechanism_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"mechanism '{text}': expected one of mcar, mar, mnar"):
        masked_tables.parse_mechanism(text)


def test_crps_by_pairs() -> None:
    rng = np.random.default_rng(0)
    draws, truth = rng.normal(size=(7, 4, 3)), rng.normal(size=(4, 3))
    pairs = [np.abs(draws[i] - draws[j]) for i, j in itertools.permutations(range(7), 2)]
    np.testing.assert_allclose(
        metrics.crps(draws, truth), np.abs(draws - truth).mean(axis=0) - np.mean(pairs, axis=0) / 2, atol=1e-12
    )


def test_crps_does_not_depend_on_how_many_draws_there_are() -> None:
    rng = np.random.default_rng(1)
    truth = np.array(0.7)
    closed = 0.7 * (2 * norm.cdf(0.7) - 1) + 2 * norm.pdf(0.7) - 1 / np.sqrt(np.pi)
    for count in (2, 20):
        found = metrics.crps(rng.normal(size=(count, 100_000)), np.full(100_000, truth)).mean()
        assert found == pytest.approx(closed, abs=0.01)


def test_imputed_values_are_evaluated_on_hidden_cells_alone(sample: Any) -> None:
    part, rng = sample.part(held=True), np.random.default_rng(2)
    scale = metrics.scales(sample.complete)
    assert scale["y"] == pytest.approx(sample.complete["y"].to_numpy().std())
    filled = part.complete.copy()
    errors, per_column = [], {}
    for at, name in enumerate(["x", "y", "z"]):
        hidden = part.hidden[:, at]
        noise = rng.normal(size=hidden.sum())
        filled.loc[hidden, name] += noise
        errors.append(np.square(noise / scale[name]))
        per_column[name] = np.sqrt(errors[-1].mean())
    hidden = part.hidden[:, 3]
    filled.loc[hidden, "kind"] = rng.choice(["007", "NA", "c"], hidden.sum())
    truth, guess = part.complete["kind"][hidden], filled["kind"][hidden]
    found = metrics.point_metrics(part, filled, scale)
    assert found["rmse"] == pytest.approx(np.sqrt(np.concatenate(errors).mean()))
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, guess))
    assert found["f1"] == pytest.approx(f1_score(truth, guess, average="macro"))
    by_column = metrics.column_errors(part, filled, scale)
    assert by_column == pytest.approx(per_column | {"kind": 1 - accuracy_score(truth, guess)})
    reported = {name: 2 * by_column[name] * scale.get(name, 1.0) for name in ("x", "y", "kind")} | {"unknown": 1.0}
    assert metrics.expected_ratio(reported, by_column, scale) == pytest.approx(2)


def test_intervals_and_draws_are_evaluated_on_hidden_numbers(sample: Any) -> None:
    part, scale = sample.part(held=True), metrics.scales(sample.complete)
    truth = part.complete.assign(kind=np.nan).to_numpy(np.float64)
    low, high = truth - 1, truth + 1
    low[:, 0] = high[:, 0] = truth[:, 0] + 5  # x is never covered
    found = metrics.uncertainty_metrics(part, metrics.Uncertainty(low, high, np.stack([truth + 1, truth + 1])), scale)
    hidden = part.hidden[:, :3]
    assert found["coverage"] == pytest.approx(hidden[:, 1:].sum() / hidden.sum())
    widths = hidden[:, 1:].sum(axis=0) @ (2 / scale.to_numpy()[1:])
    assert found["width"] == pytest.approx(widths / hidden.sum())
    assert found["crps"] == pytest.approx(hidden.sum(axis=0) @ (1 / scale.to_numpy()) / hidden.sum())
    assert metrics.uncertainty_metrics(part, metrics.Uncertainty(), scale) == {}


@pytest.mark.parametrize("drop", [False, True])
def test_a_matrix_and_back(drop: bool, sample: Any) -> None:
    matrix = matrices.Matrix(sample.train, standardise=True, drop=drop)
    values = matrix.of(sample.train)
    assert values.shape[1] == 3 + 3 - drop
    assert (np.isnan(values[:, matrix.block["kind"]]).all(axis=1) == sample.train["kind"].isna()).all()
    assert np.nanmean(values[:, :3], axis=0) == pytest.approx([0, 0, 0], abs=1e-9)
    assert np.nanstd(values[:, :3], axis=0) == pytest.approx([1, 1, 1])
    known = sample.complete.iloc[: len(sample.train)]
    back = matrix.filled(sample.train, matrix.of(known))
    pd.testing.assert_frame_equal(back, known)


def test_the_level_that_weighs_most_wins_the_one_without_indicator_too(sample: Any) -> None:
    matrix = matrices.Matrix(sample.train, drop=True)
    weights = np.array([[0.3, 0.3], [0.5, 0.2], [0.1, 0.6], [-0.2, 0.1]])
    assert matrix.decoded("kind", weights).tolist() == ["007", "NA", "c", "007"]


def test_one_round_of_missforest_is_scikit_learns_forest() -> None:
    table = mixed(120).drop(columns="kind")
    train = table.mask(np.arange(120)[:, None] < np.array([0, 30, 0]))
    peer = missforest.MissForest(0, trees=5, rounds=1)
    peer.fit(train)
    (forests,) = peer.kept
    assert list(forests) == ["y"]
    same = RandomForestRegressor(n_estimators=5, max_features=1 / 3, random_state=forests["y"].random_state)
    same.fit(train[["x", "z"]].to_numpy()[30:], train["y"].to_numpy()[30:])
    assert peer.filled["y"][:30].tolist() == same.predict(train[["x", "z"]].to_numpy()[:30]).tolist()


def test_missforest_replays_its_rounds(sample: Any) -> None:
    peer = missforest.MissForest(0, trees=5)
    peer.fit(sample.train)
    assert len(peer.kept) >= 2
    pd.testing.assert_frame_equal(peer.fill(sample.train), peer.fill_training(sample.train))
    alone = pd.concat([peer.fill(sample.test.iloc[[at]]) for at in range(5)])
    pd.testing.assert_frame_equal(alone, peer.fill(sample.test).iloc[:5])


def test_missforest_stops_when_all_changes_grow(monkeypatch: pytest.MonkeyPatch, sample: Any) -> None:
    changes = iter([(3.0, 0.5), (2.0, 0.6), (2.5, 0.4), (2.6, 0.5), (1.0, 0.1)])
    monkeypatch.setattr(
        missforest, "_change", lambda *_: dict(zip(("numbers", "categories"), next(changes), strict=True))
    )
    peer = missforest.MissForest(0, trees=2)
    peer.fit(sample.train)
    assert len(peer.kept) == 3
    pd.testing.assert_frame_equal(peer.fill(sample.train), peer.filled)


def test_change_of_fills_by_hand() -> None:
    before = pd.DataFrame({"a": [1.0, 2.0], "k": pd.Series(["u", "v"], dtype=object)})
    now = pd.DataFrame({"a": [1.0, 4.0], "k": pd.Series(["u", "u"], dtype=object)})
    absent = pd.DataFrame({"a": [False, True], "k": [True, True]})
    assert missforest._change(now, before, absent) == {"numbers": 4 / 17, "categories": 1 / 2}


def test_matching_takes_cells_of_donors_and_varies_as_the_truth_does() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=900)
    table = pd.DataFrame({"x": x, "y": 2 * x + rng.normal(size=900)})
    train, test = table[:600].copy(), table[600:].reset_index(drop=True).assign(y=np.nan)
    train.loc[:100, "y"] = np.nan
    peer = pmm.PMM(0)
    peer.fit(train)
    draws = peer.uncertainty(test).draws[:, :, 1]
    assert np.isin(draws.round(9), train["y"].dropna().round(9)).all()
    truth = table["y"][600:].to_numpy()
    oracle = metrics.crps(2 * x[600:] + rng.normal(size=(2000, 300)), truth).mean()
    # The 20 draws of a cell come from few donors, so that their distribution is a little off.
    assert oracle < metrics.crps(draws, truth).mean() < 1.15 * oracle
    assert draws.std(axis=0, ddof=1).mean() == pytest.approx(1, abs=0.15)
    filled = peer.fill(test)
    assert filled["y"].to_numpy() == pytest.approx(draws.mean(axis=0))
    assert filled["x"].equals(test["x"])


@pytest.mark.parametrize("name", list(imputers.PEERS))
def test_every_peer_beats_or_is_the_mean(name: str, sample: Any) -> None:
    creator = imputers.PEERS[name]
    row = imputation.Row(200, "t", "mcar30", 1, name)
    with pytest.MonkeyPatch.context() as patch, harness.calm(1):
        patch.setattr(pmm.PMM.__init__, "__defaults__", (3, 3, 5))
        patch.setattr(missforest.MissForest.__init__, "__defaults__", (20, 3))
        assert imputation.measure(row, sample, creator).status == "ok"
    base = imputation.measure(imputation.Row(200, "t", "mcar30", 1, "mean/mode"), sample, imputers.MeanMode)
    if name == "mean/mode":
        assert (row.rmse, row.in_rmse) == (base.rmse, base.in_rmse)
    else:
        assert row.rmse < 0.9 * base.rmse
        assert row.in_rmse < base.in_rmse
        assert row.accuracy > base.accuracy + 0.1


def test_uncertainty_of_our_models_is_in_the_columns_units_and_positions(sample: Any) -> None:
    ours = imputers.Ours("chained", {}, 0)
    ours.fit(sample.train)
    said, filled, hidden = ours.uncertainty(sample.test), ours.fill(sample.test), sample.part(held=True).hidden
    for at, name in enumerate(["x", "y", "z"]):
        cells = hidden[:, at]
        assert (said.low[cells, at] <= filled[name][cells]).all()
        assert (filled[name][cells] <= said.high[cells, at]).all()
        assert said.draws.shape == (20, *sample.test.shape)
        assert (said.draws[:, ~cells, at] == sample.test[name].to_numpy()[~cells]).all()
        assert said.draws[:, cells, at].std(axis=0).min() > 0
    assert np.isnan(said.low[:, 3]).all()
    assert ours.expected_errors() == {}
    unknown = np.full(4, np.nan)
    ours.imputer.fitted_.hidden = HiddenCells(unknown, np.array([0.5, np.nan, 0.1, 0.25]), unknown)
    assert ours.expected_errors() == {"x": 0.5, "z": 0.1, "kind": 0.25}


def test_a_bad_method_is_a_status(sample: Any) -> None:
    class Bad(imputers.MeanMode):  # type: ignore[misc]
        def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
            return rows if self.empty else super().fill(rows) * 1

    def status(empty: bool, changed: bool = False) -> str:
        peer = Bad(0)
        peer.empty = empty
        if changed:
            peer.fill = lambda rows: imputers.MeanMode.fill(peer, rows).assign(x=5.0)
        found: str = imputation.measure(imputation.Row(200, "t", "mcar30", 1, "bad"), sample, lambda _: peer).status
        return found

    assert "cells were left empty" in status(empty=True)
    assert "observed cells were changed" in status(empty=False, changed=True)


def test_the_summary_by_hand() -> None:
    rng = np.random.default_rng(5)
    cells = list(itertools.product([1000], ["a", "b"], ["mcar10", "mcar30", "mar30"], [0, 1]))
    methods = ("MissForest", "mean/mode", "mine")
    results = pd.DataFrame(
        [(*cell, method) for cell in cells for method in methods], columns=[*ratios.CELL, "method"]
    ).assign(status="ok")
    names = ("rmse", "in_rmse", *ratios.ABSOLUTE, "coverage", "crps", "expected", "fit_s", "fill_s")
    results[list(names)] = rng.uniform(0.5, 1, size=(len(results), len(names)))
    results.loc[len(results)] = {**results.iloc[2], "seed": 7, "rmse": np.nan, "status": "RuntimeError: no"}
    mine, forest, mean = (
        results[(results["method"] == name) & (results["status"] == "ok")].reset_index()
        for name in ("mine", "MissForest", "mean/mode")
    )
    line = ratios.overview(results).loc["mine"]
    ratio = mine["rmse"] / forest["rmse"]
    assert line["all"] == pytest.approx(np.prod(ratio) ** (1 / 12))
    assert line["mar"] == pytest.approx(np.prod(ratio[mine["mechanism"] == "mar30"]) ** (1 / 4))
    assert line["mcar"] == pytest.approx(np.prod(ratio[mine["mechanism"] != "mar30"]) ** (1 / 8))
    assert line["in sample"] == pytest.approx(np.prod(mine["in_rmse"] / forest["in_rmse"]) ** (1 / 12))
    assert line["won"] == (ratio < 1).mean()
    at = int(ratio.to_numpy().argmax())
    assert line["worst"] == ratio[at]
    assert line["worst cell"] == " ".join(str(mine[name][at]) for name in ("table", "mechanism", "seed"))
    assert line["to mean"] == (mine["rmse"] / mean["rmse"]).max()
    assert line["accuracy"] == pytest.approx(100 * (mine["accuracy"] - forest["accuracy"]).mean())
    assert line["expected"] == pytest.approx(mine["expected"][mine["mechanism"] != "mar30"].median())
    spent = [frame["fit_s"].sum() + frame["fill_s"].sum() for frame in (mine, forest)]
    assert line["time"] == pytest.approx(spent[0] / spent[1])
    assert (line["cells"], line["problems"]) == (12, 1)
    compared = ratios.comparison(results, "mine", "MissForest")
    assert compared.loc["rmse", "figure"] == pytest.approx(line["all"])
    assert compared.loc["rmse", "low"] < line["all"] < compared.loc["rmse", "high"]
    assert compared.loc["accuracy", "figure"] == pytest.approx(line["accuracy"])
    same = ratios.comparison(results.assign(method=results["method"].replace("mean/mode", "mine")), "mine", "mine")
    assert same.empty or (same.loc["rmse", ["figure", "low", "high"]] == 1).all()
    text = "\n".join(ratios.summary_lines(results, "mine"))
    assert "`mine` against `MissForest`" in text
    with pytest.raises(ValueError, match="no finished cell of 'yours'; the methods are: MissForest, mean/mode, mine"):
        list(ratios.summary_lines(results, "yours"))


def test_a_run_goes_on_where_it_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    arguments = ("--data", data, "--out", out, "--models", "median", "--peers", "mean/mode", "--seeds", "0")
    arguments += ("--mechanisms", "mcar30", "--rows", "60,40", "--summary", tmp_path / "s.md")
    run(monkeypatch, *arguments)
    assert "small: left out at 60 rows, it has fewer" in capsys.readouterr().out
    whole = pd.read_csv(out)
    assert len(whole) == 3 * 2
    assert (whole["status"] == "ok").all()
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:4]) + lines[4][:12])  # a kill in the middle of a line
    run(monkeypatch, *arguments)
    seconds = ["fit_s", "fill_s", "spread_s"]
    pd.testing.assert_frame_equal(pd.read_csv(out).drop(columns=seconds), whole.drop(columns=seconds))
    assert [line for line in (tmp_path / "s.md").read_text().splitlines() if line.startswith("##")] == [
        "## 40 rows",
        "## 60 rows",
    ]


def test_rows_filled_in_another_environment_are_evaluated_in_sample(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, out = tmp_path / "kept", tmp_path / "out.csv"
    arguments = ("--data", data, "--tables", "large", "--mechanisms", "mcar30", "--seeds", "0", "--rows", "60")
    run(monkeypatch, *arguments, "--out", out, "--save", kept, "--filled", "other")
    assert "FileNotFoundError" in pd.read_csv(out)["status"][0]
    out.unlink()
    folder, table = kept / "60-large-mcar30-0", masked_tables.read(data, "large")
    sample = masked_tables.mask_cells(table, "mcar30", 60, 0)
    assert json.loads((folder / "categories.json").read_text()) == ["kind"]
    masked = pd.read_csv(folder / "train.csv", dtype={"kind": str}, keep_default_na=False, na_values=[""])
    assert (masked.isna().to_numpy() == sample.train.isna().to_numpy()).all()
    perfect = sample.complete[: len(sample.train)]
    perfect.to_csv(folder / "other.csv", index=False)
    (folder / "other.json").write_text('{"seconds": 4.5}')
    run(monkeypatch, *arguments, "--out", out, "--save", kept, "--filled", "other", "--peers", "mean/mode")
    found = pd.read_csv(out).set_index("method").loc["other"]
    assert (found["in_rmse"], found["in_accuracy"], found["fit_s"], found["status"]) == (0, 1, 4.5, "ok")
    assert np.isnan(found["rmse"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tables", "none"), "--tables none: expected some of large, small"),
        (("--mechanisms", "mcar"), "mechanism 'mcar'"),
        (("--peers", "forest"), "--peers forest: expected some of mean/mode, MissForest"),
        (("--filled", "other"), "--filled: expected --save"),
        (("--models", "medain"), "no model is named 'medain'"),
    ],
)
def test_a_wrong_option_ends_the_program(
    arguments: tuple[str, ...],
    message: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--data", data, "--out", tmp_path / "out.csv", *arguments)
    assert message in capsys.readouterr().err
