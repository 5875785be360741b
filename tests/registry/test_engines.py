"""Engines of plugins: found by name, checked, and guarded; who keeps a name that two claim."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import EngineError, PluginError, UsageError
from anomalo.registry.engine import EngineChoice
from anomalo.registry.registry import Registry

CORE = EntryPoint("engines", "anomalo.jobs.engines.hooks", "anomalo")
MODULE = """
from anomalo.errors import EngineError
from anomalo.plugin import Engine, hookimpl

class Here(Engine):
    name = {name!r}
    remote = False

    def map(self, tasks):
        {body}

    def close(self):
        {close}

@hookimpl
def anomalo_engines():
    return {given}
"""
GOOD = "yield from map(self.compute, tasks)"
Load = Callable[..., Registry]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a registry of plugins, each written from its parts."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def registry(**plugins: dict[str, str]) -> Registry:
        for plugin, parts in plugins.items():
            parts = {"name": plugin, "body": GOOD, "close": "pass", "given": "[Here]"} | parts
            (tmp_path / f"{plugin}_of_a_test.py").write_text(MODULE.format(**parts))
        entries = [EntryPoint(plugin, f"{plugin}_of_a_test", "anomalo") for plugin in plugins]
        return Registry.load(entry_points=[CORE, *entries])

    yield registry
    for module in [name for name in sys.modules if name.endswith("_of_a_test")]:
        del sys.modules[module]


def computed(registry: Registry, name: str, tasks: Any = (b"1", b"2")) -> list[bytes]:
    engine = registry.engine(EngineChoice(name, 3, "there"), lambda remote: lambda task: task * (1 + remote))
    return [bytes(result) for result in engine.map(iter(tasks))]


def test_an_engine_is_found_by_name_and_computes(load: Load) -> None:
    registry = load(mine={})
    assert computed(registry, "mine") == [b"1", b"2"]
    assert {info.name: info.engines for info in registry.plugins()} == {"engines": ("local",), "mine": ("mine",)}
    assert registry.failures == ()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("[Here, 7]", "7 is not an engine; expected a subclass of anomalo.plugin.Engine"),
        ("[Here, type('Nameless', (Here,), {'name': 'a:b'})]", "has the name 'a:b'; expected a text without a colon"),
        ("[Here, type('Mapless', (Engine,), {'name': 'mapless'})]", "engine 'mapless' has no map method"),
        ("[Here, 1 / 0]", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_engine_is_reported_and_spoils_no_other(load: Load, given: str, reason: str) -> None:
    registry = load(mine={}, bad={"given": given})
    assert computed(registry, "mine") == [b"1", b"2"]
    (failure,) = registry.failures
    assert (failure.plugin, failure.phase) == ("bad", "anomalo_engines")
    assert reason in failure.reason
    with pytest.raises(UsageError, match=r"^no engine is named 'absent'; the engines are: .*local.*failed: bad"):
        computed(registry, "absent")


def test_a_name_that_two_claim(load: Load) -> None:
    registry = load(mine={"name": "both"}, other={"name": "both"})
    with pytest.raises(PluginError, match="the engine 'both' is claimed by the plugins 'mine' and 'other'; use"):
        computed(registry, "both")
    assert computed(registry, "other:both") == [b"1", b"2"]
    assert sorted(failure.plugin for failure in registry.failures if "'both'" in failure.reason) == ["mine", "other"]
    with pytest.raises(UsageError, match="no engine is named 'third:both'"):
        computed(registry, "third:both")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise OSError('no cluster')", "OSError: no cluster"),
        ("yield from [self.compute(task) for task in tasks][:1]", "1 results of 2 tasks; expected one for each"),
        ("yield from [b'1', b'2', b'3'] if list(tasks) else []", "3 results of 2 tasks; expected one for each"),
        ("import sys; sys.exit()", "SystemExit"),
    ],
)
def test_an_engine_that_fails_is_named(load: Load, body: str, reason: str) -> None:
    with pytest.raises(PluginError) as error:
        computed(load(mine={"body": body}), "mine")
    assert str(error.value).startswith(f"engine 'mine' of plugin 'mine' failed in map: {reason}")
    assert str(error.value).endswith("; switch it off with ANOMALO_DISABLE_PLUGINS=mine")


def test_its_own_errors_and_those_of_the_reader_pass(load: Load) -> None:
    registry = load(mine={"body": "raise EngineError('the cluster is full')"}, good={})
    with pytest.raises(EngineError, match=r"^the cluster is full$"):
        computed(registry, "mine")

    def tasks() -> Iterator[bytes]:
        yield b"1"
        raise OSError("the table is gone")

    with pytest.raises(OSError, match=r"^the table is gone$"):
        computed(registry, "good", tasks())


def test_a_failure_at_its_end_is_named(load: Load) -> None:
    engine = load(mine={"close": "1 / 0"}).engine(EngineChoice("mine"), lambda remote: bytes)
    with pytest.raises(PluginError, match="engine 'mine' of plugin 'mine' failed in close: ZeroDivisionError"):
        engine.close()
