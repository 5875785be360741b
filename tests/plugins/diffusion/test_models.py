"""Diffusion models of tables: exact conditions, seeds, and imputations and scores that depend on the row alone."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from anomalo.models.run import LocalRun
from anomalo.nn.training_by_sampling import draw_rows_by_code
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout
from anomalo_diffusion.ddpm import Ddpm
from anomalo_diffusion.edm import Edm
from anomalo_diffusion.network import Dropout
from anomalo_diffusion.noise import MOST_QUASI_RANDOM, QuasiRandomNoise
from anomalo_diffusion.training.denoising_loss import DenoisingLoss

ROWS = 1000
BLOCKS = (
    Block("x", "number", 0, low=-4, high=4),
    Block("y", "number", 1, low=-4, high=4),
    Block("group", "category", 2, levels=("a", "b", "rare")),
    Block("kind", "category", 3, levels=("u", "v")),
)
LAYOUT = Layout("table", (4,), BLOCKS)


def table(rows: int = ROWS, seed: int = 0) -> Encoded:
    """A column y follows x, kind follows the sign of x, b has no y, and few rows are rare, with large x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    group = rng.integers(0, 2, rows)
    group[:5], x[:5] = 2, 2 + 0.1 * x[:5]
    values = np.column_stack([x, 0.9 * x + 0.3 * rng.normal(size=rows), group + FIRST_LEVEL, (x > 0) + FIRST_LEVEL])
    return encoded(values, ~((group[:, None] == 1) & [False, True, False, False]))


def encoded(values: Any, observed: Any) -> Encoded:
    observed = np.broadcast_to(observed, np.shape(values))
    return Encoded(np.where(observed, values, 0).astype(np.float32), observed.copy(), LAYOUT)


def nothing(rows: int) -> Encoded:
    return encoded(np.zeros((rows, 4)), False)


@cache
def fitted(kind: type[Any], *goals: str) -> Any:
    model = kind(epochs=25, width=64, hidden=64, blocks=2, waves=1, dropout=0.0, average=0.95, learning_rate=0.01)
    return model.fit(table(), LocalRun(seed=0, goals=frozenset(goals)))


MODELS = pytest.mark.parametrize("kind", [Edm, Ddpm])


@pytest.mark.slow
@MODELS
def test_synthetic_rows_are_as_the_real_ones(kind: type[Any]) -> None:
    synthetic = fitted(kind).sample(nothing(2000), LocalRun(seed=1))
    real = table()
    assert stats.ks_2samp(synthetic.values[:, 0], real.values[:, 0]).statistic < 0.08
    seen = synthetic.observed[:, 1]
    assert np.corrcoef(synthetic.values[seen, 0], synthetic.values[seen, 1])[0, 1] > 0.75
    assert np.mean(~seen == (synthetic.values[:, 2] == FIRST_LEVEL + 1)) > 0.98  # missing where it is in training
    assert np.mean((synthetic.values[:, 0] > 0) == (synthetic.values[:, 3] == FIRST_LEVEL + 1)) > 0.85


@MODELS
def test_given_cells_are_kept_and_the_others_follow(kind: type[Any]) -> None:
    values = np.zeros((500, 4))
    values[:, 1], values[:, 2] = 1.5, FIRST_LEVEL
    given = encoded(values, [False, True, True, False])
    synthetic = fitted(kind).sample(given, LocalRun(seed=1))
    np.testing.assert_array_equal(synthetic.values[given.observed], given.values[given.observed])
    assert 0.8 < synthetic.values[:, 0].mean() < 1.8  # 1.5 by the regression of x on y
    assert np.mean(synthetic.values[:, 3] == FIRST_LEVEL + 1) > 0.8


@MODELS
def test_a_level_of_one_row_in_200_is_given_exactly_and_learned(kind: type[Any]) -> None:
    values = np.zeros((300, 4))
    values[:, 2] = FIRST_LEVEL + 2
    synthetic = fitted(kind).sample(encoded(values, [False, False, True, False]), LocalRun(seed=1))
    assert (synthetic.values[:, 2] == FIRST_LEVEL + 2).all()
    assert synthetic.values[:, 0].std() > 0
    # Its five rows have an x of about 2; without rows drawn for their sake so short a training makes it 0.3 or less.
    assert synthetic.values[:, 0].mean() > 0.6
    assert np.mean(synthetic.values[:, 3] == FIRST_LEVEL + 1) > 0.8


@pytest.mark.slow
@MODELS
def test_a_rare_class_is_learned_among_many_categories_if_it_is_the_label(kind: type[Any]) -> None:
    rng = np.random.default_rng(0)
    ill = np.arange(1000) < 20
    values = np.column_stack([rng.normal(size=1000) + 4 * ill, ill + FIRST_LEVEL, rng.integers(6, size=(1000, 20))])
    values[:, 2:] += FIRST_LEVEL
    others = (Block(f"c{at}", "category", at, levels=tuple("abcdef")) for at in range(2, 22))
    label = Block("ill", "category", 1, levels=("no", "yes"), label=True)
    layout = Layout("table", (22,), (Block("x", "number", 0, low=-4, high=8), label, *others))
    data = Encoded(values.astype(np.float32), np.ones(values.shape, dtype=bool), layout)
    model = kind(epochs=25, width=64, hidden=64, blocks=2, dropout=0.0, average=0.95, learning_rate=0.01, even=0.5)
    model.fit(data, LocalRun(seed=0, goals=frozenset({"sample"})))
    hidden = np.ones((300, 22), dtype=bool)
    hidden[:, 1] = False
    synthetic = model.sample(data.take(np.zeros(300, dtype=int)).hide(hidden), LocalRun(seed=1))
    assert (synthetic.values[:, 1] == FIRST_LEVEL + 1).all()
    assert synthetic.values[:, 0].mean() > 1.5  # 4 in its twenty rows; 0.2 if rows are drawn by all columns in turn


def test_codes_are_drawn_evenly() -> None:
    batch = torch.stack([torch.arange(100) < 2, torch.arange(100) % 4], dim=1).long()
    row, column = draw_rows_by_code(batch, 20_000, torch.ones_like)
    assert float(column.float().mean()) == pytest.approx(0.5, abs=0.02)
    assert float(batch[row[column == 0], 0].float().mean()) == pytest.approx(0.5, abs=0.02)
    shares = torch.bincount(batch[row[column == 1], 1]) / (column == 1).sum()
    np.testing.assert_allclose(shares, 0.25, atol=0.02)
    assert row[column == 0].unique().numel() == 100  # a code's rows alike, too
    row, column = draw_rows_by_code(batch, 20_000, torch.ones_like, 0)
    assert not column.any()
    assert float(batch[row, 0].float().mean()) == pytest.approx(0.5, abs=0.02)


def test_the_held_out_loss_is_the_same_for_the_same_weights() -> None:
    model, share = fitted(Edm), torch.rand(50, 2)
    shares = torch.cat([share, share, torch.zeros(50, 3)], dim=1)  # y has a code for its missing values
    observed = torch.ones(50, 5, dtype=torch.bool)
    loss = DenoisingLoss(model, 0.3, 0.25, learns_missing=True, even=0.2, seed=0)
    before = torch.get_rng_state()
    with torch.no_grad():
        first, second = (loss.held_out(model.net, shares, observed) for _ in range(2))
    assert first == second
    assert torch.equal(before, torch.get_rng_state())


@MODELS
def test_equal_seeds_give_equal_rows(kind: type[Any]) -> None:
    one, same, other = (fitted(kind).sample(nothing(40), LocalRun(seed=seed)).values for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@MODELS
def test_the_first_rows_do_not_depend_on_how_many_follow(kind: type[Any]) -> None:
    few, many = (fitted(kind).sample(nothing(n), LocalRun(seed=3)).values for n in (1100, 1300))
    np.testing.assert_array_equal(few, many[:1100])


@pytest.mark.slow
@MODELS
def test_rows_that_are_sampled_too_often_are_replaced(kind: type[Any]) -> None:
    model = fitted(kind)
    plain = kind(**{**model.params(), "candidates": 0}).restore(model.state())
    before, after = (some.sample(nothing(1000), LocalRun(seed=1)) for some in (plain, model))
    seldom, often = (model.ratio.weights(rows).mean() for rows in (before, after))
    assert seldom == pytest.approx(1, abs=0.1)
    assert often > seldom + 0.05
    assert fitted(kind, "score").ratio is None


def test_noise_fills_every_interval_once_and_each_row_is_random() -> None:
    noise = QuasiRandomNoise(0, 5, seed=1)
    shares = torch.cat([noise.rows(n)[1] for n in (1000, 24)])
    cells = np.sort(np.floor(shares.numpy() * 1024), axis=0)
    np.testing.assert_array_equal(cells, np.repeat(np.arange(1024)[:, None], 5, axis=1))
    normal = QuasiRandomNoise(5, 0, seed=1).rows(1024)[0].numpy()
    np.testing.assert_allclose(stats.norm.cdf(normal), shares, atol=1e-5)
    first = np.array([QuasiRandomNoise(1, 0, seed=seed).rows(1)[0].item() for seed in range(300)])
    assert stats.kstest(first, "norm").pvalue > 0.01


def test_rows_without_noise_are_as_many() -> None:
    assert [part.shape for part in QuasiRandomNoise(0, 0, seed=0).rows(3)] == [(3, 0), (3, 0)]


def test_noise_beyond_the_sequence_is_pseudo_random() -> None:
    normal, uniform = QuasiRandomNoise(MOST_QUASI_RANDOM + 50, 3, seed=0).rows(400)
    assert normal.shape == (400, MOST_QUASI_RANDOM + 50)
    assert stats.kstest(normal[:, MOST_QUASI_RANDOM:].flatten(), "norm").pvalue > 0.01
    assert abs(uniform.mean() - 0.5) < 0.05
    again = QuasiRandomNoise(MOST_QUASI_RANDOM + 50, 3, seed=0)
    assert torch.equal(again.rows(400)[0], normal)


@pytest.mark.slow
@MODELS
def test_an_imputed_value_is_the_conditional_expectation(kind: type[Any]) -> None:
    test = table(400, seed=5)
    hidden = test.hide(np.tile([False, True, False, True], (400, 1)))
    seen = test.observed[:, 1] & (test.values[:, 2] < FIRST_LEVEL + 2)
    imputed = fitted(kind, "impute").impute(hidden, draws=3)
    error = (imputed.point - test.values)[seen, 1]
    assert np.sqrt(np.mean(error**2)) < 0.5  # noise 0.3, standard deviation 0.95
    inside = (imputed.low[seen, 1] <= test.values[seen, 1]) & (test.values[seen, 1] <= imputed.high[seen, 1])
    assert inside.mean() > 0.8
    assert np.mean(imputed.point[:, 3] == test.values[:, 3]) > 0.9
    np.testing.assert_allclose(imputed.proba[3].sum(axis=1), 1, atol=1e-5)
    residual = imputed.draws[:, seen, 1] - imputed.point[seen, 1]
    assert 0.1 < residual.std() < 0.8
    np.testing.assert_array_equal(imputed.draws[:, :, 0], np.broadcast_to(test.values[:, 0], (3, 400)))


@MODELS
def test_results_depend_on_the_row_alone(kind: type[Any]) -> None:
    model, data = fitted(kind), table(300, seed=6)
    hidden = data.hide(np.random.default_rng(0).random(data.values.shape) < 0.3)
    rows = np.random.default_rng(1).permutation(300)[:7]
    np.testing.assert_array_equal(model.score(hidden)[rows], model.score(hidden.take(rows)))
    one, some = model.impute(hidden, draws=2), model.impute(hidden.take(rows), draws=2)
    np.testing.assert_array_equal(one.point[rows], some.point)
    np.testing.assert_array_equal(one.draws[:, rows], some.draws)


@MODELS
def test_broken_relations_and_far_values_are_anomalous(kind: type[Any]) -> None:
    model, data = fitted(kind), table(200, seed=7)
    broken = data.values.copy()
    broken[:, 3] = 2 * FIRST_LEVEL + 1 - broken[:, 3]
    typical = np.median(model.score(data))
    assert np.median(model.score(Encoded(broken, data.observed, LAYOUT))) > 1.5 * typical
    far = data.values.copy()
    scores = []
    for distance in (6.0, 9.0):
        far[:, 0] = distance
        scores.append(np.median(model.score(Encoded(far, data.observed, LAYOUT))))
    assert typical < scores[0] < scores[1]


@MODELS
def test_a_restored_model_gives_the_same_rows(kind: type[Any]) -> None:
    model = fitted(kind)
    other = kind(**model.params()).restore(model.state())
    run = {"seed": 2}
    one, same = (some.sample(nothing(30), LocalRun(**run)).values for some in (model, other))
    np.testing.assert_array_equal(one, same)
    assert not any("online" in name for name in model.state().arrays)


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "levels"), [(1000, 2), (100, 30)])
def test_wide_tables_give_finite_rows(columns: int, levels: int) -> None:
    values = np.random.default_rng(0).integers(0, levels, (120, columns)) + float(FIRST_LEVEL)
    blocks = tuple(Block(str(at), "category", at, levels=tuple(map(str, range(levels)))) for at in range(columns))
    data = Encoded(values.astype(np.float32), np.ones(values.shape, dtype=bool), Layout("table", (columns,), blocks))
    model = Edm(epochs=1, width=32, hidden=32, blocks=1, steps=3).fit(data, LocalRun())
    synthetic = model.sample(data.hide(np.ones(values.shape, dtype=bool)), LocalRun())
    assert np.isin(synthetic.values, np.unique(values)).all()
    assert np.isfinite(model.score(data)).all()


def test_a_fit_to_score_makes_a_third_of_the_updates() -> None:
    counts = []
    for goals in (frozenset[str](), frozenset({"score"})):
        run = LocalRun(goals=goals)
        Edm(updates=180, width=8, hidden=8, blocks=1).fit(table(100), run)
        counts.append(len(run.history))
    assert counts == [9, 3]


def test_dropout_keeps_the_mean() -> None:
    drop, units = Dropout(0.25), torch.ones(400, 500)
    dropped = drop(units)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)
    assert torch.equal(drop.eval()(units), units)


def test_one_bad_batch_moves_the_weights_no_further_than_others() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    (optimizer,) = Edm().optimizers([weight])
    weight.grad = torch.tensor([300.0, 0.0, 400.0])
    optimizer.step()
    torch.testing.assert_close(weight.grad, torch.tensor([0.6, 0.0, 0.8]))
