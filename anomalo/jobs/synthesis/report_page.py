"""A report on synthetic rows as one self-contained HTML page, with charts as SVG."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from anomalo.errors import UsageError

Report = Mapping[str, Any]

PICTURED = 30
"""The most columns with a chart, the least similar first."""
MISSING_EXTRA = "the page needs the extra 'report': pip install 'anomalo-engine[report]'"
STYLE = """
:root { color-scheme: light; --ink: #22282b; --soft: #667074; --line: #e3e1da; --paper: #faf9f6; --accent: #2f7f8c; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 48px 28px 72px; }
header p.kind { margin: 0; color: var(--soft); letter-spacing: .02em; }
h1 { margin: 4px 0 16px; font-size: 34px; line-height: 1.2; font-weight: 650; }
h2 { margin: 48px 0 6px; font-size: 21px; font-weight: 620; }
p.note { margin: 0 0 16px; color: var(--soft); max-width: 74ch; }
ul.reasons { margin: 0; padding-left: 1.1em; max-width: 80ch; }
ul.reasons li { margin: 5px 0; }
ul.unchecked { margin: 20px 0 0; padding: 14px 18px 14px 34px; background: #fdf3e7; border-radius: 8px;
  max-width: 80ch; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 12px; margin-top: 28px; }
.tile, .card { background: #fff; border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 14px 16px; }
.tile b { display: block; font-size: 27px; font-weight: 620; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { display: block; color: var(--soft); font-size: 13.5px; line-height: 1.4; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 12px; align-items: start; }
.card { padding: 12px 14px; overflow-x: auto; }
.card h3 { margin: 0 0 6px; font-size: 15px; font-weight: 600; display: flex; justify-content: space-between;
  gap: 10px; }
.card h3 em { font-style: normal; font-weight: 400; color: var(--soft); white-space: nowrap; }
.card svg { max-width: 100%; height: auto; display: block; overflow: visible; }
.wide { display: inline-block; max-width: 100%; }
table { border-collapse: collapse; background: #fff; border: 1px solid var(--line); font-size: 14.5px; }
th, td { padding: 6px 14px; text-align: left; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
footer { margin-top: 56px; color: var(--soft); font-size: 13.5px; }
@media print { body { background: #fff; } .tile, .card { break-inside: avoid; } }
"""


def page(report: Report, sources: Mapping[str, str]) -> str:
    """Return the page.

    Parameters
    ----------
    report : mapping
        As `anomalo.evaluation.synthetic.report.report` returns it.
    sources : mapping of str to str
        The source of each table.

    Raises
    ------
    UsageError
        The extra `report` is not installed.
    """
    try:
        import vl_convert  # noqa: F401  altair draws with it

        from anomalo.jobs.synthesis import report_charts
    except ImportError as error:
        raise UsageError(MISSING_EXTRA) from error
    draw = _Drawer()
    shown = sorted(report["columns"], key=lambda entry: (entry["similarity"] is None, entry["similarity"]))[:PICTURED]
    cards = [_card(entry, draw(report_charts.column(entry))) for entry in shown]
    parts = [
        _head(report),
        _tiles(report),
        _section("Columns", _columns_note(report, len(shown)), f'<div class="cards">{"".join(cards)}</div>'),
        _section("Pairs of columns", PAIRS_NOTE, _wide(draw, report_charts.pairs(report))),
        _section("Closest real rows", CLOSENESS_NOTE, _wide(draw, report_charts.closeness(report))),
        _section("All columns", "", _table(report)),
        _foot(report, sources),
    ]
    title = html.escape(report["assessment"]["title"])
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Synthetic rows: {title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{''.join(parts)}</main>\n</body>\n</html>\n"
    )


PAIRS_NOTE = (
    "How similar the relation of two columns is in real and synthetic rows: 1 is equal. Pale pairs are hardly related "
    "in the real rows, and do not count."
)
CLOSENESS_NOTE = (
    "How far each synthetic row is from the closest training row and from the closest holdout row, of equally many of "
    "each; the generator never saw the holdout rows. The two distributions agree if nothing was copied; copies are "
    "close to training rows only."
)


class _Drawer:
    """Turns charts into SVG that can be beside other SVG in one page."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, chart: Any) -> str:
        drawn = io.StringIO()
        chart.configure(**THEME).configure_view(stroke=None).save(drawn, format="svg")
        self.count += 1
        return _renamed(drawn.getvalue(), f"p{self.count}")


def _renamed(svg: str, prefix: str) -> str:
    """Renumber the ids in a chart, so that they do not clash with another's, and equal charts are equal bytes."""
    names = dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))
    fresh = {name: f"{prefix}-{number}" for number, name in enumerate(names)}
    svg = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{fresh[found[1]]}"', svg)
    return re.sub(r"(url\(#|href=\"#)([^)\"]+)", lambda found: found[1] + fresh.get(found[2], found[2]), svg)


THEME: dict[str, Any] = {
    "background": "transparent",
    "font": "sans-serif",
    "axis": {
        "labelColor": "#667074",
        "titleColor": "#667074",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "gridColor": "#eceae4",
        "domainColor": "#cfcdc6",
        "tickColor": "#cfcdc6",
    },
    "legend": {"labelColor": "#4a5256", "titleColor": "#667074", "titleFontWeight": "normal", "labelFontSize": 11},
}


def _head(report: Report) -> str:
    assessment = report["assessment"]
    title = assessment["title"][0].upper() + assessment["title"][1:]
    return (
        f'<header><p class="kind">{report["rows"]["synthetic"]:,} synthetic rows beside '
        f"{report['rows']['train']:,} real ones</p>\n<h1>{html.escape(title)}</h1>\n"
        f"{_list('reasons', assessment['reasons'])}{_list('unchecked', assessment['unchecked'])}</header>\n"
    )


def _list(kind: str, sentences: list[str]) -> str:
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return f'<ul class="{kind}">{items}</ul>\n' if sentences else ""


def _tiles(report: Report) -> str:
    c2st, use, close = report["distinguishability"], report["usefulness"], report["closeness"]
    measure = "" if use is None else "AUROC" if use["measure"] == "AUROC" else "R²"
    tiles = [
        ("quality", report["quality"], "{:.3f}", "similarity of columns and of pairs; 1 is equal"),
        (
            "C2ST, holdout",
            c2st["holdout"],
            "{:.3f}",
            "AUROC of distinguishing them from holdout rows; 0.5 is chance",
        ),
        ("C2ST, training", c2st["train"], "{:.3f}", "the same for training rows; copies look good here"),
        *(
            []
            if use is None
            else [
                ("TSTR", use["synthetic"], "{:.3f}", f"{measure} for {use['label']}, trained on synthetic rows"),
                ("TRTR", use["real"], "{:.3f}", f"{measure} for {use['label']}, trained on real rows"),
            ]
        ),
        (
            "DCR share",
            close and 100 * close["nearer_share"],
            "{:.1f} %",
            "nearer to a training row than to a holdout row; 50 % is best",
        ),
        (
            "membership",
            close and close["membership"],
            "{:.3f}",
            "AUROC of finding out which rows were in training; 0.5 is chance",
        ),
        ("exact copies", 100 * report["copied"], "{:.2f} %", "rows that equal a training row"),
    ]
    found = [_tile(name, shown.format(value), note) for name, value, shown, note in tiles if value is not None]
    return f'<div class="tiles">{"".join(found)}</div>\n'


def _tile(name: str, value: str, note: str) -> str:
    return f'<div class="tile"><span>{html.escape(name)}</span><b>{value}</b><span>{html.escape(note)}</span></div>'


def _section(title: str, note: str, body: str) -> str:
    about = f'<p class="note">{html.escape(note)}</p>\n' if note else ""
    return f"<section><h2>{title}</h2>\n{about}{body}</section>\n" if body else ""


def _columns_note(report: Report, shown: int) -> str:
    some = "" if shown == len(report["columns"]) else f" The {shown} least similar are shown."
    return f"How often each value occurs, the least similar columns first; 1 is equal, without missing values.{some}"


def _card(entry: Mapping[str, Any], picture: str) -> str:
    likeness = "" if entry["similarity"] is None else f"<em>{entry['similarity']:.3f}</em>"
    return f'<div class="card"><h3><span>{html.escape(entry["column"])}</span>{likeness}</h3>{picture}</div>'


def _wide(draw: _Drawer, chart: Any) -> str:
    return "" if chart is None else f'<div class="card wide">{draw(chart)}</div>'


def _table(report: Report) -> str:
    lines = [
        (
            html.escape(entry["column"]),
            entry["kind"],
            "-" if entry["similarity"] is None else f"{entry['similarity']:.3f}",
            f"{100 * entry['missing']['train']:.1f} %",
            f"{100 * entry['missing']['synthetic']:.1f} %",
        )
        for entry in report["columns"]
    ]
    heads = _line("th", ("column", "kind", "similarity", "missing, real", "missing, synthetic"))
    return f"<table>{heads}{''.join(_line('td', cells) for cells in lines)}</table>"


def _line(tag: str, cells: Sequence[str]) -> str:
    """Return a table's row; all but the first two cells are numbers."""
    kinds = ["", "", *[' class="n"'] * (len(cells) - 2)]
    return f"<tr>{''.join(f'<{tag}{kind}>{cell}</{tag}>' for kind, cell in zip(kinds, cells, strict=True))}</tr>"


def _foot(report: Report, sources: Mapping[str, str]) -> str:
    named = [f"{name}: {source} ({report['rows'][name]:,} rows)" for name, source in sources.items()]
    return f"<footer>{html.escape('; '.join(named))}</footer>\n"
