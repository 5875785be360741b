"""Codes and the way back: each model's against its network, the estimator's against closed forms, the job's files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from anomalo import TableEmbedder
from anomalo.encoding.encoded import Encoded
from anomalo.errors import SchemaError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing.embed import embed
from anomalo.models.run import LocalRun
from anomalo.neural import Reconstructor
from anomalo.nn.model import CHUNK
from anomalo.pipeline.saved_model import load_fitted
from anomalo.plugin import FIRST_LEVEL, verbs_of
from anomalo.registry.registry import Registry
from anomalo.testing.tables import tables as kit_tables

REGISTRY = Registry.load()
EMBEDDING = [name for name, models in REGISTRY.models.items() if issubclass(models[0], Reconstructor)]


def fitted(name: str) -> tuple[Any, Encoded]:
    train, new = kit_tables()
    return REGISTRY.create(name, epochs=2).fit(train, LocalRun(device="cpu")), new


def linear_table(rows: int = 200) -> pd.DataFrame:
    """Four numbers that follow two hidden ones, without outliers: what the encoder does to them is linear."""
    rng = np.random.default_rng(0)
    hidden = rng.uniform(-1, 1, (rows, 2))
    values = hidden @ rng.normal(size=(2, 4)) + 0.05 * rng.uniform(-1, 1, (rows, 4))
    return pd.DataFrame(values * [1, 10, 100, 0.1] + [0, 5, -300, 2], columns=list("abcd"))


@pytest.fixture(scope="module")
def numbers() -> tuple[pd.DataFrame, TableEmbedder]:
    table = linear_table()
    return table, TableEmbedder("linear", params={"latent": 2, "epochs": 60}).fit(table)


def assert_near(found: Any, expected: Any, table: pd.DataFrame) -> None:
    """Raise unless numbers agree to a thousandth of their column's standard deviation."""
    np.testing.assert_allclose((found - expected) / table.std(), 0, atol=1e-3)


def typed_table(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    words = rng.choice(["red", "green", "blue"], rows)
    frame = pd.DataFrame(
        {
            "whole": rng.integers(0, 9, rows),
            "nullable": pd.array(rng.integers(0, 9, rows), dtype="Int64"),
            "short": rng.normal(size=rows).astype("float32"),
            "flag": rng.random(rows) < 0.5,
            "text": words,
            "ordered": pd.Categorical(words, categories=["blue", "red", "green", "never"], ordered=True),
            "day": pd.Timestamp("2024-01-30") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"),
            "key": [f"key {row} of {rows}" for row in range(rows)],
        }
    )
    frame.loc[3, "text"] = None
    return frame


def test_every_autoencoder_embeds() -> None:
    assert {"linear", "masked", "residual", "stacked", "variational"} <= set(EMBEDDING)
    assert [name for name in EMBEDDING if "embed" not in verbs_of(REGISTRY.get(name))] == []


@pytest.mark.parametrize("name", EMBEDDING)
def test_codes_and_rows_are_those_of_the_network(name: str) -> None:
    model, data = fitted(name)
    codes = model.embed(data)
    x, observed = torch.from_numpy(data.values.copy()), torch.from_numpy(data.observed.copy())
    with torch.no_grad():
        encoded = model.net.encode(x, observed)
        parameters = model.net.decode(encoded)
        torch.testing.assert_close(model.net(x, observed), parameters)
    np.testing.assert_allclose(codes, encoded.numpy(), rtol=1e-4, atol=1e-5)
    rows = model.decode(codes)
    expected = model.net.heads.expected(parameters).detach().numpy()
    at = data.layout.numbers
    np.testing.assert_allclose(rows[:, at], expected[:, at], rtol=1e-4, atol=1e-4)
    for position, proba in zip(data.layout.categories, model.net.heads.probabilities(parameters), strict=True):
        best = proba.detach().numpy()
        chosen = best[np.arange(len(best)), rows[:, position].astype(int) - FIRST_LEVEL]
        np.testing.assert_allclose(chosen, best.max(axis=1), rtol=1e-4)


def test_the_code_of_a_variational_model_is_the_posterior_mean() -> None:
    model, data = fitted("variational")
    x, observed = torch.from_numpy(data.values.copy()), torch.from_numpy(data.observed.copy())
    with torch.no_grad():
        mean, _ = model.net.posterior(x, observed)
    np.testing.assert_allclose(model.embed(data), mean.numpy(), rtol=1e-4, atol=1e-5)


def test_a_row_has_the_same_code_to_the_bit_wherever_it_stands() -> None:
    model, data = fitted("residual")
    many = data.take(np.arange(CHUNK + 7) % len(data))
    codes = model.embed(many)
    rows = model.decode(codes)
    for row in (0, 5, CHUNK - 1, CHUNK, CHUNK + 6):
        alone = model.embed(many.take(slice(row, row + 1)))
        np.testing.assert_array_equal(alone[0], codes[row])
        np.testing.assert_array_equal(model.decode(alone)[0], rows[row])
    assert model.embed(data.take(slice(0, 0))).shape == (0, codes.shape[1])
    assert model.decode(codes[:0]).shape == (0, data.values.shape[1])


def test_codes_lead_back_to_the_rows(numbers: tuple[pd.DataFrame, TableEmbedder]) -> None:
    table, embedder = numbers
    back = embedder.inverse_transform(embedder.transform(table))
    assert ((back - table).std() / table.std()).max() < 0.25


def test_a_line_between_codes_of_a_linear_model_is_a_line_between_rows(
    numbers: tuple[pd.DataFrame, TableEmbedder],
) -> None:
    table, embedder = numbers
    a, b = table.iloc[[3]], table.iloc[[8]]
    first, last = (embedder.inverse_transform(embedder.transform(end)).iloc[0] for end in (a, b))
    found = embedder.interpolate(a, b, 5)
    assert len(found) == 5
    for step, share in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        expected = (1 - share) * first + share * last
        assert_near(found.iloc[step], expected, table)
    assert embedder.interpolate(a, b, 2).iloc[0].tolist() == pytest.approx(first.tolist())


def test_an_analogy_of_a_linear_model_adds_differences_of_rows(numbers: tuple[pd.DataFrame, TableEmbedder]) -> None:
    table, embedder = numbers
    near = table[(table.sub(table.mean()).abs() < 0.5 * table.std()).all(axis=1)]
    decoded = embedder.inverse_transform(embedder.transform(near)).set_axis(near.index)
    a, b, c = near.index[:3]
    found = embedder.analogy(near.loc[[a]], near.loc[[b]], near.loc[[c]]).iloc[0]
    expected = decoded.loc[a] - decoded.loc[b] + decoded.loc[c]
    assert_near(found, expected, table)
    groups = embedder.analogy(near.iloc[:4], near.iloc[4:6], near.iloc[6:9])
    difference = decoded.iloc[:4].mean() - decoded.iloc[4:6].mean()
    assert len(groups) == 3
    assert_near(groups, decoded.iloc[6:9].reset_index(drop=True) + difference, table)


@pytest.mark.filterwarnings("ignore:column 'key' is left out")
@pytest.mark.parametrize("round", [True, False])
def test_decoded_rows_have_the_columns_and_types_of_the_table(round: bool) -> None:
    table = typed_table()
    embedder = TableEmbedder(params={"epochs": 2}, round=round).fit(table)
    back = embedder.inverse_transform(embedder.transform(table))
    assert list(back.columns) == list(table.columns)
    same = table.columns if round else table.columns.drop(["whole", "nullable"])
    pd.testing.assert_series_equal(back.dtypes[same], table.dtypes[same])
    assert back["key"].isna().all()
    assert back.drop(columns="key").notna().all(axis=None)
    for name in ("whole", "nullable", "short", "day"):
        assert back[name].between(table[name].min(), table[name].max()).all()
    assert set(back["text"]) <= {"red", "green", "blue"}
    if not round:
        assert (back["whole"] % 1 != 0).any()
        assert back.dtypes["nullable"] == "Float64"
    assert embedder.inverse_transform(np.zeros((0, embedder.latent_))).shape == (0, 8)


def test_an_array_comes_back_as_an_array() -> None:
    table = linear_table().to_numpy()
    embedder = TableEmbedder("linear", params={"epochs": 2}).fit(table)
    back = embedder.inverse_transform(embedder.transform(table))
    assert (type(back), back.dtype, back.shape) == (np.ndarray, np.float64, table.shape)
    assert embedder.interpolate(table[:1], table[1:2], 3).shape == (3, 4)


def test_codes_are_named_and_go_into_a_pipeline(numbers: tuple[pd.DataFrame, TableEmbedder]) -> None:
    table, embedder = numbers
    assert embedder.get_feature_names_out().tolist() == ["code_0", "code_1"]
    pipe = make_pipeline(TableEmbedder("linear", params={"latent": 2, "epochs": 2}), StandardScaler())
    found = pipe.set_output(transform="pandas").fit_transform(table)
    assert found.columns.tolist() == ["code_0", "code_1"]
    framed = TableEmbedder("linear", params={"latent": 2, "epochs": 2}).set_output(transform="pandas").fit(table)
    assert len(framed.interpolate(table.iloc[[0]], table.iloc[[1]], 3)) == 3
    assert len(framed.analogy(table[:2], table[2:4], table[:3])) == 3


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([[0.0]], r"codes of shape \(1, 1\): expected \(n, 2\)"),
        ([0.0, 1.0], r"codes of shape \(2,\)"),
        ([[0.0, np.nan]], "hold nan or infinite"),
        ([[0.0, 1e300]], "hold nan or infinite"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_no_code_is_refused(codes: Any, said: str, numbers: tuple[pd.DataFrame, TableEmbedder]) -> None:
    with pytest.raises(UsageError, match=said):
        numbers[1].inverse_transform(codes)


def test_wrong_use_is_refused(numbers: tuple[pd.DataFrame, TableEmbedder]) -> None:
    table, embedder = numbers
    one = table.iloc[[0]]
    with pytest.raises(UsageError, match="b has 2 rows: expected one"):
        embedder.interpolate(one, table.iloc[:2])
    for steps in (1, 2.5):
        with pytest.raises(UsageError, match=f"steps={steps}: expected a whole number from 2"):
            embedder.interpolate(one, one, steps)
    with pytest.raises(UsageError, match="model 'knn' cannot embed; it can: score, explain"):
        TableEmbedder("knn").fit(table)
    for call in ("transform", "inverse_transform"):
        with pytest.raises(NotFittedError):
            getattr(TableEmbedder(), call)(table)


def test_a_job_writes_the_codes_of_every_row(workspace: Path, tables: Path, tmp_path: Path) -> None:
    context = JobContext.at(workspace)
    source = str(tables / "patients.csv")
    results = [embed(context, source, "full", output=tmp_path / name, device="cpu") for name in ("o.csv", "o.parquet")]
    record = context.store.model("full")
    batch = pa.Table.from_batches(list(context.registry.read(source))).combine_chunks().to_batches()[0]
    model = load_fitted(record.path, context.registry, "cpu")
    codes = model.embed(model.encode(batch))
    names = [f"code_{at}" for at in range(codes.shape[1])]
    for path in (tmp_path / "o.parquet", results[0].run.path / "codes.parquet", results[1].run.path / "codes.parquet"):
        found = pq.read_table(path)
        assert found.column_names == ["row", "name", *names]
        assert found.schema.field("row").type == pa.int64()
        assert found.schema.field("code_0").type == pa.float32()
        np.testing.assert_array_equal(found.select(names).to_pandas().to_numpy(), codes)
        assert found["name"].to_pylist() == [f"p{row:03}" for row in range(240)]
    text = pd.read_csv(tmp_path / "o.csv")
    assert text.columns.tolist() == ["row", "name", *names]
    assert text["row"].tolist() == list(range(240))
    np.testing.assert_array_equal(text[names].to_numpy().astype(np.float32), codes)
    run = results[0].run
    assert (run.verb, run.model, results[0].rows, results[0].latent) == ("embed", "full@1", 240, len(names))
    assert run.summary == {"rows": 240, "latent": len(names), "output": str(tmp_path / "o.csv"), "warnings": []}


def test_a_table_without_the_id_or_with_news_is_embedded_all_the_same(
    workspace: Path, patients: pd.DataFrame, tmp_path: Path
) -> None:
    patients.drop(columns=["name", "sick"]).assign(colour="violet").to_csv(tmp_path / "new.csv", index=False)
    result = embed(JobContext.at(workspace), str(tmp_path / "new.csv"), "full", device="cpu")
    assert pq.read_schema(result.run.path / "codes.parquet").names[:2] == ["row", "code_0"]
    assert result.warnings == ("column 'colour': 240 of 240 cells hold a level that is not in the training data",)
    patients.drop(columns="weight").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(SchemaError, match="weight"):
        embed(JobContext.at(workspace), str(tmp_path / "less.csv"), "full", device="cpu")


def test_the_command_prints_what_it_did(anomalo: Any, workspace: Path, tables: Path, tmp_path: Path) -> None:
    common = (tables / "patients.csv", "--workspace", workspace)
    outcome = anomalo("embed", *common, "--with", "full", "-o", tmp_path / "codes.csv")
    assert (outcome.code, outcome.err) == (0, "")
    first, second = outcome.out.splitlines()
    assert first == "240 rows, each with a latent code of 1 number"
    assert second.endswith(f"; codes in {tmp_path / 'codes.csv'}")
    found = anomalo("embed", *common, "--with", "full", "--json").json
    assert (found["verb"], found["summary"]["latent"], found["warnings"]) == ("embed", 1, [])
    outcome = anomalo("embed", *common, "--with", "near")
    assert (outcome.code, outcome.err) == (2, "error: model 'knn' cannot embed; it can: score, explain\n")
    outcome = anomalo("embed", *common, "--with", "full", "-o", tmp_path / "codes.docx")
    assert outcome.code == 2
    assert "'codes.docx'" in outcome.err
