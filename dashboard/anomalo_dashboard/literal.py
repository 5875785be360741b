r"""Text of users, tables and URLs, written so that a page shows it and does nothing else with it.

Streamlit reads the texts of most of its elements as Markdown: with links and images, which the browser fetches,
formulas between dollar signs, colours, and icons such as `:material/home:`. What is not the dashboard's own wording
goes through `literal` first.
"""

from __future__ import annotations

import re
import unicodedata

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-!|<>$~^&=\"'])")
r"""What Markdown, its tables, formulas, directives and HTML are made of; a backslash makes it a character."""
_JOINER = "\u2060"
"""The word joiner (U+2060), which has no width: it parts what is replaced after Markdown was read, escapes or not."""
_REPLACED = re.compile(r"(https?:|ftp:|mailto:|xmpp:|www\.|@|:(?=[\w+/-]+:))", re.IGNORECASE)
r"""Where addresses, and emoji and icons between colons, begin."""


def literal(text: object) -> str:
    r"""Return a text that Streamlit shows to the character, on one line.

    Characters that are not seen, but change how others are read, such as those that write from right to left, are
    written as their codes.

    Examples
    --------
    >>> literal("![x](http://a/b.png) costs $5"), literal("a\u202eb")
    ('\\!\\[x\\]\\(http:\u2060//a/b.png\\) costs \\$5', 'a\\\\u202eb')
    """
    shown = "".join(map(_visible, " ".join(str(text).split())))
    return _REPLACED.sub(rf"\1{_JOINER}", _PUNCTUATION.sub(r"\\\1", shown))


def plain(text: object) -> str:
    """Return a text for places that read no Markdown: only what is not seen is written as its code."""
    return "".join(map(_visible, str(text)))


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
    return character
