"""`anomalo augment`: exact conditions, given cells, constraints, reproducible files, and the advice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.pipeline.augmentation.advice import Advice, Trial, hopeless
from anomalo.pipeline.augmentation.study import advise
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def context(tables: Path, anomalo: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with generators: `rows` learned from CSV, `typed` from Parquet."""
    folder = tmp_path_factory.mktemp("generators")
    common = ("--model", "bootstrap", "--for", "sample", "--id", "name", "--label", "sick", "--workspace", folder)
    fixed = ("--constraint", "fixed: colour, smoker")
    for name, source, more in (("rows", "patients.csv", fixed), ("typed", "patients.parquet", ())):
        outcome = anomalo("fit", tables / source, "--as", name, *more, *common)
        assert outcome.code == 0, outcome.err
    return folder


def test_rows_are_written_as_the_training_table_was(context: Path, anomalo: Call, tables: Path, tmp_path: Path) -> None:
    for name, suffix, read in (("rows", "csv", pd.read_csv), ("typed", "parquet", pd.read_parquet)):
        path = tmp_path / f"made.{suffix}"
        outcome = anomalo("augment", "--with", name, "-n", 300, "-o", path, "--workspace", context, "--json")
        assert outcome.code == 0, outcome.err
        made, real = read(path), read(tables / f"patients.{suffix}")
        assert outcome.json["summary"]["rows"] == len(made) == 300
        assert list(made.columns) == list(real.columns)
        assert made.drop(columns="name").dtypes.equals(real.drop(columns="name").dtypes)
        assert made["name"].isna().all()
        assert "did not learn 'name'" in outcome.json["summary"]["warnings"][0]
        assert made["weight"].isna().any()
        assert set(made["height"]) <= set(real["height"])
        assert set(made["sick"]) == {"no", "yes"}


def test_equal_seeds_are_equal_bytes(context: Path, anomalo: Call, tmp_path: Path) -> None:
    written = []
    for at, seed in enumerate((4, 4, 5)):
        path = tmp_path / f"{at}.csv"
        assert (
            anomalo("augment", "--with", "rows", "-n", 50, "-o", path, "--seed", seed, "--workspace", context).code == 0
        )
        written.append(path.read_bytes())
    assert written[0] == written[1] != written[2]


def test_where_given_and_constraints(context: Path, anomalo: Call, tmp_path: Path) -> None:
    given = tmp_path / "given.csv"
    given.write_text("name,colour,height\nx1,red,\nx2,,180.0\nx3,blue,150\n")
    path = tmp_path / "made.csv"
    wish = ("--given", given, "--where", "sick=yes", "--constraint", "weight <= 60", "--constraint", "weight < height")
    outcome = anomalo("augment", "--with", "rows", "-o", path, *wish, "--workspace", context)
    assert outcome.code == 0, outcome.err
    assert "3 synthetic rows" in outcome.out
    made = pd.read_csv(path, dtype=str)
    assert made["name"].tolist() == ["x1", "x2", "x3"]
    assert made["colour"][0] == "red"
    assert made["height"].tolist()[1:] == ["180.0", "150"]  # to the character
    assert set(made["sick"]) == {"yes"}
    weight = made["weight"].astype(float)
    assert (weight.isna() | (weight <= 60)).all()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("-n", "0"), 2, "0 rows: expected a whole number from 1"),
        ((), 2, "give either the number of rows"),
        (("-n", "5", "--where", "colour=mauve"), 2, "'mauve', which the training table never had; it had 'red'"),
        (("-n", "5", "--where", "colour"), 2, "expected NAME=VALUE"),
        (("-n", "5", "--constraint", "height > 900"), 2, "expected a limit that training values satisfy"),
        (("-n", "5", "--constraint", "fixed: colour, sick"), 2, "learned in training; give it to fit"),
        (("-n", "5", "--label", "sick"), 2, "augment SOURCE --advise"),
        (("--given", "absent.csv"), 1, "no such file"),
        (("--advise",), 2, "--advise draws no rows"),
    ],
)
def test_what_cannot_be_made(context: Path, anomalo: Call, options: tuple[str, ...], code: int, message: str) -> None:
    outcome = anomalo("augment", "--with", "rows", *options, "--workspace", context)
    assert outcome.code == code
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_given_table_that_does_not_fit(context: Path, anomalo: Call, tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("colour,height\nred,160\nmauve,170\n")
    outcome = anomalo("augment", "--with", "rows", "--given", path, "--workspace", context)
    assert outcome.code == 4
    assert "row 1: column 'colour' holds 'mauve'" in outcome.err


def test_models_that_do_not_sample(workspace: Path, anomalo: Call, tables: Path) -> None:
    outcome = anomalo("augment", "--with", "near", "-n", 5, "--workspace", workspace)
    assert outcome.code == 2
    assert "model 'knn' cannot sample" in outcome.err
    outcome = anomalo(
        "fit",
        tables / "patients.csv",
        "--model",
        "knn",
        "--as",
        "x",
        "--constraint",
        "height > 1",
        "--workspace",
        workspace,
    )
    assert outcome.code == 2
    assert "constraints are for models that sample" in outcome.err


def rare(shift: float, positives: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    frame["label"] = np.where(np.arange(300) < positives, "bad", "good")
    frame.loc[: positives - 1, "a"] += shift
    return frame


@pytest.mark.slow
def test_the_advice_is_not_to_where_nothing_helps(anomalo: Call, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rare(2.0).to_csv(path, index=False)
    wish = ("--advise", "--label", "label", "--model", "marginals", "--workspace", tmp_path / "workspace")
    outcome = anomalo("augment", path, *wish)
    assert outcome.code == 0, outcome.err
    assert "40 rows of 300 have label = bad" in outcome.out
    assert "don't: neither weights nor synthetic rows help to find label = bad" in outcome.out
    facts = anomalo("augment", path, *wish, "--json").json["summary"]
    assert [trial["method"] for trial in facts["trials"]] == ["none", "weights", "marginals"]
    assert facts["best"] == "none"


@pytest.mark.parametrize(
    ("label", "message"), [("a", "is a number; expected classes"), ("few", "at least 10 rows, got bad (4)")]
)
def test_labels_that_nothing_can_be_said_of(anomalo: Call, tmp_path: Path, label: str, message: str) -> None:
    path = tmp_path / "table.csv"
    rare(2.0).assign(few=["bad"] * 4 + ["good"] * 296).to_csv(path, index=False)
    outcome = anomalo("augment", path, "--advise", "--label", label, "--workspace", tmp_path / "workspace")
    assert outcome.code == 2
    assert message in outcome.err


def trials(*gains: float) -> Advice:
    rng = np.random.default_rng(1)
    base = 0.5 + 0.05 * rng.normal(size=10)
    noise = 0.01 * rng.normal(size=(len(gains), 10))
    tried = [Trial(f"way{at}", list(base + gain + noise[at])) for at, gain in enumerate(gains)]
    return Advice("label", "bad", 20, 200, [Trial("none", list(base)), *tried], 0.25)


def test_the_interval_is_that_of_nadeau_and_bengio() -> None:
    advice = trials(0.03)
    mean, low, high = advice.gain(advice.trials[1], advice.trials[0])
    difference = np.subtract(advice.trials[1].precision, advice.trials[0].precision)
    half = 2.262157 * np.sqrt((1 / 10 + 0.25) * difference.var(ddof=1))  # t of 9 degrees of freedom
    assert (mean, low, high) == pytest.approx((difference.mean(), difference.mean() - half, difference.mean() + half))


@pytest.mark.parametrize(
    ("gains", "best"),
    [((0.0, 0.0), "none"), ((0.1, 0.0), "way0"), ((0.0, 0.1), "way1"), ((0.1, 0.105), "way0"), ((-0.1, 0.004), "none")],
)
def test_the_simplest_way_that_is_not_beaten(gains: tuple[float, float], best: str) -> None:
    assert trials(*gains).best().method == best


@pytest.mark.parametrize("seed", range(20))
def test_a_way_is_hopeless_just_if_no_gains_to_come_could_help(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = 0.05 * rng.normal(size=rng.integers(3, 9)) + 0.02 * rng.integers(-2, 3)
    left = 10 - len(seen)
    equal = np.linspace(-1, 30, 10_000)[:, None] * np.abs(seen).mean() * np.ones(left)
    others = rng.normal(size=(10_000, left)) * rng.exponential(size=(10_000, 1)) + rng.normal(size=(10_000, 1))
    gains = np.array([np.concatenate([seen, later]) for later in (*equal, *others)])
    reach = 2.262157 * np.sqrt((1 / 10 + 0.25) * gains.var(axis=1, ddof=1))  # t of 9 degrees of freedom
    assert hopeless(seen, 10, 0.25) == (not (gains.mean(axis=1) - reach > 0).any())


@pytest.mark.slow
def test_a_hopeless_generator_is_given_up_without_changing_the_advice() -> None:
    table = pa.Table.from_pandas(rare(2.0), preserve_index=False)
    wish = SchemaOptions(label="label")

    soon, whole = (
        advise(table, wish, Registry.load(), generators=("marginals", "bootstrap"), tried=tried) for tried in (3, 10)
    )
    given_up = [(len(trial.precision), trial.hopeless) for trial in soon.trials]
    assert given_up[:2] == [(10, False), (10, False)]
    assert any(3 <= parts < 10 and hopeless for parts, hopeless in given_up[2:])
    assert soon.best().method == whole.best().method
    for short, full in zip(soon.trials, whole.trials, strict=True):
        assert short.precision == full.precision[: len(short.precision)]


def test_a_way_that_fails_is_reported_and_skipped() -> None:
    table = pa.Table.from_pandas(rare(3.0), preserve_index=False)
    advice = advise(table, SchemaOptions(label="label"), Registry.load(), generators=("mean",), folds=2, repeats=1)
    assert "cannot sample" in str(advice.trials[2].failure)
    assert advice.best().method in ("none", "weights")
