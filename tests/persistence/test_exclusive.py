"""One writer at a time for a file."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from anomalo.errors import OutputError
from anomalo.persistence.exclusive import exclusive


def test_a_second_writer_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with exclusive(path):
        with pytest.raises(OutputError, match=r"out.csv: another job is writing it; wait for its end"), exclusive(path):
            pass
        with exclusive(tmp_path / "other.csv"):
            pass
    with exclusive(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_and_its_file_are_one(tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    with exclusive(tmp_path / "real.csv"), pytest.raises(OutputError), exclusive(tmp_path / "link.csv"):
        pass


def test_a_folder_that_is_absent_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"), exclusive(tmp_path / "absent" / "out.csv"):
        pass


def hold(path: Path, held: "multiprocessing.synchronize.Event") -> None:
    with exclusive(path):
        held.set()
        signal.pause()


def test_a_writer_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "out.csv", held))
    process.start()
    assert held.wait(60)
    with pytest.raises(OutputError), exclusive(tmp_path / "out.csv"):
        pass
    os.kill(int(process.pid or 0), signal.SIGKILL)
    process.join()
    assert [path.name for path in tmp_path.iterdir()] == [".out.csv.lock"]
    with exclusive(tmp_path / "out.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def count(path: Path, barrier: "multiprocessing.synchronize.Barrier") -> None:
    """Add one to a number in a file, many times, each time alone."""
    barrier.wait()
    done = 0
    while done < 100:
        try:
            with exclusive(path):
                number = int(path.read_text())
                path.write_text(str(number + 1))
            done += 1
        except OutputError:
            pass


def test_writers_are_never_two_although_the_lock_is_removed_each_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    path, barrier = tmp_path / "number", context.Barrier(3)
    path.write_text("0")
    processes = [context.Process(target=count, args=(path, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert path.read_text() == "300"
