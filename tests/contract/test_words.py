"""Texts use the field's words: no private word of former versions in documents, messages and comments."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("anomalo", "plugins", "dashboard")
SOURCES = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))
DOCUMENTS = sorted(
    {
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "mkdocs.yml")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "docs").rglob("*.svg"),
        *(ROOT / "benchmarks").glob("*.md"),
        *(path for path in (ROOT / "examples").rglob("*.md") if ".venv" not in path.parts),
    }
)

INSTEAD = {
    r"strange|stranger|strangest|strangely|strangeness": "anomalous, anomaly score",
    r"holes?": "missing value; impute",
    r"tell|tells|telling|told": "predict, estimate, report, say, give",
    r"verdicts?|judge[sd]?|judging|judg(?:e)?ments?": "result, assessment; score, evaluate",
    r"made(?: up)? rows?": "synthetic rows",
    r"ordinary|ordinarily": "typical, normal",
    r"spread|spreads|spreading": "scale, standard deviation, distribution",
    r"surprise[sd]?|surprising|surprisingly": "surprisal, negative log-likelihood",
    r"mend|mends|mended|mending": "repair",
    r"let(?:s|ting)? go": "release",
    r"(?:go|goes|going|gone|went) on": "resume, continue",
    r"nobody knows": "unknown",
    r"rooms?|houses?": "package",
    r"newcomers?": "drift",
    r"(?<!\bin\s)place[sd]?|placing": "context, position, location; put",  # to change an array in place is the term
    r"lessons?": "training data",
    r"witness|witnesses": "reference model",
    r"guards": "robust members; calls are guarded, by one guard",
}
"""Words, case-insensitive and whole, and what to write instead."""

NAMES = {
    "Place": "JobContext",
    "Unfinished": "ResumableState",
    "Newcomers": "DriftMonitor",
    "Watch": "DataQualityMonitor",
    "CanTellErrors": "ReportsErrors",
    "own": "to_original_units",
    "tidy": "clip_to_domain",
    "settle": "round_trip",
    "wanted": "is_goal",
    "nat": "surprisal_scale",
}
"""Identifiers, searched in code only, and what they are called now."""

EXCEPTIONS = {
    "anomalo/nn/diffusion/samplers.py": (r"Solving ordinary differential equations", "the title of a book"),
}
"""By the start of a path: what may stand there all the same, as a regular expression, and why."""

WORD = re.compile(rf"\b(?:{'|'.join(f'({words})' for words in INSTEAD)})\b".replace(" ", r"\s+"), flags=re.IGNORECASE)
Text = tuple[int, str]


def texts(source: str) -> Iterator[Text]:
    """Yield the string literals, docstrings and comments of a module, each with its first line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def identifiers(source: str) -> Iterator[Text]:
    """Yield every identifier of a module, those within f-strings too, with its line."""
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "arg", "name", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield getattr(node, "lineno", 0), name


def found(text: str, first: int = 1) -> Iterator[tuple[int, str, str]]:
    """Yield line, word and replacement of every word that is not to be used; words may be separated by a line's end."""
    for match in WORD.finditer(text):
        line = first + text.count("\n", 0, match.start())
        yield line, match[0], list(INSTEAD.values())[(match.lastindex or 1) - 1]


def allowed(path: str, text: str) -> str:
    """Return the text without what may stand in this file."""
    for start, (pattern, _) in EXCEPTIONS.items():
        if path.startswith(start):
            text = re.sub(pattern, "", text)
    return text


def listing(path: Path) -> list[str]:
    """Return `file:line: word → what to write instead` for each hit in a document or module."""
    name, source = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    parts = [(1, source)] if path.suffix != ".py" else list(texts(source))
    hits = [(line, word, use) for first, text in parts for line, word, use in found(allowed(name, text), first)]
    if path.suffix == ".py":
        hits += [(line, word, NAMES[word]) for line, word in identifiers(source) if word in NAMES]
    return [f"{name}:{line}: {word} → {use}" for line, word, use in sorted(set(hits))]


def report(paths: list[Path]) -> str:
    return "\n".join(line for path in paths for line in listing(path))


def test_documents_use_the_words_of_the_field() -> None:
    assert report(DOCUMENTS) == ""


@pytest.mark.parametrize("folder", CODE)
def test_messages_and_comments_use_the_words_of_the_field(folder: str) -> None:
    assert report([path for path in SOURCES if path.is_relative_to(ROOT / folder)]) == ""


def test_every_exception_is_needed() -> None:
    """An exception whose text is gone is removed from the table."""
    for start, (pattern, _) in EXCEPTIONS.items():
        files = [path for path in [*DOCUMENTS, *SOURCES] if path.relative_to(ROOT).as_posix().startswith(start)]
        assert any(re.search(pattern, path.read_text(encoding="utf-8")) for path in files), start
