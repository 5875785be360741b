"""What was written survives a power failure: contents reach the disk before their name does, and the name after it."""

import os
from pathlib import Path

import pytest

from anomalo.persistence.atomic import append_line, atomic_file, atomic_folder

Events = list[tuple[str, str]]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    """Each fsync and rename, in order, with the path that it is of; a file's with its size."""
    seen: Events = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def synced(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        name = path.name.split(".")[-1]
        seen.append(("fsync", f"{name}/" if path.is_dir() else f"{name} of {os.fstat(descriptor).st_size}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda old, new: (seen.append(("rename", new.name)), replace(old, new)))
    monkeypatch.setattr(os, "rename", lambda old, new: (seen.append(("rename", new.name)), rename(old, new)))
    return seen


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_is_too(tmp_path: Path, events: Events) -> None:
    (tmp_path / "folder").mkdir()
    with atomic_file(tmp_path / "folder" / "table") as temporary:
        temporary.write_text("four")
    assert events == [("fsync", "table of 4"), ("rename", "table"), ("fsync", "folder/")]


def test_a_folder_is_on_the_disk_before_it_has_its_name_and_its_name_is_too(tmp_path: Path, events: Events) -> None:
    with atomic_folder(tmp_path / "runs" / "first") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "cells").write_text("a")
        (temporary / "scores").write_text("two")
    assert sorted(events[:3]) == [("fsync", "cells of 1"), ("fsync", "inner/"), ("fsync", "scores of 3")]
    assert events.index(("fsync", "cells of 1")) < events.index(("fsync", "inner/"))
    assert events[3:] == [("fsync", "first/"), ("rename", "first"), ("fsync", "runs/")]


def test_an_appended_line_is_on_the_disk(tmp_path: Path, events: Events) -> None:
    append_line(tmp_path / "lines", "four")
    assert events == [("fsync", "lines of 5")]
