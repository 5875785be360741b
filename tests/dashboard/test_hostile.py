"""Nothing in the data renders: what tables, files, models and addresses hold is shown as text on every page."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.jobs.background import queue
from anomalo_dashboard import job_progress, plugin
from anomalo_dashboard.mapping.chart import heading
from anomalo_dashboard.security.literal import literal, plain, plain_table
from anomalo_dashboard.security.uploads import keep

pytestmark = pytest.mark.slow  # it opens every page, many times

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
PLAIN = {
    # By type of element: texts that Streamlit does not read as Markdown.
    "selectbox": {"options", "default", "raw_value", "value"},
    "multiselect": {"options", "default"},
    "text_input": {"default", "value", "placeholder"},
    "number_input": {"default", "value"},
    "code": {"code_text"},
    "dataframe": {"columns", "column_order", "alt"},
    "arrow_vega_lite_chart": {"spec", "alt"},
    "vega_lite_chart": {"spec", "alt"},
    "download_button": {"url"},
    "page_link": {"page", "page_script_hash"},
}
ALWAYS = {"id", "form_id", "query_param_key", "element_id", "page_script_hash", "hash", "user_key", "key"}


@pytest.fixture
def home(hostile_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace of a hostile table, which the pages show."""
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(hostile_home))
    return hostile_home


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    if page != "start":
        app.run().switch_page(f"views/{page}.py")
    app.query_params.update(query)
    return app.run()


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", {}).values():
        yield from nodes(child)


def strings(message: Message) -> Iterator[tuple[str, str]]:
    """Yield the texts of an element, each with the name of its field."""
    for field, value in message.ListFields():
        for one in [value] if not hasattr(value, "__len__") or isinstance(value, str | bytes) else list(value):
            if isinstance(one, str):
                yield field.name, one
            elif isinstance(one, Message):
                yield from strings(one)


def markdown(app: AppTest) -> Iterator[tuple[str, str]]:
    """Yield every text of a page that Streamlit may read as Markdown, with the element and field that it is of."""
    for node in nodes(app._tree):
        kind, proto = getattr(node, "type", ""), getattr(node, "proto", None)
        if isinstance(proto, Message):
            exempt = ALWAYS | PLAIN.get(kind, set())
            yield from ((f"{kind}.{name}", text) for name, text in strings(proto) if name not in exempt)
        if kind == "table":
            yield from (("table", str(cell)) for cell in [*node.value.columns, *node.value.to_numpy().ravel()])


def shown(app: AppTest) -> Iterator[str]:
    """Yield every text of a page, dataframes included."""
    for node in nodes(app._tree):
        if isinstance(getattr(node, "proto", None), Message):
            yield from (text for name, text in strings(node.proto) if name not in ALWAYS)
        if getattr(node, "type", "") in ("dataframe", "table"):
            yield from map(str, [*node.value.columns, *node.value.to_numpy().ravel()])


def harmless(app: AppTest, made: ModuleType) -> None:
    assert not app.exception, [error.message for error in app.exception]
    found = [(where, text) for where, text in markdown(app) for one in made.HOSTILE if one in text]
    found = [(where, text) for where, text in found if where != "dataframe.selection_state"]  # JSON for the widget
    assert found == []
    # Directions of writing are codes everywhere, but in what commands and values of widgets hold.
    assert [text for text in shown(app) if "\u202e" in text and "http" not in text] == []


QUERIES = {
    "start": [{"job": one} for one in ("![x](http://evil.example/a.png)", ":smile:")],
    "alerts": [{"show": "all rows"}, {"run": "![x](http://evil.example/a.png)", "text": "[link](http://evil.example)"}],
    "row": [{"row": "0"}, {"row": "12"}, {"row": "**bold**"}],
    "repairs": [{"run": "0002-impute"}, {"run": "0003-repair"}, {"run": ":red[x]"}],
    "models": [{"model": "www.evil.example@1"}, {"model": "$\\frac{1}{2}$"}],
}


@pytest.mark.parametrize("page", plugin.PAGES)
@pytest.mark.usefixtures("home")
def test_nothing_in_the_data_renders(page: str, made: ModuleType) -> None:
    for query in QUERIES.get(page, [{}]):
        app = opened(page, **query)
        harmless(app, made)
        assert not app.error, [error.value for error in app.error]


def test_the_form_of_an_upload_shows_text_only(
    hostile_home: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    source = keep(made.FILE, (hostile_home.parent / made.FILE).read_bytes())
    app = opened("start", source=str(source))
    harmless(app, made)
    assert not app.error, [error.value for error in app.error]
    assert literal(made.FILE) in app.caption[0].value
    damaged = keep(made.FILE, b"a,b\n1\n")
    app = opened("start", source=str(damaged))
    harmless(app, made)
    assert literal(made.FILE) in app.error[0].value


@pytest.mark.usefixtures("home")
def test_the_form_of_a_generator_shows_text_only(made: ModuleType) -> None:
    app = opened("synthesize")
    named = app.multiselect(key="where maker@1")
    named.set_value(list(named.options)).run()
    harmless(app, made)


def test_titles_and_messages_of_jobs_show_text_only(
    made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    text = " ".join(made.HOSTILE)
    job = queue.start(tmp_path, text, [["score", text, "--with", text]])
    while queue.job(tmp_path, job.id).status == "running":
        pass
    for query in ({"job": job.id}, {}):
        app = opened("start", **query)
        harmless(app, made)
    assert literal(text) in [one.value for one in app.markdown]


def test_texts_are_escaped(made: ModuleType) -> None:
    for text in made.HOSTILE:
        assert text not in literal(text)
    assert literal("plain text, 5.0 of 7 rows; maker@1") == "plain text, 5.0 of 7 rows; maker@1"
    assert literal("a\n\n# b") == r"a \# b"
    assert (literal("1. a"), literal("- a"), literal(5)) == (r"1\. a", r"\- a", "5")
    assert plain("left\u202etfel \u200b \U000e0041") == r"left\u202etfel \u200b \U000e0041"
    assert plain("äöü 日本 😀") == "äöü 日本 😀"


def test_names_that_look_alike_stay_apart() -> None:
    table = plain_table(pd.DataFrame([[1, "a\u200b", None]], columns=["x\u200b", "x\\u200b", "y"]))
    assert table.columns.tolist() == ["x\\u200b", "x\\u200b ", "y"]
    assert table.iloc[0].tolist() == [1, "a\\u200b", None]


def test_a_command_with_unseen_characters_is_read_again_by_a_shell(
    made: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    name = "it's a\u202e\\b\U000e0041"
    line = job_progress.shell([["score", name, "--with", "x y"]])
    assert line.isprintable()
    said = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True, env={"LC_ALL": "C.UTF-8"}, check=True
    ).stdout.decode()
    assert said.splitlines()[:5] == ["anomalo", "score", name, "--with", "x y"]
    assert shlex.split(job_progress.shell([["score", "a b"]]))[2] == "a b"


def test_a_command_shows_no_folders_that_nobody_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for workspace, shown in (("here/clinic", "clinic"), ("there/clinic", ".../clinic")):
        monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / workspace))
        upload, elsewhere = tmp_path / workspace / "uploads" / "1.csv", tmp_path / "data" / "2.csv"
        first, second = job_progress.shell(
            [["fit", str(upload), "--missing", "/a/b"], ["evaluate", "--real", str(elsewhere), "--holdout", "c/3.csv"]]
        ).splitlines()
        assert first == f"anomalo fit {shown}/uploads/1.csv --missing /a/b --workspace {shown}"
        assert second == f"anomalo evaluate --real .../2.csv --holdout c/3.csv --workspace {shown}"


def test_charts_take_names_for_names() -> None:
    for name, shown in (('a.b[0]:Q "x"', 'a.b[0]:Q "x"'), ("image", "image "), ("title", "title ")):
        assert heading(name) == shown
