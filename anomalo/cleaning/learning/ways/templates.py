"""The words and numbers of a text in another order, with other separators, padded, in another case, months by name.

References
----------
Gulwani (2011). Automating string processing in spreadsheets using input-output examples. POPL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice, product

from anomalo.cleaning.learning.ways.calendar_dates import MONTHS, is_date, month, orders
from anomalo.cleaning.learning.ways.way import LONGEST, Arguments, Way

_TOKEN = re.compile(r"\d+|[^\W\d_]+|\s+|.", re.DOTALL)
MOST_TOKENS = 16
MOST_READ = 256
MOST = 24
"""So many readings of one example are made and kept."""
PIVOT = 50
"""Years of two digits from here on are of the last century."""


def tokens(text: str) -> list[str]:
    """Return runs of digits, of letters and of spaces, and other characters one by one.

    Examples
    --------
    >>> tokens("12 oz., A4")
    ['12', ' ', 'oz', '.', ',', ' ', 'A', '4']
    """
    return _TOKEN.findall(text)


def _number(low: int, high: int, text: str) -> int:
    """Return a text as a whole number; -1 if it is none, or outside the limits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high else -1


def _named(short: bool) -> Callable[[str], str | None]:
    def name(text: str) -> str | None:
        at = _number(1, 12, text)
        return None if at < 0 else MONTHS[at - 1][:3] if short else MONTHS[at - 1]

    return name


def _digits(width: int) -> Callable[[str], str | None]:
    return lambda text: text.zfill(width) if text.isdigit() and len(text) <= width else None


def _full_year(text: str) -> str | None:
    at = _number(0, 99, text) if len(text) == 2 else -1
    return None if at < 0 else f"{1900 + at if at >= PIVOT else 2000 + at}"


def _only(letters: bool, change: Callable[[str], str]) -> Callable[[str], str | None]:
    return lambda text: change(text) if (text.isalpha() if letters else text.isdigit()) else None


STEPS: dict[str, Callable[[str], str | None]] = {
    "": lambda text: text,
    "unpadded": _only(False, lambda text: text.lstrip("0") or "0"),
    "2 digits": _digits(2),
    "3 digits": _digits(3),
    "4 digits": _digits(4),
    "year of 4 digits": _full_year,
    "year of 2 digits": lambda text: text[2:] if len(text) == 4 and text.isdigit() else None,
    "month's number": lambda text: str(month(text)) if month(text) else None,
    "month's number of 2 digits": lambda text: f"{month(text):02}" if month(text) else None,
    "month's name": _named(short=False),
    "month's short name": _named(short=True),
    "lower case": _only(True, str.lower),
    "upper case": _only(True, str.upper),
    "capitalised": _only(True, str.capitalize),
    "first letter": _only(True, lambda text: text[:1]),
}
"""What may be done to a word or number, by name; in the order in which readings of an example are preferred."""


def signature(text: str) -> str:
    """Return which tokens a text has: `0` for digits, `a` for letters, a space, other characters themselves.

    Examples
    --------
    >>> signature("12 oz., A4")
    '0 a., a0'
    """
    return "".join(_mark(token) for token in tokens(text))


def _mark(token: str) -> str:
    return "0" if token.isdigit() else "a" if token.isalpha() else " " if token.isspace() else token


def _templates(before: str, after: str) -> Iterator[Arguments]:
    """Yield the signature of a text, a check, and the other text as a template.

    Each part of the template is a token's position and a step, or literal. A text that is a date must become a date. A
    template that uses every word once, and few different steps, is likelier than another.
    """
    source, target = tokens(before), tokens(after)
    words = [token for token in target if token.isalnum()]
    if not words or max(len(source), len(target)) > MOST_TOKENS or before == after:
        return
    readings = [list(_readings(token, source)) for token in target]
    if not all(readings):
        return
    found = sorted(islice(product(*readings), MOST_READ), key=_complexity)[:MOST]
    checks = orders(target) or [""]
    yield from ((signature(before), check, *parts) for parts in found for check in checks)


def _complexity(parts: tuple[str, ...]) -> tuple[int, int]:
    """Return how many parts of a template take a token that another part has taken, and how many steps it has."""
    taken = [part.split(":", 1) for part in parts if not part.startswith("=")]
    return len(taken) - len({at for at, _ in taken}), len({step for _, step in taken})


def _readings(token: str, source: list[str]) -> Iterator[str]:
    if not token.isalnum():
        yield f"={token}"
        return
    for name, step in STEPS.items():
        yield from (f"{at}:{name}" for at, other in enumerate(source) if other.isalnum() and step(other) == token)


def _filled(arguments: Arguments, text: str) -> str | None:
    if len(text) > LONGEST or signature(text) != arguments[0]:
        return None
    source = tokens(text)
    parts = [_part(part, source) for part in arguments[2:]]
    made = [part for part in parts if part is not None]
    if len(made) < len(parts) or (arguments[1] and not is_date(made, arguments[1])):
        return None
    return "".join(made)


def _part(part: str, source: list[str]) -> str | None:
    if part.startswith("="):
        return part[1:]
    at, step = part.split(":", 1)
    return STEPS[step](source[int(at)])


@lru_cache(maxsize=256)
def _describe(arguments: Arguments) -> str:
    """Return the template in words: the parts of a text by their position among its words and numbers."""
    known = [at for at, mark in enumerate(tokens(arguments[0])) if mark in ("0", "a") or mark.isalnum()]
    said = []
    for part in arguments[2:]:
        if part.startswith("="):
            said.append(part[1:])
        else:
            at, step = part.split(":", 1)
            said.append(f"[{known.index(int(at)) + 1}{f', {step}' if step else ''}]")
    date = f", where that is a date ({'-'.join(arguments[1])})" if arguments[1] else ""
    return f"write {''.join(said)!r}, where [1] is the first word or number of {arguments[0]!r}{date}"


TEMPLATE = Way(_templates, _filled, _describe, 0.5)
