"""The combined model of images: which members count, its score and parts, and which of them fills."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anomalo.errors import ParameterError, UsageError
from anomalo.models.run import LocalRun
from anomalo.plugin import Encoded, Filled, Scores
from anomalo.registry.registry import Registry
from anomalo.testing.images import images
from anomalo_auto.cross_fitted_member import CrossFittedMember
from anomalo_auto.images.evidence import best_filler, heard_members, rectangles
from anomalo_auto.images.image_auto import ImageAuto
from anomalo_auto.images.synthetic import with_defects

TRAIN, NEW = images()
FEW = TRAIN.take(slice(0, 60))
FOLDS = np.arange(len(FEW)) % 2
REGISTRY = Registry.load()


def run(seed: int = 3) -> LocalRun:
    return LocalRun(seed=seed, registered=REGISTRY.part_creator("image"))


@pytest.fixture(scope="module")
def found() -> ImageAuto:
    return ImageAuto(members="local_pca,oja,patches", taught="patches").fit(FEW, run())


class Scorer:
    """Scores images by a function, and fills them by another."""

    def __init__(
        self, score: Callable[[Encoded], Scores], fill: Callable[[Encoded], Any] = lambda data: data.values
    ) -> None:
        self.score, self._fill = score, fill

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(np.where(data.observed, data.values, self._fill(data)))


def member(name: str, scorer: Any) -> CrossFittedMember:
    return CrossFittedMember(name, scorer, np.zeros(0), (scorer, scorer))


def own(data: Encoded) -> Scores:
    """Knows the images: how much of one is not as it was."""
    nearest = np.abs(data.values[:, None] - FEW.values[None]).mean(axis=(2, 3, 4))
    return np.asarray(nearest.min(axis=1), dtype=np.float64)


def blind(data: Encoded) -> Scores:
    return np.zeros(len(data))


def test_a_name_stands_for_a_model_of_tables_and_one_of_images() -> None:
    assert REGISTRY.get("auto", "image") is ImageAuto
    assert REGISTRY.get("auto") is REGISTRY.get("auto", "table") is not ImageAuto


def test_members_that_find_no_defects_do_not_count_but_for_those_taught_them() -> None:
    members = [member("sees", Scorer(own)), member("blind", Scorer(blind)), member("taught", Scorer(blind))]
    assert heard_members(members, ["taught"], FEW, FOLDS, run()) == [0, 2]
    assert heard_members(members[1:], ["taught"], FEW, FOLDS, run()) == [0, 1]
    assert heard_members([CrossFittedMember("one", Scorer(own), np.zeros(0))], [], FEW, 0 * FOLDS, run()) == [0]


def test_the_member_fills_that_did_best_in_training() -> None:
    def truth(data: Encoded) -> Any:
        distance = [
            (np.square(FEW.values - row) * seen).sum(axis=(1, 2, 3))
            for row, seen in zip(data.values, data.observed, strict=True)
        ]
        return FEW.values[np.argmin(distance, axis=1)]

    members = [member("noise", Scorer(own, lambda data: data.values + 1)), member("true", Scorer(own, truth))]
    assert best_filler(members, FEW, FOLDS, run()) == 1
    assert best_filler(members[::-1], FEW, FOLDS, run()) == 0
    assert best_filler([], FEW, FOLDS, run()) == -1


def test_defects_are_where_the_image_is_seen_and_small() -> None:
    marred = with_defects(TRAIN, np.random.default_rng(0))
    assert (marred.observed == TRAIN.observed).all()
    changed = (marred.values != TRAIN.values).mean(axis=(1, 2, 3))
    assert not (marred.values != TRAIN.values)[~TRAIN.observed].any()
    assert (changed > 0).mean() > 0.9
    assert changed.max() < 0.3


def test_hidden_rectangles_are_a_quarter_to_a_half_as_high_and_wide() -> None:
    for one in rectangles((20, 2, 20, 40), np.random.default_rng(1)):
        assert (one[0] == one[1]).all()
        rows, columns = one[0].any(axis=1), one[0].any(axis=0)
        assert (one[0] == np.outer(rows, columns)).all()
        assert 5 <= rows.sum() <= 10
        assert 10 <= columns.sum() <= 20


def test_the_score_is_the_harmonic_mean_of_the_p_values_of_those_that_count(found: ImageAuto) -> None:
    counting = [found._members[number] for number in found.heard_]
    assert {one.name for one in counting} >= {"patches"}
    p_values = np.exp([-one.surprisal(NEW) for one in counting])
    expected = -np.log(len(counting) / (1 / p_values).sum(axis=0))
    np.testing.assert_allclose(found.score(NEW), expected)


def test_parts_of_pixels_sum_to_the_score_and_a_scar_has_the_largest(found: ImageAuto) -> None:
    whole = NEW.take(np.flatnonzero(NEW.flat()[1].all(axis=1)))
    values = whole.values.copy()
    values[:, 0, 4:7, 5:8] += 3.0
    marred = Encoded(values, whole.observed, whole.layout)
    parts = found.explain(marred).contribution
    np.testing.assert_allclose(parts.sum(axis=(1, 2, 3)), found.score(marred))
    assert np.median(found.score(marred)) > np.quantile(found.score(whole), 0.9)
    assert np.median(parts[:, 0, 4:7, 5:8].mean(axis=(1, 2)) / parts.mean(axis=(1, 2, 3))) > 3


def test_hidden_pixels_are_filled_by_the_member_that_was_chosen(found: ImageAuto) -> None:
    hidden = np.zeros(NEW.observed.shape, dtype=np.bool_)
    hidden[:, :, 3:6, 2:7] = True
    given = NEW.hide(hidden)
    chosen: Any = found._members[found.filler_].model
    assert (found.impute(given).point == chosen.impute(given).point).all()


def test_parts_without_a_fold_did_not_see_it_and_answer_the_same_verbs(found: ImageAuto) -> None:
    folds = found.folds()
    assert set(folds) == {0, 1, 2}
    part = found.without(0)
    again: Any = REGISTRY.create_for("image", "local_pca", {})
    alone = again.fit(FEW.take(np.flatnonzero(folds != 0)), LocalRun(seed=3))
    mine: Any = next(one.model for one in part._members if one.name == "local_pca")
    np.testing.assert_allclose(mine.score(NEW), alone.score(NEW))
    assert part.impute(NEW).point.shape == NEW.values.shape


def test_mistaken_members_are_named() -> None:
    with pytest.raises(ParameterError, match="expected different models' names"):
        ImageAuto(members="oja,oja").fit(FEW, run())
    with pytest.raises(ParameterError, match="'classifier' cannot be a member, it does not explain"):
        ImageAuto(members="classifier").fit(FEW, run())
    with pytest.raises(UsageError, match="none of them fills hidden pixels; add local_pca"):
        ImageAuto(members="patches").fit(FEW, run()).impute(NEW)


def test_the_plan_says_what_is_fitted_and_grows_with_images_and_a_network() -> None:
    few = ImageAuto(effort="fast").plan(TRAIN.layout, 100, frozenset())
    assert few.text == "local_pca, oja, patches, filters, each fitted 3 times on 100 images"
    many = ImageAuto(effort="fast").plan(TRAIN.layout, 10_000, frozenset())
    assert many.text.endswith("on 2,000 images, a sample of 10,000")
    assert many.seconds == pytest.approx(20 * few.seconds)
    assert many.scoring == pytest.approx(100 * few.scoring)
    with_network = ImageAuto(effort="fast", members="local_pca,conv").plan(TRAIN.layout, 2_000, frozenset())
    assert with_network.seconds > many.seconds
