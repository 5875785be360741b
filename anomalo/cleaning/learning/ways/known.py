"""All ways of rewriting, by name."""

from __future__ import annotations

from anomalo.cleaning.learning.ways.affixes import ADD, STRIP
from anomalo.cleaning.learning.ways.characters import REPLACE, STYLE
from anomalo.cleaning.learning.ways.constants import CONSTANT, EXCHANGE, REPLACEMENT, WHOLE
from anomalo.cleaning.learning.ways.cuts import CUT
from anomalo.cleaning.learning.ways.quantities import QUANTITY
from anomalo.cleaning.learning.ways.templates import TEMPLATE
from anomalo.cleaning.learning.ways.way import Way

WAYS: dict[str, Way] = {
    "replacement": REPLACEMENT,
    "exchange": EXCHANGE,
    "constant": CONSTANT,
    "strip": STRIP,
    "add": ADD,
    "number": QUANTITY,
    "style": STYLE,
    "template": TEMPLATE,
    "cut": CUT,
    "replace": REPLACE,
}
"""Ways of rewriting a cell's own text."""
FROM_OTHERS: dict[str, Way] = {"whole": WHOLE, "cut": CUT, "number": QUANTITY, "style": STYLE, "template": TEMPLATE}
"""Ways of making a cell's text from another column's."""
OF_ONE_TEXT = ("replacement", "exchange")
"""Ways that apply to a single text."""
EVERY = {**WAYS, **FROM_OTHERS}
