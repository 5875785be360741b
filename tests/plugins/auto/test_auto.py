"""The combined detector: surprisals, weights, the power mean, robust members, reasons and fills."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from anomalo.errors import ParameterError, UsageError
from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout
from anomalo.registry.registry import Registry
from anomalo.testing.tables import tables as kit
from anomalo_auto.auto import Auto
from anomalo_auto.contamination import (
    LEAST_WEIGHT,
    least_suspicious,
    masking_effect,
    robust_score,
    robust_weight,
)
from anomalo_auto.fusion import agreement, power_mean
from anomalo_auto.imputation.blend import Blend
from anomalo_auto.tail_probability import fit_tail, surprisal

QUICK = "knn,covariance,iforest"

SCORE = frozenset({"score"})


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


def some(rows: int, seed: int = 0) -> Encoded:
    """Random rows of the kit's table: numbers, categories, missing values."""
    train, _ = kit()
    return train.take(np.random.default_rng(seed).choice(len(train), rows))


def fit(data: Encoded, registry: Registry, **params: object) -> Auto:
    return Auto(**params).fit(data, LocalRun(seed=3, goals=SCORE, registered=registry.create))


@pytest.mark.parametrize(
    ("law", "shape"),
    [(stats.expon(), 0.0), (stats.genpareto(0.4), 0.4), (stats.norm(), 0.0)],
    ids=["exponential", "Pareto", "normal"],
)
def test_a_surprisal_is_the_negative_log_of_the_tail_probability(law: stats.rv_continuous, shape: float) -> None:
    summary = fit_tail(law.rvs(size=100_000, random_state=1))
    at = law.ppf([0.2, 0.7, 0.95, 0.99])
    assert np.allclose(surprisal(at, summary), -law.logsf(at), rtol=0.05, atol=0.02)
    assert summary[-1] == pytest.approx(shape, abs=0.05)


def test_a_surprisal_rises_with_the_score_also_beyond_the_training_scores() -> None:
    scores = np.random.default_rng(0).gamma(2, size=300)
    found = surprisal(np.linspace(-1, 1e3, 5000), fit_tail(scores))
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert found[-1] > surprisal(scores, fit_tail(scores)).max()


@pytest.mark.parametrize("scores", [np.zeros(50), np.array([1.0]), np.array([1.0, 2.0]), np.repeat([0.0, 1e-9], 30)])
def test_surprisals_are_finite_whatever_the_training_scores(scores: np.ndarray) -> None:
    found = surprisal(np.array([-1e9, 0, 1, 1e9]), fit_tail(scores))
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_the_power_mean_of_p_values_is_what_its_name_says() -> None:
    p, weights = np.array([[0.5, 0.01], [0.2, 0.9], [0.04, 0.3]]), np.array([0.5, 0.3, 0.2])
    assert np.allclose(np.exp(-power_mean(-np.log(p), weights)), (weights @ p**-0.5) ** -2)


def test_weights_are_rank_correlations_with_the_others() -> None:
    rng = np.random.default_rng(5)
    signal = rng.normal(size=500)
    surprisals = np.stack([signal, signal + rng.normal(size=500), np.exp(signal), rng.normal(size=500)])
    ranks = stats.rankdata(surprisals, axis=1)
    expected = [stats.spearmanr(ranks[at], np.delete(ranks, at, axis=0).mean(axis=0))[0] for at in range(4)]
    expected = np.maximum(expected, 0.05) / np.maximum(expected, 0.05).sum()
    assert np.allclose(agreement(surprisals), expected)
    assert agreement(surprisals).argmin() == 3
    assert agreement(surprisals[:2]).tolist() == [0.5, 0.5]


def test_a_constant_member_hardly_counts() -> None:
    assert agreement(np.vstack([np.zeros(20), np.tile(np.arange(20.0), (3, 1))]))[0] < 0.02


def test_a_planted_row_is_the_most_anomalous_and_its_cell_the_first_reason(registry: Registry) -> None:
    data = some(300, seed=2)
    number = int(data.layout.numbers[0])
    values, observed = data.values.copy(), data.observed.copy()
    values[17, number], observed[17, number] = 25.0, True
    data = Encoded(values, observed, data.layout)
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


def test_the_score_is_the_power_mean_of_the_members_surprisals(registry: Registry) -> None:
    data = some(200, seed=4)
    found = fit(data, registry, members="knn,lof")
    members = [registry.create(name).fit(data, LocalRun(seed=3)) for name in ("knn", "lof")]
    p = np.exp([-surprisal(model.score(data), fit_tail(model.score(data))) for model in members])
    assert np.allclose(np.exp(-found.score(data)), (0.5 * p**-0.5).sum(axis=0) ** -2)


def clustered(anomalies: int, seed: int = 0) -> Encoded:
    """Rows of one kind, 4 numbers each; the last `anomalies` of 400 lie together, far from the others."""
    values = np.random.default_rng(seed).normal(size=(400, 4)).astype(np.float32)
    if anomalies:
        values[-anomalies:] = values[-anomalies:] * 0.1 + 4
    blocks = tuple(Block(name=f"x{at}", kind="number", position=at) for at in range(4))
    return Encoded(values, np.ones(values.shape, dtype=bool), Layout("table", (4,), blocks))


@pytest.mark.slow
def test_the_masking_effect_is_counted_in_ranks_of_the_reference_model() -> None:
    robust, reference = np.arange(200.0), np.arange(200.0)
    assert masking_effect(robust, reference) == pytest.approx(1 - np.mean([197, 198, 199, 200]) / 200)
    assert masking_effect(robust, -reference) == pytest.approx(1 - np.mean([1, 2, 3, 4]) / 200)
    assert masking_effect(robust, np.zeros(200)) == pytest.approx(1 - 100.5 / 200)
    assert robust_weight(0.0) == LEAST_WEIGHT < robust_weight(0.1) < robust_weight(1.0)


def test_robust_members_count_the_more_the_stronger_the_masking_effect(registry: Registry) -> None:
    counted = []
    for anomalies in (0, 12):
        data = clustered(anomalies)
        found, plain = fit(data, registry, members=QUICK), fit(data, registry, members=QUICK, robust_members="")
        robust = [registry.create(name).fit(data, LocalRun(seed=3)).score(data) for name in ("covariance", "iforest")]
        joint = robust_score(np.stack([surprisal(scores, fit_tail(scores)) for scores in robust]))
        counted.append(robust_weight(masking_effect(joint, registry.create("knn").fit(data, LocalRun()).score(data))))
        expected = plain.weights_ * [1, counted[-1], counted[-1]]
        assert np.allclose(found.weights_, expected / expected.sum())
    assert counted[0] < 0.8 < 1.5 < counted[1]


def test_clean_rows_need_no_robust_members(registry: Registry) -> None:
    data = some(100, seed=4)
    assert fit(data, registry, members=QUICK, assume="clean").names_ == ["knn"]
    assert fit(data, registry, members="knn,lof", assume="clean").names_ == ["knn", "lof"]


def test_where_rows_are_contaminated_other_members_are_fitted_without_the_most_suspicious(
    registry: Registry,
) -> None:
    data = clustered(40)
    robust = [registry.create(name).fit(data, LocalRun(seed=3)).score(data) for name in ("covariance", "iforest")]
    kept = least_suspicious(robust_score(np.stack([surprisal(scores, fit_tail(scores)) for scores in robust])))
    assert len(kept) == 340
    assert kept.max() < 360
    found = fit(data, registry, members="knn,covariance,iforest", assume="contaminated")
    alone = registry.create("knn").fit(data.take(kept), LocalRun())
    assert found.names_ == ["knn", "covariance", "iforest"]
    assert np.array_equal(found._models[0].score(data), alone.score(data))
    assert np.array_equal(found._models[1].score(data), robust[0])
    blind = fit(data, registry, members="knn,covariance,iforest", assume="clean")
    caught = [(model.score(data).argsort()[-40:] >= 360).sum() for model in (found, blind)]
    assert caught[0] > 30 > 5 > caught[1]


def test_a_member_uses_as_many_neighbours_as_are_given(registry: Registry) -> None:
    data = some(80)
    assert fit(data, registry, members="knn,covariance")._models[0].neighbours == 5
    assert fit(data, registry, members="knn,covariance", neighbours=2)._models[0].neighbours == 2


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"members": ""}, "expected different models' names"),
        ({"members": "knn,knn"}, "expected different models' names"),
        ({"members": "iforest", "assume": "clean"}, "expected different models' names"),
        ({"members": "knn,mean"}, "'mean' cannot be a member"),
        ({"members": "auto"}, "'auto' cannot be a member"),
        (
            {"members": "knn,covariance", "reference_model": "mean"},
            "reference_model='mean': expected a model that scores",
        ),
        ({"members": "knn", "assume": "dirty"}, "assume='dirty': expected one of 'auto', 'clean', 'contaminated'"),
    ],
)
def test_unusable_members_are_named(registry: Registry, params: dict[str, object], text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        fit(some(50), registry, **params)


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("assumption", ["clean", "contaminated", "auto"])
def test_assume_on_the_command_line_sets_the_parameter(
    anomalo: Any, tables: Path, tmp_path: Path, assumption: str
) -> None:
    fit = ("fit", tables / "patients.csv", "--as", "normal", "--workspace", tmp_path, "--json", "--for", "score")
    done = anomalo(*fit, "--assume", assumption, "--set", "members=knn,covariance")
    assert done.code == 0, done.err
    assert done.json["summary"]["parameters"]["assume"] == assumption


@pytest.mark.parametrize("verb", ["fit", "scan"])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--assume", "clean", "--model", "knn"), "model 'knn' has no parameter 'assume'; it has: neighbours"),
        (("--assume", "dirty"), "--assume dirty: expected clean, contaminated or auto"),
        (("--clean",), "No such option"),
    ],
)
def test_assume_is_refused_where_it_means_nothing(
    anomalo: Any, tables: Path, tmp_path: Path, verb: str, options: tuple[str, ...], text: str
) -> None:
    name = ("--as", "normal") if verb == "fit" else ()
    outcome = anomalo(verb, tables / "patients.csv", *name, *options, "--workspace", tmp_path / "w")
    assert outcome.code == 2
    assert text in outcome.err
    assert not (tmp_path / "w" / "models").exists()


def test_an_unknown_member_is_named_with_a_suggestion(registry: Registry) -> None:
    with pytest.raises(UsageError, match="did you mean 'masked'"):
        fit(some(50), registry, members="maskd")


def test_members_without_reasons_are_not_enough(registry: Registry) -> None:
    with pytest.raises(ParameterError, match="none of them explains its scores"):
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_fitted_for_all_it_expects_what_it_would_fill(registry: Registry) -> None:
    data = some(120, seed=6)
    found = Auto(members="knn").fit(data, LocalRun(registered=registry.create))
    rows = data.take(slice(0, 5))
    hidden = np.zeros(rows.values.shape, dtype=bool)
    hidden[:, 2] = True
    assert np.array_equal(found.explain(rows).expected[:, 2], found.impute(rows.hide(hidden)).point[:, 2])


def test_fitted_to_score_it_gives_no_draws_and_reports_no_errors(registry: Registry) -> None:
    data = some(80)
    found = fit(data, registry, members="knn")
    assert found.hidden_cells() is None
    with pytest.raises(UsageError, match="was not fitted to impute"):
        found.impute(data, draws=2)


def test_epochs_are_passed_on_to_members_that_train(registry: Registry) -> None:
    found = fit(some(80), registry, members="knn,undercomplete", epochs=2)
    assert found._models[1].epochs == 2


def test_progress_and_history_name_the_members(registry: Registry) -> None:
    shares: list[float] = []
    run = LocalRun(goals=SCORE, registered=registry.create, progress=lambda share, _: shares.append(share))
    Auto(members="knn,undercomplete,linear", epochs=3).fit(some(100), run)
    assert {entry["phase"].split(":")[0] for entry in run.history} == {"undercomplete", "linear"}
    assert shares == sorted(shares)
    assert shares[0] > 1 / 3
    assert shares[-1] <= 1
