"""Columns as people write them: lists, ranges, codes, dates and notes in more than one style; none is an error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Random = np.random.Generator

SEPARATORS = (", ", "; ", ",", " / ", "|", " and ", " & ", '","')
WRAPS = (("", ""), ("", ""), ("", ""), ("[", "]"), ("{", "}"), ('{"', '"}'), ("(", ")"), ("", "."))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATES = (
    "{y}-{m:02}-{d:02}", "{m}/{d}/{s:02}", "{m}/{d}/{y}", "{d:02}.{m:02}.{y}", "{d} {n} {y}", "{n} {d}, {y}", "{n} {y}",
    "{y}", "{d}-{n}-{s:02}", "{n}-{s:02}", "{y}/{m:02}", "{s}",
)  # fmt: skip
CODES = ("{a:04}-{b:04}", "{a:04}-{c:03}X", "{a:04}{b:04}", "{l}{a:04}", "{l}-{c:03}/{e}", "{l}{l}{c:03}-{e}", "{a:04}")
CODES += ("{a:04}-{b:04} {b:04}-{a:04}", "{a:04}-{b:04} ({l})", "{l}{c:03}.{e}", "0{a:04} {b:04}")
PAGES = (
    "{p}-{q}",
    "{p}-{r}",
    "{p}",
    "e{p}",
    "S{p}-S{q}",
    "{p}, {q}",
    "{p}\u2013{q}",
    "{p}-{q}; discussion {q}",
    "pp. {p}-{q}",
)
ISSUES = ("{v}", "{v}({e})", "{v} Suppl {e}", "{v}-{w}", "Pt {e}", "{v} (Suppl)", "{p}", "S{e}", "{v} {n}")
MEASURES = ("{v}", "{v}.{e}", "{v} {u}", "{v}{u}", "{v}-{w}", "{v} to {w}", "~{v}", "<{v}", "{v} +/- {e}", "{v}, {w}")
TIMES = (
    "{h}:{i:02} {t}.m.",
    "{h}:{i:02}{t}m",
    "{k:02}:{i:02}",
    "{n} {d} - {h}:{i:02} {t}.m.",
    "{m}/{d} {h}:{i:02} {t}.m.",
)
STYLES = (DATES, CODES, PAGES, ISSUES, MEASURES, TIMES)
TRAILERS = (
    " [Review]",
    " (Print)",
    " (Electronic)",
    " et al.",
    " *",
    " - see note",
    " [sic]",
    "?",
    " (revised)",
    " II",
    " Jr.",
)
LEADERS = ("[", "The ", "c. ", "approx. ", "ca. ", "re: ", "Dr. ", "No. ", "* ", '"')
DEFAULTS = (
    "{NULL}",
    "[none]",
    "(unknown)",
    "Anonymous",
    "Untitled",
    "various",
    "not given",
    "{}",
    "[]",
    "anon",
    "n.d.",
    "***",
)
UNKNOWN = ("NULL", "null", "none", "unknown", "NA", "not known", "missing", "various", "other", "blank", "no data")
"""Words that a table has of its own for what is not known; in brackets or not, they are no errors there."""


def written(table: Texts, random: Random) -> Texts:
    """Return a column [n] made of a table's texts, or of numbers, as records and notes have them."""
    ways: tuple[Callable[[Texts, Random], Texts], ...] = (listed, levels, styled, styled, noted)
    return ways[int(random.integers(len(ways)))](table, random)


def listed(table: Texts, random: Random) -> Texts:
    """Return lists of one to many texts of a column, such as the authors of a paper."""
    texts, size = _column(table, random), int(random.integers(2, 9))
    separator, wrap = str(random.choice(SEPARATORS)), WRAPS[int(random.integers(len(WRAPS)))]
    if separator == '","':
        wrap = ('{"', '"}')
    lengths = 1 + random.binomial(size, random.uniform(0.1, 0.6), len(table))
    lists = [separator.join(map(str, random.choice(texts, length))) for length in lengths]
    return _with_defaults(np.array([f"{wrap[0]}{one}{wrap[1]}" for one in lists], dtype=object), random)


def levels(table: Texts, random: Random) -> Texts:
    """Return one level of a column of few values in most rows, two or three in some, as in a column of languages."""
    known = np.unique(_column(table, random).astype(str))
    known = random.permutation(known)[: int(random.integers(2, 12))]
    share = random.dirichlet(np.full(len(known), 0.4))
    separator = str(random.choice(["", "", ", ", "/", " ", ";", " and "]))
    several = random.random(len(table)) < random.uniform(0.005, 0.15)
    sizes = np.where(several, random.integers(2, 4, len(table)), 1)
    texts = [separator.join(map(str, random.choice(known, size, p=share))) for size in sizes]
    return _with_defaults(np.array(texts, dtype=object), random)


def styled(table: Texts, random: Random) -> Texts:
    """Return dates, codes, pages, issues, measures or times: mostly in one style, some in others."""
    styles = STYLES[int(random.integers(len(STYLES)))]
    usual, others = str(random.choice(styles)), random.choice(styles, int(random.integers(1, 6)))
    other = random.random(len(table)) < random.choice([0.005, 0.02, 0.05, 0.1, 0.3, 0.6])
    scale = int(random.choice([9, 40, 400, 4000]))
    rows = [_filled(str(random.choice(others)) if odd else usual, scale, random) for odd in other]
    return _with_defaults(np.array(rows, dtype=object), random)


def noted(table: Texts, random: Random) -> Texts:
    """Return texts of two or three columns of a row in one note."""
    columns = random.integers(table.shape[1], size=int(random.integers(2, 4)))
    form = str(random.choice(["{}, {}", "{} ({})", "{}: {}", "{} - {}", "{} {}", "{}. {}"]))
    texts = [str(text) for text in table[:, columns[0]]]
    for column in columns[1:]:
        more = random.random(len(table)) < random.uniform(0.2, 1)
        texts = [form.format(a, b) if b and add else a for a, b, add in zip(texts, table[:, column], more, strict=True)]
    return np.array(texts, dtype=object)


def untidy(column: Texts, random: Random) -> Texts:
    """Return a column of texts of which some have a word, a note or another text of the column before or after them."""
    share = random.choice([0.01, 0.03, 0.1, 0.3])
    notes = [*random.choice(TRAILERS, 3), *random.choice(LEADERS, 2)]
    result = column.copy()
    for row in np.flatnonzero(random.random(len(column)) < share):
        note, text = str(random.choice(notes)), str(column[row])
        if not text:
            continue
        if random.random() < 0.15:
            result[row] = f"{text} {random.choice(column)}"
        else:
            result[row] = f"{note}{text}" if note in LEADERS else f"{text}{note}"
    return _with_defaults(result, random)


def _column(table: Texts, random: Random) -> Texts:
    """Return a column of texts that are no numbers, if there is one."""
    wordy = [
        at for at in range(table.shape[1]) if np.mean([any(map(str.isalpha, text)) for text in table[:50, at]]) > 0.5
    ]
    at = int(random.choice(wordy)) if wordy else int(random.integers(table.shape[1]))
    return np.array([text for text in table[:, at] if text] or [""], dtype=object)


def _filled(style: str, scale: int, random: Random) -> str:
    first, v, length = (
        int(random.integers(1, scale + 1)),
        int(random.integers(1, scale + 1)),
        int(random.integers(1, 40)),
    )
    year, month, day = int(random.integers(1950, 2024)), int(random.integers(1, 13)), int(random.integers(1, 29))
    hour, letters = int(random.integers(0, 24)), "ABCDEFGHKLMNPRSTW"
    return style.format(
        y=year, s=year % 100, m=month, d=day, n=MONTHS[month - 1], a=int(random.integers(10000)),
        b=int(random.integers(10000)), c=int(random.integers(1000)), e=int(random.integers(1, 10)),
        l=letters[int(random.integers(len(letters)))], p=first, q=first + length, r=(first + length) % 10, v=v,
        w=v + int(random.integers(1, 4)), h=hour % 12 or 12, k=hour, i=int(random.integers(60)), t="ap"[hour // 12],
        u=str(random.choice(["kg", "mg", "cm", "h", "years"])),
    )  # fmt: skip


def _with_defaults(column: Texts, random: Random) -> Texts:
    return with_default(column, random) if random.random() < 0.3 else column


def with_default(column: Texts, random: Random) -> Texts:
    """Return a column with one text for what is not known in some rows, or with empty cells there."""
    default = str(random.choice(DEFAULTS)) if random.random() < 0.6 else ""
    if random.random() < 0.4 and default:
        before, after = WRAPS[int(random.integers(len(WRAPS)))]
        default = f"{before}{random.choice(UNKNOWN)}{after}"
    rows = random.random(len(column)) < random.choice([0.002, 0.005, 0.02, 0.06, 0.2])
    return np.where(rows, default, column)
