"""What is learned of false alarms and expected rows, on small tables by hand."""

from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.layout import Block
from anomalo.feedback import expected, false_alarms
from anomalo.feedback.conditions import Condition
from anomalo.feedback.learning import learn
from anomalo.feedback.patterns import Feedback, Pattern
from anomalo.feedback.reviewed import Reviewed
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts

HOUR = 3600.0


def texts(cells: list[str]) -> Texts:
    found = pa.array(cells, pa.string()).dictionary_encode()
    return Texts(found.dictionary, found.indices.to_numpy().astype(np.int32))


def table(
    states: list[str], scores: list[float], reasons: list[dict[str, float]] | None = None, **cells: Any
) -> Reviewed:
    """Rows whose numbers are encoded with centre 0 and scale 1; `time` is a point in time."""
    blocks, values = {}, {}
    for position, (name, column) in enumerate(cells.items()):
        text = isinstance(column[0], str)
        blocks[name] = Block(name, "category" if text else "number", position, moment=name == "time")
        values[name] = texts(column) if text else np.array(column, dtype=np.float64)
    return Reviewed(Columns(len(states), values), states, np.array(scores), reasons or [{}] * len(states), blocks)


def test_false_alarms_of_one_reason_are_one_pattern_up_to_their_largest_score() -> None:
    found = false_alarms.learn(
        table(
            ["false alarm", "false alarm", "false alarm", "new"],
            [7.0, 9.0, 8.0, 20.0],
            [{"heat": 5.0, "flow": 0.1}, {"heat": 5.0}, {"heat": 4.0}, {}],
            heat=[2.0, 2.4, -2.0, 2.1],
            flow=[0.0, 0.0, 0.0, 0.0],
        )
    )
    assert found.unused == 0
    high, low = sorted(found.patterns, key=lambda one: -one.rows)
    assert (high.limit, low.limit) == (9.0, 8.0)
    assert [(one.column, one.low, one.high) for one in high.conditions] == [("heat", 1.5, 2.9)]
    assert [(one.column, one.low, one.high) for one in low.conditions] == [("heat", -2.5, -1.5)]


def test_a_confirmed_alert_lowers_the_limit_or_drops_the_pattern() -> None:
    states = ["false alarm", "false alarm", "fixed"]
    reasons = [{"heat": 5.0}, {"heat": 5.0}, {}]
    lowered = false_alarms.learn(table(states, [7.0, 9.0, 8.0], reasons, heat=[2.0, 2.1, 2.2]))
    assert [(one.limit, one.rows) for one in lowered.patterns] == [(7.0, 1)]
    assert lowered.unused == 1
    dropped = false_alarms.learn(table(states, [7.0, 9.0, 6.0], reasons, heat=[2.0, 2.1, 2.2]))
    assert (dropped.patterns, dropped.unused) == ([], 2)
    elsewhere = false_alarms.learn(table(states, [7.0, 9.0, 6.0], reasons, heat=[2.0, 2.1, 9.9]))
    assert [one.limit for one in elsewhere.patterns] == [9.0]


def test_levels_missing_cells_and_hours_of_false_alarms_have_to_agree() -> None:
    found = false_alarms.learn(
        table(
            ["false alarm"] * 4,
            [5.0] * 4,
            [{"device": 1.0}, {"device": 1.0}, {"heat": 1.0}, {"time": 1.0}],
            device=["a", "b", "a", "a"],
            heat=[0.0, 0.0, float("nan"), 0.0],
            time=[0.0, 0.0, 0.0, 2 * HOUR],
        )
    )
    assert sorted(", ".join(map(str, one.conditions)) for one in found.patterns) == [
        "device is a",
        "device is b",
        "heat is missing",
        "hour of time is 02:00, weekday of time is Thursday",
    ]


def test_usual_cells_of_a_false_alarm_silence_no_rows_that_are_anomalous_for_other_reasons() -> None:
    states, scores = ["false alarm", *["new"] * 3], [9.0, 8.0, 7.0, 6.0]
    others = [{"heat": 5.0}, {"kind": 4.0}, {"kind": 3.0}]
    heat, kind = [0.0, 5.0, 6.0, 0.0], ["a"] * 4
    found = false_alarms.learn(table(states, scores, [{"kind": 3.0}, *others], heat=heat, kind=kind))
    assert [one.conditions for one in found.patterns] == [(Condition("kind", levels=("a",)),)]
    others[2] = {"heat": 3.0}
    found = false_alarms.learn(table(states, scores, [{"kind": 3.0}, *others], heat=heat, kind=kind))
    assert (found.patterns, found.unused) == ([], 1)


def test_rows_without_reasons_that_the_model_reads_teach_nothing() -> None:
    found = false_alarms.learn(table(["false alarm"] * 2, [5.0, 6.0], [{}, {"note": 3.0}], heat=[0.0, 0.0]))
    assert (found.patterns, found.unused) == ([], 2)


def maintenance(*, confirmed: bool = False) -> Reviewed:
    """Forty anomalous rows of four devices; five of d1 between 02:00 and 04:00 are expected, with low pressure."""
    rng = np.random.default_rng(0)
    device = [f"d{row % 4}" for row in range(40)]
    time = rng.uniform(6, 24, 40) * HOUR
    pressure, heat, states = rng.normal(5, 1, 40), rng.normal(0, 1, 40), ["new"] * 40
    for row in (1, 5, 9, 13, 17):
        states[row], pressure[row], time[row] = "expected", 1.0, (2.2 + (row % 3) / 2) * HOUR
    if confirmed:
        states[21], time[21] = "fixed", 2.5 * HOUR  # d1, at night
    reasons = [{"pressure": 3.0} if state == "expected" else {} for state in states]
    return table(states, [9.0] * 40, reasons, device=device, time=time.tolist(), pressure=pressure, heat=heat)


def test_expected_rows_are_a_segment_of_what_they_share_with_numbers_as_anomalous_as_theirs() -> None:
    found = expected.learn(maintenance())
    assert found.unused == 0
    (segment,) = found.patterns
    assert (segment.kind, segment.rows) == ("expected", 5)
    assert {one.column for one in segment.conditions[:-1]} <= {"device", "time"}
    assert segment.conditions[-1].column == "pressure"
    assert segment.conditions[-1].low < 1.0 < segment.conditions[-1].high < 4.0
    assert Condition("time", "hour", ("02:00", "03:00")) in segment.conditions


def test_a_segment_that_a_confirmed_alert_fits_is_made_smaller_or_dropped() -> None:
    reviewed = maintenance(confirmed=True)
    for segment in expected.learn(reviewed).patterns:
        assert not (segment.of(reviewed.columns) & reviewed.confirmed).any()


def test_too_few_expected_rows_or_what_all_rows_share_is_no_segment() -> None:
    few = table(["expected", "expected", *["new"] * 20], [9.0] * 22, device=["a", "a", *["b"] * 20])
    assert expected.learn(few).unused == 2
    same = table([*["expected"] * 5, *["new"] * 20], [9.0] * 25, device=["a"] * 25)
    assert (expected.learn(same).patterns, expected.learn(same).unused) == ([], 5)


def test_a_run_of_hours_goes_around_midnight() -> None:
    time = [23.5 * HOUR, 0.5 * HOUR, 22.5 * HOUR, 23.1 * HOUR, *np.linspace(8, 18, 30) * HOUR]
    (segment,) = expected.learn(table([*["expected"] * 4, *["new"] * 30], [9.0] * 34, time=time)).patterns
    assert segment.conditions == (Condition("time", "hour", ("22:00", "23:00", "00:00")),)


def test_what_was_learned_before_is_kept_unless_an_alert_like_it_is_confirmed() -> None:
    hot, cold = (Condition("heat", low=low, high=low + 1) for low in (2.0, -3.0))
    before = Feedback.of([Pattern("false alarm", (hot,), 4, 8.0), Pattern("expected", (cold,), 4)])
    reviewed = table(["fixed", "fixed"], [9.0, 5.0], heat=[2.5, -2.5])
    found, notes = learn(reviewed, before)
    assert [one.conditions for one in found.patterns] == [(hot,)], "its limit is below the confirmed score"
    assert notes == ["1 of what was learned before is dropped, since alerts that fit it are confirmed now"]


def test_what_teaches_nothing_is_said() -> None:
    states = ["false alarm", "expected"]
    _, notes = learn(table(states, [5.0, 5.0], heat=[0.0, 0.0]))
    assert [note.split(" teach")[0] for note in notes] == ["1 of 1 false alarms", "1 of 1 expected rows"]
