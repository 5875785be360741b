"""Anomalo's own plugins come before those of others, whatever their names and the order of installation."""

import importlib.metadata
import itertools
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from anomalo.registry.discovery import FIRST_PARTY, find
from anomalo.registry.registry import Registry

PLUGIN = "from anomalo.plugin import hookimpl\n\n\n@hookimpl\ndef anomalo_models():\n    return []\n"


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """A plugin `zebra` and one `maple` of anomalo's own, and `aardvark` and `newt` of others."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for distribution, names in ((FIRST_PARTY, ("zebra", "maple")), ("others", ("newt", "aardvark"))):
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = order_{name}" for name in names]
        (info / "entry_points.txt").write_text("\n".join(["[anomalo]", *lines, ""]))
        for name in names:
            (tmp_path / f"order_{name}.py").write_text(PLUGIN)
    distributions = importlib.metadata.distributions(path=[str(tmp_path)])
    return [entry for one in distributions for entry in one.entry_points.select(group="anomalo")]


def test_own_plugins_come_first_then_by_name(entries: list[EntryPoint]) -> None:
    for order in itertools.permutations(entries):
        assert [info.name for info, _ in find(order, ())] == ["maple", "zebra", "aardvark", "newt"]


def test_they_are_loaded_in_that_order_too(entries: list[EntryPoint]) -> None:
    registry = Registry.load(entry_points=entries, disabled=())
    assert [(info.name, info.status) for info in registry.plugins()] == [
        ("maple", "ok"),
        ("zebra", "ok"),
        ("aardvark", "ok"),
        ("newt", "ok"),
    ]
    assert [info.first_party for info in registry.plugins()] == [True, True, False, False]
