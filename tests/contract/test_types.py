"""The types reach whoever installs anomalo: packages say that they are typed, and a plugin is checked against them."""

import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def run(*command: object, cwd: Path = ROOT) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_says_that_it_is_typed_and_is_checked() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").is_file()] == []
    checked = set(PROJECT["tool"]["mypy"]["packages"])
    assert {Path(package).name for package in PACKAGES} == checked - {"anomalo_zscore"}


@pytest.mark.slow
def test_the_example_plugin_is_strictly_typed_against_the_wheel(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path)
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert {f"{Path(package).name}/py.typed" for package in PACKAGES} <= set(wheel.namelist())
        wheel.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    plugin = ROOT / "examples" / "anomalo-zscore" / "anomalo_zscore.py"
    options = ("--config-file", "", "--cache-dir", tmp_path / "cache", "--python-executable", python)
    # Elsewhere than in the clone, whose packages mypy would take instead of the wheel's.
    run(sys.executable, "-m", "mypy", "--strict", *options, plugin, cwd=tmp_path)
