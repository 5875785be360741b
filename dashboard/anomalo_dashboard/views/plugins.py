"""Plugins: what is installed, what it provides, and what failed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from anomalo.tabular import quantities
from anomalo_dashboard import data
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal

STATUS = {"ok": "loaded", "failed": "failed", "disabled": "switched off", "listed": "not loaded"}


def line(plugin: dict[str, Any], verbs: dict[str, list[str]]) -> dict[str, str]:
    """Return the line of a plugin in the table."""
    return {
        "plugin": plugin["name"],
        "status": STATUS.get(plugin["status"], plugin["status"]),
        "models": ", ".join(plugin["models"]),
        "verbs": ", ".join(dict.fromkeys(verb for model in plugin["models"] for verb in verbs.get(model, []))),
        "package": f"{plugin['distribution']} {plugin['version']}",
        "by": "anomalo" if plugin["first_party"] else "third party",
    }


def advice(plugin: dict[str, Any]) -> None:
    """Show why a plugin failed, and what to do."""
    st.error(
        f"**{literal(plugin['name'])}** ({literal(plugin['distribution'])} {literal(plugin['version'])}): "
        + literal(failures.without_folders(plugin["reason"])),
        icon=":material/error:",
    )
    st.caption(
        "Everything else works without it. Update, reinstall or uninstall the package. To switch the plugin off, set "
        f"{literal('ANOMALO_DISABLE_PLUGINS=' + plugin['name'])} and start the dashboard again. If you are its "
        "author, check it with `python -m anomalo.testing MODEL`."
    )


title, button = st.columns([4, 1], vertical_alignment="bottom")
title.title("Plugins", anchor=False)
if button.button("Refresh", icon=":material/refresh:", width="stretch"):
    data.refresh()
plugins = data.plugins()
failed = [plugin for plugin in plugins if plugin["status"] == "failed"]
st.write(
    f"{quantities.count(len(plugins), 'plugin')}, "
    + (f"{len(failed)} of them failed; the reasons are below." if failed else "none failed.")
    + " Plugins provide all models, the built-in ones too."
)
verbs = {model["name"]: model["verbs"] for model in data.kinds_of_model()}
heads = {
    "plugin": "Plugin",
    "status": "Status",
    "models": "Models",
    "verbs": "Capabilities",
    "package": "Package",
    "by": "Author",
}
# st.table, since it wraps long lists of models; it reads Markdown.
st.table(
    pd.DataFrame([line(plugin, verbs) for plugin in plugins]).map(literal).rename(columns=heads),
    hide_index=True,
    border="horizontal",
    alt="Installed plugins",
)
for plugin in failed:
    advice(plugin)
