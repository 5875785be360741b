"""What every neural model gets: chunked inference, scores with reasons, whitening, weights that come back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomalo.errors import UsageError
from anomalo.metrics import roc_auc
from anomalo.models.results import PROCESS
from anomalo.models.run import LocalRun
from anomalo.neural import Autoencoder, NeuralModel, Reconstructor, mlp
from anomalo.nn.model import CHUNK
from anomalo.nn.whitening import whitening
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout
from anomalo.testing import tables


@dataclass(kw_only=True)
class Small(Reconstructor):
    """The least that a variant has to say."""

    name = "small"

    def build(self, layout: Layout) -> nn.Module:
        return Autoencoder(layout, mlp(8, 2, last=False), mlp(2, 8), width=8, out=8)


class Penalised(Small):
    def penalty(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        return net.input.weight.square().sum()  # type: ignore[union-attr, operator, no-any-return]


def fitted(model: Any = None, **params: Any) -> Any:
    train, _ = tables()
    return (model or Small)(epochs=5, **params).fit(train, LocalRun(seed=0))


@pytest.fixture(scope="module")
def small() -> Any:
    return fitted()


def tensors(data: Encoded) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(data.values.copy()), torch.from_numpy(data.observed.copy())


def repeated(data: Encoded, rows: int) -> Encoded:
    return data.take(np.resize(np.arange(len(data)), rows))


def test_contributions_sum_to_the_score(small: Any) -> None:
    train, new = tables()
    for data in (train, new, new.hide(np.ones(new.values.shape, dtype=bool))):
        score = small.score(data)
        assert score.dtype == np.float64
        assert np.isfinite(score).all()
        np.testing.assert_allclose(small.explain(data).contribution.sum(axis=1), score, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_row_has_the_same_score_and_fill_in_any_batch(small: Any, rows: int) -> None:
    _, new = tables()
    data = repeated(new, rows)
    expected = small.score(new)[np.resize(np.arange(len(new)), rows)]
    np.testing.assert_array_equal(small.score(data), expected)
    fills = small.impute(new).point[np.resize(np.arange(len(new)), rows)]
    np.testing.assert_array_equal(small.impute(data).point, fills)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_more_extreme_a_number_the_higher_the_score(small: Any, position: int, sign: int) -> None:
    train, _ = tables()
    row = train.take(np.flatnonzero(train.observed.all(axis=1))[:1])
    scores = []
    for size in (0.0, 4.0, 8.0, 16.0, 32.0):
        values = row.values.copy()
        values[:, position] = sign * size
        scores.append(small.score(Encoded(values, row.observed, row.layout))[0])
    assert (np.diff(scores[1:]) > 0).all()
    assert scores[-1] > small.score(train).max()
    assert np.isfinite(scores).all()


def test_the_anomalous_cell_is_found(small: Any) -> None:
    _, new = tables()
    for position in range(3):
        values, observed = new.values.copy(), new.observed.copy()
        values[:, position], observed[:, position] = 12.0, True
        contribution = small.explain(Encoded(values, observed, new.layout)).contribution
        assert np.mean(contribution.argmax(axis=1) == position) > 0.9


def test_rows_far_from_the_rest_score_higher() -> None:
    train, new = tables()
    model = fitted()
    anomalous = Encoded(np.where(new.observed, new.values, 0), new.observed, new.layout)
    swapped = anomalous.values.copy()
    swapped[:, 0] = -3 * np.sign(swapped[:, 1]) - swapped[:, 1]
    assert np.median(model.score(Encoded(swapped, new.observed, new.layout))) > np.quantile(model.score(train), 0.9)


def test_the_loss_is_the_mean_over_observed_cells(small: Any) -> None:
    _, new = tables()
    model = fitted(hide=0.0)
    x, observed = tensors(new)
    cells = model.net.heads.nll(model.net(x, observed), x, observed)
    expected = cells.detach().numpy()[new.observed].mean()
    assert model.loss(model.net, x, observed).item() == pytest.approx(expected, rel=1e-5)
    nothing = model.loss(model.net, x, torch.zeros_like(observed))
    assert nothing.item() == 0


def test_a_penalty_is_added_to_the_loss() -> None:
    _, new = tables()
    x, observed = tensors(new)
    model = fitted(Penalised, hide=0.0)
    plain = Small.loss(Small(hide=0.0), model.net, x, observed)
    extra = model.net.input.weight.square().sum()
    torch.testing.assert_close(model.loss(model.net, x, observed), plain + extra)


@pytest.mark.parametrize("hide", [0.0, 0.3])
def test_corruption_hides_the_asked_share_and_nothing_else(hide: float) -> None:
    x, observed = torch.randn(5000, 5), torch.rand(5000, 5) < 0.8
    shown, seen = Small(hide=hide).corrupt(x, observed)
    assert torch.equal(shown, x)
    assert not (seen & ~observed).any()
    assert 1 - seen.sum() / observed.sum() == pytest.approx(hide, abs=0.02)


def test_fills_keep_what_is_observed_and_are_known_levels(small: Any) -> None:
    _, new = tables()
    filled = small.impute(new)
    np.testing.assert_array_equal(filled.point[new.observed], new.values[new.observed])
    for position in new.layout.categories:
        size = new.layout.blocks[position].size
        assert np.isin(filled.point[:, position], np.arange(size) + FIRST_LEVEL).all()
        assert filled.proba[position].shape == (len(new), size)
        np.testing.assert_allclose(filled.proba[position].sum(axis=1), 1, rtol=1e-5)


def test_the_state_is_all_that_a_model_needs(small: Any) -> None:
    _, new = tables()
    again = Small(**small.params()).restore(small.state())
    np.testing.assert_array_equal(again.score(new), small.score(new))
    assert again.layout_ == small.layout_
    assert not again.net.training
    assert all(isinstance(array, np.ndarray) for array in small.state().arrays.values())


def test_restoring_leaves_the_random_state_alone(small: Any) -> None:
    before = torch.get_rng_state()
    Small(**small.params()).restore(small.state())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_device_for_inference_must_be_there(small: Any) -> None:
    small.use("cpu")
    with pytest.raises(UsageError, match="device 'abacus' is not available"):
        small.use("abacus")


def test_what_a_model_must_say() -> None:
    train, _ = tables()
    with pytest.raises(NotImplementedError):
        NeuralModel().fit(train, LocalRun())
    with pytest.raises(NotImplementedError):
        NeuralModel().loss(nn.Linear(1, 1), *tensors(train))


def correlated(rows: int, columns: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))).astype(np.float32)


def second_moment(values: Any) -> Any:
    return values.T.astype(np.float64) @ values / len(values)


def test_whitened_deviations_have_unit_covariance() -> None:
    values = correlated(20_000, 4)
    matrix = whitening(values)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(second_moment(values @ matrix), np.eye(4), atol=0.06)


def test_whitening_is_the_inverse_root_of_the_covariance() -> None:
    # Of the symmetric roots this is the one that keeps cells closest to themselves (Kessy et al. 2018).
    values = correlated(200_000, 3, seed=1)
    deviation = np.sqrt(np.mean(np.square(values, dtype=np.float64), axis=0))
    eigenvalues, vectors = np.linalg.eigh(second_moment(values / deviation))
    root = vectors / np.sqrt(eigenvalues) @ vectors.T
    np.testing.assert_allclose(whitening(values), root / deviation[:, None], rtol=0.02, atol=0.02)


@pytest.mark.parametrize("case", ["doubled column", "constant", "zero", "few rows", "one row"])
def test_whitening_survives_what_has_no_inverse(case: str) -> None:
    values = correlated(500, 4)
    if case == "doubled column":
        values[:, 3] = values[:, 0]
    elif case in ("constant", "zero"):
        values[:, 2] = 3.0 if case == "constant" else 0.0
    values = values[: {"few rows": 3, "one row": 1}.get(case, 500)]
    matrix = whitening(values)
    assert matrix.shape == (4, 4)
    assert np.isfinite(matrix).all()
    assert np.abs(values @ matrix).max() < 100
    largest = np.linalg.eigvalsh(second_moment(values @ matrix)).max()
    assert largest < (1.3 if len(values) == 500 else 4.0)  # a few rows say little of directions, and are shrunk


def test_units_do_not_matter_to_whitening() -> None:
    values = correlated(2000, 3)
    units = np.array([1.0, 100.0, 0.1], dtype=np.float32)
    np.testing.assert_allclose(values @ whitening(values), (values * units) @ whitening(values * units), atol=0.01)


def test_nothing_is_whitened_to_nothing() -> None:
    assert whitening(np.zeros((10, 0), dtype=np.float32)).shape == (0, 0)


@pytest.mark.parametrize(("last", "kinds"), [(True, "Linear SiLU Linear SiLU"), (False, "Linear SiLU Linear")])
def test_a_multilayer_perceptron_has_activations_between_its_layers(last: bool, kinds: str) -> None:
    net = mlp(5, 4, 3, last=last)
    assert " ".join(type(layer).__name__ for layer in net) == kinds
    assert net(torch.zeros(2, 5)).shape == (2, 3)


def test_a_table_of_categories_alone_is_scored_and_filled() -> None:
    rng = np.random.default_rng(0)
    codes = FIRST_LEVEL + (rng.integers(0, 3, (600, 1)) + np.arange(4)) % 3
    anomalous = rng.random(600) < 0.05
    codes[anomalous, 2] = FIRST_LEVEL + (codes[anomalous, 2] - FIRST_LEVEL + 1) % 3
    blocks = tuple(Block(f"c{at}", "category", at, levels=("a", "b", "c")) for at in range(4))
    data = Encoded(codes.astype(np.float32), np.ones(codes.shape, dtype=bool), Layout("table", (4,), blocks))
    model = Small(epochs=30).fit(data.take(~anomalous), LocalRun(seed=0))
    score = model.score(data)
    np.testing.assert_allclose(model.explain(data).contribution.sum(axis=1), score, rtol=1e-4)
    assert roc_auc(anomalous, score) > 0.9
    filled = model.impute(data.hide(np.arange(4) == np.full((600, 1), 3))).point
    assert np.mean(filled[~anomalous, 3] == codes[~anomalous, 3]) > 0.9


class Wide(Small):
    """One layer of it is wide."""

    def build(self, layout: Layout) -> nn.Module:
        return Autoencoder(layout, mlp(8, 20_000, 2, last=False), mlp(2, 8), width=8, out=8)


class Starting(Small):
    """Its network depends on what a fit starts from."""

    def build(self, layout: Layout) -> nn.Module:
        return mlp(*self.widths_)  # type: ignore[attr-defined, no-any-return]


def test_a_plan_says_the_memory_that_a_wide_network_takes_and_changes_no_random_state() -> None:
    layout = Layout("table", (40,), tuple(Block(str(at), "number", at) for at in range(40)))
    before = torch.get_rng_state()
    narrow, wide, unknown = (kind().plan(layout, 1234, frozenset()) for kind in (Small, Wide, Starting))
    assert torch.equal(before, torch.get_rng_state())
    assert narrow.text == wide.text == "at most 30 epochs of 1,234 rows, up to 512 of them at a time"
    assert (narrow.seconds, narrow.memory) == (0.0, PROCESS)
    assert wide.memory > PROCESS + 4 * CHUNK * 20_000, "at least the units of a chunk of rows"
    assert unknown.memory == 0
