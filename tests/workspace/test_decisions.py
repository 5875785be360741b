"""What people decide about suggested cells: kept, undone, resolved, and made by several at once."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.errors import UsageError
from anomalo.workspace.decisions import WHAT, Decided, Decision, _packed, _unpacked
from anomalo.workspace.reviews import LONGEST
from anomalo.workspace.workspace import Workspace

RUN = "0002-repair"


def states(workspace: Path, total: int = 6) -> list[str]:
    decided = Decided.of(Workspace(workspace).decisions.of(RUN), total)
    return [WHAT[state] for state in decided.state.tolist()]


def test_the_last_decision_about_each_cell_holds(tmp_path: Path) -> None:
    decisions = Workspace(tmp_path).decisions
    assert decisions.of(RUN) == []
    assert decisions.latest(RUN) == (0, 0)
    decisions.decide(RUN, [4, 1, 2], "accepted", "ann")
    decisions.decide(RUN, [2], "edited", "bob", value="70.1")
    decisions.decide(RUN, [5], "edited", "bob")
    decisions.decide("0003-repair", [0], "rejected", "bob")
    decisions.decide(RUN, [4], "undecided", "bob")
    assert states(tmp_path) == ["undecided", "accepted", "edited", "undecided", "undecided", "edited"]
    decided = Decided.of(decisions.of(RUN), 6)
    assert [decided.count(what) for what in WHAT] == [3, 1, 2, 0]
    assert [decision and (decision.value, decision.who) for decision in map(decided.decision, range(6))] == [
        None, (None, "ann"), ("70.1", "bob"), None, (None, "bob"), (None, "bob"),
    ]  # fmt: skip
    assert decided.which("accepted", "edited").tolist() == [False, True, True, False, False, True]


def test_what_was_decided_before_holds_again_once_a_decision_is_undone(tmp_path: Path) -> None:
    decisions = Workspace(tmp_path).decisions
    decisions.decide(RUN, [1], "rejected", "ann")
    action = decisions.decide(RUN, [0, 1, 2], "accepted", "bob")
    assert decisions.latest(RUN) == (2, 0)
    decisions.undo(action, "ann")
    assert decisions.latest(RUN) == (2, 1)
    assert states(tmp_path, 3) == ["undecided", "rejected", "undecided"]
    assert [(one.action, one.who, one.undone) for one in decisions.of(RUN)] == [(1, "ann", ""), (action, "bob", "ann")]
    with pytest.raises(UsageError, match="undone already"):
        decisions.undo(action, "bob")
    with pytest.raises(UsageError, match="no decision 99"):
        decisions.undo(99, "bob")


@pytest.mark.parametrize(
    ("lines", "what", "who", "value", "message"),
    [
        ([], "accepted", "ann", None, "choose at least one cell"),
        ([-1], "accepted", "ann", None, "choose at least one cell"),
        ([1], "accepted", " ", None, "give a name"),
        ([1], "gone", "ann", None, f"decision 'gone': expected one of {', '.join(WHAT)}"),
        ([1], "accepted", "ann", "3", "a value is for edited cells, not for accepted ones"),
        ([1], "edited", "ann", "x" * (LONGEST + 1), "shorten it"),
    ],
)
def test_what_decides_nothing_is_refused_and_not_kept(
    tmp_path: Path, lines: list[int], what: str, who: str, value: str | None, message: str
) -> None:
    decisions = Workspace(tmp_path).decisions
    with pytest.raises(UsageError, match=message):
        decisions.decide(RUN, lines, what, who, value=value)  # type: ignore[arg-type]
    assert decisions.of(RUN) == []


@settings(deadline=None)
@given(st.sets(st.integers(0, 2**40), min_size=1))
def test_lines_are_kept_exactly(lines: set[int]) -> None:
    array = np.array(sorted(lines), dtype=np.int64)
    assert _unpacked(_packed(array)).tolist() == array.tolist()


def test_a_million_cells_take_little_space() -> None:
    assert len(_packed(np.arange(1_000_000))) < 20_000


def test_lines_that_a_file_does_not_have_decide_nothing() -> None:
    decision = Decision(1, "accepted", None, np.array([0, 7]), "ann", "", "")
    assert Decided.of([decision], 2).state.tolist() == [1, 0]


def test_decisions_go_with_their_run(tmp_path: Path) -> None:
    store = Workspace(tmp_path)
    runs = [store.add_run("repair", lambda folder: None, model=None, source="x.csv") for _ in range(2)]
    for run in runs:
        store.decisions.decide(run.id, [1], "edited", "ann", value="private")
    store.remove(runs[:1])
    assert store.decisions.of(runs[0].id) == []
    assert len(store.decisions.of(runs[1].id)) == 1


WRITE = """
import sys
from pathlib import Path
from anomalo.workspace.workspace import Workspace
decisions = Workspace(Path(sys.argv[1])).decisions
for line in range(6):
    action = decisions.decide("0002-repair", [line, 100 + int(sys.argv[2])], "accepted", f"user {sys.argv[2]}")
    if line % 2:
        decisions.undo(action, "root")
"""


@pytest.mark.slow
def test_ten_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, tmp_path]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(10)]
    assert [writer.wait() for writer in writers] == [0] * 10
    found = Workspace(tmp_path).decisions.of(RUN)
    assert [decision.action for decision in found] == list(range(1, 61))
    assert sum(bool(decision.undone) for decision in found) == 30
    assert (
        Decided.of(found, 110).which("accepted").tolist()
        == [line < 6 and line % 2 == 0 for line in range(100)] + [True] * 10
    )
