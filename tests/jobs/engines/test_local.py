"""The local engine: order, a bounded number of tasks in memory, lost workers, and no process that is left."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import EngineError
from anomalo.jobs.engines.local import AHEAD, LocalEngine

HELPERS = """
import os, signal, time

def slow_first(task):
    time.sleep(0.3 if bytes(task) == b"0" else 0.0)
    return bytes(task) * 2

def dies(task):
    if bytes(task) == b"3":
        os.kill(os.getpid(), signal.SIGKILL)
    return bytes(task)

def dies_once(task):
    try:
        os.close(os.open(bytes(task).decode(), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return bytes(task)
    os.kill(os.getpid(), signal.SIGKILL)

def sizes(task):
    return bytes(int(task))

def whose(task):
    return str(os.getpid()).encode()

def leaves(task):
    os._exit(3)
"""


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that workers can import too."""
    (tmp_path / "engine_helpers.py").write_text(HELPERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import engine_helpers

    yield engine_helpers
    del __import__("sys").modules["engine_helpers"]


def numbers(most: int, taken: list[int]) -> Iterator[bytes]:
    for number in range(most):
        taken.append(number)
        yield str(number).encode()


@pytest.fixture
def opened() -> Iterator[Callable[..., LocalEngine]]:
    engines: list[LocalEngine] = []

    def create(*arguments: Any) -> LocalEngine:
        engines.append(LocalEngine(*arguments))
        return engines[-1]

    yield create
    for engine in engines:
        engine.close()


def test_results_come_in_order_and_few_tasks_are_taken(helpers: Any, opened: Any) -> None:
    engine, taken = opened(helpers.slow_first, 2), []
    for number, result in enumerate(engine.map(numbers(20, taken))):
        assert result == str(number).encode() * 2
        assert len(taken) <= number + 1 + 2 * AHEAD
    assert taken == list(range(20))
    assert list(engine.map(iter([b"7"]))) == [b"77"], "it can be asked again"


def test_workers_are_processes_and_not_more_than_asked_for(helpers: Any, opened: Any, workers_of: Any) -> None:
    pids = {int(result) for result in opened(helpers.whose, 2).map(numbers(12, []))}
    assert os.getpid() not in pids
    assert len(pids) == 2
    assert set(workers_of(os.getpid())) >= pids


def test_one_task_starts_one_process(helpers: Any, opened: Any) -> None:
    engine = opened(helpers.whose, 5)
    list(engine.map(iter([b"0"])))
    assert len(engine._processes) == 1


def test_workers_that_are_started_before_the_first_task_compute_it(
    helpers: Any, opened: Any, workers_of: Any, until: Any
) -> None:
    engine = opened(helpers.whose, 2)
    engine.start()
    until(lambda: len(workers_of(os.getpid())) == 2)
    lost, other = (worker.process.pid for worker in engine._processes)
    os.kill(lost, signal.SIGKILL)
    pids = {int(result) for result in engine.map(numbers(12, []))}
    assert other in pids
    assert lost not in pids


def test_large_tasks_and_results_do_not_block(helpers: Any, opened: Any) -> None:
    tasks = [f"{4_000_000 + number}".encode().ljust(3_000_000) for number in range(8)]
    assert [len(result) for result in opened(helpers.sizes, 2).map(tasks)] == [4_000_000 + n for n in range(8)]


def test_tasks_of_lost_workers_are_computed_again(helpers: Any, opened: Any, tmp_path: Path) -> None:
    tasks = [str(tmp_path / f"task{number}").encode() for number in range(6)]
    assert list(opened(helpers.dies_once, 2).map(tasks)) == tasks


def test_a_task_that_workers_are_lost_with_ends_the_job(helpers: Any, opened: Any) -> None:
    engine = opened(helpers.dies, 2)
    found: list[Any] = []
    with pytest.raises(EngineError, match="3 worker processes were lost with the same rows, the last one was killed"):
        found.extend(engine.map(numbers(6, [])))
    assert found == [b"0", b"1", b"2"][: len(found)]  # a slow worker may have the others' results
    assert engine._processes == []
    with pytest.raises(EngineError, match="exit code 3; if the machine is out of memory, give fewer --workers"):
        list(opened(helpers.leaves, 2).map(numbers(1, [])))


def test_what_is_left_early_ends_its_workers(helpers: Any, opened: Any) -> None:
    engine = opened(helpers.whose, 2)
    results = engine.map(numbers(20, []))
    pid = int(next(results))
    results.close()
    assert engine._processes == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_error_of_the_reader_is_raised(helpers: Any, opened: Any) -> None:
    def tasks() -> Iterator[bytes]:
        yield b"1"
        raise OSError("the file is damaged")

    engine = opened(helpers.whose, 2)
    with pytest.raises(OSError, match="the file is damaged"):
        list(engine.map(tasks()))
    assert engine._processes == []


def test_workers_ignore_ctrl_c(helpers: Any, opened: Any) -> None:
    engine = opened(helpers.whose, 1)
    (first,) = engine.map(iter([b"0"]))
    os.kill(int(first), signal.SIGINT)
    assert list(engine.map(iter([b"0"]))) == [first]


def test_a_worker_that_cannot_start_says_why(helpers: Any, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(EngineError, match="cannot start a worker process: No such file or directory; give fewer"):
        list(opened(helpers.whose, 2).map(numbers(1, [])))


def test_the_default_is_a_worker_for_each_core(helpers: Any, opened: Any) -> None:
    assert opened(helpers.whose).workers == len(os.sched_getaffinity(0))
    assert pickle.loads(pickle.dumps(helpers.whose)) is helpers.whose
