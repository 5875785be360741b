"""The layers equal their definitions, computed by NumPy and SciPy cell by cell."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import norm
from torch import Tensor
from torch.nn import functional as F

from anomalo.nn.layers import ColumnHeads, ColumnInput
from anomalo.plugin import FIRST_LEVEL, MISSING, UNSEEN, Block, Encoded, Layout
from anomalo.testing import tables

SIZES = {1: 3, 2: 1, 4: 40, 5: 2, 6: 4, 7: 3}
"""Position of each category, and how many levels it has; positions 0, 3 and 8 are numbers."""
COLUMNS = 9
LAYOUT = Layout(
    "table",
    (COLUMNS,),
    tuple(
        Block(f"c{at}", "category", at, levels=tuple(map(str, range(SIZES[at] - 1))), rare=("x", "y"))
        if at in SIZES
        else Block(f"n{at}", "number", at)
        for at in range(COLUMNS)
    ),
)
NUMBERS = [0, 3, 8]
WIDTH = 6


def table(rows: int = 120, missing: float = 0.2, seed: int = 0) -> Encoded:
    rng = np.random.default_rng(seed)
    values = rng.normal(loc=[3.0] * COLUMNS, scale=np.arange(1, COLUMNS + 1), size=(rows, COLUMNS))
    for at, size in SIZES.items():
        values[:, at] = FIRST_LEVEL + np.minimum(rng.geometric(0.4, rows) - 1, size - 1)
    observed = rng.random(values.shape) >= missing
    unseen = ~observed & (rng.random(values.shape) < 0.5) & np.isin(np.arange(COLUMNS), list(SIZES))
    values = np.where(observed, values, np.where(unseen, UNSEEN, MISSING)).astype(np.float32)
    return Encoded(values, observed, LAYOUT)


def tensors(data: Encoded) -> tuple[Tensor, Tensor]:
    return torch.tensor(data.values), torch.tensor(data.observed)


@pytest.fixture(autouse=True)
def seed() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def standardised(data: Encoded, train: Encoded) -> Any:
    """The numbers [n, 3] less their mean, by their deviation, over the observed cells of the training table."""
    columns = []
    for at in NUMBERS:
        seen = train.values[train.observed[:, at], at].astype(np.float64)
        columns.append((data.values[:, at] - seen.mean()) / seen.std())
    return np.stack(columns, axis=1)


def test_the_input_layer_equals_a_linear_layer_on_one_hot_codes() -> None:
    train, data = table(), table(50, seed=1)
    layer = ColumnInput(LAYOUT, WIDTH)
    layer.initialise(train)
    with torch.no_grad():
        layer.bias.normal_()
    seen = data.observed[:, NUMBERS]
    design = [np.where(seen, standardised(data, train), 0), ~seen]
    for at, size in SIZES.items():
        level = np.where(data.observed[:, at], data.values[:, at] - FIRST_LEVEL + 1, 0)
        design.append(level[:, None] == np.arange(size + 1))  # the first one is for cells that are not observed
    weight = np.concatenate([layer.weight.detach().T, layer.missing.detach().T, layer.embedding.detach()])
    expected = np.concatenate(design, axis=1) @ weight.astype(np.float64) + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(*tensors(data)).detach(), expected, atol=1e-5)


def test_the_input_layer_does_not_see_what_is_not_observed() -> None:
    data = table()
    layer = ColumnInput(LAYOUT, WIDTH)
    layer.initialise(data)
    anything = Encoded(np.where(data.observed, data.values, np.float32(2)), data.observed, LAYOUT)
    assert torch.equal(layer(*tensors(data)), layer(*tensors(anything)))


def test_complete_rows_do_not_depend_on_missing_cells_in_others() -> None:
    data = table()
    layer = ColumnInput(LAYOUT, WIDTH)
    layer.initialise(data)
    complete = data.take(np.flatnonzero(data.observed.all(axis=1)))
    assert 0 < len(complete) < len(data)
    whole = layer(*tensors(data))[torch.from_numpy(data.observed.all(axis=1))]
    torch.testing.assert_close(layer(*tensors(complete)), whole, rtol=0, atol=1e-6)


def fitted_heads(train: Encoded) -> ColumnHeads:
    heads = ColumnHeads(train.layout, WIDTH)
    heads.initialise(train)
    with torch.no_grad():
        heads.log_scale.normal_()
    return heads


def logits_of(heads: ColumnHeads, parameters: Any, position: int) -> Any:
    """The part of the parameters that belongs to a category, found by which probabilities it moves."""
    before = heads.probabilities(parameters)
    index = sorted(SIZES).index(position)
    found = []
    for entry in range(parameters.shape[1]):
        moved = parameters.clone()
        moved[:, entry] += 1
        difference = (heads.probabilities(moved)[index] - before[index]).abs().sum(dim=1)
        if (difference > 0).all():
            found.append(entry)
    return parameters[:, found]


def test_the_likelihood_of_numbers_is_that_of_scipy() -> None:
    train, data = table(), table(50, seed=1)
    heads = fitted_heads(train)
    parameters = heads(torch.randn(50, WIDTH))
    z = standardised(data, train)
    scale = 0.05 + 0.95 * np.log1p(np.exp(heads.log_scale.detach().numpy() + np.log(np.e - 1)))
    np.testing.assert_allclose(heads.scale().detach(), scale, rtol=1e-5)
    expected = -norm.logpdf(z, loc=parameters[:, :3].detach(), scale=scale) * data.observed[:, NUMBERS]
    cells = heads.nll(parameters, *tensors(data)).detach()
    assert cells.shape == (50, COLUMNS)
    np.testing.assert_allclose(cells[:, NUMBERS], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("position", [at for at, size in SIZES.items() if size > 1])
def test_the_likelihood_of_categories_is_a_softmax(position: int) -> None:
    train, data = table(), table(50, seed=1)
    heads = fitted_heads(train)
    parameters = heads(3 * torch.randn(50, WIDTH)).detach()
    logits = logits_of(heads, parameters, position).numpy().astype(np.float64)
    assert logits.shape == (50, SIZES[position])
    expected = log_softmax(logits, axis=1)
    proba = heads.probabilities(parameters)[sorted(SIZES).index(position)]
    np.testing.assert_allclose(proba, np.exp(expected), atol=1e-6)
    cells = heads.nll(parameters, *tensors(data))[:, position].detach()
    seen = data.observed[:, position].copy()  # torch warns of one that it may not write to
    codes = data.values[seen, position].astype(int) - FIRST_LEVEL
    np.testing.assert_allclose(cells[seen], -expected[seen, codes], rtol=1e-4, atol=1e-5)
    assert (cells[~seen] == 0).all()


def test_a_single_level_is_certain() -> None:
    train = table()
    heads = fitted_heads(train)
    parameters = heads(3 * torch.randn(len(train), WIDTH))
    assert (heads.nll(parameters, *tensors(train))[:, 2] == 0).all()
    assert (heads.probabilities(parameters)[1] == 1).all()


def test_probabilities_sum_to_one_and_the_expected_level_is_the_most_probable() -> None:
    train = table()
    heads = fitted_heads(train)
    parameters = heads(5 * torch.randn(len(train), WIDTH)).detach()
    proba = heads.probabilities(parameters)
    assert [found.shape[1] for found in proba] == [SIZES[at] for at in sorted(SIZES)]
    expected = heads.expected(parameters)
    for at, found in zip(sorted(SIZES), proba, strict=True):
        torch.testing.assert_close(found.sum(dim=1), torch.ones(len(train)))
        torch.testing.assert_close(expected[:, at], found.argmax(dim=1).float() + FIRST_LEVEL)


def test_expected_numbers_are_in_encoded_units() -> None:
    train = table()
    heads = fitted_heads(train)
    parameters = heads(torch.randn(20, WIDTH)).detach()
    for index, at in enumerate(NUMBERS):
        seen = train.values[train.observed[:, at], at].astype(np.float64)
        expected = seen.mean() + seen.std() * parameters[:, index].numpy()
        np.testing.assert_allclose(heads.expected(parameters)[:, at], expected, rtol=1e-4, atol=1e-4)


def test_before_training_a_row_is_expected_to_be_like_the_table() -> None:
    train = table()
    heads = ColumnHeads(LAYOUT, WIDTH)
    heads.initialise(train)
    parameters = heads(torch.zeros(1, WIDTH)).detach()
    for at, proba in zip(sorted(SIZES), heads.probabilities(parameters), strict=True):
        codes = train.values[train.observed[:, at], at].astype(int) - FIRST_LEVEL
        counts = np.bincount(codes, minlength=SIZES[at]) + 1  # Laplace
        np.testing.assert_allclose(proba[0], counts / counts.sum(), rtol=1e-4)
    for at in NUMBERS:
        mean = train.values[train.observed[:, at], at].mean()
        assert heads.expected(parameters)[0, at].item() == pytest.approx(mean, rel=1e-4)


def test_missing_cells_cost_nothing_and_pull_nothing() -> None:
    data = table(80, missing=0.5)
    heads = fitted_heads(data)
    hidden = torch.randn(80, WIDTH)
    parameters = heads(hidden).detach().requires_grad_()
    cells = heads.nll(parameters, *tensors(data))
    assert (cells[~torch.tensor(data.observed)] == 0).all()
    # The gradient equals that of the observed cells, one at a time.
    (whole,) = torch.autograd.grad(cells.sum(), parameters, retain_graph=True)
    (parts,) = torch.autograd.grad(cells[torch.tensor(data.observed)].sum(), parameters)
    torch.testing.assert_close(whole, parts)
    for index, at in enumerate(NUMBERS):
        assert (whole[~torch.tensor(data.observed[:, at]), index] == 0).all()
    empty = data.hide(np.ones(data.values.shape, dtype=bool))
    heads.nll(heads(hidden), *tensors(empty)).sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in heads.parameters())


def test_units_are_standardised_numbers_and_centred_levels() -> None:
    train, data = table(), table(50, seed=1)
    heads = ColumnHeads(LAYOUT, WIDTH)
    heads.initialise(train)
    units = heads.units(*tensors(data)).detach()
    assert units.shape == (50, heads.linear.out_features)
    seen = data.observed[:, NUMBERS]
    np.testing.assert_allclose(units[:, :3], np.where(seen, standardised(data, train), 0), rtol=1e-4, atol=1e-5)
    # A level counts 1 less its frequency, the column's other levels minus theirs: they sum to 0.
    torch.testing.assert_close(units[:, 3:].sum(dim=1), torch.zeros(50), rtol=0, atol=1e-5)
    empty = data.hide(np.ones(data.values.shape, dtype=bool))
    assert not heads.units(*tensors(empty)).any()
    level = heads.units(*tensors(one_cell(5, FIRST_LEVEL)))[0, 3:].detach()
    proba = heads.probabilities(heads(torch.zeros(1, WIDTH)))[sorted(SIZES).index(5)][0].detach()
    torch.testing.assert_close(level[level != 0].sort().values, torch.stack([-proba[1], 1 - proba[0]]).sort().values)


def one_cell(position: int, value: float) -> Encoded:
    values, observed = np.zeros((1, COLUMNS), dtype=np.float32), np.zeros((1, COLUMNS), dtype=bool)
    values[0, position], observed[0, position] = value, True
    return Encoded(values, observed, LAYOUT)


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_tables_of_one_kind(kind: str) -> None:
    blocks = [b for b in LAYOUT.blocks if (b.kind == "number") == (kind == "numbers")]
    chosen = [b.position for b in blocks]
    layout = Layout(
        "table", (len(blocks),), tuple(Block(b.name, b.kind, i, b.levels, b.rare) for i, b in enumerate(blocks))
    )
    full = table()
    data = Encoded(full.values[:, chosen], full.observed[:, chosen], layout)
    heads, layer = fitted_heads(data), ColumnInput(layout, WIDTH)
    layer.initialise(data)
    parameters = heads(F.silu(layer(*tensors(data))))
    cells = heads.nll(parameters, *tensors(data))
    assert cells.shape == heads.expected(parameters).shape == (120, len(blocks))
    assert torch.isfinite(cells).all()
    assert heads.units(*tensors(data)).shape[1] == parameters.shape[1]


def test_a_column_that_never_varies_is_not_scaled() -> None:
    train, _ = tables()
    values = train.values.copy()
    values[:, 1] = 5.0
    data = Encoded(values, np.ones_like(train.observed), train.layout)
    heads = ColumnHeads(train.layout, WIDTH)
    heads.initialise(data)
    assert heads.deviation.tolist()[1] == 1.0
    assert heads.mean.tolist()[1] == 5.0
    assert torch.isfinite(heads.nll(heads(torch.zeros(200, WIDTH)), *tensors(data))).all()
