"""Which points of a series are in view: all, or a page that buttons enlarge, reduce and turn; it is in the URL."""

from __future__ import annotations

import streamlit as st

PARAMETER = "view"
SHORTEST = 20
"""A page has at least so many points, or all that there are."""
TIMES = 4
"""By so much a page is enlarged or reduced."""

Page = tuple[int, int]


def shown(total: int, default: Page | None = None) -> Page:
    """Return the first position in view and the one after the last.

    Parameters
    ----------
    total : int
        Points of the series.
    default : (int, int), optional
        What is in view where the URL says nothing; by default all.
    """
    first, _, end = st.query_params.get(PARAMETER, "").partition("-")
    if first.isascii() and end.isascii() and first.isdecimal() and end.isdecimal() and len(first + end) < 32:
        return inside(int(first), int(end), total)
    return (0, total) if default is None else inside(*default, total)


def inside(first: int, end: int, total: int) -> Page:
    """Return a page moved and reduced so that it lies within the series.

    Examples
    --------
    >>> inside(-50, 150, 1000), inside(990, 995, 1000), inside(0, 9999, 1000)
    ((0, 200), (980, 1000), (0, 1000))
    """
    size = min(max(end - first, SHORTEST), total)
    first = min(max(first, 0), total - size)
    return first, first + size


def around(first: int, end: int, total: int) -> Page:
    """Return a page with a stretch in its middle, and twice as much before and after it."""
    margin = max(2 * (end - first), SHORTEST)
    return inside(first - margin, end + margin, total)


def scaled(page: Page, total: int, times: float) -> Page:
    """Return the page with so many times the points around the same middle.

    Examples
    --------
    >>> scaled((400, 600), 1000, 0.25), scaled((475, 525), 1000, 4)
    ((475, 525), (400, 600))
    """
    middle, half = sum(page) / 2, times * (page[1] - page[0]) / 2
    return inside(round(middle - half), round(middle + half), total)


def turned(page: Page, total: int, by: int) -> Page:
    """Return the page before or after this one."""
    size = page[1] - page[0]
    return inside(page[0] + by * size, page[1] + by * size, total)


def go(page: Page | None) -> None:
    """Show a page, or with None all points; called before the page is drawn again."""
    if page is None:
        st.query_params.pop(PARAMETER, None)
    else:
        st.query_params[PARAMETER] = f"{page[0]}-{page[1]}"


def buttons(page: Page, total: int) -> None:
    """Show the buttons that change the page."""
    whole = page == (0, total)
    shown = (
        ("Whole", "fit_width", (0, total), whole),
        ("Zoom in", "zoom_in", scaled(page, total, 1 / TIMES), page[1] - page[0] <= min(SHORTEST, total)),
        ("Zoom out", "zoom_out", scaled(page, total, TIMES), whole),
        ("Earlier", "arrow_back", turned(page, total, -1), page[0] == 0),
        ("Later", "arrow_forward", turned(page, total, 1), page[1] == total),
    )
    for column, (label, icon, to, off) in zip(st.columns(len(shown), gap="small"), shown, strict=True):
        with column:
            st.button(
                label,
                key=f"view {label}",
                on_click=go,
                args=(to,),
                icon=f":material/{icon}:",
                disabled=off,
                width="stretch",
            )
