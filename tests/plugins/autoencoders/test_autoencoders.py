"""The linear autoencoder finds the principal components; the undercomplete one learns what bends."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from anomalo.models.run import LocalRun
from anomalo.plugin import FIRST_LEVEL, MISSING, UNSEEN, Block, Encoded, Layout
from anomalo.testing import tables
from anomalo_autoencoders.bottleneck.linear import LinearAutoencoder
from anomalo_autoencoders.bottleneck.undercomplete import Undercomplete

BOTH = [LinearAutoencoder, Undercomplete]


def numeric(values: Any, observed: Any = None) -> Encoded:
    values = np.asarray(values, dtype=np.float32)
    observed = np.ones(values.shape, dtype=bool) if observed is None else observed
    blocks = tuple(Block(f"x{at}", "number", at) for at in range(values.shape[1]))
    return Encoded(np.where(observed, values, np.float32(MISSING)), observed, Layout("table", values.shape[1:], blocks))


def gaussian(rows: int, latent: int, columns: int, noise: float, seed: int = 0) -> Encoded:
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(np.random.default_rng(99).normal(size=(columns, columns)))[0][:, :latent] * 2
    return numeric(rng.normal(size=(rows, latent)) @ mixing.T + noise * rng.normal(size=(rows, columns)))


def curve(rows: int, seed: int = 0) -> Encoded:
    """Six numbers and a category that follow one hidden quantity, not along a line."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(-1, 1, rows)
    columns = [np.sin(3 * t), np.cos(3 * t), t, t**2 * 2 - 1, np.abs(t) * 2 - 1, np.sin(6 * t)]
    level = FIRST_LEVEL + np.digitize(t, [-0.3, 0.4])
    values = np.column_stack([*(column + 0.03 * rng.normal(size=rows) for column in columns), level])
    blocks = (
        *(Block(f"x{at}", "number", at) for at in range(6)),
        Block("third", "category", 6, levels=("left", "middle", "right")),
    )
    return Encoded(values.astype(np.float32), np.ones(values.shape, dtype=bool), Layout("table", (7,), blocks))


@pytest.mark.slow
@pytest.mark.parametrize(("latent", "columns"), [(1, 4), (3, 8)])
def test_the_linear_autoencoder_finds_the_principal_components(latent: int, columns: int) -> None:
    data = gaussian(800, latent, columns, noise=0.4)
    model = LinearAutoencoder(latent=latent, hide=0.0, holdout=0.0, epochs=40, patience=40, weight_decay=0.0)
    model.fit(data, LocalRun(seed=0))
    mean, scale = data.values.mean(axis=0), data.values.std(axis=0)
    standardised = (data.values - mean) / scale
    pca = PCA(latent).fit(standardised)
    weight = model.net.heads.linear.weight.detach().numpy()  # (columns, latent)
    assert np.degrees(subspace_angles(weight, pca.components_.T)).max() < 1.0
    # A random subspace is nowhere near, so that the bound says something.
    random = np.random.default_rng(0).normal(size=weight.shape)
    assert np.degrees(subspace_angles(random, pca.components_.T)).max() > 20.0
    best = pca.inverse_transform(pca.transform(standardised)) * scale + mean
    errors = [np.square(data.values - each).mean() for each in (reconstruction(model, data), best)]
    assert errors[0] == pytest.approx(errors[1], rel=0.01)


def reconstruction(model: Any, data: Encoded) -> Any:
    return model.infer(lambda x, o: (model.net.heads.expected(model.net(x, o)),), data)[0]


def test_tied_weights_are_one_parameter_with_one_gradient() -> None:
    data = gaussian(50, 2, 5, noise=0.4)
    model = LinearAutoencoder(latent=2, hide=0.0, epochs=1).fit(data, LocalRun())
    net = model.net
    matrices = [p for p in net.parameters() if p.ndim == 2]
    assert len(matrices) == 1
    x, observed = torch.tensor(data.values), torch.tensor(data.observed)
    # d/dW of the loss through both uses, against finite differences
    weight = net.heads.linear.weight
    (gradient,) = torch.autograd.grad(model.loss(net, x, observed), weight)
    with torch.no_grad():
        for at in [(0, 0), (3, 1)]:
            losses = []
            for step in (0.01, -0.01):
                weight[at] += step
                losses.append(model.loss(net, x, observed).item())
                weight[at] -= step
            assert gradient[at].item() == pytest.approx((losses[0] - losses[1]) / 0.02, rel=0.02, abs=1e-3)


@pytest.fixture(scope="module")
def on_curve() -> Undercomplete:
    return Undercomplete(epochs=30).fit(curve(1000), LocalRun(seed=0))


@pytest.mark.slow
def test_a_curve_is_learned_far_better_than_by_the_mean(on_curve: Undercomplete) -> None:
    new = curve(400, seed=1)
    found = reconstruction(on_curve, new)
    error = np.square(new.values - found)[:, :6].mean(axis=0)
    assert (error < 0.05 * new.values[:, :6].var(axis=0)).all()
    assert np.mean(found[:, 6] == new.values[:, 6]) > 0.95


def hidden_cells(data: Encoded, seed: int = 0) -> Any:
    """One cell of each row."""
    columns = np.random.default_rng(seed).integers(0, data.values.shape[1], len(data))
    return columns[:, None] == np.arange(data.values.shape[1])


def test_hidden_cells_are_filled_better_than_by_mean_and_mode(on_curve: Undercomplete) -> None:
    train, new = curve(1000), curve(400, seed=1)
    cells = hidden_cells(new)
    filled = on_curve.impute(new.hide(cells))
    np.testing.assert_array_equal(filled.point[~cells], new.values[~cells])
    numbers = cells & (np.arange(7) < 6)
    error = np.square(filled.point - new.values)[numbers].mean()
    baseline = np.square(train.values.mean(axis=0) - new.values)[numbers].mean()
    assert error < 0.1 * baseline
    third = cells[:, 6]
    right = np.mean(filled.point[third, 6] == new.values[third, 6])
    mode = np.bincount(train.values[:, 6].astype(int)).argmax()
    assert right > np.mean(new.values[third, 6] == mode) + 0.3
    proba = filled.proba[6]
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(proba[third].argmax(axis=1) + FIRST_LEVEL, filled.point[third, 6])


def test_the_linear_autoencoder_fills_by_the_other_columns() -> None:
    train, new = gaussian(800, 2, 6, noise=0.3), gaussian(300, 2, 6, noise=0.3, seed=1)
    model = LinearAutoencoder(latent=2, epochs=30).fit(train, LocalRun(seed=0))
    cells = hidden_cells(new)
    filled = model.impute(new.hide(cells)).point
    error = np.square(filled - new.values)[cells].mean()
    assert error < 0.35 * np.square(train.values.mean(axis=0) - new.values)[cells].mean()


@pytest.mark.parametrize("model", BOTH)
def test_the_expected_value_of_a_cell_does_not_depend_on_that_cell(model: type[Any]) -> None:
    train, new = tables()
    fitted = model(epochs=3).fit(train, LocalRun(seed=0))
    before = fitted.explain(new).expected
    for position in range(5):
        block, values = new.layout.blocks[position], new.values.copy()
        level = FIRST_LEVEL + (values[:, position] - FIRST_LEVEL + 1) % max(block.size, 1)
        other = level if block.kind == "category" else values[:, position] - 2
        values[:, position] = np.where(new.observed[:, position], other, 0)
        after = fitted.explain(Encoded(values, new.observed, new.layout)).expected
        np.testing.assert_allclose(after[:, position], before[:, position], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", BOTH)
def test_what_is_saved_gives_the_same_answers(model: type[Any]) -> None:
    train, new = tables()
    fitted = model(epochs=3, latent=2).fit(train, LocalRun(seed=0))
    again = model(**fitted.params()).restore(fitted.state())
    np.testing.assert_array_equal(again.score(new), fitted.score(new))
    np.testing.assert_array_equal(again.impute(new).point, fitted.impute(new).point)
    np.testing.assert_array_equal(again.explain(new).contribution, fitted.explain(new).contribution)
    assert all(not parameter.isnan().any() for parameter in again.net.parameters())


@pytest.mark.parametrize("model", BOTH)
def test_unseen_levels_and_missing_cells_are_the_same_to_the_network(model: type[Any]) -> None:
    train, new = tables()
    fitted = model(epochs=2).fit(train, LocalRun(seed=0))
    cells = np.zeros(new.values.shape, dtype=bool)
    cells[:, new.layout.categories] = True
    missing = new.hide(cells)
    unseen = Encoded(np.where(cells, np.float32(UNSEEN), missing.values), missing.observed, new.layout)
    np.testing.assert_array_equal(fitted.score(unseen), fitted.score(missing))
    point = fitted.impute(unseen).point
    np.testing.assert_array_equal(point, fitted.impute(missing).point)
    assert (point[:, new.layout.categories] >= FIRST_LEVEL).all()


def test_by_default_the_code_is_narrower_than_the_table() -> None:
    for columns, widths in {3: (1, 2), 9: (3, 3), 90: (16, 16)}.items():
        layout = Layout("table", (columns,), tuple(Block(f"x{at}", "number", at) for at in range(columns)))
        data = Encoded(np.zeros((2, columns), np.float32), np.ones((2, columns), bool), layout)
        for model, width in zip(BOTH, widths, strict=True):
            net = model().build(layout)
            assert net.encode(torch.tensor(data.values), torch.tensor(data.observed)).shape == (2, width)
