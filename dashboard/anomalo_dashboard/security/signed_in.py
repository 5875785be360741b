"""The name of whom a proxy has signed in, in a header of its requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from anomalo.errors import UsageError

HEADER = "ANOMALO_USER_HEADER"
"""The environment variable that holds the name of the header."""
LONGEST = 100
"""Characters of a name, at most."""


def require_header(name: str) -> str:
    """Return the name of a header as it is given to `--user-header`.

    Raises
    ------
    UsageError
        No header can have this name (RFC 9110, section 5.6.2).
    """
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name):
        raise UsageError(f"--user-header {name!r}: expected the name of one header, such as X-Forwarded-User")
    return name


def name_in(header: str, values: Sequence[str]) -> str:
    """Return the name that a header has.

    Raises
    ------
    UsageError
        It was not sent, or more than once, which a proxy does that adds its header to one of the browser; or what it
        holds is no name.

    Examples
    --------
    >>> name_in("X-User", [" ann "]), name_in("X-User", ["Zo\u00c3\u00ab"])
    ('ann', 'Zoë')
    """
    if len(values) != 1 or not values[0].strip():
        found = "it was not sent" if not any(values) else f"it was sent {len(values)} times"
        raise UsageError(
            f"nobody is signed in: the proxy names the person in the header {header}, but {found}; "
            "open the dashboard by the proxy's address, or have its settings looked at"
        )
    name = values[0].strip()
    with suppress(UnicodeError):
        name = name.encode("latin-1").decode()  # HTTP hands bytes on as Latin-1
    if len(name) > LONGEST or not name.isprintable():
        raise UsageError(f"the header {header} holds no name of at most {LONGEST} characters that can be printed")
    return name
