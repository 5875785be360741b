"""Whether a text of three numbers is a date of the calendar, and in which order of its parts."""

from __future__ import annotations

import calendar

ORDERS = ("ymd", "mdy", "dmy", "ydm")
SEPARATORS = frozenset("/-. ,")
MONTHS = [calendar.month_name[at] for at in range(1, 13)]
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def month(text: str) -> int:
    """Return the number of a month's name of at least three letters; 0 for another text.

    Examples
    --------
    >>> month("Sept"), month("ma"), month("5")
    (9, 0, 0)
    """
    lower = text.lower()
    return next((at for at, name in enumerate(MONTHS, 1) if len(lower) > 2 and name.lower().startswith(lower)), 0)


def is_date(parts: list[str], order: str) -> bool:
    """Whether the tokens of a text are a date with its parts in this order, by number or with a month's name."""
    words = [part for part in parts if part.isalnum()]
    if len(words) != 3 or not set("".join(part for part in parts if not part.isalnum())) <= SEPARATORS:
        return False
    at = {part: words[order.index(part)] for part in order}
    number = month(at["m"]) or _whole(at["m"], 2)
    year, day = at["y"], _whole(at["d"], 2)
    return 1 <= number <= 12 and 1 <= day <= _DAYS[number - 1] and len(year) in (2, 4) and _whole(year, 4) >= 0


def _whole(text: str, longest: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else -1


def orders(parts: list[str]) -> list[str]:
    """Return in which orders the tokens of a text are a date.

    Examples
    --------
    >>> orders(["3", "/", "14", "/", "2015"]), orders(["7", "-", "8"])
    (['mdy'], [])
    """
    return [order for order in ORDERS if is_date(parts, order)]
