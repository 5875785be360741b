"""The options of thresholds and explanations, and how the threshold of a run is printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

RULES = (
    "Which rows are alerts: share=0.01 (of normal rows), fdr=0.05 (of the alerts are false) or budget=100 "
    "(the most anomalous rows)"
)
ThresholdOption = Annotated[str, typer.Option("--threshold", metavar="RULE", help=f"{RULES}.")]
SavedThresholdOption = Annotated[
    str | None,
    typer.Option("--threshold", metavar="RULE", help=f"{RULES}; default: as saved with the model, else share=0.01."),
]
ExplainOption = Annotated[
    int,
    typer.Option(
        "--explain", metavar="N", min=0, help="Give reasons for the N most anomalous rows besides the alerts."
    ),
]


def at_threshold(facts: Mapping[str, Any]) -> str:
    """Return the threshold of a run by its summary, and with which version it is saved if no other was given."""
    saved_with = facts.get("threshold_of")
    return f"at {facts['threshold']}" + (f", the threshold saved with {saved_with}" if saved_with else "")
