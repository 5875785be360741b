r"""Text of users, tables and URLs, written so that a page shows it and does nothing else with it.

Streamlit reads the texts of most of its elements as Markdown: with links and images, which the browser fetches,
formulas between dollar signs, colours, and icons such as `:material/home:`. What is not the dashboard's own wording
goes through `literal` first; where no Markdown is read, as in the cells of `st.dataframe`, through `plain`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pandas as pd

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]#+\-|<>$~&])|^(\d+)([.)])")
r"""What Markdown, its tables, formulas, directives and HTML are made of; a backslash makes it a character."""
_JOINER = "\u2060"
"""The word joiner (U+2060), which has no width: it parts what is replaced after Markdown was read, escapes or not."""
_REPLACED = re.compile(
    r"((?:https?|ftp|mailto|xmpp):|www(?=\.)|@(?=[-\w]+\.)|:(?=[\w+-])|(?<!\S)(?:<->|->|<-|--|>=|<=|~=)(?!\S))",
    re.IGNORECASE,
)
r"""Where addresses, directives, and emoji and icons between colons begin; and what is written as an arrow or dash."""
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""The categories of characters that are not seen, but may change how others are read (Unicode Standard, 4.5)."""


def literal(text: object) -> str:
    r"""Return a text that Streamlit shows to the character, on one line.

    Characters that are not seen, but change how others are read, such as those that write from right to left, are
    written as their codes.

    Examples
    --------
    >>> literal("![x](http://a/b.png) costs $5"), literal("a\u202eb")
    ('!\\[x\\](http:\u2060//a/b.png) costs \\$5', 'a\\\\u202eb')
    >>> literal("2. May: 10:30 -> a@b.com, www.b.com")
    '2\\. May: 10:\u206030 \\-\\>\u2060 a@\u2060b.com, www\u2060.b.com'
    """
    parted = _REPLACED.sub(rf"\1{_JOINER}", plain(" ".join(str(text).split())))
    return _PUNCTUATION.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", parted)


def plain(text: object) -> str:
    r"""Return a text for elements that read no Markdown: only what is not seen is written as its code.

    Examples
    --------
    >>> plain("a\u202eb"), plain("two\nlines")
    ('a\\u202eb', 'two\\u000alines')
    """
    shown = str(text)
    return shown if shown.isprintable() else "".join(map(_visible, shown))


def plain_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table for `st.dataframe`: the names of its columns and its texts as `plain` writes them."""
    texts = {str(name): table[name].map(plain_values) for name in table.select_dtypes(["object", "string"])}
    return table.assign(**texts).set_axis(_distinct([plain(name) for name in table.columns]), axis=1)


def plain_values(value: Any) -> Any:
    """Return what JSON holds with all its texts, but not its keys, as `plain` writes them."""
    if isinstance(value, dict):
        return {key: plain_values(part) for key, part in value.items()}
    if isinstance(value, list):
        return list(map(plain_values, value))
    return plain(value) if isinstance(value, str) else value


def _distinct(names: list[str]) -> list[str]:
    """Return names of which no two are equal: Streamlit refuses others."""
    taken: dict[str, None] = {}
    for name in names:
        while name in taken:
            name += " "
        taken[name] = None
    return list(taken)


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN:
        return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
    return character
