"""The code in the documents runs, and the documents name every hook, verb and model."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from anomalo import hookspecs
from anomalo.registry import Registry

ROOT = Path(__file__).parent.parent
TUTORIAL = (ROOT / "docs" / "write-a-plugin.md").read_text()
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TUTORIAL, flags=re.DOTALL)


def test_the_tutorials_models_pass_the_conformance_kit(tmp_path):
    model, conformance, network = SNIPPETS
    (tmp_path / "anomalo_extremes.py").write_text(model)
    (tmp_path / "shallow.py").write_text(network)
    (tmp_path / "test_extremes.py").write_text(conformance)
    (tmp_path / "test_shallow.py").write_text(
        "from anomalo.testing import check_model\nfrom shallow import Shallow\n\n\n"
        "def test_shallow():\n    check_model(Shallow, epochs=2)\n"
    )
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("anomalo_")])
def test_the_tutorial_names_every_hook(hook):
    assert f"`{hook}(" in TUTORIAL


def test_the_readme_names_every_model_of_ours():
    registry = Registry.load()
    own = [name for name in registry.models if registry.plugin_of(name) in ("autoencoders", "baselines")]
    assert own
    assert [name for name in own if f"`{name}`" not in README] == []


def test_the_readme_names_every_verb():
    from anomalo.cli.app import app

    verbs = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert [verb for verb in verbs if not re.search(rf"\b{verb}\b", README)] == []


def test_nobody_is_told_to_install_another_package_of_that_name():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]:
        assert not re.search(r"pip install\s+(-\S+\s+)*['\"]?anomalo(?![-\w])", path.read_text()), path
