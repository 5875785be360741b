"""Synthetic rows: what is given stays, what is left out is empty, constraints hold, seeds reproduce."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo import TableAugmenter
from anomalo.errors import SchemaError, UsageError
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.generator import Generator, nothing, repeated, require_possible
from anomalo.plugin import Encoded, Model, Run, hookimpl, param
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer


@dataclass(kw_only=True)
class Columns(Model):
    """Draws every cell from its column's training cells, missing ones included, independently of all others."""

    name = "columns"
    factor: float = param(1.0, low=0.0, high=1e9, help="What drawn numbers are multiplied with.")

    def fit(self, data: Encoded, run: Run) -> Self:
        self.values_, self.observed_ = data.values.copy(), data.observed.copy()
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        rows = run.rng.integers(len(self.values_), size=given.values.shape)
        at = np.arange(given.values.shape[1])
        values, observed = self.values_[rows, at], self.observed_[rows, at] | given.observed
        values[:, given.layout.numbers] *= np.float32(self.factor)
        return Encoded(np.where(given.observed, given.values, values), observed, given.layout)


@dataclass(kw_only=True)
class Scoring(Columns):
    """Scores as well, and minds the label."""

    name = "scoring"

    def score(self, data: Encoded) -> Any:
        assert not data.observed[:, data.layout.labels].any()
        return np.where(data.observed, data.values, 0).sum(axis=1, dtype=np.float64)


@hookimpl
def anomalo_models() -> list[type[Model]]:
    return [Columns, Scoring]


ENTRIES = {
    "tables": "anomalo.registry.hooks",
    "baselines": "anomalo_baselines",
    "mine": __name__,
}
REGISTRY = Registry.load(entry_points=[EntryPoint(name, value, "anomalo") for name, value in ENTRIES.items()])
OPTIONS = SchemaOptions(id="name", label="sick")


def fitted(frame: pd.DataFrame, options: SchemaOptions = OPTIONS, model: Model | None = None, **config: Any) -> Fitted:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    config = {"goals": frozenset({"sample"})} | config
    return Fitted.fit(table, infer(table, options), FitConfig(model or Columns(), **config), REGISTRY).fitted


@pytest.fixture(scope="module")
def known(patients: pd.DataFrame) -> Fitted:
    return fitted(patients)


def drawn(known: Fitted, given: pa.RecordBatch, **options: Any) -> pd.DataFrame:
    return Generator(known, **options).rows(given).to_pandas()


def test_rows_have_the_columns_types_and_values_of_the_training_table(known: Fitted, patients: pd.DataFrame) -> None:
    rows = drawn(known, nothing(500))
    assert list(rows.columns) == list(patients.columns)
    assert rows["name"].isna().all()
    for name in ("height", "weight", "children", "colour", "smoker", "sick"):
        assert rows[name].dtype == patients[name].dtype
        assert set(rows[name].dropna()) <= set(patients[name].dropna())
    assert rows["weight"].isna().any()
    assert not rows["height"].isna().any()


def test_seeds_reproduce_and_differ(known: Fitted) -> None:
    first, again, other = (Generator(known, seed=seed).rows(nothing(50)) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    generator = Generator(known, seed=1)
    assert generator.rows(nothing(50)).equals(first)
    assert not generator.rows(nothing(50)).equals(first)  # the next chunk


def test_where_is_exact(known: Fitted) -> None:
    rows = drawn(known, repeated(known, {"sick": "yes", "children": 2, "height": 170.1}, 40))
    assert set(rows["sick"]) == {"yes"}
    assert set(rows["children"]) == {2}
    assert set(rows["height"]) == {170.1}
    assert rows["colour"].nunique() > 1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"colour": "gren"}, "column 'colour' holds 'gren', which the training table never had; it had 'red', 'green'"),
        ({"color": "red"}, "the training table had no column 'color'; did you mean 'colour'"),
        ({"name": "p001"}, "column 'name' was left out in training"),
        ({"height": 999.0}, "column 'height' holds 999.0, which the training table never had; values outside"),
        ({"height": "tall"}, "where: .*'tall'"),
        ({"height": None}, "where height=None: expected a value"),
    ],
)
def test_where_that_no_row_can_have(known: Fitted, where: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        repeated(known, where, 3)


def test_given_cells_stay_and_empty_ones_are_drawn(known: Fitted, patients: pd.DataFrame) -> None:
    table = patients[["name", "weight", "colour"]].iloc[:60]
    given = pa.RecordBatch.from_pandas(table, preserve_index=False)
    require_possible(known, given)
    rows = drawn(known, given)
    assert rows["name"].tolist() == table["name"].tolist()
    for name in ("weight", "colour"):
        there = table[name].notna().to_numpy()
        assert rows[name][there].tolist() == table[name][there].tolist()
    assert rows["sick"].notna().all()


def test_given_cells_of_another_table(known: Fitted) -> None:
    given = pa.RecordBatch.from_pydict({"colour": ["red", "mauve"]})
    with pytest.raises(SchemaError, match="row 8: column 'colour' holds 'mauve'"):
        require_possible(known, given, first_row=7)
    with pytest.raises(SchemaError, match="no column 'nose'"):
        require_possible(known, pa.RecordBatch.from_pydict({"nose": [1]}))


def test_constraints_hold_and_no_row_is_dropped(patients: pd.DataFrame) -> None:
    texts = ("height >= 165", "children < 3", "weight < height", "fixed: colour, smoker")
    known = fitted(patients, constraints=texts)
    assert "training rows break the constraints" in known.warnings[-1]
    generator = Generator(known, known.constraints)
    rows = generator.rows(nothing(300)).to_pandas()
    assert len(rows) == generator.drawn == 300
    assert generator.redrawn > generator.repaired > 0
    assert rows["height"].min() >= 165
    assert rows["children"].max() < 3
    assert (rows["weight"].isna() | (rows["weight"] < rows["height"])).all()
    seen = patients[["colour", "smoker"]].fillna("-").apply(tuple, axis=1)
    assert set(rows[["colour", "smoker"]].fillna("-").apply(tuple, axis=1)) <= set(seen)


def test_a_label_is_learned_but_never_seen_by_a_score(patients: pd.DataFrame) -> None:
    known = fitted(patients, model=Scoring(), goals=frozenset())
    assert [block.name for block in known.encoder.layout.blocks if block.label] == ["sick"]
    data = known.encode(pa.RecordBatch.from_pandas(patients.drop(columns="sick"), preserve_index=False))
    with_label = known.encode(pa.RecordBatch.from_pandas(patients, preserve_index=False))
    assert np.array_equal(known.score(data).score, known.score(with_label).score)
    assert (known.score(data).p_value <= 1).all()


def test_without_a_wish_to_sample_the_label_is_no_column(patients: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(patients, preserve_index=False)
    known = Fitted.fit(table, infer(table, OPTIONS), FitConfig("mean", goals=frozenset({"impute"})), REGISTRY).fitted
    assert "sick" not in [block.name for block in known.encoder.layout.blocks]


def test_constraints_are_for_models_that_sample(patients: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="constraints are for models that sample"):
        fitted(patients, model=REGISTRY.create("mean"), constraints=("height > 160",))


def test_text_keeps_its_spelling(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        "price,when,size\n" + "".join(f"{7 + i / 8:.3f},{1 + i % 28:02}.03.2021,{i % 3}0 cm\n" for i in range(80))
    )
    table = pa.Table.from_batches(list(REGISTRY.read(str(path))))
    known = Fitted.fit(table, infer(table), FitConfig(Columns(), goals=frozenset({"sample"})), REGISTRY).fitted
    rows = drawn(known, nothing(40))
    assert rows["price"].str.fullmatch(r"\d+\.\d{3}").all()
    assert rows["when"].str.fullmatch(r"\d\d\.03\.2021").all()
    assert set(rows["size"]) <= {"00 cm", "10 cm", "20 cm"}


def test_rare_levels_are_drawn_as_often_as_they_were_seen() -> None:
    names = [f"v{i:03}" for i in range(150) for _ in range(400 if i < 100 else 1 + 9 * (i == 149))]
    known = fitted(pd.DataFrame({"city": names, "size": np.arange(len(names)) % 50}), SchemaOptions())
    (block,) = [block for block in known.encoder.layout.blocks if block.name == "city"]
    assert len(block.rare) == 50
    cells = np.full((6000, 2), float(2 + len(block.levels)))
    counts = known.encoder.write(cells, np.random.default_rng(0)).column("city").to_pandas().value_counts()
    assert counts.index[0] == "v149"
    assert counts["v149"] == pytest.approx(6000 * 10 / 59, rel=0.1)
    assert len(counts) == 50
    rows = drawn(known, repeated(known, {"city": "v120"}, 5))
    assert set(rows["city"]) == {"v120"}


@pytest.fixture
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "load", lambda *_, **__: REGISTRY)


@pytest.mark.usefixtures("_ours")
class TestAugmenter:
    """The scikit-learn face."""

    def test_frames(self, patients: pd.DataFrame) -> None:
        frame = patients.drop(columns="name").assign(colour=lambda f: f["colour"].astype("category"))
        with pytest.warns(UserWarning, match="of 240 training rows break the constraints"):
            augmenter = TableAugmenter(Columns(), constraints=["children <= 2"]).fit(frame)
        rows = augmenter.sample(30, where={"sick": "yes"})
        assert rows.dtypes.to_dict() == frame.dtypes.to_dict()
        assert set(rows["sick"]) == {"yes"}
        assert rows["children"].max() <= 2
        pd.testing.assert_frame_equal(rows, augmenter.sample(30, where={"sick": "yes"}))
        assert not rows.equals(augmenter.sample(30, where={"sick": "yes"}, random_state=5))
        filled = augmenter.sample(given=frame[["height", "smoker"]].iloc[:7], where={"sick": "no"})
        assert filled["height"].tolist() == frame["height"].iloc[:7].tolist()
        assert set(filled["sick"]) == {"no"}
        with pytest.raises(UsageError, match="'smoker' is given for all rows and row by row"):
            augmenter.sample(given=frame[["smoker"]].head(), where={"smoker": "no"})

    def test_arrays(self) -> None:
        X = np.random.default_rng(0).normal(size=(50, 3)).round(3)
        rows = TableAugmenter(Columns()).fit(X).sample(20)
        assert rows.shape == (20, 3)
        assert rows.dtype == np.float64
        assert np.isin(rows, X).all()

    @pytest.mark.parametrize("n", [0, -1, 1.5, None])
    def test_how_many(self, n: Any) -> None:
        with pytest.raises(UsageError, match="expected a"):
            TableAugmenter(Columns()).fit(np.eye(4)).sample(n)

    def test_a_model_that_cannot(self) -> None:
        with pytest.raises(UsageError, match="model 'mean' cannot sample; it can: impute"):
            TableAugmenter("mean").fit(np.eye(4))
