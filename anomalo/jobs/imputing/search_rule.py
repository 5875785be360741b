"""What the search for repairs tries, in words: why an alert may have none."""

from __future__ import annotations

from anomalo.pipeline.repair import BEAM, CANDIDATES, PARTNERS
from anomalo.tabular import quantities


def search_rule(most: int, alerts: str) -> str:
    """Return what is tried to make an alert normal.

    Parameters
    ----------
    most : int
        The largest number of cells of a repair.
    alerts : str
        Which rows are alerts, in words.

    Examples
    --------
    >>> search_rule(1, "the 4 most anomalous rows")[:60]
    'A repair is the fewest cells, at most 1 cell, that make the '
    """
    larger = (
        f", then pairs with the {PARTNERS} best cells, then larger sets from the {BEAM} best of each size"
        if most > 1
        else ""
    )
    return (
        f"A repair is the fewest cells, at most {quantities.count(most, 'cell')}, that make the row normal once they "
        f"hold what the model expects from the rest of the row (alerts: {alerts}). Every cell is tried alone (of more "
        f"than {CANDIDATES} columns the {CANDIDATES} that contribute most){larger}. No set that was tried was enough "
        "for these rows: the anomaly is in more cells, in a cell whose expected value is anomalous too, or in a row "
        "that the model was fitted on, which has to become clearly normal."
    )
