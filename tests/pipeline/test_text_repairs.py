"""Suspected texts of anomalous rows are replaced first; what cannot be, or is not needed, stays."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anomalo.calibration.thresholds import Boundary
from anomalo.encoding.encoded import Encoded
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import Repaired, Start, repair
from anomalo.pipeline.text_evidence import TextEvidence
from anomalo.pipeline.text_repairs import TextRepairs, repair_texts
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer

ROWS = 300
NORMAL = Boundary(0.03)
ODD: dict[tuple[str, int], Any] = {
    ("code", 40): "'AB-00040'",
    ("code", 92): "AB 00092",
    ("code", 151): "AB00151",
    ("mail", 201): "N/A",
    ("code", 219): "'AB-00219'",
    ("mail", 219): "n/a",
    ("code", 251): "'AB-00251'",
    ("y", 251): 4.0,
}
AFTER = {
    ("code", 40): "AB-00040",
    ("code", 92): "AB-00092",
    ("mail", 201): None,
    ("code", 219): "AB-00219",
    ("mail", 219): None,
    ("code", 251): "AB-00251",
}
"""All but the code of row 151, for which nothing is suggested."""
WRONG = np.array(sorted({row for _, row in ODD}))


def orders() -> pa.Table:
    random = np.random.default_rng(3)
    x = random.normal(size=ROWS)
    columns: dict[str, list[Any]] = {
        "code": [f"AB-{at:05}" for at in random.permutation(ROWS)],
        "mail": [f"user{at}@mail.com" for at in random.permutation(ROWS)],
        "x": x.tolist(),
        "y": (2 * x + random.normal(size=ROWS) / 10).tolist(),
    }
    for (name, row), text in ODD.items():
        columns[name][row] = text
    return pa.table(columns)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """A model that has not seen the wrong rows, so that these are no rarer to it than others with their repairs."""
    table = orders()
    kept = table.filter(pa.array(~np.isin(np.arange(ROWS), WRONG)))
    return Fitted.fit(kept, infer(kept), FitConfig("undercomplete", {"epochs": 5}), Registry.load()).fitted


@pytest.fixture(scope="module")
def batch() -> pa.RecordBatch:
    (batch,) = orders().take(pa.array(WRONG)).combine_chunks().to_batches()
    return batch


@pytest.fixture(scope="module")
def data(fitted: Fitted, batch: pa.RecordBatch) -> Encoded:
    return fitted.encode(batch)


def found(fitted: Fitted, batch: pa.RecordBatch, data: Encoded, most: int = 5) -> tuple[TextRepairs, Start, Repaired]:
    texts, start = repair_texts(fitted.texts, batch, data, most)
    return texts, start, repair(fitted, data, NORMAL, most, start=start)


def replacements(texts: TextRepairs) -> dict[tuple[str, int], str | None]:
    return {(texts.columns[at], int(WRONG[row])): texts.after[row, at] for row, at in np.argwhere(texts.cells)}


def test_texts_are_replaced_by_suggestions_that_are_not_suspected(
    fitted: Fitted, batch: pa.RecordBatch, data: Encoded
) -> None:
    texts, start = repair_texts(fitted.texts, batch, data, 5)
    assert replacements(texts) == AFTER
    assert start.replaced.tolist() == [1, 1, 0, 1, 2, 1]
    assert data.texts is not None
    assert start.texts is not None
    assert (data.texts.any(axis=1)).all()
    assert np.flatnonzero(start.texts.any(axis=1)).tolist() == [2]
    np.testing.assert_array_equal(start.texts[2], data.texts[2])
    written = fitted.encode(texts.written(batch))
    np.testing.assert_array_equal(written.texts, start.texts)


def test_a_row_that_is_normal_with_its_texts_alone_is_repaired_with_them_alone(
    fitted: Fitted, batch: pa.RecordBatch, data: Encoded
) -> None:
    scored = fitted.score(data)
    assert not NORMAL.normal(scored.p_value, scored.score).any()
    without = repair(fitted, data, NORMAL)
    assert not without.normal[[0, 1, 2, 3, 4]].any(), "the texts alone make these rows anomalous"
    texts, _, repaired = found(fitted, batch, data)
    assert repaired.normal.tolist() == [True, True, False, True, True, True]
    assert repaired.cells.sum(axis=1).tolist() == [0, 0, 0, 0, 0, 1]
    after = fitted.encoder.fill(texts.written(batch), repaired.value, where=repaired.cells)
    scored = fitted.score(fitted.encode(after))
    np.testing.assert_array_equal(scored.score[repaired.normal], repaired.score[repaired.normal])
    np.testing.assert_array_equal(scored.p_value[repaired.normal], repaired.p_value[repaired.normal])


def test_texts_count_as_cells_of_a_repair(fitted: Fitted, batch: pa.RecordBatch, data: Encoded) -> None:
    texts, start, repaired = found(fitted, batch, data, most=1)
    assert start.replaced.tolist() == [1, 1, 0, 1, 1, 1]
    assert repaired.normal.tolist() == [True, True, False, True, False, False]
    assert data.texts is not None
    assert texts.cells[4, np.argmax(data.texts[4])], "of two, the one that adds more is replaced"
    assert found(fitted, batch, data, most=2)[2].normal.tolist() == [True, True, False, True, True, True]


def test_a_repair_is_what_the_row_gets_alone(fitted: Fitted, batch: pa.RecordBatch, data: Encoded) -> None:
    texts, start, repaired = found(fitted, batch, data)
    for at in range(len(WRONG)):
        mine, began, alone = found(fitted, batch.slice(at, 1), data.take(np.array([at])))
        assert mine.after[0].tolist() == texts.after[at].tolist()
        assert began.texts is not None
        assert start.texts is not None
        np.testing.assert_array_equal(began.texts[0], start.texts[at])
        for name, value in vars(repaired).items():
            np.testing.assert_array_equal(getattr(alone, name)[0], value[at])


def test_a_row_of_the_training_table_is_judged_without_what_its_text_added(batch: pa.RecordBatch) -> None:
    table = orders()
    outcome = Fitted.fit(table, infer(table), FitConfig("undercomplete", {"epochs": 5}), Registry.load())
    rows = outcome.data.take(WRONG)
    texts, _, repaired = found(outcome.fitted, batch, rows)
    assert repaired.normal[[0, 1, 4]].all()
    assert not repaired.cells[[0, 1, 4]].any()
    assert texts.cells[[0, 1, 4]].any(axis=1).all()


def test_shards_hold_what_is_replaced(fitted: Fitted, batch: pa.RecordBatch, data: Encoded) -> None:
    texts, _ = repair_texts(fitted.texts, batch, data, 5)
    some = texts.only((np.arange(len(WRONG)) != 1)[:, None])
    assert replacements(some) == {at: text for at, text in AFTER.items() if at != ("code", 92)}
    for each in (texts, some, TextRepairs.none(texts.columns, 3), TextRepairs.none((), 3)):
        again = TextRepairs.restored(each.columns, each.arrays())
        np.testing.assert_array_equal(again.cells, each.cells)
        assert again.after.tolist() == each.after.tolist()


class Suggesting(TextEvidence):
    """Evidence that suggests the same for each cell of each column, as no cleaner does."""

    def suggestions(self, batch: pa.RecordBatch) -> list[list[str | None]]:
        return [["#AB-00020"] * batch.num_rows for _ in self.columns]


def test_what_is_itself_suspected_or_does_not_fit_the_column_is_not_used(
    fitted: Fitted, batch: pa.RecordBatch, data: Encoded
) -> None:
    assert fitted.texts is not None
    evidence = Suggesting(fitted.texts.reference, fitted.texts.columns)
    texts, start = repair_texts(evidence, batch, data, 5)
    assert not texts.cells[:, 0].any()
    assert start.texts is not None
    assert data.texts is not None
    np.testing.assert_array_equal(start.texts[:3], data.texts[:3])
    numbers = batch.set_column(0, "code", pa.array([123456] * len(batch), pa.int64()))
    assert not repair_texts(evidence, numbers, data, 5)[0].cells[:, 0].any()


def test_columns_of_other_types_keep_them(fitted: Fitted, batch: pa.RecordBatch, data: Encoded) -> None:
    coded = pa.RecordBatch.from_arrays(
        [batch["code"].dictionary_encode(), batch["mail"].cast(pa.large_string()), batch["x"], batch["y"]],
        names=batch.schema.names,
    )
    texts, _ = repair_texts(fitted.texts, coded, data, 5)
    assert replacements(texts) == AFTER
    assert texts.written(coded).schema.equals(coded.schema)


def test_without_suspected_texts_nothing_starts(fitted: Fitted, batch: pa.RecordBatch, data: Encoded) -> None:
    assert data.texts is not None
    calm = replace(data, texts=np.zeros_like(data.texts))
    for evidence, rows in ((fitted.texts, calm), (None, replace(data, texts=None))):
        texts, start = repair_texts(evidence, batch, rows, 5)
        assert not texts.cells.any()
        assert not start.replaced.any()
        assert start.texts is rows.texts
