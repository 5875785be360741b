"""What analysts say of rows: states, assignees and comments that are kept, undone and changed by several at once."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from anomalo.errors import UsageError
from anomalo.workspace.reviews import AT_ONCE, LONGEST, STATES, Review
from anomalo.workspace.workspace import Workspace

RUN = "0001-score"


def test_the_last_change_of_each_part_holds_and_comments_add_up(tmp_path: Path) -> None:
    reviews = Workspace(tmp_path).reviews
    assert reviews.of(RUN) == {}
    reviews.change(RUN, [3, 5], "ann", state="acknowledged", comment="a storm")
    reviews.change(RUN, [5], "bob", state="false alarm", assignee="ann", comment=" as expected in May ")
    reviews.change("0002-score", [5], "bob", state="fixed")
    assert reviews.of(RUN) == {
        3: Review("acknowledged", "", ("a storm",)),
        5: Review("false alarm", "ann", ("a storm", "as expected in May")),
    }
    assert [(change.row, change.part, change.value, change.who) for change in reviews.changes(RUN, 5)] == [
        (5, "state", "acknowledged", "ann"),
        (5, "comment", "a storm", "ann"),
        (5, "state", "false alarm", "bob"),
        (5, "assignee", "ann", "bob"),
        (5, "comment", "as expected in May", "bob"),
    ]


def test_an_action_is_undone_as_a_whole_and_stays_in_the_history(tmp_path: Path) -> None:
    reviews = Workspace(tmp_path).reviews
    reviews.change(RUN, [1], "ann", state="expected")
    action = reviews.change(RUN, [1, 2], "bob", state="fixed", assignee="bob")
    later = reviews.change(RUN, [2], "ann", comment="no")
    reviews.undo(action, "ann")
    assert reviews.of(RUN) == {1: Review("expected"), 2: Review(comments=("no",))}
    assert [(change.action, change.undone) for change in reviews.changes(RUN, 2)] == [
        (action, "ann"),
        (action, "ann"),
        (later, ""),
    ]
    with pytest.raises(UsageError, match="undone already"):
        reviews.undo(action, "bob")
    with pytest.raises(UsageError, match="no action 99"):
        reviews.undo(99, "bob")


def test_rows_are_counted_by_their_last_state(tmp_path: Path) -> None:
    reviews = Workspace(tmp_path).reviews
    assert reviews.counts() == {}
    reviews.change(RUN, [1, 2, 3], "ann", state="false alarm")
    reviews.change(RUN, [3], "ann", state="fixed", comment="so it is")
    reviews.undo(reviews.change(RUN, [1], "ann", state="expected"), "ann")
    reviews.change("0002-score", [1], "ann", comment="no state")
    reviews.change("0003-score", [7], "ann", state="new")
    assert reviews.counts() == {RUN: {"false alarm": 2, "fixed": 1}, "0003-score": {"new": 1}}


@pytest.mark.parametrize(
    ("rows", "who", "said", "message"),
    [
        ([], "ann", {"state": "fixed"}, "choose rows"),
        ([1], "ann", {}, "nothing to change"),
        ([1], "ann", {"comment": "  "}, "nothing to change"),
        ([1], " ", {"state": "fixed"}, "give a name"),
        ([1], "ann", {"state": "gone"}, f"state 'gone': expected one of {', '.join(STATES)}"),
        ([1], "ann", {"comment": "x" * (LONGEST + 1)}, "shorten it"),
        (range(AT_ONCE + 1), "ann", {"state": "fixed"}, "10,001 rows at once"),
    ],
)
def test_what_says_nothing_is_refused_and_not_kept(
    tmp_path: Path, rows: list[int], who: str, said: dict[str, str], message: str
) -> None:
    reviews = Workspace(tmp_path).reviews
    with pytest.raises(UsageError, match=message):
        reviews.change(RUN, rows, who, **said)  # type: ignore[arg-type]
    assert reviews.changes(RUN) == []


WRITE = """
import sys
from pathlib import Path
from anomalo.workspace.workspace import Workspace
for row in range(20):
    Workspace(Path(sys.argv[1])).reviews.change("0001-score", [row], sys.argv[2], state="acknowledged", comment="here")
"""


@pytest.mark.slow
def test_ten_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, tmp_path]
    writers = [subprocess.Popen([*command, f"user {number}"]) for number in range(10)]
    assert [writer.wait() for writer in writers] == [0] * 10
    changes = Workspace(tmp_path).reviews.changes(RUN)
    assert len(changes) == 10 * 20 * 2
    assert len({change.action for change in changes}) == 200
    assert all(len(review.comments) == 10 for review in Workspace(tmp_path).reviews.of(RUN).values())
    assert Counter(line.who for line in Workspace(tmp_path).activity(300)) == {f"user {n}": 20 for n in range(10)}


WRITE_ALL = """
import sys
from pathlib import Path
from anomalo.workspace.workspace import Workspace
store, name = Workspace(Path(sys.argv[1])), sys.argv[2]
for turn in range(5):
    store.reviews.undo(store.reviews.change("0001-score", [turn], name, state="fixed"), name)
    store.move_tag("small@1", f"{name}-{turn}")
    store.add_run("score", lambda folder: {"turn": turn}, model=store.model("small"), source="")
    store.remove([store.run(run.id) for run in store.runs() if run.who == name][:1])
"""


@pytest.mark.slow
def test_ten_writers_of_an_older_workspace_upgrade_it_once_and_lose_nothing(tmp_path: Path) -> None:
    old = shutil.copytree(Path(__file__).parent / "formats" / "workspace-2", tmp_path / "old")
    command = [sys.executable, "-W", "error", "-c", WRITE_ALL, old]
    names = [f"user-{number}" for number in range(10)]
    writers = [
        subprocess.Popen([*command, name], env=os.environ | {"ANOMALO_USER": name}, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    assert [writer.communicate()[1] for writer in writers] == [""] * 10
    store = Workspace(old)
    lines = store.activity(1000)
    assert Counter((line.who, line.action) for line in lines) == {
        (name, action): count
        for name in names
        for action, count in {"review": 10, "tag": 5, "score": 5, "rm": 5}.items()
    }
    assert len(store.model("small").tags) == 50
    assert [run.id for run in store.runs()] == ["0001-score"]
    assert store.reviews.of(RUN) == {}


def test_a_number_changes_with_every_change(tmp_path: Path) -> None:
    reviews = Workspace(tmp_path).reviews
    seen = [reviews.state()]
    reviews.change("0001-score", [1], "ann", state="fixed")
    seen.append(reviews.state())
    reviews.change_each("0001-score", {1: {"state": "expected"}, 2: {"comment": "new"}}, "ann")
    seen.append(reviews.state())
    reviews.undo(2, "bob")
    seen.append(reviews.state())
    assert len(set(seen)) == 4
    assert reviews.of("0001-score") == {1: Review("fixed")}
