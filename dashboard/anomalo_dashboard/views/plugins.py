"""Plugins: what is installed, what it brings, and what failed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from anomalo_dashboard import data, formatting

STATUS = {"ok": "works", "failed": "failed", "disabled": "switched off", "listed": "not loaded"}


def line(plugin: dict[str, Any], verbs: dict[str, list[str]]) -> dict[str, str]:
    """Return what the table tells of a plugin."""
    return {
        "plugin": plugin["name"],
        "status": STATUS.get(plugin["status"], plugin["status"]),
        "models": ", ".join(plugin["models"]),
        "verbs": ", ".join(dict.fromkeys(verb for model in plugin["models"] for verb in verbs.get(model, []))),
        "package": f"{plugin['distribution']} {plugin['version']}",
        "by": "anomalo" if plugin["first_party"] else "others",
    }


def advice(plugin: dict[str, Any]) -> None:
    """Say what failed, and what to do."""
    st.error(
        f"**{plugin['name']}** ({plugin['distribution']} {plugin['version']}): {plugin['reason']}",
        icon=":material/error:",
    )
    st.caption(
        "The rest works on without it. Update or reinstall the package, or uninstall it; to switch it off, set "
        f"`ANOMALO_DISABLE_PLUGINS={plugin['name']}` and start the dashboard again. If it is yours, "
        "`python -m anomalo.testing` checks it."
    )


title, button = st.columns([4, 1], vertical_alignment="bottom")
title.title("Plugins", anchor=False)
if button.button("Look again", icon=":material/refresh:", width="stretch"):
    data.refresh()
plugins = data.plugins()
failed = [plugin for plugin in plugins if plugin["status"] == "failed"]
st.write(
    f"{formatting.count(len(plugins), 'plugin')}, "
    + (f"{len(failed)} of them failed; see below." if failed else "all of them in order.")
    + " Every model, ours too, comes in as a plugin."
)
verbs = {model["name"]: model["verbs"] for model in data.kinds_of_model()}
heads = {
    "plugin": "Plugin",
    "status": "Status",
    "models": "Models",
    "verbs": "Can",
    "package": "Package",
    "by": "Made by",
}
# A table, as it wraps long lists of models.
st.table(
    pd.DataFrame([line(plugin, verbs) for plugin in plugins]).rename(columns=heads),
    hide_index=True,
    border="horizontal",
    alt="Installed plugins",
)
for plugin in failed:
    advice(plugin)
