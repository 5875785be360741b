"""Diffusion of tables: what the networks predict, and rows as vectors."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from anomalo_diffusion.ddpm import Ddpm
from anomalo_diffusion.edm import Edm
from anomalo_diffusion.one_hot_space import OneHotSpace


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# What the networks predict.


@pytest.mark.parametrize("model", [Edm(), Ddpm(), Ddpm(schedule="linear", predict="noise")])
def test_the_target_leads_to_the_clean_row(model: Any) -> None:
    clean, noise = torch.randn(2, 500, 3)
    level = model.draw_levels(500, torch.device("cpu"))[:, None]
    signal, noise_scale = model.scales(level)
    noisy = signal * clean + noise_scale * noise
    found = model.clean(model.target(clean, noise, level), noisy, level)
    near = (noise_scale / signal < 100)[:, 0]  # beyond, float32 does not hold the clean row
    torch.testing.assert_close(found[near], clean[near], atol=2e-4, rtol=0)


def test_edm_is_preconditioned() -> None:
    model, level = Edm(), torch.tensor([[0.01], [0.5], [3.0], [50.0]])
    clean, noise = torch.randn(2, 4, 50_000)
    target = model.target(clean, noise, level)
    torch.testing.assert_close(target.var(dim=1), torch.ones(4), atol=0.03, rtol=0)
    x = clean + level * noise
    skip, out = 1 / (1 + level**2), level / (1 + level**2).sqrt()
    torch.testing.assert_close(target, (clean - skip * x) / out, atol=1e-2, rtol=0)
    torch.testing.assert_close(model.clean(torch.zeros_like(x), x, level), skip * x)
    levels = model.draw_levels(100_000, torch.device("cpu")).log()
    assert (levels.mean().item(), levels.std().item()) == pytest.approx((model.centre, model.scale), abs=0.02)


# One-hot vectors of rows.


def test_codes_have_a_softmax_each() -> None:
    space, logits = OneHotSpace(2, [3, 1, 4]), 3 * torch.randn(50, 8)
    parts = torch.cat([torch.randn(50, 2), torch.randint(3, (50, 1)), torch.zeros(50, 1), torch.randint(4, (50, 1))], 1)
    pieces = logits.split([3, 1, 4], dim=1)
    expected = torch.cat([piece.softmax(dim=1) for piece in pieces], dim=1)
    torch.testing.assert_close(space.probabilities(logits), expected)
    for at, piece in enumerate(pieces):
        surprisal = F.cross_entropy(piece, parts[:, 2 + at].long(), reduction="none")
        torch.testing.assert_close(space.surprisal(logits, parts)[:, at], surprisal)
    vectors = space.vectors(parts)
    torch.testing.assert_close(vectors[:, :2], parts[:, :2])
    torch.testing.assert_close(vectors[:, 2:5], F.one_hot(parts[:, 2].long(), 3).float())
    assert vectors[:, 5].tolist() == [1.0] * 50
    entries = space.parts_to_entries(torch.tensor([[1.0, 0, 0, 1, 1]]))
    assert entries.tolist() == [[1, 0, 0, 0, 0, 1, 1, 1, 1, 1]]


def test_codes_are_drawn_by_their_probabilities() -> None:
    space, shares = OneHotSpace(0, [3, 2]), torch.tensor([0.2, 0.0, 0.8, 0.5, 0.0])
    codes = space.draw(shares.expand(20_000, 5), torch.rand(20_000, 2))
    assert torch.bincount(codes[:, 0], minlength=3).div(20_000).tolist() == pytest.approx([0.2, 0, 0.8], abs=0.02)
    assert not codes[:, 1].any()  # shares need not sum to one


def test_ties_are_jittered_anew_over_their_share() -> None:
    space = OneHotSpace(1, [2])
    shares = torch.tensor([[0.2, 0.6, 1.0]]).expand(50_000, 3)
    parts = space.jittered(shares)
    share = torch.special.ndtr(parts[:, 0])
    assert (share.min().item(), share.max().item(), share.mean().item()) == pytest.approx((0.2, 0.6, 0.4), abs=2e-3)
    assert parts[:, 1].unique().tolist() == [1.0]
