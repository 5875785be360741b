"""Mixtures of Gaussians equal torch's, and heads of some columns equal those of all."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from anomalo.nn.mixture_heads import MixtureHeads, MixtureSurprisal, scales_of, softmax_and_sum
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout

SIZES = {1: 3, 2: 1, 4: 700, 5: 2, 6: 4, 7: 3}
"""Position of each category, and how many levels it has; positions 0, 3 and 8 are numbers."""
COLUMNS = 9
WIDTH = 6


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def table(rows: int = 60) -> Encoded:
    rng = np.random.default_rng(0)
    blocks = [
        Block(f"c{at}", "category", at, levels=tuple(map(str, range(SIZES[at] - 1))), rare=("x", "y"))
        if at in SIZES
        else Block(f"n{at}", "number", at)
        for at in range(COLUMNS)
    ]
    values = rng.normal(loc=3, scale=np.arange(1, COLUMNS + 1), size=(rows, COLUMNS)).astype(np.float32)
    for at, size in SIZES.items():
        values[:, at] = FIRST_LEVEL + rng.integers(size, size=rows)
    observed = rng.random(values.shape) > 0.2
    return Encoded(np.where(observed, values, 0).astype(np.float32), observed, Layout("table", (COLUMNS,), (*blocks,)))


def heads_and_rows() -> tuple[MixtureHeads, Tensor, Tensor]:
    data = table()
    heads = MixtureHeads(data.layout, WIDTH, components=4)
    heads.initialise(data)
    return heads, torch.tensor(data.values), torch.tensor(data.observed)


def test_the_surprisal_and_its_gradients_are_those_of_torch() -> None:
    parameters = (3 * torch.randn(7, 3, 5, 6)).requires_grad_()
    x = (3 * torch.randn(7, 6)).requires_grad_()
    logits, means, raw = parameters.transpose(2, 3).unbind(1)
    expected = -MixtureSameFamily(Categorical(logits=logits), Normal(means, scales_of(raw))).log_prob(x)
    found: Any = MixtureSurprisal.apply(parameters, x)
    torch.testing.assert_close(found, expected)
    direction = torch.randn(7, 6)
    for mine, theirs in zip(
        torch.autograd.grad((found * direction).sum(), (parameters, x)),
        torch.autograd.grad((expected * direction).sum(), (parameters, x)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_logits_far_apart_neither_overflow_nor_vanish() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4 - 1, -1e4], [-300.0, 88.0, 87.0]])[:, :, None]
    shares, total = softmax_and_sum(logits)
    np.testing.assert_allclose(total[:, 0], logsumexp(logits.numpy().astype(np.float64), axis=1)[:, 0], rtol=1e-6)
    np.testing.assert_allclose(shares.sum(dim=1), 1, rtol=1e-6)


@pytest.mark.parametrize("columns", [[0, 1, 4, 8], [8, 6, 3, 5], [3], [7, 2], list(range(COLUMNS))])
def test_heads_of_some_columns_equal_those_of_all(columns: list[int]) -> None:
    heads, x, observed = heads_and_rows()
    hidden = torch.randn(60, WIDTH)
    some, parameters = heads.only(columns), heads(hidden)
    found = some(hidden)
    assert found.shape[1] <= parameters.shape[1]
    part = x[:, columns], observed[:, columns]
    torch.testing.assert_close(some.nll(found, *part), heads.nll(parameters, x, observed)[:, columns])
    torch.testing.assert_close(some.expected(found), heads.expected(parameters)[:, columns])


def test_gradients_reach_the_weights_that_are_shared() -> None:
    heads, x, observed = heads_and_rows()
    hidden, columns = torch.randn(60, WIDTH), [8, 1, 4]
    some = heads.only(columns)
    part = some.nll(some(hidden), x[:, columns], observed[:, columns]).sum()
    whole = heads.nll(heads(hidden), x, observed)[:, columns].sum()
    weights = list(heads.parameters())
    for mine, theirs in zip(torch.autograd.grad(part, weights), torch.autograd.grad(whole, weights), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_heads_of_some_columns_leave_those_of_all_as_they_were() -> None:
    heads, _, _ = heads_and_rows()
    before = {name: tensor.clone() for name, tensor in [*heads.named_parameters(), *heads.named_buffers()]}
    heads.only([1, 3])
    after = dict([*heads.named_parameters(), *heads.named_buffers()])
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
