"""Changes of level and spread, and drifts: seldom where nothing changes, and found near where something does."""

from __future__ import annotations

import numpy as np
import pytest

from anomalo.calibration.changes import Change, ChangeMonitor, UsualBlocks, block_length, strongest

BLOCK, USUAL, NEW = 32, 40, 40
CHANNELS = 10


def noise(seed: int, blocks: int, memory: float = 0.0, channels: int = CHANNELS) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(blocks * BLOCK, channels))
    for at in range(1, len(found)):
        found[at] += memory * found[at - 1]
    return found


def changes(usual: np.ndarray, new: np.ndarray, parts: int = 1) -> list[Change]:
    monitor = ChangeMonitor(UsualBlocks.of(usual, np.zeros(len(usual), dtype=np.intp), 1, BLOCK))
    for rows in np.array_split(np.arange(len(new)), parts):
        monitor.see(0, new[rows], rows)
    return monitor.changes()


@pytest.mark.parametrize(("memory", "season"), [(0.0, 0.0), (0.5, 0.0), (0.9, 0.0), (0.5, 5.0)])
def test_where_nothing_changes_there_is_hardly_a_change(memory: float, season: float) -> None:
    """At most one in 1,000 blocks of a channel, with 20 usual blocks."""
    day = season * np.sin(2 * np.pi * np.arange(20 * BLOCK) / BLOCK)[:, None]
    whole = np.tile(day, (6, 1)) + noise(3, 120, memory, 50)
    found = changes(whole[: 20 * BLOCK], whole[20 * BLOCK :])
    assert len(found) <= 5, "100 blocks of 50 channels"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("level", lambda away: np.where(away >= 0, 1.0, 0.0)),
        ("drift", lambda away: np.maximum(away, 0) / 200),
    ],
)
def test_a_level_that_moves_is_found_near_where_it_does(kind: str, change: object) -> None:
    at, usual, new = 15 * BLOCK + 11, noise(1, USUAL), noise(2, NEW)
    moved = change(np.arange(len(new)) - at)  # type: ignore[operator]
    new[:, 4] += moved
    found = changes(usual, new)
    (one,) = [each for each in found if each.channel == 4]
    assert one.kind == kind
    assert abs(one.start_row - at) <= (BLOCK if kind == "level" else 6 * BLOCK)
    assert one.end_row is None
    assert one.before == pytest.approx(0, abs=0.3)
    assert one.after == pytest.approx(moved[-1], abs=0.5)
    assert one == strongest(found, 1)[0]


def test_a_scale_that_doubles_is_found() -> None:
    usual, new = noise(1, USUAL), noise(2, NEW)
    new[15 * BLOCK :, 2] *= 2
    (one,) = [each for each in changes(usual, new) if each.channel == 2]
    assert (one.kind, one.start_row, one.end_row) == ("scale", 15 * BLOCK, None)
    assert one.after / one.before == pytest.approx(2, rel=0.2)


def test_a_change_that_ends_says_when() -> None:
    usual, new = noise(1, USUAL), noise(2, NEW)
    new[10 * BLOCK : 20 * BLOCK, 0] -= 2
    (one,) = [each for each in changes(usual, new) if each.channel == 0]
    assert one.start_row == 10 * BLOCK
    assert one.end_row is not None
    assert abs(one.end_row - 20 * BLOCK) <= 2 * BLOCK
    assert one.after == pytest.approx(-2, abs=0.3)


def test_an_outlier_of_any_height_is_no_change() -> None:
    usual, new = noise(1, USUAL), noise(2, NEW)
    before = changes(usual, new)
    new[500 : 500 + BLOCK] = 1e9
    assert changes(usual, new) == before


@pytest.mark.parametrize("parts", [2, 7, 100])
def test_the_same_is_found_however_points_come(parts: int) -> None:
    usual, new = noise(1, USUAL), noise(2, NEW)
    new[15 * BLOCK :] += 1
    new[::7] = np.nan
    whole = changes(usual, new)
    assert len(whole) >= CHANNELS
    assert changes(usual, new, parts) == whole


def test_what_has_few_usual_blocks_has_no_changes() -> None:
    assert changes(noise(1, 9), noise(2, NEW) + 100) == []
    usual = noise(1, USUAL)
    usual[:, 0] = np.nan
    assert 0 not in {each.channel for each in changes(usual, noise(2, NEW) + 100)}


def test_a_constant_that_becomes_another_one_changes() -> None:
    usual, new = np.full((USUAL * BLOCK, 1), 5.0), np.full((NEW * BLOCK, 1), 5.0)
    assert changes(usual, new) == []
    new[20 * BLOCK :] = 6
    (one,) = changes(usual, new)
    assert (one.kind, one.start_row, one.before, one.after) == ("level", 20 * BLOCK, 5, pytest.approx(6))


def test_series_are_looked_at_by_themselves() -> None:
    usual = np.concatenate([noise(1, USUAL, channels=1), 100 + noise(2, USUAL, channels=1)])
    known = UsualBlocks.of(usual, np.repeat([0, 1], USUAL * BLOCK), 2, BLOCK)
    restored = UsualBlocks.restored(known.arrays())
    monitor = ChangeMonitor(restored)
    for series in (0, 1, 2):  # the last one was not in training
        monitor.see(series, 100 + noise(5, NEW, channels=1), np.arange(NEW * BLOCK))
    assert [(each.series, each.start_row) for each in monitor.changes() if each.kind == "level"] == [(0, 0)]


def test_sums_are_those_of_page() -> None:
    """Against the definition, point by point: max(0, sum + min(z, 3) - 1), a change where it is over 6."""
    usual, new = noise(1, USUAL, channels=1), noise(2, NEW, channels=1)
    new[12 * BLOCK :] += 0.6
    known = UsualBlocks.of(usual, np.zeros(len(usual), dtype=np.intp), 1, BLOCK)
    total, began, found = 0.0, 0, None
    for at, block in enumerate(new[:, 0].reshape(-1, BLOCK)):
        distance = (np.median(block) - known.centre[0, 0, 0]) / known.deviation[0, 0, 0]
        began = at * BLOCK if total == 0 else began
        total = max(0.0, total + min(max(distance, -3.0), 3.0) - 1.0)
        found = began if total > 6 and found is None else found
    starts = [each.start_row for each in changes(usual, new) if each.kind != "scale"]
    assert found is not None
    assert starts[0] == found


def test_blocks_are_whole_windows() -> None:
    for window in range(2, 200):
        assert block_length(window) % window == 0
        assert 32 <= block_length(window) < 32 + window
