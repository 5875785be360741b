"""Names for columns that have none, or that of another one, by their position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

_LISTED = 5


def unique(names: Sequence[str]) -> list[str]:
    """Return names that are not empty, and all different: "column_3" for the third one, "x_2" for a second "x".

    Examples
    --------
    >>> unique(["x", "", "x", "x_2"])
    ['x', 'column_2', 'x_3', 'x_2']
    """
    taken, seen, found = set(names), Counter[str](), []
    for position, name in enumerate(names, 1):
        seen[name] += 1
        given = name
        if not name:
            given = _free(f"column_{position}", taken)
        elif seen[name] > 1:
            given = _free(f"{name}_{seen[name]}", taken, name, seen)
        taken.add(given)
        found.append(given)
    return found


def _free(name: str, taken: set[str], stem: str | None = None, seen: Counter[str] | None = None) -> str:
    """Return the name, or one of its kind with a larger number, that no column has."""
    while name in taken:
        if stem is not None and seen is not None:
            seen[stem] += 1
            name = f"{stem}_{seen[stem]}"
        else:
            name += "_"
    return name


def renamed(source: str, given: Sequence[str], originals: Sequence[str]) -> list[str]:
    """Return a warning that lists the first columns whose name in the source was another; none if there is none."""
    changed = [
        (position, name, original)
        for position, (name, original) in enumerate(zip(given, originals, strict=True), 1)
        if name != original
    ]
    if not changed:
        return []
    shown = [
        f"{name!r} for the column without a name at position {position}"
        if not original
        else f"{name!r} for another {original!r} at position {position}"
        for position, name, original in changed[:_LISTED]
    ]
    more = f" and {len(changed) - _LISTED} more" if len(changed) > _LISTED else ""
    return [f"{source}: columns are named by position: {', '.join(shown)}{more}"]
