"""A broken plugin neither stops the host nor changes the results of the others."""

import importlib.metadata
import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.errors import ParameterError, PluginError, SourceError, UnknownModelError, UsageError
from anomalo.registry.registry import Failure, Registry

PLUGINS = Path(__file__).parent / "broken_plugins"
BROKEN = {
    "import_error": "ModuleNotFoundError: No module named 'a_library_that_is_not_installed'",
    "exits": "SystemExit: no licence found",
    "misspelt": "it implements an unknown hook 'anomalo_modles'; did you mean 'anomalo_models'?",
    "hookless": "it implements no hook; decorate the functions with @hookimpl from anomalo.plugin",
    "raises": "RuntimeError: the models are out",
    "no_model": "NotAModel'> is not a model; expected a subclass of anomalo.plugin.Model with a name",
    "no_page": "absent.py') is not a page; expected the Path of an existing file that ends in .py",
}


def install(site: Path, name: str, *, distribution: str = "", module: str = "", entries: str = "") -> None:
    """Lay out a plugin as pip would: a module, and a .dist-info beside it that names the entry point."""
    distribution = distribution or f"anomalo-{name}"
    (site / f"{name}.py").write_text((PLUGINS / f"{module or name}.py").read_text())
    info = site / f"{distribution.replace('-', '_')}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(entries or f"[anomalo]\n{name} = {name}\n")


def found(site: Path) -> list[EntryPoint]:
    distributions = importlib.metadata.distributions(path=[str(site)])
    return [entry for one in distributions for entry in one.entry_points.select(group="anomalo")]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path; what is imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for plugin in PLUGINS.glob("*.py"):
        monkeypatch.delitem(sys.modules, plugin.stem, raising=False)
    install(tmp_path, "steady")
    yield tmp_path
    for plugin in PLUGINS.glob("*.py"):
        sys.modules.pop(plugin.stem, None)


def steady_results(registry: Registry) -> tuple[object, ...]:
    """Everything that the working plugin gives, by value."""
    layout = Layout("table", (2,), (Block("a", "number", 0), Block("b", "number", 1)))
    data = Encoded(np.arange(6, dtype=np.float32).reshape(3, 2), np.ones((3, 2), dtype=bool), layout)
    model = registry.create("steady", width=2)
    heard = sys.modules["steady"].heard
    heard.clear()
    registry.training("engine", model, "run")
    registry.run_saved("store", "run-1")
    batches = [batch.to_pydict() for batch in registry.read("table.steady")]
    pages = [page for plugin, page in registry.pages() if plugin == "steady"]
    return model.score(data).tobytes(), model.params(), batches, tuple(heard), registry.plugin_of("steady"), pages


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_reported_and_changes_no_results_of_others(site: Path, name: str) -> None:
    alone = steady_results(Registry.load(entry_points=found(site)))
    install(site, name)
    registry = Registry.load(entry_points=found(site))

    assert steady_results(registry) == alone
    plugins = {plugin.name: plugin for plugin in registry.plugins()}
    assert plugins["steady"].status == "ok"
    assert plugins["steady"].models == ("steady",)
    assert plugins[name].status == "failed"
    assert plugins[name].models == ()
    assert BROKEN[name] in plugins[name].reason
    assert "\n" not in plugins[name].reason
    assert {failure.plugin for failure in registry.failures} == {name}


@pytest.mark.slow
def test_all_of_them_at_once_in_a_separate_process(site: Path) -> None:
    for name in [*BROKEN, "clash"]:
        install(site, name)
    program = """
import json, sys
from anomalo.registry.registry import Registry
registry = Registry.load()
print(json.dumps({plugin.name: [plugin.status, plugin.models] for plugin in registry.plugins()}))
print([batch.num_rows for batch in registry.read(sys.argv[1])], registry.get("honest").name)
"""
    (site / "table.steady").write_text("only the steady plugin reads this suffix")
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(site / "table.steady")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plugins, reading = done.stdout.splitlines()
    listed = json.loads(plugins)
    assert {name for name in BROKEN if listed[name] == ["failed", []]} == set(BROKEN)
    assert listed["clash"] == ["failed", ["clash:steady", "honest"]]
    assert reading == "[2, 1] honest"


def test_hooks_that_raise_are_failures_of_their_phase(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    install(site, "raises")
    registry = Registry.load(entry_points=found(site))
    steady_results(registry)
    assert {failure.phase: failure.reason for failure in registry.failures} == {
        "anomalo_models": "RuntimeError: the models are out",
        "anomalo_encoders": "SystemExit: 4",
        "anomalo_pages": "RuntimeError: the pages are out",
        "anomalo_read": "OSError: the disk is out",
        "anomalo_training": "RuntimeError: the handlers are out",
        "anomalo_run_saved": "SystemExit: 5",
    }
    assert (
        "plugin 'raises' (anomalo-raises 1.5) failed in anomalo_run_saved: SystemExit: 5 (raises.py:32); "
        "switch it off with ANOMALO_DISABLE_PLUGINS=raises"
    ) in caplog.messages


def test_everything_that_is_no_model_is_named(site: Path) -> None:
    install(site, "no_model")
    registry = Registry.load(entry_points=found(site))
    reasons = [failure.reason for failure in registry.failures]
    assert len(reasons) == 8
    for part in [
        "Nameless'> is not a model",
        "model 'unfit' has no fit method; implement fit(data, run)",
        "model 'undecorated' is not a dataclass; decorate it with @dataclass(kw_only=True)",
        "ParameterError: width=3: expected a value at least 5",
        "None is not a model",
        "7 is not a model",
        "anomalo_encoders returned 'table'; expected a list",
    ]:
        assert any(part in reason for reason in reasons), part
    with pytest.raises(SourceError, match="no_model"):
        registry.read("table.csv")
    assert registry.failures[-1] == Failure(
        "no_model", "TypeError: anomalo_read gave str; expected pyarrow.RecordBatch", "anomalo_read"
    )


def test_everything_that_is_no_page_is_named_and_the_rest_is_given(site: Path) -> None:
    install(site, "no_page")
    registry = Registry.load(entry_points=found(site))
    assert registry.pages() == [("no_page", site / "no_page.py"), ("steady", site / "steady.py")]
    assert [(failure.plugin, failure.phase) for failure in registry.failures] == [("no_page", "anomalo_pages")] * 4
    broken, steady = registry.plugins()
    assert (broken.status, broken.pages, broken.failures) == ("failed", (site / "no_page.py",), registry.failures)
    assert (steady.status, steady.pages, steady.failures) == ("ok", (site / "steady.py",), ())


def test_two_models_of_one_name_is_an_error_that_names_both(site: Path) -> None:
    install(site, "clash")
    registry = Registry.load(entry_points=found(site))
    with pytest.raises(
        PluginError,
        match=r"model 'steady' is claimed by the plugins 'clash' and 'steady'; use 'clash:steady' or 'steady:steady', "
        "or disable one of them with ANOMALO_DISABLE_PLUGINS",
    ):
        registry.get("steady")
    assert list(registry.models) == ["clash:steady", "honest", "steady:steady"]
    assert registry.create("steady:steady", width=4).name == "steady:steady"
    assert registry.plugin_of("clash:steady") == "clash"
    assert [(failure.plugin, failure.phase) for failure in registry.failures] == [
        ("clash", "anomalo_models"),
        ("steady", "anomalo_models"),
    ]
    assert Registry.load(entry_points=found(site), disabled=["clash"]).plugin_of("steady") == "steady"


def test_two_encoders_of_one_modality_is_an_error_that_names_both(site: Path) -> None:
    twice = [
        EntryPoint("ours", "anomalo.registry.hooks", "anomalo"),
        EntryPoint("theirs", "anomalo.registry.hooks", "anomalo"),
    ]
    assert Registry.load(entry_points=twice[:1]).encoder("table").modality == "table"
    with pytest.raises(PluginError, match="encoder for modality 'table' is claimed by the plugins 'ours' and 'theirs'"):
        Registry.load(entry_points=twice).encoder("table")
    with pytest.raises(UsageError, match="'sound'; there are encoders for: image, series, table, text"):
        Registry.load(entry_points=twice[:1]).encoder("sound")


def test_an_unknown_name_hints_at_the_closest_and_at_failures(site: Path) -> None:
    install(site, "exits")
    registry = Registry.load(entry_points=found(site))
    with pytest.raises(UnknownModelError) as caught:
        registry.get("staedy")
    assert str(caught.value) == (
        "no model is named 'staedy'; did you mean 'steady'? [plugins that failed: exits (SystemExit: no licence found)]"
    )
    with pytest.raises(UnknownModelError, match=r"^no model is named 'xyz'; the models are: steady$"):
        Registry.load(entry_points=found(site), disabled=["exits"]).create("xyz")


def test_create_knows_the_parameters(site: Path) -> None:
    registry = Registry.load(entry_points=found(site))
    assert registry.create("steady", width=7).params() == {"width": 7}
    with pytest.raises(
        ParameterError, match="'steady' has no parameter 'widht'; did you mean 'width'\\?; it has: width"
    ):
        registry.create("steady", widht=7)
    with pytest.raises(ParameterError, match="width=0"):
        registry.create("steady", width=0)


@pytest.mark.parametrize("name", ["exits", "anomalo-exits", "Anomalo_Exits"])
def test_a_disabled_plugin_is_never_imported(site: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "exits")
    monkeypatch.setenv("ANOMALO_DISABLE_PLUGINS", f"somebody-else, {name}")
    registry = Registry.load(entry_points=found(site))
    assert [(plugin.name, plugin.status) for plugin in registry.plugins()] == [("exits", "disabled"), ("steady", "ok")]
    assert "exits" not in sys.modules
    assert registry.failures == ()


def test_listing_imports_nothing(site: Path) -> None:
    install(site, "exits")
    names = [plugin.name for plugin in Registry.listing() if plugin.distribution in ("anomalo-exits", "anomalo-steady")]
    assert names == ["exits", "steady"]
    (steady,) = (plugin for plugin in Registry.listing(disabled=["exits"]) if plugin.name == "steady")
    assert (steady.status, steady.distribution, steady.version, steady.module, steady.first_party) == (
        "listed",
        "anomalo-steady",
        "1.5",
        "steady",
        False,
    )
    assert not {"exits", "steady"} & set(sys.modules)


def test_first_party_plugins_come_first_then_by_name() -> None:
    plugins = Registry.listing()
    assert [(not plugin.first_party, plugin.name) for plugin in plugins] == sorted(
        (plugin.distribution != "anomalo-engine", plugin.name) for plugin in plugins
    )
    assert plugins[0].first_party


def test_plugins_of_one_name_are_distinguished_by_their_distribution(site: Path) -> None:
    install(site, "honest_steady", module="clash", distribution="another", entries="[anomalo]\nsteady=honest_steady\n")
    registry = Registry.load(entry_points=found(site))
    assert [plugin.name for plugin in registry.plugins()] == ["steady (anomalo-steady)", "steady (another)"]
    assert registry.plugin_of("honest") == "steady (another)"


def test_a_malformed_distribution_hides_no_other(site: Path) -> None:
    importlib.import_module("torch")  # which reads everybody's entry points when it is first imported
    install(site, "exits", entries="[anomalo]\nexits: exits\n")
    with pytest.raises(TypeError):
        importlib.metadata.entry_points(group="anomalo")
    plugins = {plugin.name: plugin for plugin in Registry.listing()}
    assert plugins["anomalo-exits"].status == "failed"
    assert "its entry_points.txt is malformed" in plugins["anomalo-exits"].reason
    assert plugins["steady"].status == "listed"
    assert Failure("anomalo-exits", plugins["anomalo-exits"].reason, "find") in Registry.load().failures


def test_ctrl_c_is_not_swallowed(site: Path) -> None:
    (site / "interrupted.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Registry.load(entry_points=[EntryPoint("interrupted", "interrupted", "anomalo")]).plugins()


def reader(site: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: str) -> EntryPoint:
    """A plugin that reads, with this body."""
    (site / f"{name}.py").write_text(
        "import pyarrow as pa\nfrom anomalo.errors import SourceError\nfrom anomalo.plugin import hookimpl\n"
        f"@hookimpl\ndef anomalo_read(source):\n    {body}\n"
    )
    monkeypatch.delitem(sys.modules, name, raising=False)
    return EntryPoint(name, name, "anomalo")


def test_reading_asks_one_after_the_other(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        reader(site, monkeypatch, "reader_a", "raise ValueError('broken')"),
        reader(site, monkeypatch, "reader_b", "yield from ()"),
        reader(site, monkeypatch, "reader_c", "return pa.table({'a': [1]}).to_batches()"),
        reader(site, monkeypatch, "reader_d", "return pa.table({'a': [2]}).to_batches()"),
    ]
    registry = Registry.load(entry_points=entries)
    assert [batch.to_pydict() for batch in registry.read("anything")] == [{"a": [1]}]
    assert [failure.plugin for failure in registry.failures] == ["reader_a"]


def test_what_a_reader_reports_about_its_own_source_is_passed_on(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        reader(site, monkeypatch, "reader_e", "raise SourceError('line 3 is ragged')"),
        reader(site, monkeypatch, "reader_f", "return pa.table({'a': [2]}).to_batches()"),
    ]
    registry = Registry.load(entry_points=entries)
    with pytest.raises(SourceError, match=r"^line 3 is ragged$"):
        registry.read("anything")
    assert registry.failures == ()


def test_a_reader_that_breaks_half_way_is_an_error_that_names_it(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "yield pa.record_batch({'a': [1]}); raise ValueError('the line is dead')"
    registry = Registry.load(entry_points=[reader(site, monkeypatch, "reader_g", body)])
    batches = registry.read("x.y")
    assert isinstance(next(batches), pa.RecordBatch)
    with pytest.raises(PluginError, match=r"'reader_g' failed in anomalo_read\('x.y'\): ValueError: the line is dead"):
        next(batches)


def test_a_source_without_a_reader_is_an_error_that_lists_what_can_be_read(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "adult.csv").touch()
    registry = Registry.load(entry_points=found(site))
    with pytest.raises(SourceError, match=r"adlut.csv: there is no such file; did you mean 'adult.csv'\?$"):
        registry.read(str(site / "adlut.csv"))
    with pytest.raises(SourceError, match=r"no reader knows this kind of source; expected a text table \(.csv"):
        registry.read("postgresql://host/" + "x" * 400)
    monkeypatch.chdir(site)
    with pytest.raises(SourceError, match="no reader knows this kind of source"):
        registry.read("adult.csv")
