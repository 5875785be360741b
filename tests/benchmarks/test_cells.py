"""The benchmark of wrong cells: errors that are put in, trees written out, figures by hand, the tables of the bank."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from anomalo.cleaning.suspects import Suspects
from tests.benchmarks.loading import BENCHMARKS, load

errors, bank, cells = load("cell_errors"), load("cell_bank"), load("cells")
reports, tables, writing = load("cell_reports"), load("cell_tables"), load("cell_writing")


def clean(rows: int = 400) -> np.ndarray:
    random = np.random.default_rng(0)
    columns = [random.choice(["Ann Lee", "Bob Ray"], rows), random.integers(10, 99, rows).astype(str)]
    return np.stack(columns, axis=1).astype(object)


@pytest.mark.parametrize("kind", ["typo", "missing", "format"])
def test_errors_of_one_kind_are_put_in_at_their_rate(kind: str) -> None:
    found = errors.inject(clean(), np.random.default_rng(1), 0.1, kind)
    wrong = found.dirty != found.clean
    assert 0.05 < wrong.mean() < 0.15
    assert set(found.kinds[wrong]) == {kind}
    assert set(found.kinds[~wrong]) == {""}
    assert (found.clean == clean()).all()


def test_errors_of_a_seed_are_the_same() -> None:
    one, two = (errors.inject(clean(), np.random.default_rng(3)).dirty for _ in range(2))
    assert (one == two).all()


def test_trees_written_out_give_the_log_odds_of_the_fitted_model() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(2000, 5)).astype(np.float32)
    target = features[:, 0] * features[:, 1] > 0.3
    model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(features, target)
    assert bank.plain(model).log_odds(features) == pytest.approx(model.decision_function(features))


def test_a_joined_table_repeats_the_rows_of_both() -> None:
    one, other = clean(30), np.array([[f"k{at}", f"v{at % 3}"] for at in range(20)], dtype=object)
    joined = tables.joined_table(one, other, np.random.default_rng(2))
    assert len(joined) > 100
    assert set(map(tuple, joined[:, :2])) <= set(map(tuple, one))


def test_sources_report_items_and_disagree_where_they_are_wrong() -> None:
    found = reports.reported_table(clean(60), np.random.default_rng(4))
    wrong = found.dirty != found.clean
    items = {}
    for row in found.clean:
        assert items.setdefault(row[1], tuple(row[2:])) == tuple(row[2:])
    assert len(items) < len(found.clean) / 3
    assert not wrong[:, :2].any()
    assert 0.02 < wrong[:, 2:].mean() < 0.6
    assert set(found.kinds[wrong]) == {"source"}


@pytest.mark.parametrize("way", ["listed", "levels", "styled", "noted"])
def test_written_columns_have_a_text_for_each_row(way: str) -> None:
    one, two = (getattr(writing, way)(clean(), np.random.default_rng(5)) for _ in range(2))
    assert one.shape == (400,)
    assert all(isinstance(text, str) for text in one)
    assert (one == two).all()


def test_a_dependency_is_broken_only_where_there_is_one() -> None:
    random = np.random.default_rng(0)
    code = random.choice(["a", "b", "c"], 400)
    free = random.choice(["x", "y", "z"], 400)
    table = np.stack([code, np.char.add("name ", code), free], axis=1).astype(object)
    assert cells.dependent(table) == [0, 1]
    found = errors.inject(table, random, 0.1, "other level", [1])
    assert (found.dirty != found.clean).any(axis=0).tolist() == [False, True, False]


def test_the_tables_of_the_list_are_copied_from_clones(tmp_path: Path) -> None:
    clone = tmp_path / "clones/one/tables"
    clone.mkdir(parents=True)
    (clone / "a.csv").write_text("x,y\n1,2\n")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", clone, *command], check=True)
    (tmp_path / "list.csv").write_text("file,repository,path,licence\nb.csv,one/tables,a.csv,CC0-1.0\n")
    bank.copied(tmp_path / "list.csv", tmp_path / "clones", tmp_path / "data")
    assert (tmp_path / "data/b.csv").read_text() == "x,y\n1,2\n"


def test_figures_by_hand() -> None:
    observed = np.array([["a", "b"], ["c", "d"]], dtype=object)
    truth = np.array([["A", "b"], ["c", "D"]], dtype=object)
    found = Suspects(
        names=["x", "y"],
        probability=np.array([[0.9, 0.8], [0.1, 0.3]]),
        kind=np.full((2, 2), "typo", dtype=object),
        suggestion=np.array([["A", "z"], [None, "D"]], dtype=object),
        suggested=np.array([[0.95, 0.2], [0.0, 0.1]]),
        threshold=0.5,
    )
    result = cells.figures(found, observed, truth, 1.0)
    assert (result.precision, result.recall, result.f1) == (0.5, 0.5, 0.5)
    assert (result.correction_precision, result.correction_recall) == (0.5, 0.5)
    assert (result.applied, result.applied_precision) == (1, 1.0)
    assert result.average_precision == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.slow
def test_the_trees_of_the_same_tables_are_the_same_to_the_byte(tmp_path: Path) -> None:
    """In processes that order sets of texts differently, with another number of threads."""
    random = np.random.default_rng(0)
    for name in ("towns", "people"):
        texts = [random.choice([f"{name} {at} {letter}" for at in range(9)], 450) for letter in "abcde"]
        rows = "\n".join(",".join([*row, str(at)]) for at, row in enumerate(zip(*texts, strict=True)))
        (tmp_path / f"{name}.csv").write_text(f"a,b,c,d,e,number\n{rows}\n")
    (tmp_path / "list.csv").write_text("file,repository,path,licence\ntowns.csv,,,\npeople.csv,,,\n")
    command = [sys.executable, str(BENCHMARKS / "cell_bank.py"), "--data", str(tmp_path), "--folds", "0"]
    command += ["--tables", str(tmp_path / "list.csv"), "--trees", "5", "--out"]
    for at in "12":
        settings = {**os.environ, "PYTHONHASHSEED": at, "OMP_NUM_THREADS": at}
        subprocess.run([*command, str(tmp_path / at)], check=True, capture_output=True, env=settings)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert len((tmp_path / "1").read_bytes()) > 5000


def test_the_bank_has_thirty_tables_with_licences_and_none_that_is_tested_on() -> None:
    with (BENCHMARKS / "cell_bank.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len({line["file"] for line in lines}) == len(lines) >= 30
    assert all(line["licence"] and line["repository"] and line["path"] for line in lines)
    tested = ("hospital", "flights", "beers", "rayyan", "adult", "shoppers", "german", "california", "housing")
    assert [line["file"] for line in lines if Path(line["path"]).stem.lower() in tested] == []
