"""The tree keeps to docs/architecture.md: packages, contracts, sizes, no import circles; names lead to answers."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CORE = ROOT / "anomalo"
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/__init__.py"))
DASHBOARD = ROOT / "dashboard" / "anomalo_dashboard"
SOURCES = sorted(path for folder in (CORE, *PLUGINS, DASHBOARD) for path in folder.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}

PACKAGES = sorted(path.parent.name for path in CORE.glob("*/__init__.py"))
FACADES = {"plugin", "neural", "metrics", "masking"}
LOOSE = {"errors", "version"}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

Graph = dict[str, set[str]]


def contract(start: str) -> dict[str, Any]:
    (found,) = (contract for contract in CONTRACTS if contract["name"].startswith(start))
    return dict(found)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def questions() -> list[tuple[str, str, list[str]]]:
    """Return question, path and hops of each row of the table."""
    section = PAGE.split("## Ten questions")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+\?) \| `(.+)` \| (.+) \|$", section, flags=re.MULTILINE)
    return [(question, path, hops.split(" → ")) for question, path, hops in rows]


def test_there_are_ten_questions() -> None:
    assert len(questions()) == 10


@pytest.mark.parametrize(("question", "path", "hops"), questions(), ids=[question for question, *_ in questions()])
def test_names_lead_to_the_answer_in_three_hops(question: str, path: str, hops: list[str]) -> None:
    assert (ROOT / path).is_file()
    assert len(hops) <= 3
    assert path.split("/")[1:] == hops


def test_the_page_has_every_package_and_every_file_that_it_names_exists() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .+? \| (.+) \|$", PAGE, flags=re.MULTILINE))
    assert sorted(rows) == PACKAGES
    missing = [(name, file) for name, cell in rows.items() for file in re.findall(r"`([^`]+)`", cell)]
    assert [(name, file) for name, file in missing if not (CORE / name / file).exists()] == []
    assert [path for path in re.findall(r"`(\w+/[\w/]+\.py)`", PAGE) if not any(p.match(path) for p in SOURCES)] == []


def test_there_are_nineteen_packages_and_the_facades() -> None:
    assert len(PACKAGES) == 19
    assert {path.stem for path in CORE.glob("*.py")} == FACADES | {"__init__", "__main__", *LOOSE}


def test_the_layers_are_all_packages() -> None:
    layers = [name for layer in contract("Layers")["layers"] for name in layer.split(" | ")]
    assert sorted(layers) == sorted(f"anomalo.{name}" for name in {*PACKAGES, *FACADES, *LOOSE})


def test_plugins_are_forbidden_every_package() -> None:
    allowed = contract("Plugins import")
    assert allowed["source_modules"] == [path.name for path in PLUGINS]
    assert sorted(allowed["forbidden_modules"]) == [f"anomalo.{name}" for name in PACKAGES]


def test_plugins_import_the_surface_only() -> None:
    allowed = {f"anomalo.{name}" for name in (*FACADES, "errors")}
    modules = {(path, name) for path in SOURCES if path.is_relative_to(ROOT / "plugins") for name in imported(path)}
    found = [f"{relative(path)}: {name}" for path, name in modules if name.split(".")[0] == "anomalo"]
    assert [line for line in sorted(found) if ".".join(line.split(": ")[1].split(".")[:2]) not in allowed] == []


def test_the_core_imports_no_plugin() -> None:
    names = {path.name for path in (*PLUGINS, DASHBOARD)}
    found = [(relative(path), name) for path in CORE.rglob("*.py") for name in imported(path)]
    assert [(path, name) for path, name in found if name.split(".")[0] in names] == []


def test_facades_only_re_export() -> None:
    for name in FACADES:
        document, *statements, exported = TREES[CORE / f"{name}.py"].body
        assert isinstance(document, ast.Expr), name
        assert all(isinstance(statement, ast.ImportFrom) for statement in statements), name
        assert isinstance(exported, ast.Assign), name


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=relative)
def test_a_package_says_in_one_sentence_what_it_is_for(path: Path) -> None:
    first = (ast.get_docstring(TREES[path]) or "").split("\n\n")[0]
    assert re.fullmatch(r"[^.]\S.*\.", first, flags=re.DOTALL), f"no sentence: {first!r}"
    assert not re.search(r"[.?!]\s", first), f"more than one sentence: {first!r}"


def test_files_are_short() -> None:
    lines = {relative(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {path: count for path, count in lines.items() if count > 400} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{relative(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > 60} == {}


def test_packages_are_small() -> None:
    assert {folder: n for folder, n in Counter(relative(path.parent) for path in SOURCES).items() if n > 15} == {}


def module_of(path: Path) -> str:
    (root,) = (folder for folder in (CORE, *PLUGINS, DASHBOARD) if path.is_relative_to(folder))
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a module imports anywhere in it, under TYPE_CHECKING too."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{relative(path)}: a relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)


def graph() -> Graph:
    """Return which of our modules each module imports."""
    return {name: {other for other in imported(path) if other in MODULES} - {name} for name, path in MODULES.items()}


def circle(graph: Graph) -> list[str]:
    """Return the modules of an import circle and those that only lead to it or hang from it; none if there is none.

    Modules that import nothing, or that nothing imports, are removed until none is left to remove.
    """
    left = {name: set(others) for name, others in graph.items()}
    while True:
        used = {other for others in left.values() for other in others}
        free = {name for name, others in left.items() if not others or name not in used}
        if not free:
            return sorted(left)
        left = {name: others - free for name, others in left.items() if name not in free}


def test_there_is_no_import_circle() -> None:
    assert circle(graph()) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == ["b", "c"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
