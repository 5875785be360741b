"""Enter opens the row in view also while the list has the focus: the grid keeps that key from the page's buttons."""

from __future__ import annotations

import streamlit as st

OPEN = "open_row"
"""The key of the button that opens the row."""
_SCRIPT = f"""<script>
if (!window.anomaloEnterKey) {{
  window.anomaloEnterKey = true;
  document.addEventListener("keydown", (event) => {{
    const button = document.querySelector(".st-key-{OPEN} button");
    if (event.key === "Enter" && button && event.target.closest?.("[data-testid=stDataFrame]")) {{
      event.preventDefault();
      event.stopPropagation();
      button.click();
    }}
  }}, true);
}}
</script>"""


def listen() -> None:
    """Press that button for the key; nothing is drawn."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
