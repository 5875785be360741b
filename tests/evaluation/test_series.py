"""Metrics of series: against values of TSB-AD's own code, and against definitions point by point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalo.errors import UsageError
from anomalo.evaluation.series import point_f1, range_f1, ranges_of, vus_pr

POINTS = 700
RANGES = {
    "apart": [(100, 160), (400, 401), (600, 630)],
    "at both ends": [(0, 30), (650, 699)],
    "near each other": [(100, 110), (115, 120), (300, 340), (362, 370)],
}
TSB_AD = {
    ("apart", False): [
        0.33068865467489655,
        0.33068865467489655,
        0.34050060894744527,
        0.4006397204002419,
        0.18672718912527195,
    ],
    ("apart", True): [
        0.3187146140329419,
        0.3187146140329419,
        0.32844231879177693,
        0.3886459969985711,
        0.19013819899788062,
    ],
    ("at both ends", False): [
        0.3650879481140477,
        0.3650879481140477,
        0.37301900062919163,
        0.42339615689728577,
        0.23476274986637544,
    ],
    ("at both ends", True): [
        0.3568404864352736,
        0.3568404864352736,
        0.36458180350693026,
        0.41437593884366153,
        0.23378759753314649,
    ],
    ("near each other", False): [
        0.0890656371482637,
        0.0890656371482637,
        0.0988143712791439,
        0.13790982071563085,
        0.09177477695698007,
    ],
    ("near each other", True): [
        0.08553468172526535,
        0.08553468172526535,
        0.09558584712321092,
        0.13552064224136567,
        0.09618862160372046,
    ],
}
"""VUS-PR at each width, and range F1, by TSB-AD 1.5 (TheDatumOrg/TSB-AD, commit 87630099) with numpy 1.26.4:
of the arrays of `series`,

    basic_metricor().RangeAUC_volume_opt(labels, scores, width, 250)[5]
    basic_metricor().metric_RF1(labels, scores, preds=(scores > 1).astype(int))
"""
WIDTHS = (0, 1, 7, 50)


def series(name: str, rounded: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores that need no random generator, with ties if they are rounded."""
    labels = np.zeros(POINTS, dtype=int)
    for first, last in RANGES[name]:
        labels[first : last + 1] = 1
    at = np.arange(POINTS)
    scores = np.sin(at * at * 0.37) + 0.8 * np.cos(at * 0.011) + 0.9 * labels * np.cos(at * 0.3) ** 2
    return labels, np.round(scores, 1) if rounded else scores


@pytest.mark.parametrize(("name", "rounded"), TSB_AD)
def test_volumes_and_ranges_are_those_of_tsb_ad(name: str, rounded: bool) -> None:
    labels, scores = series(name, rounded)
    *volumes, of_ranges = TSB_AD[name, rounded]
    assert [vus_pr(labels, scores, width) for width in WIDTHS] == pytest.approx(volumes, abs=1e-12)
    assert range_f1(labels, scores > 1) == pytest.approx(of_ranges, abs=1e-12)


def test_without_tolerance_it_is_the_area_at_evenly_spaced_ranks() -> None:
    labels, scores = series("apart", False)
    falling = np.sort(scores)[::-1]
    area, before = 0.0, 0.0
    for threshold in falling[np.linspace(0, POINTS - 1, 250).astype(int)]:
        alerts = scores >= threshold
        touched = np.mean([alerts[first : last + 1].any() for first, last in RANGES["apart"]])
        recall = alerts[labels == 1].mean() * touched
        area += (recall - before) * labels[alerts].mean()
        before = recall
    assert vus_pr(labels, scores, 0) == pytest.approx(area, abs=1e-12)


def test_only_the_order_of_scores_counts() -> None:
    labels, scores = series("near each other", False)
    assert vus_pr(labels, scores, 20) == vus_pr(labels, np.exp(3 * scores), 20)


def test_perfect_scores_with_a_tolerance_are_not_asked_for_more() -> None:
    labels, _ = series("apart", False)
    assert vus_pr(labels, labels, 0, thresholds=POINTS) == pytest.approx(1.0)
    assert vus_pr(labels, labels + np.linspace(0, 0.1, POINTS), 40) > 0.9


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_cannot_be_ranked_is_refused(wrong: float) -> None:
    labels, scores = series("apart", False)
    with pytest.raises(UsageError, match="not finite"):
        vus_pr(labels, np.where(np.arange(POINTS) == 5, wrong, scores), 10)
    with pytest.raises(UsageError, match="one class"):
        vus_pr(np.zeros(POINTS), scores, 10)
    with pytest.raises(UsageError, match="-1 points: expected 0 or more"):
        vus_pr(labels, scores, -1)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=25))
def test_scores_of_ranges_and_points_are_their_definitions(pairs: list[tuple[bool, bool]]) -> None:
    labels, alerts = ([pair[at] for pair in pairs] for at in (0, 1))

    def runs(flags: list[bool]) -> list[set[int]]:
        found: list[set[int]] = []
        for at, flag in enumerate(flags):
            if flag and at and flags[at - 1]:
                found[-1].add(at)
            elif flag:
                found.append({at})
        return found

    def recall(real: list[set[int]], found: list[set[int]], existence: float) -> float:
        shares = []
        for run in real:
            touching = [other & run for other in found if other & run]
            share = sum(map(len, touching)) / len(run) / max(len(touching), 1)
            shares.append(existence * bool(touching) + (1 - existence) * share)
        return sum(shares) / len(shares) if shares else 0.0

    real, found = runs(labels), runs(alerts)
    assert [set(range(first, last + 1)) for first, last in ranges_of(labels)] == real
    parts = recall(found, real, 0.0), recall(real, found, 0.2)
    expected = 2 * parts[0] * parts[1] / sum(parts) if sum(parts) else 0.0
    assert range_f1(labels, alerts) == pytest.approx(expected)
    hits = sum(label and alert for label, alert in pairs)
    precision, share = hits / max(sum(alerts), 1), hits / max(sum(labels), 1)
    assert point_f1(labels, alerts) == pytest.approx(2 * precision * share / (precision + share) if hits else 0.0)
