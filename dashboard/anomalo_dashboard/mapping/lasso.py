"""The lasso of the map: a line that is drawn around rows by hand.

Vega-Lite has rectangles only. So a script listens to the pointer over the chart, draws the line as it goes, and writes
its corners, in parts of the chart's width and height, into a box of the page that is not shown, as if they were typed.
(A component of Streamlit's would be loaded from a blob, which the dashboard's content security policy refuses.)
"""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from anomalo_dashboard import data
from anomalo_dashboard.mapping.cloud import Cloud

CHART, LINE = "map_chart", "lasso"
"""The keys of the container that holds the chart, and of the box, which is in the URL."""
_STYLE = f"<style>.st-key-{LINE} {{ display: none }}</style>"
CORNERS = 120
"""Corners that a line has at most; the browser leaves out evenly what is more."""
# No "<" stands before a letter in it: Streamlit takes that for markup, and drops the script.
_SCRIPT = (
    """<script>
if (!window.anomaloLasso) {
  window.anomaloLasso = true;
  let line = null, corners = [];
  const box = () => document.querySelector(".st-key-LINE input");
  const frame = () => document.querySelector(".st-key-CHART svg .root > g > path.background")?.getBoundingClientRect();
  const within = (part) => Math.min(Math.max(part, 0), 1);
  const corner = (event, at) => [
    within((event.clientX - at.left) / at.width), within((at.bottom - event.clientY) / at.height),
  ];
  const stop = () => { line?.remove(); line = null; };
  const listen = (kind, action) => document.addEventListener(kind, action, true);
  listen("pointerdown", (event) => {
    const at = frame();
    if (event.button || !box() || !at || !event.target.closest?.(".st-key-CHART svg.marks")) return;
    corners = [corner(event, at)];
    line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    line.style.cssText = "position:fixed;inset:0;width:100vw;height:100vh;pointer-events:none;z-index:1000";
    const drawn = document.createElementNS(line.namespaceURI, "polygon");
    drawn.style.cssText = "fill:#8a8f9833;stroke:#8a8f98;stroke-width:2;stroke-dasharray:4 3";
    line.append(drawn);
    document.body.append(line);
  });
  listen("pointermove", (event) => {
    const at = frame();
    if (!line || !at) return;
    corners.push(corner(event, at));
    const points = corners.map(([x, y]) => `${at.left + x * at.width},${at.bottom - y * at.height}`);
    line.firstChild.setAttribute("points", points.join(" "));
  });
  listen("pointerup", () => {
    if (!line) return;
    stop();
    const input = box(), step = Math.ceil(corners.length / CORNERS);
    if (!input || corners.length < 4) return;
    const some = corners.filter((_, at) => at % step === 0);
    const text = some.map((at) => at.map((part) => part.toFixed(4)).join()).join(";");
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new FocusEvent("focusout", { bubbles: true }));
  });
  listen("pointercancel", stop);
}
</script>""".replace("CHART", CHART)
    .replace("LINE", LINE)
    .replace("CORNERS", str(CORNERS))
)

Corners = NDArray[np.float64]


def listen() -> Corners | None:
    """Let the user draw on the chart; returns the corners of the last line, [k, 2], in parts of its size, or None."""
    found = st.text_input("Line of the lasso", key=LINE, bind="query-params")
    st.html(_STYLE)
    st.html(_SCRIPT, unsafe_allow_javascript=True)
    return read(found)


def read(text: str) -> Corners | None:
    """Return corners by their text; None if it has none.

    Examples
    --------
    >>> read("0.1,0.2;0.5,0.2;0.3,0.9").tolist(), read("0.1,0.2"), read("x"), read("0,nan;1,1;1,0")
    ([[0.1, 0.2], [0.5, 0.2], [0.3, 0.9]], None, None, None)
    """
    try:
        corners = np.array([part.split(",") for part in text.split(";")], dtype=np.float64)
    except ValueError:
        return None
    fine = corners.ndim == 2 and corners.shape[1] == 2 and 3 <= len(corners) <= 2 * CORNERS
    return corners if fine and bool(((corners >= 0) & (corners <= 1)).all()) else None


def on_the_map(corners: Corners, cloud: Cloud) -> Corners:
    """Return corners in the coordinates of the map."""
    (left, right), (low, high) = cloud.sides
    x = left + corners[:, 0] * (right - left)
    if cloud.log:
        return np.column_stack([x, low * (high / low) ** corners[:, 1]])
    return np.column_stack([x, low + corners[:, 1] * (high - low)])


def inside(cloud: Cloud, corners: Corners) -> data.Rows:
    """Return the rows inside a line, ascending: those from which a ray crosses it an odd number of times.

    Parameters
    ----------
    corners : float64 [k, 2]
        In the coordinates of the map; the last one is joined with the first.
    """
    # A logarithmic scale bends straight lines: what was drawn is straight on the screen.
    height = np.log if cloud.log else np.asarray
    x, y, across, up = cloud.x, height(cloud.y), corners[:, 0], height(corners[:, 1])
    near = np.flatnonzero((x >= across.min()) & (x <= across.max()) & (y >= up.min()) & (y <= up.max()))
    x, y, odd = x[near], y[near], np.zeros(len(near), dtype=bool)
    for at in range(len(corners)):
        x0, y0, x1, y1 = across[at - 1], up[at - 1], across[at], up[at]
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return cloud.rows[near[odd]]
