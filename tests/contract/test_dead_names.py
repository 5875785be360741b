"""What is defined is used."""

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(path for top in ("anomalo", "plugins", "dashboard") for path in (ROOT / top).rglob("*.py"))
CALLED_BY_OTHERS = {
    "_create_opt_params_handler": "Ignite",
    "_create_output_handler": "Ignite",
    "down_revision": "Alembic",
    "emit": "logging",
    "get_feature_names_out": "scikit-learn",
    "isolation_level": "SQLAlchemy",
    "redirect_request": "urllib",
    "type_annotation_map": "SQLAlchemy",
}
"""Names that a library uses."""


def defined(tree: ast.AST) -> set[str]:
    """Return the names of functions, classes and variables, but for attributes of objects and local variables."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.Module | ast.ClassDef):
            targets = [one for line in node.body if isinstance(line, ast.Assign) for one in line.targets]
            names |= {name.id for one in targets for name in ast.walk(one) if isinstance(name, ast.Name)}
    return {name for name in names if not name.startswith("__")}


def used(tree: ast.AST) -> set[str]:
    """Return the names that are read, imported from elsewhere, or written as a text of their own."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            names.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            names.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(re.findall(r"^\w+$|(?<=[:.])\w+$", node.value))
    return names


def test_nothing_is_dead() -> None:
    trees = {path.relative_to(ROOT): ast.parse(path.read_text()) for path in FILES}
    texts = [path.read_text() for path in (ROOT / "docs").rglob("*.md")] + [(ROOT / "pyproject.toml").read_text()]
    known = Counter(word for text in texts for word in re.findall(r"\w+", text))
    alive = set().union(*map(used, trees.values())) | known.keys() | CALLED_BY_OTHERS.keys()
    dead = {f"{path}: {name}" for path, tree in trees.items() for name in defined(tree) - alive}
    assert dead == set()
