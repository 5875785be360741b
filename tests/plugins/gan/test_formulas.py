"""The parts of the adversarial models against their definitions."""

import math

import pytest
import torch
from torch import Tensor

from anomalo.nn.training_by_sampling import draw_rows_by_code
from anomalo_gan.encoding.one_hot_format import OneHotFormat
from anomalo_gan.networks.generator_critic import Critic, linear
from anomalo_gan.sample_quality import collapse_warning, coverage
from anomalo_gan.training.random_conditions import draw_conditions

SIZES = (3, 2, 150, 4, 2)
PRESENT_WITH = [(-1, 0, 0), (3, 1, 2)]
"""The second number is present only if the fourth column's code is 1."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def one_hot_format() -> OneHotFormat:
    return OneHotFormat(2, SIZES, PRESENT_WITH)


def codes(n: int) -> Tensor:
    return torch.stack([torch.randint(size, (n,)) for size in SIZES], dim=1)


# --- rows ----------------------------------------------------------------------------------------------------------


def test_codes_come_back_from_rows() -> None:
    format, drawn = one_hot_format(), codes(50)
    hot = format.one_hot(drawn)
    assert hot.sum() == 50 * len(SIZES)
    certain = torch.where(hot > 0, 0.0, -1e6)
    assert torch.equal(format.draw(certain), drawn)


def test_a_thousand_columns_of_a_kind_are_one_group() -> None:
    assert len(OneHotFormat(0, (2,) * 1000, []).groups) == 1
    assert OneHotFormat(0, (2,) * 1000, []).code_entries == 2000


def test_drawn_and_relaxed_codes_have_the_softmax_as_their_frequencies() -> None:
    format = OneHotFormat(0, (3, 4), [])
    logits = torch.randn(1, format.code_entries)
    shares = [torch.softmax((logits + format.padding)[0, slots], dim=0) for slots in (slice(0, 4), slice(4, 8))]
    many = logits.expand(40_000, -1)
    relaxed = format.relax(many, temperature=0.7, hard=True)
    for column, share in enumerate(shares):
        drawn = torch.bincount(format.draw(many)[:, column], minlength=4) / 40_000
        torch.testing.assert_close(drawn, share, atol=0.012, rtol=0)
        torch.testing.assert_close(relaxed[:, 4 * column : 4 * column + 4].mean(dim=0), share, atol=0.012, rtol=0)


def test_relaxed_codes_are_one_hot_or_sum_to_one_and_pass_gradients() -> None:
    format = one_hot_format()
    logits = torch.randn(20, format.code_entries, requires_grad=True)
    hard, soft = format.relax(logits, 0.5, hard=True), format.relax(logits, 0.5, hard=False)
    assert set(hard.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(soft.sum(dim=1), torch.full((20,), float(len(SIZES))))
    for relaxed in (hard, soft):
        (gradient,) = torch.autograd.grad((relaxed * torch.randn(relaxed.shape)).sum(), logits)
        assert gradient.abs().sum() > 0
        assert (gradient[:, format.padding < 0] == 0).all()


def test_a_low_temperature_is_nearly_one_level() -> None:
    format, logits = one_hot_format(), torch.randn(200, one_hot_format().code_entries)
    cold, warm = (float(format.relax(logits, t, hard=False).amax(dim=1).mean()) for t in (0.05, 5.0))
    assert warm < 0.8 < 0.97 < cold


def test_without_gumbel_noise_the_best_code_is_drawn() -> None:
    format = OneHotFormat(0, (3, 4), [], gumbel=0.0)
    logits = torch.randn(30, format.code_entries)
    shown = (logits + format.padding).view(30, 2, 4).argmax(dim=2)
    assert torch.equal(format.draw(logits), shown)
    assert torch.equal(format.relax(logits, 0.5, hard=True).round(), format.one_hot(shown))


def test_only_allowed_codes_are_drawn() -> None:
    format = one_hot_format()
    flags = torch.ones(300, sum(SIZES), dtype=torch.bool)
    flags[:, 3 : 3 + 1] = False  # the second column's first code
    flags[:, 5 : 5 + 149] = False  # all but the last of the third
    drawn = format.draw(torch.randn(300, format.code_entries), format.flags_to_entries(flags))
    assert (drawn[:, 1] == 1).all()
    assert (drawn[:, 2] == 149).all()
    assert set(drawn[:, 0].tolist()) == {0, 1, 2}


def test_a_number_that_a_code_stands_for_is_zero() -> None:
    format, drawn, numbers = one_hot_format(), codes(50), torch.randn(50, 2)
    row = format.join(numbers, format.one_hot(drawn))
    assert torch.equal(row[:, 0], numbers[:, 0])
    assert torch.equal(row[:, 1], torch.where(drawn[:, 3] == 1, numbers[:, 1], 0.0))


# --- remedies ------------------------------------------------------------------------------------------------------


def test_spectral_normalisation_bounds_how_much_a_critic_can_stretch() -> None:
    layer = linear(6, 6, spectral=True)
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(50)
    for _ in range(50):
        layer(torch.randn(2, 6))
    assert float(torch.linalg.matrix_norm(layer.weight.detach(), 2)) == pytest.approx(1, rel=1e-2)


def test_packs_are_evaluated_together() -> None:
    format = one_hot_format()
    critic = Critic(format, 8, 1, pack=4)
    rows, given = torch.randn(10, format.entries), torch.zeros(10, format.items)
    logits = critic(rows, given)
    assert logits.shape == (2,)
    rows[5] += 1
    assert (critic(rows, given) != logits).tolist() == [False, True]


# --- tests and conditions ------------------------------------------------------------------------------------------


def test_coverage_sees_what_is_not_generated() -> None:
    real = torch.cat([torch.randn(300, 2), torch.randn(300, 2) + 50])
    equal = torch.cat([torch.randn(300, 2), torch.randn(300, 2) + 50])
    assert coverage(real, equal) > 0.9
    assert 0.4 < coverage(real, torch.randn(600, 2)) <= 0.5
    assert coverage(real, torch.zeros(600, 2)) < 0.05
    assert "only 45 %" in collapse_warning(0.45)


def test_what_is_known_of_a_column_is_given_together() -> None:
    column = torch.tensor([0, 1, 1, 2, 0])
    given = draw_conditions(4000, column, 0.5)
    assert torch.equal(given[:, 0], given[:, 4])
    assert torch.equal(given[:, 1], given[:, 2])
    per_row = given[:, [0, 1, 3]].sum(dim=1)
    assert float((per_row > 0).float().mean()) == pytest.approx(0.5 - 0.25 / 4, abs=0.03)  # none of three, one in four
    assert float((per_row == 3).float().mean()) == pytest.approx(0.25 / 4, abs=0.02)
    assert draw_conditions(10, column, 0.0).sum() == 0


def test_rare_levels_are_drawn_by_the_logarithm_of_their_frequency() -> None:
    batch = torch.stack([torch.arange(100) < 2, torch.arange(100) % 2], dim=1).long()
    row, column = draw_rows_by_code(batch, 20_000, torch.log1p)
    assert float(column.float().mean()) == pytest.approx(0.5, abs=0.02)
    first = batch[row[column == 0], 0].float().mean()
    assert float(first) == pytest.approx(math.log(3) / (math.log(3) + math.log(99)), abs=0.02)
    assert float(batch[row[column == 1], 1].float().mean()) == pytest.approx(0.5, abs=0.02)
