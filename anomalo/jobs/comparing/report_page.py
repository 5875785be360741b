"""A comparison of two tables as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from anomalo.errors import UsageError
from anomalo.evaluation.comparison.result import Comparison
from anomalo.evaluation.comparison.wording import lift_text, p_text
from anomalo.jobs.synthesis.report_page import MISSING_EXTRA
from anomalo.tabular.quantities import percent

PICTURED = 12
"""The most columns whose distribution is shown."""


def page(found: Comparison, reference: str, current: str) -> str:
    """Return the page.

    Parameters
    ----------
    reference, current : str
        What was compared.

    Raises
    ------
    UsageError
        The extra `report` is not installed.
    """
    try:
        from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise UsageError(MISSING_EXTRA) from error
    # Names of columns, levels and files come from anywhere: everything is escaped.
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("anomalo.jobs.comparing"), PackageLoader("anomalo.jobs.synthesis")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=percent, p=p_text, lift=lift_text)
    return environment.get_template("comparison.html.jinja").render(
        found=found,
        reference=reference,
        current=current,
        tiles=list(_tiles(found)),
        pictured=[column for column in found.columns if column.bins][:PICTURED],
    )


def _tiles(found: Comparison) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and meaning of each figure."""
    yield "p-value", p_text(found.p_value), f"that both are samples of one distribution; {found.level:g} is the limit"
    if found.auroc is not None:
        yield "AUROC", f"{found.auroc:.3f}", "of predicting which table a row is from; 0.5 is chance"
    yield "rows", f"{found.rows[1]:,}", f"{found.rows[0]:,} in the reference"
    yield "missing", percent(found.missing[1]), f"{percent(found.missing[0])} in the reference"
