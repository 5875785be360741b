"""The benchmark of tables with a fixed split: its protocols, halves and tests, and a run that is resumed."""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import wilcoxon

from anomalo.calibration.thresholds import most_anomalous
from tests.benchmarks.loading import load

oddbench, detection, methods, peers = load("oddbench"), load("detection"), load("methods"), load("peer_detectors")
TABLES = ("Alpha", "Zeta", "beta", "gamma", "iota")


def labelled(seed: int, train: int = 40, normal: int = 30, anomalies: int = 10) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = train + normal + anomalies
    table = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    table["_split"] = ["train"] * train + ["test"] * (rows - train)
    table["_label"] = [0] * (train + normal) + [1] * anomalies
    table.loc[table["_label"] == 1, "a"] += 3
    return table.sample(frac=1, random_state=seed)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with five tables."""
    folder = tmp_path / "data"
    folder.mkdir()
    for seed, name in enumerate(TABLES):
        labelled(seed).to_parquet(folder / f"{name}.parquet")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["oddbench.py", *map(str, arguments)])
    oddbench.main()


def random_results(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cells = itertools.product(TABLES, ["oneclass"], [0, 1], ["auto", peers.FIFTH, "other"])
    results = pd.DataFrame(list(cells), columns=["set", "protocol", "seed", "method"])
    results[["auroc", "ap", "fit_s", "score_s"]] = rng.uniform(size=(len(results), 4))
    return results.assign(status="ok")


def test_one_class_keeps_the_split_and_hides_what_is_no_feature() -> None:
    table = labelled(0)
    train, test = oddbench.split(table, "oneclass", 3)
    assert train.index.tolist() == table.index[table["_split"] == "train"].tolist()
    assert test.index.tolist() == table.index[table["_split"] == "test"].tolist()
    assert list(test.columns) == ["a", "b", "c", "label"]
    assert test["label"].tolist() == table.loc[test.index, "_label"].tolist()


def test_mixed_rows_have_the_share_of_anomalies_and_are_shuffled() -> None:
    table = labelled(0, train=400, normal=300, anomalies=100)
    table.loc[table.index[(table["_split"] == "train")][:20], "_label"] = 1  # anomalies of the train part stay out
    train, test = oddbench.split(table, "mixed-0.1", 0)
    assert train is test
    normal = int((table["_label"] == 0).sum())
    assert (len(train), train["label"].sum()) == (normal + round(normal / 9), round(normal / 9))
    there = {*table.loc[(table["_label"] == 0) | (table["_split"] == "test"), "a"]}
    assert set(train["a"]) <= there
    assert train["a"].nunique() == len(train)
    assert train["label"].to_numpy()[: len(train) // 2].sum() not in (0, train["label"].sum())
    assert train.equals(oddbench.split(table, "mixed-0.1", 0)[0])
    assert not train.equals(oddbench.split(table, "mixed-0.1", 1)[0])


def test_mixed_rows_are_limited_and_few_anomalies_are_all_taken() -> None:
    chosen = oddbench.mixed(np.arange(5000), np.arange(5000, 6000), 0.05, 0)
    assert ((chosen < 5000).sum(), (chosen >= 5000).sum()) == (3000, 158)
    few = oddbench.mixed(np.arange(5000), np.arange(5000, 5010), 0.05, 0)
    assert ((few < 5000).sum(), (few >= 5000).sum()) == (3000, 10)
    with pytest.raises(ValueError, match="no anomaly"):
        oddbench.mixed(np.arange(5000), np.arange(0), 0.05, 0)


def test_the_fifth_neighbour_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    train, test = (pd.DataFrame(rng.normal(3, 2, size=(rows, 4)), columns=list("abcd")) for rows in (30, 9))
    centred = [((part - train.mean()) / train.std(ddof=0)).to_numpy() for part in (train, test)]
    detector = peers.FifthNeighbour()
    detector.fit(train.assign(text="x"))
    assert detector.score(test.assign(text="y")) == pytest.approx(np.sort(cdist(centred[1], centred[0]))[:, 4])
    assert detector.score_training(train) == pytest.approx(np.sort(cdist(centred[0], centred[0]))[:, 5])


def test_the_fifth_neighbour_takes_a_missing_number_for_the_mean() -> None:
    train = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"])
    detector = peers.FifthNeighbour()
    detector.fit(train)
    missing, mean = pd.DataFrame({"a": [0.5], "b": [np.nan]}), pd.DataFrame({"a": [0.5], "b": [train["b"].mean()]})
    assert detector.score(missing) == pytest.approx(detector.score(mean))


def test_calibrated_models_rank_training_rows_as_a_scan_does() -> None:
    train = labelled(1)[["a", "b", "c"]]
    train = pd.concat([train, train.head(3)], ignore_index=True)
    detector = methods.Calibrated("knn", {}, 0)
    detector.fit(train)
    ranks = detector.score_training(train)
    order = most_anomalous(detector.detector.p_values(train), detector.score(train))
    assert (np.diff(ranks[order]) <= 0).all()
    assert ranks[:3].tolist() == ranks[-3:].tolist()  # equal rows tie
    plain = methods.Ours("knn", {}, 0)
    plain.fit(train)
    assert plain.detector.fitted_.facts["goals"] == ["score"]
    assert plain.detector.fitted_.facts["calibrated"] is False


def test_halves_alternate_in_the_alphabet_whatever_was_run(data: Path) -> None:
    assert oddbench.halves(data) == {
        "all": ["Alpha", "Zeta", "beta", "gamma", "iota"],
        "choose": ["Alpha", "beta", "iota"],
        "check": ["Zeta", "gamma"],
    }
    results = random_results()
    text = "\n".join(oddbench.report_lines(results[results["set"] == "Zeta"], data))
    assert "## oneclass, choose: no cell was finished" in text
    assert "## oneclass, check\n" in text


def test_differences_from_the_fifth_neighbour_by_hand() -> None:
    results = random_results()
    lost = (results["method"] == "other") & (results["set"] == "beta")
    results.loc[lost, ["auroc", "ap", "status"]] = [np.nan, np.nan, "ValueError: no"]
    lines = oddbench.against_fifth(results)
    means = results.groupby(["method", "set"])[["auroc", "ap"]].mean()
    for method, tables in (("auto", list(TABLES)), ("other", [name for name in TABLES if name != "beta"])):
        mine, fifth = means.loc[method].loc[tables], means.loc[peers.FIFTH].loc[tables]
        line = lines.loc[method]
        assert line["auroc"] == pytest.approx(100 * mine["auroc"].mean())
        assert line["difference"] == pytest.approx(100 * (mine - fifth)["auroc"].mean())
        assert line["ap difference"] == pytest.approx(100 * (mine - fifth)["ap"].mean())
        assert line["low"] < line["difference"] < line["high"]
        assert line["p"] == pytest.approx(wilcoxon(mine["auroc"], fifth["auroc"], alternative="greater").pvalue)
        assert line["sets"] == len(tables)
    assert lines.loc["other", "problems"] == 2
    assert np.isnan(lines.loc[peers.FIFTH, "p"])


def test_better_on_each_of_five_tables_is_one_case_in_thirty_two() -> None:
    results = random_results()
    fifth = results["method"] == peers.FIFTH
    results.loc[fifth, "auroc"] = 0.5
    results.loc[results["method"] == "auto", "auroc"] = 0.5 + 0.01 * np.repeat(np.arange(1, 6), 2)
    results.loc[results["method"] == "other", "auroc"] = 0.5
    lines = oddbench.against_fifth(results)
    assert lines.loc["auto", ["difference", "p"]].tolist() == pytest.approx([3, 1 / 32])
    assert lines.loc["other", ["difference", "low", "high", "p"]].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("protocol", ["oneclass", "mixed-0.1"])
def test_a_run_is_resumed(
    protocol: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, summary = tmp_path / "out.csv", tmp_path / "s.md"
    mixed = () if protocol == "oneclass" else ("--mixed", ".1", "--against", "knn")
    arguments = ("--data", data, "--out", out, "--models", "knn", "--sets", "Alpha,Zeta", "--seeds", "0,1", *mixed)
    run(monkeypatch, *arguments, "--summary", summary)
    whole = pd.read_csv(out)
    assert len(whole) == 2 * 2 * 2
    assert set(whole["protocol"]) == {protocol}
    assert (whole["status"] == "ok").all()
    assert (whole["auroc"] > 0.6).all()
    assert set(whole["n_train"]) == ({40} if protocol == "oneclass" else {70 + 8})
    text = summary.read_text()
    assert capsys.readouterr().out.endswith(text + "\n")
    assert f"## {protocol}, check" in text
    assert ("`knn` less each other method" in text) == bool(mixed)
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:6]) + lines[6][:12])  # a kill in the middle of a line
    measured = []
    measure = detection.measure
    monkeypatch.setattr(detection, "measure", lambda row, *rest: (measured.append(row), measure(row, *rest))[1])
    run(monkeypatch, *arguments)
    assert len(measured) == 8 - 5
    pd.testing.assert_frame_equal(
        pd.read_csv(out).drop(columns=["fit_s", "score_s"]), whole.drop(columns=["fit_s", "score_s"])
    )


def test_the_label_is_not_shown_and_a_table_without_anomalies_is_a_status() -> None:
    class Shown:
        def __init__(self, seed: int) -> None: ...

        def fit(self, train: pd.DataFrame) -> None:
            assert list(train.columns) == ["a", "b", "c"]

        def score(self, test: pd.DataFrame) -> Any:
            assert list(test.columns) == ["a", "b", "c"]
            return test["a"].to_numpy()

        score_training = score

    for protocol in ("oneclass", "mixed-0.1"):
        row = detection.measure(detection.Row("s", protocol, 0, "m"), labelled(0), Shown, oddbench.split)
        assert row.status == "ok"
    clean = labelled(0).query("_label == 0")
    row = detection.measure(detection.Row("s", "mixed-0.1", 0, "m"), clean, Shown, oddbench.split)
    assert row.status == "ValueError: the test part has no anomaly"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mixed", "1.5"), "--mixed 1.5: expected a share between 0 and 1"),
        (("--sets", "none"), "--sets none: not in"),
        (("--models", "kn"), "no model is named 'kn'"),
        (("--pyod", "none"), "--pyod none: expected some of KNN"),
    ],
)
def test_a_wrong_option_ends_the_program(
    arguments: tuple[str, ...], message: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--data", data, "--out", tmp_path / "out.csv", *arguments)
    assert message in capsys.readouterr().err
