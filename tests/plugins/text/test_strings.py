"""The model of texts: a likelihood that sums to 1, characters that do not fit, and texts restored."""

from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding.encoded import MISSING, UNSEEN, Encoded
from anomalo.encoding.text_encoder import TextEncoder
from anomalo.models.run import LocalRun
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_model import load_fitted, save_fitted
from anomalo.plugin import with_modality
from anomalo.registry.registry import Registry
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema, SchemaOptions, infer
from anomalo_text.strings import Strings

WORDS = ("birmingham", "springfield", "riverside", "georgetown")
END = 2


def coded(cells: list[str]) -> Texts:
    array = pa.array(cells, pa.string()).dictionary_encode()
    return Texts(array.dictionary, array.indices.to_numpy(zero_copy_only=False).astype(np.int32))


def columns(names: list[str], texts: list[str]) -> Columns:
    return Columns(len(texts), {"column": coded(names), "text": coded(texts)})


def rows(texts: list[str], encoder: TextEncoder, name: str = "town") -> Encoded:
    return encoder.encode(columns([name] * len(texts), texts))


@cache
def towns() -> tuple[Strings, TextEncoder]:
    """A model of four towns and of numbers in another column."""
    texts = [*WORDS] * 30, [str(number) for number in range(100, 200)]
    learned = columns(["town"] * len(texts[0]) + ["number"] * len(texts[1]), [*texts[0], *texts[1]])
    encoder = TextEncoder().fit(learned, Schema((), 0))
    return Strings(hidden=48, epochs=40, batch_size=32).fit(encoder.encode(learned), LocalRun(seed=3)), encoder


def every_text(length: int, alphabet: int) -> np.ndarray:
    """Return all codes [n, 1 + length] of texts of characters that are unseen or known, with their ends."""
    codes = [UNSEEN, *range(END + 1, END + 1 + alphabet)]
    texts = [(*text, *[END] * (length - size)) for size in range(length + 1) for text in product(codes, repeat=size)]
    return np.array([(END, *text) for text in texts], dtype=np.float32)


def test_the_probabilities_of_all_texts_sum_to_one() -> None:
    encoder = TextEncoder().fit(columns(["a"] * 3, ["ab", "ba", "aab"]), Schema((), 0))
    model = Strings(hidden=8, width=4, epochs=3).fit(rows(["ab", "ba", "aab"] * 20, encoder, "a"), LocalRun())
    values = every_text(encoder.layout.shape[0] - 1, 2)
    everything = Encoded(values, values > UNSEEN, encoder.layout)
    assert len(everything) == sum(3**size for size in range(5))
    chance = np.exp(-model.score(everything))
    assert chance.sum() == pytest.approx(1, abs=1e-5)
    known, other = model.score(rows(["ab", "bb"], encoder, "a"))
    assert known < other


@pytest.mark.slow
def test_the_score_is_that_of_the_equations() -> None:
    model, encoder = towns()
    weights = {name.removeprefix("net."): array.astype(np.float64) for name, array in model.state().arrays.items()}
    data = rows(["riverside", "rive?side", ""], encoder)
    expected = [surprisal(weights, row, model.floor) for row in data.values.astype(int)]
    np.testing.assert_allclose(model.score(data), expected, rtol=1e-4)


def surprisal(weights: dict[str, np.ndarray], row: np.ndarray, floor: float) -> float:
    """Return -log p of one row of codes, cell by cell, as the equations of the docstrings say."""

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    both = np.tanh(weights["column.weight"][row[0]] + weights["condition.bias"])
    state, every = np.tanh(linear("first", both)), linear("every", both)
    before, total = len(weights["character.weight"]) - 1, 0.0
    for code in row[1:]:
        given = linear("writer.inputs", weights["character.weight"][before] + every)
        kept = linear("writer.states", state)
        reset, update = (1 / (1 + np.exp(-part)) for part in np.split((given + kept)[: 2 * len(state)], 2))
        new = np.tanh(given[2 * len(state) :] + reset * kept[2 * len(state) :])
        state = new + update * (state - new)
        scores = linear("head", state)
        chance = (1 - floor) * np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum() + floor / len(scores)
        total -= np.log(chance[code - 1])
        if code == END:
            break
        before = code
    return total


@pytest.mark.parametrize(("text", "at"), [("birmxngham", 4), ("springxfield", 6), ("rivxrside", 3)])
def test_a_wrong_character_has_the_largest_share(text: str, at: int) -> None:
    model, encoder = towns()
    cells = model.explain(rows([text, *WORDS], encoder))
    scores = cells.contribution.sum(axis=1)
    assert scores[0] > scores[1:].max() + 3
    assert cells.contribution[0].argmax() == 1 + at
    assert encoder.text(cells.expected[1:]) == [*WORDS]


def test_a_text_of_another_column_is_unlikely_and_its_column_is_known() -> None:
    model, encoder = towns()
    here, there = rows(["150", "riverside"], encoder, "number"), rows(["150", "riverside"], encoder, "town")
    assert (model.score(here) - model.score(there) > 5).tolist() == [False, True]
    assert (model.score(there) - model.score(here) > 5).tolist() == [True, False]
    assert encoder.decode(model.explain(here).expected[:, 0], 0).to_pylist() == ["number", "town"]


def test_hidden_characters_are_restored() -> None:
    model, encoder = towns()
    data = rows([*WORDS], encoder)
    hidden = np.zeros(data.values.shape, dtype=bool)
    hidden[0, 5:7] = hidden[1, 1:3] = hidden[2, 0] = hidden[3, 9:] = True
    found = model.impute(data.hide(hidden), draws=3)
    assert encoder.text(found.point) == [*WORDS]
    assert found.point[2, 0] == data.values[2, 0]
    assert found.draws is not None
    seen = ~hidden
    assert (found.draws[:, seen] == data.values[seen]).all()
    assert (found.draws != MISSING).all()
    again = model.impute(data.hide(hidden).take(slice(1, 2)), draws=3)
    np.testing.assert_array_equal(again.draws, found.draws[:, 1:2])


def test_nothing_is_put_behind_an_end() -> None:
    model, encoder = towns()
    data = rows(["riverside"], encoder)
    hidden = np.zeros(data.values.shape, dtype=bool)
    hidden[:, 4:10] = True  # the end among them, or none of it
    for filled in (model.impute(data.hide(hidden)).point, *model.impute(data.hide(hidden), draws=20).draws):
        ended = np.flatnonzero(filled[0, 1:] == END)
        assert (filled[0, 1 + ended[0] :] == END).all()
    hidden[:, 9:10] = False  # the last character is seen: no end before it
    assert (model.impute(data.hide(hidden), draws=20).draws[:, 0, 1:10] != END).all()


def test_a_score_does_not_depend_on_longer_texts_beside_it() -> None:
    model, encoder = towns()
    texts = ["", "1", "150", "georgetown", "springfield", "x" * 40]
    together = model.explain(rows(texts, encoder))
    alone = [model.explain(rows([text], encoder)) for text in texts]
    np.testing.assert_array_equal(together.contribution, np.concatenate([cells.contribution for cells in alone]))
    np.testing.assert_array_equal(together.expected, np.concatenate([cells.expected for cells in alone]))


def test_texts_go_from_a_table_to_scores_fills_and_a_saved_model(tmp_path: Path) -> None:
    texts = [*WORDS] * 20 + ["rivxrside", None]
    table = pa.table({"column": ["town"] * len(texts), "text": texts})
    table = table.cast(with_modality(table.schema, "text"))
    config = FitConfig("strings", {"epochs": 20, "hidden": 32}, seed=1, device="cpu", calibrate=False)
    options = SchemaOptions(kinds={"column": "category", "text": "category"})
    registry = Registry.load()
    fitted = Fitted.fit(table, infer(table, options), config, registry).fitted
    save_fitted(fitted, tmp_path / "model")
    loaded = load_fitted(tmp_path / "model", registry, "cpu")
    (batch,) = table.to_batches()
    data = loaded.encode(batch)
    score = loaded.score(data).score
    assert score.argmax() == len(texts) - 2
    np.testing.assert_array_equal(score, fitted.score(fitted.encode(batch)).score)
    point = loaded.impute(data).point
    filled = loaded.encoder.fill(batch, point, ~data.observed)
    assert filled["text"].to_pylist()[:-1] == texts[:-1]
    assert filled["text"].to_pylist()[-1]
    assert not list(tmp_path.rglob("*.pkl"))
