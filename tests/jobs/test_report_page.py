"""The page of a report: one format for shares, unknown measures left out, and no text that a browser would run."""

import sys
from typing import Any

import pytest

from anomalo.errors import UsageError
from anomalo.jobs.synthesis import report_page
from anomalo.jobs.synthesis.report_page import page

SCRIPT = "<script>alert('1 & 2')</script>"


def report(**changes: Any) -> dict[str, Any]:
    """Return the least report, of one column."""
    column = {"column": "age", "kind": "number", "similarity": 0.75, "missing": {"train": 0.0, "synthetic": 0.002}}
    return {
        "assessment": {"title": "usable with care", "reasons": ["One."], "unchecked": []},
        "rows": {"train": 1, "synthetic": 2000},
        "quality": 0.875,
        "distinguishability": {"train": 0.6, "holdout": None},
        "usefulness": None,
        "closeness": None,
        "copied": 0.002,
        "columns": [column],
        "pairs": [],
    } | changes


@pytest.fixture(autouse=True)
def drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chart for each column, none of pairs and distances."""
    charts = pytest.importorskip("anomalo.jobs.synthesis.report_charts")
    for name, chart in (("column", "<svg></svg>"), ("pairs", None), ("closeness", None)):
        monkeypatch.setattr(charts, name, lambda _, chart=chart: chart)
    monkeypatch.setattr(report_page._Drawer, "__call__", lambda _, chart: chart)


def test_names_and_texts_from_a_table_are_escaped() -> None:
    use = {"measure": "AUROC", "label": SCRIPT, "synthetic": 0.5, "real": 0.75}
    assessment = {"title": SCRIPT, "reasons": [SCRIPT], "unchecked": [SCRIPT]}
    columns = [report()["columns"][0] | {"column": SCRIPT}]
    text = page(report(usefulness=use, assessment=assessment, columns=columns), {"train": SCRIPT})
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 1 + 1 + 1 + 1 + 2 + 2 + 1  # title, heading, sentences, tiles, column, source


def test_what_was_not_measured_is_left_out_and_shares_have_one_format() -> None:
    text = page(report(), {"train": "a.csv", "synthetic": "b.csv"})
    absent = (
        "TSTR",
        "DCR share",
        "C2ST, holdout",
        "Pairs of columns",
        "Closest real rows",
        "None",
        'class="unchecked"',
    )
    for word in absent:
        assert word not in text
    assert "<span>C2ST, training</span><b>0.600</b>" in text
    assert "<span>exact copies</span><b>0.2 %</b>" in text
    assert '<td class="n">0.0 %</td><td class="n">0.2 %</td>' in text
    assert "2,000 synthetic rows beside 1 real one<" in text
    assert "train: a.csv (1 row); synthetic: b.csv (2,000 rows)" in text
    assert "\n:root {" in text
    assert "<svg></svg>" in text


def test_the_least_similar_columns_come_first_and_the_rest_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "PICTURED", 2)
    (column,) = report()["columns"]
    names = {"unknown": None, "like": 0.9, "unlike": 0.1}
    columns = [column | {"column": name, "similarity": similarity} for name, similarity in names.items()]
    text = page(report(columns=columns), {})
    cards = text[: text.index("All columns")]
    assert cards.index("unlike<") < cards.index(">like<")
    assert "unknown" not in cards
    assert "The 2 least similar are shown." in cards
    assert '<td>unknown</td><td>number</td><td class="n">-</td>' in text


@pytest.mark.parametrize("package", ["jinja2", "vl_convert"])
def test_without_the_extra_it_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'anomalo-engine\[report\]'"):
        page(report(), {})
