"""What gates count of a scoring: alerts, or of series the intervals that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anomalo.tabular.quantities import count


def events(facts: Mapping[str, Any]) -> tuple[int, str]:
    """Return how many events a run has by its summary, and the same in words.

    Examples
    --------
    >>> events({"alerts": 1}), events({"alerts": 204, "intervals": 3})
    ((1, '1 alert'), (3, '3 intervals of alerts'))
    """
    if "intervals" in facts:
        number = int(facts["intervals"])
        return number, f"{count(number, 'interval')} of alerts"
    return int(facts["alerts"]), count(int(facts["alerts"]), "alert")
