import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from anomalo.errors import OutputError
from anomalo.persistence.atomic import append_line, atomic_file, atomic_folder, require_writable

ATOMIC: list[Callable[[Path], AbstractContextManager[Path]]] = [atomic_file, atomic_folder]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.rglob("*"))


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_file_appears_whole_and_only_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "scores.csv.gz"
    with atomic_file(out) as temporary:
        temporary.write_text("a")
        assert not out.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffixes[-2:] == [".csv", ".gz"]  # writers choose format and compression by it
    assert names(tmp_path) == ["scores.csv.gz"]
    assert out.read_text() == "a"


def test_a_folder_appears_whole_with_its_parents(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "1"
    with atomic_folder(out) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "cells").write_text("a")
        assert not out.exists()
    assert names(tmp_path) == ["1", "cells", "inner", "runs"]


@pytest.mark.parametrize("atomic", ATOMIC)
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing(tmp_path: Path, atomic: Callable[..., object], failure: type[BaseException]) -> None:
    def write() -> None:
        with atomic(tmp_path / "out") as temporary:  # type: ignore[attr-defined]
            part = temporary / "part" if temporary.is_dir() else temporary
            part.write_text("half")
            raise failure

    with pytest.raises(failure):
        write()
    assert names(tmp_path) == []


def test_a_failure_leaves_the_earlier_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("before")

    def write() -> None:
        with atomic_file(out) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert out.read_text() == "before"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("atomic", ATOMIC)
def test_an_error_of_the_disk_is_an_output_error_that_names_the_path(
    tmp_path: Path, atomic: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputError, match=rf"cannot write {out}: No space left.*give a folder"), atomic(out):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"), atomic_file(tmp_path / "out"):
        Path("/dev/full").write_text("a")


@pytest.mark.parametrize("writer", [require_writable, lambda path: atomic_file(path).__enter__()])
def test_targets_that_are_no_file(tmp_path: Path, writer: Callable[[Path], object]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="No such file"):
        writer(tmp_path / "absent" / "out.csv")
    with pytest.raises(OutputError, match="Not a directory"):
        writer(tmp_path / "file" / "out.csv")
    with pytest.raises(OutputError, match="it is a folder; give a file name"):
        writer(tmp_path)
    assert names(tmp_path) == ["file"]


def test_targets_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*file/out: "), atomic_folder(tmp_path / "file" / "out"):
        pass
    for taken in ("file", "empty"):
        if taken == "empty":
            (tmp_path / taken).mkdir()
        with pytest.raises(OutputError, match="exists already"), atomic_folder(tmp_path / taken):
            pytest.fail("refused before the work, not after it")


def test_a_folder_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"), atomic_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("writer", [require_writable, lambda path: atomic_file(path).__enter__()])
def test_a_device_is_never_replaced(tmp_path: Path, writer: Callable[[Path], object]) -> None:
    (tmp_path / "link").symlink_to(os.devnull)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "link", tmp_path / "pipe"):
        with pytest.raises(OutputError, match="not a regular file"):
            writer(path)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "out")
    with atomic_file(tmp_path / "link") as temporary:
        temporary.write_text("a")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "out").read_text() == "a"


@pytest.mark.usefixtures("umask")
def test_permissions_follow_the_umask_or_the_replaced_file(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.touch(mode=0o600)
    for path in (private, tmp_path / "new"):
        with atomic_file(path) as temporary:
            temporary.write_text("a")
    with atomic_folder(tmp_path / "folder"):
        pass
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"private": 0o600, "new": 0o640, "folder": 0o750}


def test_several_threads_may_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def write(letter: str) -> None:
        for _ in range(5):
            with atomic_file(out) as temporary:
                temporary.write_text(letter * 10_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert out.read_text() in {letter * 10_000 for letter in "abc"}
    assert names(tmp_path) == ["out"]


def test_an_owner_removes_what_a_killed_process_of_it_left(tmp_path: Path) -> None:
    for name in ("job", "other"):
        (tmp_path / f".{name}.old").touch()
        (tmp_path / f".{name}.0001").mkdir()
        (tmp_path / f".{name}.0001" / "part").touch()
    with atomic_file(tmp_path / "out", "job"), atomic_folder(tmp_path / "0002", "job"):
        # A file's owner leaves its folders alone, and the reverse.
        assert {".job.out", ".job.0002"} <= set(names(tmp_path))
    assert names(tmp_path) == [".other.0001", ".other.old", "0002", "out", "part"]


def test_lines_are_appended_and_an_incomplete_line_stays_separate(tmp_path: Path) -> None:
    out = tmp_path / "log"
    append_line(out, "ä")
    out.write_bytes(out.read_bytes() + b"\nhal")
    append_line(out, "b")
    assert [line for line in out.read_text(encoding="utf-8").splitlines() if line] == ["ä", "hal", "b"]
    with pytest.raises(OutputError, match="cannot write"):
        append_line(tmp_path / "absent" / "log", "a")
