"""The strip of a column's distribution with a cell in it, as a small picture in the cells' table."""

from __future__ import annotations

from urllib.parse import quote
from xml.sax.saxutils import escape

from anomalo.evaluation.distributions import Strip
from anomalo_dashboard.security.literal import plain

WIDTH, HEIGHT, BASE = 300, 52, 37
"""Of the picture, and how far down the bars stand, in pixels."""
_TOP = 10
COLOURS = {
    "light": {"bar": "#8fa5a9", "text": "#44565a", "observed": "#b8450f", "expected": "#0b6e75", "interval": "#0b6e75"},
    "dark": {"bar": "#6f878c", "text": "#b9c8ca", "observed": "#ff9a66", "expected": "#6fcbd2", "interval": "#6fcbd2"},
}


def picture(strip: Strip, theme: str | None) -> str:
    """Return the address of an SVG picture that holds itself.

    Parameters
    ----------
    strip : Strip
        What is drawn.
    theme : {"light", "dark"} or None
        Of the page; None stands for light.
    """
    colour = COLOURS.get(theme or "", COLOURS["light"])
    parts = [*_interval(strip, colour), *_bars(strip, colour), *_ends(strip, colour), *_marks(strip, colour)]
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'
    return f"data:image/svg+xml,{quote(drawn)}"


def _x(place: float) -> float:
    return 6 + place * (WIDTH - 12)


def _bars(strip: Strip, colour: dict[str, str]) -> list[str]:
    lines = [f'<path d="M6 {BASE}H{WIDTH - 6}" stroke="{colour["bar"]}"/>']
    for bar in strip.bars:
        height = max(bar.height * (BASE - _TOP), 1.5 if bar.height else 0.0)
        left, width = _x(bar.left), max(_x(bar.right) - _x(bar.left), 1.0)
        lines.append(
            f'<rect x="{left:.1f}" y="{BASE - height:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour["bar"]}"/>'
        )
    return lines


def _interval(strip: Strip, colour: dict[str, str]) -> list[str]:
    if strip.interval is None:
        return []
    left, right = map(_x, strip.interval)
    return [
        f'<rect x="{left:.1f}" y="{_TOP}" width="{max(right - left, 1.5):.1f}" height="{BASE - _TOP}" '
        f'fill="{colour["interval"]}" fill-opacity=".25"/>'
    ]


def _marks(strip: Strip, colour: dict[str, str]) -> list[str]:
    """Return a line for what is expected, and a line with a triangle for what is observed."""
    lines = []
    if strip.expected is not None:
        lines.append(_line(_x(strip.expected), colour["expected"]))
    if strip.observed is not None:
        x = _x(strip.observed)
        lines.append(_line(x, colour["observed"]))
        lines.append(f'<path d="M{x - 5:.1f} 1h10l-5 8z" fill="{colour["observed"]}"/>')
    return lines


def _line(x: float, colour: str) -> str:
    return f'<path d="M{x:.1f} {_TOP - 2}V{BASE + 2}" stroke="{colour}" stroke-width="2.5"/>'


def _ends(strip: Strip, colour: dict[str, str]) -> list[str]:
    """Return the texts below the strip: both ends of numbers, or the names of few levels."""
    if strip.ends != ("", ""):
        texts = [(6.0, "start", strip.ends[0]), (WIDTH - 6.0, "end", strip.ends[1])]
    else:
        room = int(WIDTH / len(strip.bars) / 6.5)
        named = [bar for bar in strip.bars if room >= 4]
        texts = [(_x((bar.left + bar.right) / 2), "middle", _short(bar.label, room)) for bar in named]
    style = f'font-family="sans-serif" font-size="11" fill="{colour["text"]}"'
    return [
        f'<text x="{x:.1f}" y="{HEIGHT - 3}" text-anchor="{at}" {style}>{escape(plain(text))}</text>'
        for x, at, text in texts
    ]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
