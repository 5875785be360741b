"""The wheel holds every plugin, entry points name each, layers are respected, and imports stay light."""

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from anomalo.plugin import verbs_of
from anomalo.registry.registry import Registry
from anomalo.testing import check_model

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py"))
PACKAGES = sorted(
    str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/__init__.py") if "plugins" in path.parts
)
LIGHT = (
    "anomalo",
    "anomalo.plugin",
    "anomalo.registry.registry",
    "anomalo.tabular.schema",
    "anomalo.encoding.table_encoder",
    "anomalo.tabular.reading.reader",
)


def contract(word: str) -> dict[str, list[str]]:
    (found,) = (one for one in PROJECT["tool"]["importlinter"]["contracts"] if word in one["name"])
    return found


def test_there_are_plugins_and_each_folder_is_one() -> None:
    assert PLUGINS
    folders = [path.name for path in (ROOT / "plugins").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert sorted(folders) == PLUGINS


def test_the_wheel_holds_every_plugin() -> None:
    assert sorted(package for package in WHEEL["packages"] if package.startswith("plugins/")) == PACKAGES


def test_the_wheel_holds_no_top_level_name_but_ours() -> None:
    assert set(WHEEL) == {"packages"}, "include, force-include and their like would put other names into the wheel"
    assert all(Path(package).name.startswith("anomalo") for package in WHEEL["packages"])
    assert PROJECT["tool"]["hatch"]["build"] == {
        "dev-mode-exact": True,
        "targets": PROJECT["tool"]["hatch"]["build"]["targets"],
    }


def test_the_wheel_holds_the_files_beside_the_code() -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    packed = {file.distribution_path for file in wheel.recurse_included_files()}
    folders = [ROOT / package for package in WHEEL["packages"]]
    beside = {
        path.relative_to(folder.parent).as_posix()
        for folder in folders
        for path in folder.rglob("*.*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert "anomalo/jobs/synthesis/templates/report.html.jinja" in beside
    assert beside <= packed


def test_the_editable_install_exposes_no_other_name() -> None:
    names = ("plugins", "tests", "examples", "dashboard")
    program = f"from importlib.util import find_spec; print([name for name in {names} if find_spec(name)])"
    done = subprocess.run([sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_folder_is_listed_everywhere(plugin: str) -> None:
    modules = [value.partition(":")[0] for value in PROJECT["project"]["entry-points"]["anomalo"].values()]
    assert plugin in {module.partition(".")[0] for module in modules}, "no entry point: the plugin cannot be found"
    assert plugin in PROJECT["tool"]["importlinter"]["root_packages"]
    assert plugin in contract("core imports no plugin")["forbidden_modules"]
    assert plugin in contract("import the façades")["source_modules"]


def test_every_entry_point_is_installed_as_written() -> None:
    written = PROJECT["project"]["entry-points"]["anomalo"]
    installed = importlib.metadata.distribution("anomalo-engine").entry_points.select(group="anomalo")
    assert {entry.name: entry.value for entry in installed} == written


def test_importing_the_light_modules_leaves_torch_out() -> None:
    program = f"""
import importlib, json, sys
for name in {[*LIGHT, "anomalo.cli"]}:
    importlib.import_module(name)
print(json.dumps(sorted({{"torch", "ignite"}} & set(sys.modules))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_a_third_party_distribution_is_found_like_first_party_ones() -> None:
    (zscore,) = (plugin for plugin in Registry.load().plugins() if plugin.distribution == "anomalo-zscore")
    assert (zscore.status, zscore.models, zscore.first_party, zscore.module) == (
        "ok",
        ("zscore",),
        False,
        "anomalo_zscore",
    )
    registry = Registry.load()
    assert registry.plugin_of("zscore") == "zscore"
    assert verbs_of(registry.get("zscore")) == ("score", "explain", "impute")
    check_model(registry.get("zscore"))


def test_the_third_party_example_stays_short_and_needs_no_torch() -> None:
    source = (ROOT / "examples" / "anomalo-zscore" / "anomalo_zscore.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 60
    assert "torch" not in source
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert {name for name in imported if name.startswith("anomalo")} == {"anomalo.plugin"}
