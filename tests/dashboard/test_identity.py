"""Who makes a change: the person in the proxy's header, the name given on a page, or the account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime import context
from streamlit.testing.v1 import AppTest

from anomalo.errors import UsageError
from anomalo.workspace import authorship
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard.security.signed_in import HEADER, name_in, require_header


def page() -> None:
    """A page with the box of the name, and a button whose change is made in a callback, before the page is drawn."""
    import os
    from pathlib import Path

    import streamlit as st

    from anomalo.errors import AnomaloError
    from anomalo.workspace import authorship
    from anomalo.workspace.workspace import Workspace
    from anomalo_dashboard.security import identity

    def change() -> None:
        try:
            Workspace(Path(os.environ["ANOMALO_WORKSPACE"])).add_run(
                "score", lambda folder: None, model=None, source=""
            )
        except AnomaloError as error:
            st.session_state["refused"] = str(error)

    authorship.named_by(identity.person)
    st.text(identity.name_box())
    st.button("Change", on_click=change)
    st.text(st.session_state.pop("refused", ""))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The headers that the browser's socket came with; AppTest has none."""
    found: dict[str, list[str]] = {}
    monkeypatch.setattr(context.StreamlitHeaders, "get_all", lambda _, name: found.get(name, []))
    return found


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ANOMALO_USER", "operator")
    yield
    authorship.named_by(lambda: None)


@pytest.mark.parametrize("values", [[], [""], [" "], ["ann", "bob"], ["a\tb"], ["x" * 101]])
def test_what_names_nobody_is_refused(values: list[str]) -> None:
    with pytest.raises(UsageError, match="X-User") as caught:
        name_in("X-User", values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "X-User:", "ü"])
def test_what_is_no_header_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected the name of one header"):
        require_header(name)


def test_a_name_that_is_no_header_stops_the_command(anomalo: Any, tmp_path: Path) -> None:
    outcome = anomalo("dashboard", "--workspace", tmp_path, "--user-header", "a b")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv(HEADER, "")
    return Workspace(tmp_path / "w")


def changed(app: AppTest) -> str:
    """Make a change; return why it was refused, if it was."""
    app.button[0].click().run()
    assert not app.exception
    return str(app.text[1].value)


def test_without_a_header_the_name_is_what_is_said(store: Workspace) -> None:
    app = AppTest.from_function(page).run()
    assert app.text[0].value == "operator"
    assert changed(app) == ""
    app.text_input(key="reviewer").set_value(" ann ").run()
    assert changed(app) == ""
    assert [line.who for line in store.activity()] == ["ann", "operator"]
    assert [run.who for run in store.runs()] == ["operator", "ann"]
    assert authorship.who() == "operator", "outside of a page it is the account"


def test_the_browser_remembers_the_name(store: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = AppTest.from_function(page).run()
    app.text_input(key="reviewer").set_value("Zoë '</script>").run()
    (script,) = (str(element.proto.body) for element in app.get("html"))
    assert script == (
        "<script>document.cookie = 'anomalo-name=Zo%C3%AB%20%27%3C%2Fscript%3E; path=/; max-age=31536000; "
        "samesite=lax'</script>"
    )
    assert not app.run().get("html"), "it is kept once"
    monkeypatch.setattr(context.StreamlitCookies, "get", lambda _, name: "Zo%C3%AB")
    again = AppTest.from_function(page).run()
    assert (again.text[0].value, list(again.get("html"))) == ("Zoë", [])
    assert changed(again) == ""
    assert store.activity(1)[0].who == "Zoë"


def test_whom_the_proxy_signed_in_is_never_asked(
    store: Workspace, sent: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HEADER, "X-User")
    app = AppTest.from_function(page).run()
    assert "but it was not sent" in changed(app)
    assert "Changes are refused" in app.markdown[0].value
    sent["X-User"] = ["ann", "eve"]
    assert "it was sent 2 times" in changed(app)
    assert store.activity() == []
    sent["X-User"] = ["ann"]
    assert changed(app) == ""
    assert (app.text[0].value, list(app.text_input)) == ("ann", [])
    assert [line.who for line in store.activity()] == ["ann"]
