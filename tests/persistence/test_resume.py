"""What a job keeps comes back to the bit, belongs to one job and one task, and is gone when the job is done."""

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from anomalo.errors import OutputError, UsageError
from anomalo.persistence.resume import Checkpoint, ResumableState, resumable_state


class Killed(BaseException):
    """What ends an attempt."""


def attempt(folder: Path, *, resume: bool = True, task: dict[str, object] | None = None) -> ResumableState:
    """Open the folder, keep a part there, and die."""
    with suppress(Killed), resumable_state(folder, task or {"seed": 1}, resume=resume) as state:
        state.save("part", {"x": np.arange(3.0)}, {"attempt": state.attempts})
        raise Killed
    return state


def test_parts_come_back_to_the_bit(tmp_path: Path) -> None:
    arrays = {
        "matrix": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32).T,
        "scalar": np.array(np.nextafter(1, 2)),
        "empty": np.zeros((0, 2), dtype=np.int64),
        "flags": np.array([True, False]),
    }
    facts = {"best": float("inf"), "rate": 0.1 + 0.2, "names": ["ä", None], "state": 2**127 - 1}
    with resumable_state(tmp_path / "job", {}, resume=False) as state:
        state.save("part", arrays, facts)
        found, loaded = state.load("part") or ({}, {})
    assert loaded == facts
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_resumed_job_finds_its_parts_and_counts_attempts_and_seconds(tmp_path: Path) -> None:
    first = attempt(tmp_path / "job")
    assert not first.resumed
    second = attempt(tmp_path / "job")
    assert second.resumed
    assert second.attempts == 2
    assert 0 < second.seconds_before < second.seconds
    with resumable_state(tmp_path / "job", {"seed": 1}, resume=True) as third:
        assert third.attempts == 3
        assert third.seconds_before > second.seconds_before
        kept = third.load("part")
        assert kept is not None
        assert kept[1] == {"attempt": 2}


def test_without_resume_a_job_begins_anew(tmp_path: Path) -> None:
    attempt(tmp_path / "job")
    with resumable_state(tmp_path / "job", {"seed": 2}, resume=False) as state:
        assert not state.resumed
        assert state.load("part") is None


def test_nothing_is_left_of_a_job_that_is_done(tmp_path: Path) -> None:
    attempt(tmp_path / "job")
    with resumable_state(tmp_path / "job", {"seed": 1}, resume=True):
        pass
    assert not (tmp_path / "job").exists()
    with resumable_state(tmp_path / "job", {"seed": 1}, resume=True) as state:
        assert not state.resumed


def test_a_job_that_kept_nothing_leaves_nothing(tmp_path: Path) -> None:
    with suppress(Killed), resumable_state(tmp_path / "job", {}, resume=False):
        raise Killed
    assert list(tmp_path.iterdir()) == []
    attempt(tmp_path / "job")
    with resumable_state(tmp_path / "job", {"seed": 1}, resume=True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_is_done_is_not_gone_on_with_though_its_parts_are_not_all_removed(tmp_path: Path) -> None:
    attempt(tmp_path / "job")

    def kill(event: str, arguments: object) -> None:
        if killing and event == "shutil.rmtree":
            raise Killed

    killing = [True]
    sys.addaudithook(kill)
    with suppress(Killed), resumable_state(tmp_path / "job", {"seed": 1}, resume=True):
        pass
    killing.clear()
    assert list((tmp_path / "job").iterdir())
    with resumable_state(tmp_path / "job", {"seed": 1}, resume=True) as state:
        assert not state.resumed
        assert state.load("part") is None


def test_another_task_is_never_gone_on_with(tmp_path: Path) -> None:
    attempt(tmp_path / "job", task={"seed": 1, "model": "linear"})
    message = r"cannot resume job: model was \"linear\" and is \"knn\"; start anew without --resume"
    with (
        pytest.raises(UsageError, match=message),
        resumable_state(tmp_path / "job", {"seed": 1, "model": "knn"}, resume=True),
    ):
        pass
    with resumable_state(tmp_path / "job", {"seed": 1, "model": "linear"}, resume=True) as state:
        assert state.load("part") is not None
        state.agree(table="a")
        state.agree(table="a")
        with pytest.raises(UsageError, match='table was "a" and is "b"'):
            state.agree(table="b")
        state.agree(parameters={"hide": 0.2, "epochs": 3})
        with pytest.raises(UsageError, match=r"resume job: parameters.hide was 0.2 and is 0.3; start"):
            state.agree(parameters={"hide": 0.3, "epochs": 3})


def test_only_one_is_at_a_job(tmp_path: Path) -> None:
    with (
        resumable_state(tmp_path / "job", {}, resume=False),
        pytest.raises(UsageError, match="job is already running in another process"),
        resumable_state(tmp_path / "job", {}, resume=True),
    ):
        pass


@pytest.mark.parametrize("damage", ["cut", "flip", "facts"])
def test_a_damaged_part_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    with resumable_state(tmp_path / "job", {}, resume=False) as state:
        state.save("part", {"x": np.arange(100.0)}, {"rate": 0.25})
        path = state.folder / "part.safetensors"
        content = bytearray(path.read_bytes())
        if damage == "cut":
            content = content[:-1]
        elif damage == "flip":
            content[-1] ^= 1
        else:
            content = content.replace(b"0.25", b"0.75")
        path.write_bytes(content)
        assert state.load("part") is None


def test_a_task_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    attempt(tmp_path / "job")
    (tmp_path / "job" / "task.json").write_text("{")
    with resumable_state(tmp_path / "job", {"seed": 1}, resume=True) as state:
        assert not state.resumed
        assert state.load("part") is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"), resumable_state(tmp_path / "file" / "job", {}, resume=False):
        pass


def test_remove_forgets_the_parts_of_a_name(tmp_path: Path) -> None:
    with resumable_state(tmp_path / "job", {}, resume=False) as state:
        for name in ("training-1-0", "training-1-1", "training-10-0"):
            state.save(name, {}, {})
        state.remove("training-1-")
        assert state.load("training-1-0") is None
        assert state.load("training-10-0") is not None


def test_a_checkpoint_is_due_after_its_time_and_when_it_is_cheap_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("anomalo.persistence.resume.time.monotonic", lambda: now[0])
    with resumable_state(tmp_path / "job", {}, resume=False) as state:
        always, seldom = Checkpoint(state, "always", every=0), Checkpoint(state, "seldom", every=10)
        assert always.due()
        assert not seldom.due()
        now[0] += 10
        assert seldom.due()
        monkeypatch.setattr(state, "save", lambda *_: now.__setitem__(0, now[0] + 3))  # a slow disk
        seldom.save({}, {})
        now[0] += 99
        assert not seldom.due()  # 3 seconds are more than 3 % of 99
        now[0] += 2
        assert seldom.due()
