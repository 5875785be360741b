"""What must be done in one way is done in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for top in ("anomalo", "plugins", "dashboard") for path in (ROOT / top).rglob("*.py"))
ATOMIC, CHECKSUMS, ERRORS = "anomalo/persistence/atomic.py", "anomalo/persistence/checksums.py", "anomalo/errors.py"
DIFFERENCE = "dashboard/anomalo_dashboard/repairing/difference.py"
"""It compares the characters of two texts, and suggests none."""


def calls(tree: ast.AST) -> Iterator[str]:
    """Yield each call as `object.method`, one that renames a path by its method alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if isinstance(node.func.value, ast.Name):
                yield f"{node.func.value.id}.{node.func.attr}"
            # `str.replace` takes two arguments, `dataclasses.replace` and `DataFrame.rename` named ones.
            if node.func.attr in ("rename", "replace") and len(node.args) == 1 and not node.keywords:
                yield node.func.attr


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def where(what: str, found: dict[str, set[str]]) -> list[str]:
    return [path for path, names in found.items() if what in names]


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.AST]:
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in FILES}


def test_one_module_renames_and_reaches_the_disk(trees: dict[str, ast.AST]) -> None:
    found = {path: set(calls(tree)) for path, tree in trees.items()}
    for call in ("os.replace", "os.rename", "os.fsync"):
        assert where(call, found) == [ATOMIC]
    for call in ("shutil.move", "os.renames", "os.link", "rename", "replace"):
        assert where(call, found) == []


@pytest.mark.parametrize(("module", "homes"), [("hashlib", [CHECKSUMS]), ("difflib", [ERRORS, DIFFERENCE])])
def test_checksums_and_suggestions_are_made_in_one_module_each(
    trees: dict[str, ast.AST], module: str, homes: list[str]
) -> None:
    assert where(module, {path: set(imports(tree)) for path, tree in trees.items()}) == homes


def test_a_reason_is_worded_in_one_module(trees: dict[str, ast.AST]) -> None:
    found = {
        path: {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        for path, tree in trees.items()
    }
    # Those of models speak of types and shapes.
    speaking = ["anomalo/models/result_checks.py", "anomalo/tabular/wording.py", "anomalo/testing/answers.py"]
    assert where(", expected ", found) == speaking
