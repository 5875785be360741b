"""A report on synthetic rows as one self-contained HTML page, with charts as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from anomalo.errors import UsageError
from anomalo.tabular.quantities import count, percent

if TYPE_CHECKING:
    from jinja2 import Template

Report = Mapping[str, Any]

PICTURED = 30
"""The most columns with a chart, the least similar first."""
MISSING_EXTRA = "the page needs the extra 'report': pip install 'anomalo-engine[report]'"
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

        template = _template()
    except ImportError as error:
        raise UsageError(MISSING_EXTRA) from error
    draw = _Drawer()
    shown = sorted(report["columns"], key=lambda entry: (entry["similarity"] is None, entry["similarity"]))[:PICTURED]
    return template.render(
        report=report,
        sources=sources,
        tiles=list(_tiles(report)),
        pictures=[(entry, draw(report_charts.column(entry))) for entry in shown],
        pairs=draw(report_charts.pairs(report)),
        closeness=draw(report_charts.closeness(report)),
    )


def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Names of columns and files come from anywhere: everything is escaped but the charts.
    environment = Environment(
        loader=PackageLoader("anomalo.jobs.synthesis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(counted=count, percent=percent)
    return environment.get_template("report.html.jinja")


class _Drawer:
    """Turns charts into SVG that can be beside other SVG in one page."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, chart: Any) -> str | None:
        if chart is None:
            return None
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


def _tiles(report: Report) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and meaning of each measure that was taken."""
    c2st, use, close = report["distinguishability"], report["usefulness"], report["closeness"]
    yield "quality", f"{report['quality']:.3f}", "similarity of columns and of pairs; 1 is equal"
    if c2st["holdout"] is not None:
        note = "AUROC of distinguishing them from holdout rows; 0.5 is chance"
        yield "C2ST, holdout", f"{c2st['holdout']:.3f}", note
    if c2st["train"] is not None:
        yield "C2ST, training", f"{c2st['train']:.3f}", "the same for training rows; copies look good here"
    if use is not None:
        measure = "AUROC" if use["measure"] == "AUROC" else "R²"
        for name, rows in (("TSTR", "synthetic"), ("TRTR", "real")):
            if use[rows] is not None:
                yield name, f"{use[rows]:.3f}", f"{measure} for {use['label']}, trained on {rows} rows"
    if close is not None:
        note = "nearer to a training row than to a holdout row; 50 % is best"
        yield "DCR share", percent(close["nearer_share"]), note
        note = "AUROC of finding out which rows were in training; 0.5 is chance"
        yield "membership", f"{close['membership']:.3f}", note
    yield "exact copies", percent(report["copied"]), "rows that equal a training row"
