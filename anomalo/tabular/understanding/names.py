"""What a column's name says about its cells: ids, codes, years."""

from __future__ import annotations

import re
import shlex

_IDS = frozenset(
    ("id", "ids", "uuid", "guid", "key", "keys", "hash", "token", "isbn", "ssn", "iban", "serial", "index", "rowid")
)
_CODES = frozenset(
    ("id", "code", "codes", "zip", "zipcode", "postal", "postcode", "postalcode", "plz", "zone", "status", "class")
) | {"type", "category", "cat", "phone", "telephone", "tel", "fax"}
_NUMBERED = frozenset(("code", "no", "nr", "number", "num", "ref", "reference", "sku"))
_NUMBERS = frozenset(("number", "no", "nr"))
_YEARS = frozenset(("year", "years", "yr", "yrs", "jahr", "jahre", "année", "año", "anno", "jaar", "rok"))


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case.

    Examples
    --------
    >>> words("customerId"), words("ZIP code (5)"), words("zone_id2")
    (['customer', 'id'], ['zip', 'code'], ['zone', 'id'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])", name)]


def says_id(name: str) -> bool:
    """Whether a name says that its column names the rows, if its values are nearly all different."""
    return any(word in _IDS | _NUMBERED for word in words(name)[-1:])


def says_code(name: str) -> str | None:
    """Return the word of a name that says that whole numbers are codes, if there is one; "number" after another word.

    Examples
    --------
    >>> says_code("zone_id"), says_code("type_count"), says_code("zipcode"), says_code("Flight number")
    ('id', None, 'zipcode', 'number')
    """
    *first, last = words(name) or [""]
    return last if last in _CODES or (first and last in _NUMBERS) else None


def says_year(name: str) -> bool:
    """Whether a name says that whole numbers are years."""
    return any(word in _YEARS or word.endswith("year") for word in words(name))


def option(flag: str, value: str) -> str:
    """Return an option of the command line, quoted for a shell.

    Examples
    --------
    >>> print(option("--missing", "x=-9"))
    --missing 'x=-9'
    """
    quoted = shlex.quote(value)
    return f"{flag} {quoted}" if quoted.startswith(("'", '"')) else f"{flag} '{value}'"
