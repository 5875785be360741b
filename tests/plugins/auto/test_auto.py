"""The combined detector: its members, what they learn from, its score, reasons and fills."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalo.errors import ParameterError, UsageError
from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout, ModelState, Scores, relative
from anomalo.registry.registry import Registry
from anomalo.testing.tables import tables as kit
from anomalo_auto.auto import Auto
from anomalo_auto.contamination import least_suspicious
from anomalo_auto.fusion import harmonic_mean
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


def names(found: Auto) -> list[str]:
    return [member.name for member in found._members]


def by_hand(registry: Registry, name: str, data: Encoded, new: Encoded, seed: int = 3) -> Scores:
    """A member's surprisals of new rows: among the training rows' scores by the model of all rows."""
    whole = registry.create(name).fit(data, LocalRun(seed=seed))
    return surprisal(whole.score(new), fit_tail(whole.score(data)))


def test_a_planted_row_is_the_most_anomalous_and_its_cell_the_first_reason(registry: Registry) -> None:
    data = some(300, seed=2)
    number = int(data.layout.numbers[0])
    values, observed = data.values.copy(), data.observed.copy()
    values[17, number], observed[17, number] = 25.0, True
    data = Encoded(values, observed, data.layout)
    found = fit(data, registry, members="knn,covariance,ecod")
    assert found.score(data).argmax() == 17
    cells = found.explain(data)
    assert cells.contribution[17].argmax() == number
    assert np.allclose(cells.contribution.sum(axis=1), found.score(data))


def test_the_score_is_the_harmonic_mean_of_p_values_among_training_scores(registry: Registry) -> None:
    data, new = some(200, seed=4), some(50, seed=5)
    found = fit(data, registry, members="knn,ecod,lof", assume="clean")
    p = np.exp([-by_hand(registry, name, data, new) for name in ("knn", "ecod", "lof")])
    assert np.allclose(np.exp(-found.score(new)), 3 / (1 / p).sum(axis=0))


def test_reasons_are_cells_that_the_members_and_the_nearest_rows_agree_on(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomalo_auto.auto.EXPLAINED", 400)
    data, rows = clustered(0), clustered(3, seed=1)
    found = fit(data, registry, members="covariance,ecod,iforest", assume="clean")
    knn, (covariance, ecod, _) = found._neighbours, (member.model for member in found._members)
    raised = np.exp([member.surprisal(rows) for member in found._members[:2]])  # iforest does not explain
    cells = [relative(model.explain(rows).contribution) for model in (covariance, ecod)]
    views = [cells[0] * raised[0][:, None] + cells[1] * raised[1][:, None]]
    views[0] /= views[0].sum(axis=1, keepdims=True)
    for model in (covariance, knn):  # ecod judges each column by itself
        contribution, training = model.explain(rows).contribution, model.explain(data).contribution
        bulk = np.quantile(training, 0.85, axis=0)
        excess = np.maximum(training - bulk, 0).mean(axis=0) / 0.15
        beyond = np.maximum(contribution - bulk, 0) / excess
        surprisal = -math.log(0.15) * np.minimum(contribution / bulk, 1) + beyond
        views += [relative(contribution), relative(surprisal)]
    agreed = np.exp(np.mean([np.log(view + 0.02) for view in views], axis=0)) - 0.02
    assert np.allclose(found.explain(rows).contribution, relative(agreed) * found.score(rows)[:, None])


def clustered(anomalies: int, seed: int = 0) -> Encoded:
    """Rows of one kind, 4 numbers each; the last `anomalies` of 400 lie together, far from the others."""
    values = np.random.default_rng(seed).normal(size=(400, 4)).astype(np.float32)
    if anomalies:
        values[-anomalies:] = values[-anomalies:] * 0.1 + 4
    blocks = tuple(Block(name=f"x{at}", kind="number", position=at) for at in range(4))
    return Encoded(values, np.ones(values.shape, dtype=bool), Layout("table", (4,), blocks))


@pytest.mark.parametrize(("assume", "learned"), [("clean", 100), ("auto", 100), ("contaminated", 85)])
def test_members_that_anomalies_mislead_learn_from_what_is_assumed(
    registry: Registry, assume: str, learned: int
) -> None:
    found = fit(some(100, seed=4), registry, members="lof,knn,covariance,iforest", assume=assume)
    assert names(found) == ["lof", "knn", "covariance", "iforest"]
    assert [len(member.model.reference_) for member in found._members[:2]] == [learned] * 2
    same = fit(some(100, seed=4), registry, members="covariance,iforest").score(some(50))
    alone = fit(some(100, seed=4), registry, members="covariance,iforest", assume=assume).score(some(50))
    assert np.array_equal(same, alone)


def test_the_user_says_which_members_are_robust(registry: Registry) -> None:
    for robust, learned in (("knn, covariance,iforest", 60), ("", 51)):
        found = fit(some(60), registry, members=QUICK, robust=robust, assume="contaminated")
        assert len(found._members[0].model.reference_) == learned


def test_where_rows_are_contaminated_other_members_are_fitted_without_the_most_suspicious(
    registry: Registry,
) -> None:
    data = clustered(12)
    together = fit(data, registry, members="knn,ecod,hbos", assume="clean")
    joint = harmonic_mean(np.stack([member.out_of_fold for member in together._members]))
    trusted = np.flatnonzero(least_suspicious(joint))
    assert len(trusted) == 340
    assert (trusted >= 388).sum() < 2
    found = fit(data, registry, members="knn,ecod,hbos", assume="contaminated")
    alone = registry.create("knn").fit(data.take(trusted), LocalRun())
    assert np.array_equal(found._members[0].model.score(data), alone.score(data))
    assert names(found) == ["knn", "ecod", "hbos"]
    anomalies = data.take(slice(388, 400))
    noticed = [auto._members[0].surprisal(anomalies).mean() for auto in (found, together)]
    assert noticed[0] > noticed[1] + 1


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"members": ""}, "expected different models' names"),
        ({"members": "knn,knn"}, "expected different models' names"),
        ({"members": "knn,mean"}, "'mean' cannot be a member"),
        ({"members": "auto"}, "'auto' cannot be a member"),
        ({"members": "knn", "assume": "dirty"}, "assume='dirty': expected one of 'auto', 'clean', 'contaminated'"),
        ({"members": "knn", "effort": "most"}, "effort='most': expected one of 'fast', 'default', 'thorough'"),
    ],
)
def test_unusable_members_are_named(registry: Registry, params: dict[str, object], text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        fit(some(50), registry, **params)


SHORTCUTS = [("assume", value) for value in ("clean", "contaminated", "auto")] + [
    ("effort", value) for value in ("fast", "thorough")
]


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize(("option", "value"), SHORTCUTS)
def test_assume_and_effort_on_the_command_line_set_the_parameters(
    anomalo: Any, tables: Path, tmp_path: Path, option: str, value: str
) -> None:
    fit = ("fit", tables / "patients.csv", "--as", "normal", "--workspace", tmp_path, "--json", "--for", "score")
    done = anomalo(*fit, f"--{option}", value, "--set", "members=knn,ecod")
    assert done.code == 0, done.err
    assert done.json["summary"]["parameters"][option] == value


@pytest.mark.parametrize("verb", ["fit", "scan"])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--assume", "clean", "--model", "knn"), "model 'knn' has no parameter 'assume'; it has: neighbours"),
        (("--assume", "dirty"), "--assume dirty: expected clean, contaminated or auto"),
        (("--effort", "fast", "--model", "knn"), "model 'knn' has no parameter 'effort'; it has: neighbours"),
        (("--effort", "most"), "--effort most: expected fast, default or thorough"),
        (("--clean",), "No such option"),
    ],
)
def test_assume_and_effort_are_refused_where_they_mean_nothing(
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
    found = fit(data, registry, members="lof,covariance")
    filled, expected = found.impute(data), found._members[-1].model.explain(data).expected
    assert np.array_equal(filled.point, np.where(data.observed, data.values, expected))
    with pytest.raises(UsageError, match="none of them can embed"):
        found.embed(data)


@pytest.mark.usefixtures("few_parts")
def test_codes_and_fills_are_those_of_the_first_member_that_gives_them(registry: Registry) -> None:
    data = some(80)
    found = fit(data, registry, members="knn,linear,undercomplete", epochs=2, assume="clean")
    first = found._members[1].model
    assert first.name == "linear"
    assert np.array_equal(found.embed(data), first.embed(data))
    assert np.array_equal(found.decode(found.embed(data)), first.decode(found.embed(data)))
    assert np.array_equal(found.impute(data).point, first.impute(data).point)


@pytest.mark.usefixtures("few_parts")
def test_fitted_to_impute_it_fills_as_blend_does_and_has_no_members(registry: Registry) -> None:
    data = some(120, seed=6)
    run = LocalRun(seed=3, goals=frozenset({"impute"}), registered=registry.create)
    found = Auto().fit(data, run)
    assert found._members == []
    assert (found.folds() == -1).all()
    filled = found.impute(data, draws=2)
    assert np.isfinite(filled.point).all()
    assert filled.draws is not None
    assert isinstance(found._imputer, Blend)
    assert found.hidden_cells() is not None


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("members", ["undercomplete,ecod", "knn,hbos"])
def test_fitted_to_score_and_then_extended_it_is_what_a_fit_for_all_gives_to_the_bit(
    registry: Registry, members: str
) -> None:
    data, new = some(120, seed=6), some(40, seed=7)
    params: dict[str, Any] = {"members": members, "epochs": 1}
    whole = Auto(**params).fit(data, LocalRun(seed=3, registered=registry.create))
    first = frozenset({"score", "embed"})
    grown = Auto(**params).fit(data, LocalRun(seed=3, goals=first, registered=registry.create))
    before = grown.score(new)
    assert grown.extend(data, LocalRun(seed=3, registered=registry.create)) is grown
    assert np.array_equal(grown.score(new), before)
    same(grown.state(), whole.state())
    assert np.array_equal(grown.score(new), whole.score(new))
    assert np.array_equal(grown.impute(new, draws=2).draws, whole.impute(new, draws=2).draws)
    assert np.array_equal(grown.folds(), whole.folds())


def same(one: ModelState, other: ModelState) -> None:
    """Assert that two states are equal to the bit, with those of the models inside."""
    assert one.values == other.values
    assert {name: array.tobytes() for name, array in one.arrays.items()} == {
        name: array.tobytes() for name, array in other.arrays.items()
    }
    assert set(one.models) == set(other.models)
    for key, (name, params, state) in one.models.items():
        assert (name, params) == other.models[key][:2]
        same(state, other.models[key][2])


def test_fitted_to_score_it_gives_no_draws_and_reports_no_errors(registry: Registry) -> None:
    data = some(80)
    found = fit(data, registry, members="knn")
    assert found.hidden_cells() is None
    with pytest.raises(UsageError, match="was not fitted to impute"):
        found.impute(data, draws=2)


def test_epochs_and_sizes_are_passed_on_to_members_that_have_them(registry: Registry) -> None:
    found = fit(some(80), registry, members="knn,undercomplete", epochs=2)
    assert {member.model.epochs for member in found._members if member.name == "undercomplete"} == {2}


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("goals", [frozenset(), SCORE, frozenset({"score", "impute"}), frozenset({"impute"})])
def test_progress_grows_to_its_end_and_history_names_the_members(registry: Registry, goals: frozenset[str]) -> None:
    shares: list[float] = []
    run = LocalRun(goals=goals, registered=registry.create, progress=lambda share, _: shares.append(share))
    Auto(members="knn,undercomplete,linear", epochs=1).fit(some(100), run)
    named = {entry["phase"].split(":")[0] for entry in run.history if "phase" in entry}
    assert named >= ({"undercomplete", "linear"} if goals != {"impute"} else set())
    assert shares == sorted(shares)
    assert shares[0] > 0
    assert 0.8 < shares[-1] <= 1
