"""Characters replaced everywhere in a text, and tidier writing: case, spaces, quotation marks."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from anomalo.cleaning.learning.ways.way import Arguments, Way

LONGEST_PART = 12


def _replacements(before: str, after: str) -> Iterator[Arguments]:
    """Yield which part is replaced by which, if replacing it everywhere gives the other text."""
    start = _shared(before, after)
    end = _shared(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if 0 < len(old) <= LONGEST_PART and before.replace(old, new) == after:
        yield old, new
    for character in sorted(set(old) - set(after)):
        for other in ("", " ", "-", "/", ",", ".", ":"):
            if (character, other) != (old, new) and before.replace(character, other) == after:
                yield character, other


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts start with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _replaced(arguments: Arguments, text: str) -> str | None:
    old, new = arguments
    return text.replace(old, new) if old in text else None


def _describe_replacement(arguments: Arguments) -> str:
    old, new = arguments
    return f"write {new!r} for {old!r} within the text" if new else f"leave out {old!r}"


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


STYLES: dict[str, Callable[[str], str]] = {
    "write it in lower case": str.lower,
    "write it in upper case": str.upper,
    "capitalise every word": str.title,
    "capitalise the first word": str.capitalize,
    "take off spaces": lambda text: " ".join(text.split()),
    "take off punctuation at both ends": lambda text: text.strip(" \t\"'.,;:()[]*"),
    "keep only digits": lambda text: "".join(filter(str.isdigit, text)),
    "keep only letters, digits and spaces": lambda text: "".join(c for c in text if c.isalnum() or c == " "),
    "take off accents": _plain,
    "leave out characters beyond ASCII": lambda text: "".join(filter(str.isascii, text)),
    "take off leading zeros": lambda text: text.lstrip("0") or "0",
    "turn round what stands before and after ', '": lambda text: " ".join(reversed(text.split(", ", 1))),
    "turn round the first and the other words, with ', ' between them": lambda text: ", ".join(
        reversed(text.split(" ", 1))
    ),
}
"""Ways of writing, by what they do."""


def _styles(before: str, after: str) -> Iterator[Arguments]:
    if before != after and after:
        yield from ((name,) for name, style in STYLES.items() if style(before) == after)


REPLACE = Way(_replacements, _replaced, _describe_replacement, 0.3)
STYLE = Way(_styles, lambda arguments, text: STYLES[arguments[0]](text) or None, lambda arguments: arguments[0], 0.7)
