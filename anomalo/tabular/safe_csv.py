"""CSV for spreadsheets, which compute a cell that begins like a formula: such cells begin with an apostrophe."""

from __future__ import annotations

from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.tabular.understanding.number_parts import DECIMAL_COMMA, DECIMAL_POINT

HOW = "Text that a spreadsheet would take for a formula (=, +, -, @, tab) begins with an apostrophe."
"""How a page that offers such a file describes it."""
# Spreadsheets skip spaces; the last four characters are = + - @ in full width.
_FORMULA = "^\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]|^[\\t\\r\\n]"
_NUMBER = rf"{DECIMAL_POINT}|{DECIMAL_COMMA}"


def safe(cells: pa.StringArray) -> pa.StringArray:
    """Return texts, of which those that a spreadsheet would compute begin with an apostrophe; numbers stay numbers.

    Examples
    --------
    >>> safe(pa.array(["=1+1", "@SUM(A1)", "-5", "+1,5", "-1e-3", "- none", "a=b", None])).to_pylist()
    ["'=1+1", "'@SUM(A1)", '-5', '+1,5', '-1e-3', "'- none", 'a=b', None]
    """
    computed = pc.match_substring_regex(cells, _FORMULA)
    if not pc.any(computed).as_py():
        return cells
    number = pc.match_substring_regex(pc.utf8_trim_whitespace(cells), _NUMBER)
    return pc.if_else(pc.and_not(computed, number), pc.binary_join_element_wise("'", cells, ""), cells)


def safe_name(name: str) -> str:
    """Return the name of a column in the same way."""
    return cast("str", safe(pa.array([name])).to_pylist()[0])
