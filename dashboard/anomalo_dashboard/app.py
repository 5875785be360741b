"""The entry point that Streamlit runs: the menu of all pages, and an error message where a page fails."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from anomalo.registry.registry import Registry
from anomalo.workspace import authorship
from anomalo_dashboard import navigation
from anomalo_dashboard.plugin import PAGES
from anomalo_dashboard.security import failures, identity
from anomalo_dashboard.security.literal import literal

HERE = Path(__file__).resolve().parent
BUILT_IN = HERE / "views"  # Streamlit would serve a folder called `pages` by itself, without this frame
ICONS = {
    "start": "play_circle",
    "overview": "monitoring",
    "alerts": "notifications",
    "row": "table_rows",
    "embedding_map": "scatter_plot",
    "repairs": "healing",
    "feedback": "school",
    "synthesize": "library_add",
    "models": "model_training",
    "jobs": "work_history",
    "plugins": "extension",
}


@st.cache_resource(show_spinner="Loading plugins")
def plugin_pages() -> list[tuple[str, Path]]:
    """Find the pages of all plugins once; installing one takes a restart."""
    return list(Registry.load().pages())


def page(plugin: str, path: Path) -> st.Page:
    """Describe one page; two plugins may both have a page called `report`."""
    title = path.stem.replace("_", " ").capitalize()
    if path.parent == BUILT_IN:
        return st.Page(path, title=title, icon=f":material/{ICONS[path.stem]}:", default=path.stem == PAGES[0])
    return st.Page(path, title=literal(title), icon=":material/extension:", url_path=f"{plugin}-{path.stem}")


def menu() -> dict[str, list[st.Page]]:
    """Return the built-in pages, then those of other plugins under the heading Plugins."""
    found = {"": [page("dashboard", BUILT_IN / f"{name}.py") for name in PAGES]}
    for plugin, path in plugin_pages():
        if path.parent != BUILT_IN:
            found.setdefault("Plugins", []).append(page(plugin, path))
    return found


authorship.named_by(identity.person)
st.set_page_config("anomalo", HERE / "icon.svg", layout="wide")
if st.context.theme.type == "dark":  # Streamlit writes white on the primary colour, which no theme can change
    st.html("<style>button[kind='primary'] { color: #12191b }</style>")
current = st.navigation(menu(), position="top")
st.set_page_config(f"{current.title} · anomalo".replace("\\", ""))  # a title of a plugin's page is escaped
try:
    navigation.arrive(current.url_path)
    navigation.show_notice()
    current.run()
except Exception as error:
    failures.show(error, current.title)
