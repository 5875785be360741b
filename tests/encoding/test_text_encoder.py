"""Texts as codes of their characters: ends, cuts, unknown characters, and back."""

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding import text_encoder
from anomalo.encoding.encoded import MISSING, UNSEEN
from anomalo.encoding.text_encoder import TextEncoder
from anomalo.errors import UsageError
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema

SCHEMA = Schema((), 0)


def coded(cells: list[str | None]) -> Texts:
    array = pa.array(cells, pa.string()).dictionary_encode()
    return Texts(array.dictionary, array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32))


def columns(cells: list[tuple[str | None, str | None]]) -> Columns:
    return Columns(
        len(cells), {"column": coded([name for name, _ in cells]), "text": coded([text for _, text in cells])}
    )


@pytest.fixture
def encoder() -> TextEncoder:
    return TextEncoder().fit(columns([("town", "abba"), ("town", "ab"), ("code", "b\0🦊"), (None, "a")]), SCHEMA)


def test_a_row_is_a_column_and_characters_up_to_an_end(encoder: TextEncoder) -> None:
    assert encoder.layout.blocks[0].levels == ("code", "town")
    assert encoder.layout.blocks[1].levels == ("", "a", "b", "\0", "🦊")
    assert encoder.layout.cell_names == ("column", "text[0]", "text[1]", "text[2]", "text[3]", "text[4]")
    data = encoder.encode(columns([("town", "ab"), ("code", ""), ("town", "abba")]))
    assert data.values.tolist() == [[3, 3, 4, 2, 2, 2], [2, 2, 2, 2, 2, 2], [3, 3, 4, 4, 3, 2]]
    assert data.observed.all()


def test_what_is_missing_or_unknown_is_not_observed(encoder: TextEncoder) -> None:
    data = encoder.encode(columns([("elsewhere", "axb"), (None, None)]))
    assert data.values.tolist() == [[UNSEEN, 3, UNSEEN, 4, 2, 2], [MISSING] * 6]
    assert (data.observed == (data.values > 1)).all()


def test_a_longer_text_is_cut_and_has_no_end(encoder: TextEncoder) -> None:
    data = encoder.encode(columns([("town", "abbab"), ("town", "abba" + "b" * 10_000_000)]))
    assert data.values[:, 1:].tolist() == [[3, 4, 4, 3, 4]] * 2
    long = TextEncoder().fit(columns([("town", "a" * 10_000)]), SCHEMA)
    assert long.layout.shape == (1 + text_encoder.LONGEST,)


def test_only_the_most_frequent_characters_have_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoder, "ALPHABET", 2)
    encoder = TextEncoder().fit(columns([("town", "aabbc")]), SCHEMA)
    assert encoder.layout.blocks[1].levels == ("", "a", "b")
    assert encoder.encode(columns([("town", "cab")])).values.tolist() == [[2, UNSEEN, 3, 4, 2, 2, 2]]


def test_codes_become_texts_again(encoder: TextEncoder) -> None:
    texts = ["abba", "", "b\0🦊", "a"]
    data = encoder.encode(columns([("town", text) for text in texts]))
    assert encoder.text(data.values) == texts
    assert encoder.decode(data.values[:, 1], 1).to_pylist() == ["a", "", "b", "a"]
    assert encoder.decode(np.array([0, 1, 2, 3, 9], dtype=np.float32), 0).to_pylist() == [
        None,
        None,
        "code",
        "town",
        None,
    ]


def test_hidden_characters_are_filled_and_the_rest_stays(encoder: TextEncoder) -> None:
    batch = pa.RecordBatch.from_pydict(
        {"n": [1, 2, 3], "column": ["town", None, "town"], "text": ["axba", "ab", "abbab!"]}
    )
    data = encoder.encode(columns(list(zip(batch["column"].to_pylist(), batch["text"].to_pylist(), strict=True))))
    point = data.values.copy()
    point[0, 2], point[1, 0], point[2, 1] = 4, 3, 4
    where = np.zeros(point.shape, dtype=bool)
    where[0, 2] = where[1, 0] = where[2, 1] = True
    filled = encoder.fill(batch, point, where)
    assert filled.to_pydict() == {"n": [1, 2, 3], "column": ["town", "town", "town"], "text": ["abba", "ab", "bbbab!"]}


def test_it_is_restored_from_json(encoder: TextEncoder) -> None:
    assert TextEncoder.from_json(encoder.to_json(), SCHEMA).layout == encoder.layout


def test_another_table_is_refused() -> None:
    with pytest.raises(UsageError, match="columns of texts 'column' and 'text'; got no 'text'"):
        TextEncoder().fit(Columns(1, {"column": coded(["town"])}), SCHEMA)


def test_no_text_at_all_gives_rows_of_one_end() -> None:
    encoder = TextEncoder().fit(columns([("town", None), ("town", "")]), SCHEMA)
    assert encoder.layout.shape == (2,)
    assert encoder.encode(columns([("town", ""), ("town", "x"), ("town", None)])).values.tolist() == [
        [2, 2],
        [2, 1],
        [2, 0],
    ]
