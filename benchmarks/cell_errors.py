"""Errors put into cells of clean tables: typos, formats, units, missing values, other values, broken dependencies."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Random = np.random.Generator
Error = Callable[[str, Texts, Random], str]

DISGUISES = ("N/A", "NA", "n/a", "?", "-", "--", "unknown", "Unknown", "none", "None", "null", "NULL", "empty", "nan")
DISGUISES += ("missing", "not available", "9999", "-999", "999", "99", "-1", "0", ".", "tbd", "XXX", "TBA", "not known")
WIDESPREAD = ("N/A", "NA", "n/a", "?", "-", "null", "NULL", "nan", "#N/A", "9999", "-999", "-1", "unknown")
"""Those that may stand in many cells of a column."""
UNITS = ("%", "$", "€", "kg", "cm", "m", "lb", "oz", "ml", "min", "USD", "mm", "h", "years", "pcs", "units", "km", "k")
SWAPPED = {"-": " ", " ": "-", "/": "-", ".": ",", ",": ";", ":": ".", "_": " ", "'": "", "&": "and", "(": "["}
DAMAGED = ("�", "Ã©", "_", "Â", "\u0331", "\u0326", "?", "&amp;", "\u00a0", "*", "#")


@dataclass(frozen=True)
class Injected:
    """A table with errors: its texts, the true ones, and each cell's kind of error ("" for none), all [n, columns]."""

    dirty: Texts
    clean: Texts
    kinds: Texts


def typo(text: str, column: Texts, random: Random) -> str:
    """Change one to three characters, or every occurrence of one character."""
    if not text:
        return text
    letters = string.digits if text.isdigit() and random.random() < 0.5 else string.ascii_lowercase
    if random.random() < 0.25:
        return text.replace(str(random.choice(list(text))), str(random.choice(list(letters))))
    for _ in range(1 + int(random.random() < 0.25) + int(random.random() < 0.1)):
        text = _edited(text, str(random.choice(list(letters))), random)
    return text


def _edited(text: str, letter: str, random: Random) -> str:
    at, way = int(random.integers(len(text) or 1)), int(random.integers(4))
    if way == 0:
        return text[:at] + letter + text[at + 1 :]
    if way == 1:
        return text[:at] + letter + text[at:]
    if way == 2:
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def damaged(text: str, column: Texts, random: Random) -> str:
    """Put a character of a wrong encoding instead of one."""
    at = int(random.integers(len(text) or 1))
    return text[:at] + str(random.choice(DAMAGED)) + text[at + 1 :] if text else text


FORMATS: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.lower,
    str.title,
    lambda text: "".join(SWAPPED.get(character, character) for character in text),
    lambda text: re.sub(r"[^\w]", "", text),
    lambda text: f"{text}.0" if text.isdigit() else text,
    lambda text: text.zfill(len(text) + 2) if text.isdigit() else text,
    lambda text: re.sub(r"(\d)(?=(\d{3})+$)", r"\1,", text),
    lambda text: re.sub(r"^(\d+)[-/](\d+)[-/](\d+)$", r"\3/\2/\1", text),
    lambda text: re.sub(r"^(\d+)([-/])(\d+)([-/])(\d+)$", r"\3\2\1\4\5", text),
    lambda text: re.sub(r"^(\d+)[-/](\d+)[-/](\d+)$", r"\1.\2.\3", text),
    lambda text: re.sub(r"^(\d{3})-?(\d{3})-?(\d{4})$", r"(\1) \2-\3", text),
    lambda text: ", ".join(reversed(text.split(" ", 1))),
    lambda text: " ".join(reversed(text.split(", ", 1))),
    lambda text: re.sub(r"\b(\w)\w+ ", r"\1. ", text, count=1),
    lambda text: f'"{text}"',
    lambda text: f"{text}.",
    lambda text: f"({text})",
    lambda text: text.rstrip("0").rstrip(".") if "." in text else text,
    lambda text: text.replace(" ", "  ", 1),
)


def format_(text: str, column: Texts, random: Random) -> str:
    """Write the text in another format."""
    for way in random.permutation(len(FORMATS)):
        changed = FORMATS[way](text)
        if changed != text:
            return changed
    return text


def unit(text: str, column: Texts, random: Random) -> str:
    """Add a unit to a number or multiply it as another unit would."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    if random.random() < 0.6:
        mark = str(random.choice(UNITS))
        return f"{mark}{text}" if mark in "$€" else f"{text}{random.choice(['', ' '])}{mark}"
    return f"{float(text) * float(random.choice([0.001, 0.01, 0.1, 10, 100, 1000, 2.54, 0.4536])):.6g}"


def missing(text: str, column: Texts, random: Random) -> str:
    """Return a text that stands for a missing cell, or nothing."""
    return "" if random.random() < 0.3 else str(random.choice(DISGUISES))


def other_row(text: str, column: Texts, random: Random) -> str:
    """Return the cell of another row."""
    return str(random.choice(column))


def other_level(text: str, column: Texts, random: Random) -> str:
    """Return another of the column's distinct texts."""
    return str(random.choice(np.unique(column.astype(str))))


def outlier(text: str, column: Texts, random: Random) -> str:
    """Return a number far from the column's."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    digits = len(text.split(".")[1]) if "." in text else 0
    value = float(text)
    changed = [-value, value * random.uniform(3, 50), value + random.uniform(5, 100) * (abs(value) + 1)]
    return f"{random.choice(changed):.{digits}f}"


def joined(text: str, column: Texts, random: Random) -> str:
    """Return the text with another value of the column, or with a word, after it."""
    return f"{text}{random.choice([' ', ', ', '/'])}{random.choice(column)}" if text else text


ERRORS: dict[str, Error] = {
    "typo": typo,
    "damaged": damaged,
    "format": format_,
    "unit": unit,
    "missing": missing,
    "other row": other_row,
    "other level": other_level,
    "outlier": outlier,
    "joined": joined,
}
SYSTEMATIC = ("format", "unit", "missing")
"""Errors of which one way may be used for a whole column."""


def inject(
    clean: Texts, random: Random, rate: float | None = None, only: str | None = None, columns: list[int] | None = None
) -> Injected:
    """Put errors into a table [n, columns].

    Parameters
    ----------
    clean : object array [n, columns]
        Texts.
    random : Generator
        The source of randomness.
    rate : float, optional
        The share of wrong cells in every column. By default columns differ: some have none, some a third.
    only : str, optional
        One kind of error; by default each cell's is drawn.
    columns : list of int, optional
        Where the errors are put; by default in all columns.
    """
    dirty, kinds = clean.copy(), np.full(clean.shape, "", dtype=object)
    table_rate = float(np.exp(random.uniform(np.log(0.004), np.log(0.15))))
    mixture = random.dirichlet(np.full(len(ERRORS), 0.6))
    for at in range(clean.shape[1]) if columns is None else columns:
        share = rate if rate is not None else _column_rate(table_rate, random)
        rows = np.flatnonzero(random.random(len(clean)) < share)
        if rate is None and random.random() < 0.1:
            _systematic(dirty, kinds, at, random)
        if rate is None and random.random() < 0.15:
            _variant(dirty, kinds, at, random)
        for row in rows:
            kind = only or str(random.choice(list(ERRORS), p=mixture))
            dirty[row, at] = ERRORS[kind](str(clean[row, at]), clean[:, at], random)
            kinds[row, at] = kind
    if rate is None and clean.shape[1] > 1:
        _swap(dirty, kinds, np.flatnonzero(random.random(len(clean)) < table_rate * random.random()), random)
    kinds[dirty == clean] = ""
    return Injected(dirty, clean, kinds)


def _column_rate(rate: float, random: Random) -> float:
    return 0.0 if random.random() < 0.3 else float(min(rate * np.exp(random.normal(0, 0.8)), 0.5))


def _systematic(dirty: Texts, kinds: Texts, at: int, random: Random) -> None:
    """Change many of a column's cells in one way, as a second source of rows would."""
    rows = np.flatnonzero(random.random(len(dirty)) < random.uniform(0.03, 0.45))
    kind = str(random.choice(SYSTEMATIC))
    token, mark, way = str(random.choice(WIDESPREAD)), str(random.choice(UNITS)), int(random.integers(len(FORMATS)))
    for row in rows:
        text = str(dirty[row, at])
        if kind == "missing":
            dirty[row, at] = token
        elif kind == "unit" and re.fullmatch(r"-?\d+(\.\d+)?", text):
            dirty[row, at] = f"{text}{mark}"
        elif kind == "format":
            dirty[row, at] = FORMATS[way](text)
        kinds[row, at] = kind


def _variant(dirty: Texts, kinds: Texts, at: int, random: Random) -> None:
    """Write one or two of a column's texts in a second, wrong way in some of their rows, the same one each time."""
    for _ in range(int(random.integers(1, 3))):
        text = str(random.choice(dirty[:, at]))
        kind = str(random.choice(["typo", "format"]))
        other = ERRORS[kind](text, dirty[:, at], random)
        rows = np.flatnonzero((dirty[:, at] == text) & (random.random(len(dirty)) < random.uniform(0.01, 0.2)))
        dirty[rows, at], kinds[rows, at] = other, kind


def _swap(dirty: Texts, kinds: Texts, rows: NDArray[np.int64], random: Random) -> None:
    one, other = random.choice(dirty.shape[1], size=2, replace=False)
    dirty[np.ix_(rows, [one, other])] = dirty[np.ix_(rows, [other, one])]
    kinds[np.ix_(rows, [one, other])] = "swap"
