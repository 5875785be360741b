"""The combined detector: energies, weights, the power mean, guards, reasons and fills."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from anomalo.errors import ParameterError, UsageError
from anomalo.plugin import Block, Encoded, Layout
from anomalo.registry import Registry
from anomalo.runs import LocalRun
from anomalo.testing.tables import tables as kit
from anomalo_auto.auto import Auto
from anomalo_auto.contamination import LEAST_TRUST, hidden, suspicion, trust, unsuspected
from anomalo_auto.fusion import agreement, power_mean
from anomalo_auto.imputation.blend import Blend
from anomalo_auto.tail_probability import energy, tail

QUICK = "knn,covariance,iforest"

SCORE = frozenset({"score"})


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


def some(rows: int, seed: int = 0) -> Encoded:
    """Random rows of the kit's table: numbers, categories, holes."""
    train, _ = kit()
    return train.take(np.random.default_rng(seed).choice(len(train), rows))


def fit(data: Encoded, registry: Registry, **params: object) -> Auto:
    return Auto(**params).fit(data, LocalRun(seed=3, goals=SCORE, registered=registry.create))


@pytest.mark.parametrize(
    ("law", "shape"),
    [(stats.expon(), 0.0), (stats.genpareto(0.4), 0.4), (stats.norm(), 0.0)],
    ids=["exponential", "Pareto", "normal"],
)
def test_an_energy_is_the_negative_log_of_the_tail_probability(law: stats.rv_continuous, shape: float) -> None:
    summary = tail(law.rvs(size=100_000, random_state=1))
    at = law.ppf([0.2, 0.7, 0.95, 0.99])
    assert np.allclose(energy(at, summary), -law.logsf(at), rtol=0.05, atol=0.02)
    assert summary[-1] == pytest.approx(shape, abs=0.05)


def test_an_energy_rises_with_the_score_and_goes_on_beyond_the_training_scores() -> None:
    scores = np.random.default_rng(0).gamma(2, size=300)
    found = energy(np.linspace(-1, 1e3, 5000), tail(scores))
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert found[-1] > energy(scores, tail(scores)).max()


@pytest.mark.parametrize("scores", [np.zeros(50), np.array([1.0]), np.array([1.0, 2.0]), np.repeat([0.0, 1e-9], 30)])
def test_energies_are_finite_whatever_the_training_scores(scores: np.ndarray) -> None:
    found = energy(np.array([-1e9, 0, 1, 1e9]), tail(scores))
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_the_power_mean_of_p_values_is_what_its_name_says() -> None:
    p, weights = np.array([[0.5, 0.01], [0.2, 0.9], [0.04, 0.3]]), np.array([0.5, 0.3, 0.2])
    assert np.allclose(np.exp(-power_mean(-np.log(p), weights)), (weights @ p**-0.5) ** -2)


def test_weights_are_rank_correlations_with_the_others() -> None:
    rng = np.random.default_rng(5)
    signal = rng.normal(size=500)
    energies = np.stack([signal, signal + rng.normal(size=500), np.exp(signal), rng.normal(size=500)])
    ranks = stats.rankdata(energies, axis=1)
    expected = [stats.spearmanr(ranks[at], np.delete(ranks, at, axis=0).mean(axis=0))[0] for at in range(4)]
    expected = np.maximum(expected, 0.05) / np.maximum(expected, 0.05).sum()
    assert np.allclose(agreement(energies), expected)
    assert agreement(energies).argmin() == 3
    assert agreement(energies[:2]).tolist() == [0.5, 0.5]


def test_a_member_that_says_nothing_hardly_counts() -> None:
    assert agreement(np.vstack([np.zeros(20), np.tile(np.arange(20.0), (3, 1))]))[0] < 0.02


def test_a_planted_row_is_the_strangest_and_its_cell_the_first_reason(registry: Registry) -> None:
    data = some(300, seed=2)
    number = int(data.layout.numbers[0])
    data.values[17, number], data.observed[17, number] = 25.0, True
    found = fit(data, registry, members="knn,covariance")
    assert found.score(data).argmax() == 17
    cells = found.explain(data)
    assert cells.contribution[17].argmax() == number
    assert np.allclose(cells.contribution.sum(axis=1), found.score(data))


def test_reasons_are_the_members_by_their_weights(registry: Registry) -> None:
    rows, found = clustered(0, seed=1), fit(clustered(0), registry, members="knn,covariance,iforest")
    shares = [model.explain(rows).contribution for model in found._models[:2]]
    shares = [share / share.sum(axis=1, keepdims=True) for share in shares]
    expected = (found.weights_[0] * shares[0] + found.weights_[1] * shares[1]) / found.weights_[:2].sum()
    assert np.allclose(found.explain(rows).contribution, expected * found.score(rows)[:, None])


def test_the_score_is_the_power_mean_of_the_members_energies(registry: Registry) -> None:
    data = some(200, seed=4)
    found = fit(data, registry, members="knn,lof")
    members = [registry.create(name).fit(data, LocalRun(seed=3)) for name in ("knn", "lof")]
    p = np.exp([-energy(model.score(data), tail(model.score(data))) for model in members])
    assert np.allclose(np.exp(-found.score(data)), (0.5 * p**-0.5).sum(axis=0) ** -2)


def clustered(strange: int, seed: int = 0) -> Encoded:
    """Rows of one kind, 4 numbers each; the last `strange` of 400 lie together, far from the others."""
    values = np.random.default_rng(seed).normal(size=(400, 4)).astype(np.float32)
    if strange:
        values[-strange:] = values[-strange:] * 0.1 + 4
    blocks = tuple(Block(name=f"x{at}", kind="number", position=at) for at in range(4))
    return Encoded(values, np.ones(values.shape, dtype=bool), Layout("table", (4,), blocks))


def test_what_a_witness_does_not_see_is_counted_in_ranks() -> None:
    suspected, witness = np.arange(200.0), np.arange(200.0)
    assert hidden(suspected, witness) == pytest.approx(1 - np.mean([197, 198, 199, 200]) / 200)
    assert hidden(suspected, -witness) == pytest.approx(1 - np.mean([1, 2, 3, 4]) / 200)
    assert hidden(suspected, np.zeros(200)) == pytest.approx(1 - 100.5 / 200)
    assert trust(0.0) == LEAST_TRUST < trust(0.1) < trust(1.0)


def test_guards_count_the_more_the_more_is_hidden_from_the_witness(registry: Registry) -> None:
    trusted = []
    for strange in (0, 12):
        data = clustered(strange)
        found, plain = fit(data, registry, members=QUICK), fit(data, registry, members=QUICK, guards="")
        guards = [registry.create(name).fit(data, LocalRun(seed=3)).score(data) for name in ("covariance", "iforest")]
        told = suspicion(np.stack([energy(scores, tail(scores)) for scores in guards]))
        trusted.append(trust(hidden(told, registry.create("knn").fit(data, LocalRun()).score(data))))
        expected = plain.weights_ * [1, trusted[-1], trusted[-1]]
        assert np.allclose(found.weights_, expected / expected.sum())
    assert trusted[0] < 0.8 < 1.5 < trusted[1]


def test_clean_rows_need_no_guards(registry: Registry) -> None:
    data = some(100, seed=4)
    assert fit(data, registry, members=QUICK, clean="yes").names_ == ["knn"]
    assert fit(data, registry, members="knn,lof", clean="yes").names_ == ["knn", "lof"]


def test_where_rows_are_not_clean_the_suspected_ones_are_kept_from_members_that_they_deceive(
    registry: Registry,
) -> None:
    data = clustered(40)
    guards = [registry.create(name).fit(data, LocalRun(seed=3)).score(data) for name in ("covariance", "iforest")]
    kept = unsuspected(suspicion(np.stack([energy(scores, tail(scores)) for scores in guards])))
    assert len(kept) == 340
    assert kept.max() < 360
    found = fit(data, registry, members="knn,covariance,iforest", clean="no")
    alone = registry.create("knn").fit(data.take(kept), LocalRun())
    assert found.names_ == ["knn", "covariance", "iforest"]
    assert np.array_equal(found._models[0].score(data), alone.score(data))
    assert np.array_equal(found._models[1].score(data), guards[0])
    blind = fit(data, registry, members="knn,covariance,iforest", clean="yes")
    caught = [(model.score(data).argsort()[-40:] >= 360).sum() for model in (found, blind)]
    assert caught[0] > 30 > 5 > caught[1]


def test_a_member_counts_as_many_neighbours_as_it_is_told(registry: Registry) -> None:
    data = some(80)
    assert fit(data, registry, members="knn,covariance")._models[0].neighbours == 5
    assert fit(data, registry, members="knn,covariance", neighbours=2)._models[0].neighbours == 2


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"members": ""}, "expected different models' names"),
        ({"members": "knn,knn"}, "expected different models' names"),
        ({"members": "iforest", "clean": "yes"}, "expected different models' names"),
        ({"members": "knn,mean"}, "'mean' cannot be a member"),
        ({"members": "auto"}, "'auto' cannot be a member"),
        ({"members": "knn,covariance", "witness": "mean"}, "witness='mean': expected a model that scores"),
        ({"members": "knn", "clean": "perhaps"}, "clean='perhaps'"),
    ],
)
def test_unusable_members_are_named(registry: Registry, params: dict[str, object], text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        fit(some(50), registry, **params)


@pytest.mark.usefixtures("few_parts")
def test_clean_on_the_command_line_sets_the_parameter(anomalo: Any, tables: Path, tmp_path: Path) -> None:
    fit = ("fit", tables / "patients.csv", "--as", "normal", "--clean", "--workspace", tmp_path, "--json")
    done = anomalo(*fit, "--set", "members=knn,covariance")
    assert done.code == 0, done.err
    assert done.json["summary"]["parameters"]["clean"] == "yes"
    refused = anomalo(*fit, "--model", "knn")
    assert (refused.code, "model 'knn' has no parameter 'clean'" in refused.err) == (2, True)


def test_an_unknown_member_is_named_with_a_suggestion(registry: Registry) -> None:
    with pytest.raises(UsageError, match="did you mean 'masked'"):
        fit(some(50), registry, members="maskd")


def test_members_without_reasons_are_not_enough(registry: Registry) -> None:
    with pytest.raises(ParameterError, match="none of them gives reasons"):
        fit(some(80), registry, members="lof,iforest")


def test_not_fitted_to_impute_it_fills_by_what_it_expects(registry: Registry) -> None:
    data = some(80)
    found = fit(data, registry, members="knn,covariance")
    filled, expected = found.impute(data), found._models[1].explain(data).expected
    assert np.array_equal(filled.point, np.where(data.observed, data.values, expected))
    with pytest.raises(UsageError, match="none of them can embed"):
        found.embed(data)


def test_codes_are_those_of_the_first_member_that_embeds(registry: Registry) -> None:
    data = some(80)
    found = fit(data, registry, members="knn,linear,undercomplete", epochs=2)
    assert np.array_equal(found.embed(data), found._models[1].embed(data))
    assert np.array_equal(found.decode(found.embed(data)), found._models[1].decode(found.embed(data)))


def test_fitted_to_impute_it_fills_as_blend_does_and_has_no_members(registry: Registry) -> None:
    data = some(120, seed=6)
    run = LocalRun(seed=3, goals=frozenset({"impute"}), registered=registry.create)
    found = Auto().fit(data, run)
    alone = Blend().fit(data, LocalRun(seed=3, registered=registry.create))
    assert found.names_ == []
    filled, expected = found.impute(data, draws=2), alone.impute(data, draws=2)
    assert np.array_equal(filled.point, expected.point)
    assert np.array_equal(filled.draws, expected.draws)
    assert found.hidden_cells() is not None
    assert np.array_equal(found.hidden_cells().error, alone.hidden_cells().error, equal_nan=True)


def test_fitted_for_all_it_expects_what_it_would_fill(registry: Registry) -> None:
    data = some(120, seed=6)
    found = Auto(members="knn").fit(data, LocalRun(registered=registry.create))
    rows = data.take(slice(0, 5))
    hidden = np.zeros(rows.values.shape, dtype=bool)
    hidden[:, 2] = True
    assert np.array_equal(found.explain(rows).expected[:, 2], found.impute(rows.hide(hidden)).point[:, 2])


def test_fitted_to_score_it_gives_no_draws_and_tells_no_errors(registry: Registry) -> None:
    data = some(80)
    found = fit(data, registry, members="knn")
    assert found.hidden_cells() is None
    with pytest.raises(UsageError, match="was not fitted to impute"):
        found.impute(data, draws=2)


def test_epochs_are_passed_on_to_members_that_train(registry: Registry) -> None:
    found = fit(some(80), registry, members="knn,undercomplete", epochs=2)
    assert found._models[1].epochs == 2


def test_progress_and_history_tell_the_members_apart(registry: Registry) -> None:
    shares: list[float] = []
    run = LocalRun(goals=SCORE, registered=registry.create, progress=lambda share, _: shares.append(share))
    Auto(members="knn,undercomplete,linear", epochs=3).fit(some(100), run)
    assert {entry["phase"].split(":")[0] for entry in run.history} == {"undercomplete", "linear"}
    assert shares == sorted(shares)
    assert shares[0] > 1 / 3
    assert shares[-1] <= 1
