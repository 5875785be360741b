"""Let the user choose the model that learns a table: how thoroughly, or under Advanced which one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from anomalo.tabular.quantities import duration
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data
from anomalo_dashboard.security.literal import literal, plain
from anomalo_dashboard.starting import fit_form, predictions

AUTO = "auto"
EFFORTS = {
    "Fast": "Small networks, quick imputation",
    "Default": "What most tables need",
    "Thorough": "More rows, larger networks",
}


@dataclass(frozen=True)
class Choice:
    """A model to fit.

    Attributes
    ----------
    name : str
        What it is saved as.
    fitting : list of str
        The options of `anomalo fit`.
    verbs : tuple of str
        What it is used for afterwards.
    share : float
        The threshold in percent.
    """

    name: str
    fitting: list[str]
    verbs: tuple[str, ...]
    share: float


def choose_model(source: str, label: str | None) -> Choice:
    """Let the user choose a model, its name and the threshold.

    Raises
    ------
    UsageError
        The name or a parameter is not valid.
    """
    st.header("3. Model", anchor=False)
    effort, only_impute = _effort(source)
    first, second = st.columns(2)
    name = first.text_input("Save as", fit_form.suggested_name(source), key=f"name {source}", max_chars=100)
    share = second.number_input(
        "Alert if the p-value is at most … %",
        0.01,
        50.0,
        1.0,
        0.1,
        format="%g",
        key="alert_on",
        help="The share of normal rows that are false alerts.",
    )
    Workspace.check_name(name, "the model's name")
    with st.expander("Advanced: another model, its parameters, the seed", icon=":material/tune:"):
        kind = _advanced(label)
        settings = fit_form.parameters(kind, left_out=("effort",))
        seed = st.number_input("Seed", 0, None, 0, 1, help="The same seed gives the same result.")
        if kind["name"] != AUTO:
            seconds(source, kind["name"])
    verbs = tuple(kind["verbs"])
    fitting = ["--model", kind["name"], *(["--supervised"] if "proba" in verbs else []), *settings]
    fitting += ["--seed", str(seed)] if seed else []
    if kind["name"] == AUTO:
        fitting += [] if effort == "default" else ["--effort", effort]
        fitting += ["--for", "impute"] if only_impute else []
        verbs = ("impute",) if only_impute else verbs
    return Choice(name, fitting, verbs, share)


def _effort(source: str) -> tuple[str, bool]:
    """Let the user choose how much work the fit may take, and whether it is for imputation alone."""
    known = predictions.efforts(source)
    captions = [
        f"{text}; about {duration(known[name.lower()])}" if known and name.lower() in known else text
        for name, text in EFFORTS.items()
    ]
    effort = st.radio(
        "How thoroughly to learn",
        list(EFFORTS),
        1,
        captions=captions,
        horizontal=True,
        key="effort",
        bind="query-params",
    )
    only = st.toggle(
        "Only impute missing values", key="only_impute", help="Learn no anomaly score: quicker, and without alerts."
    )
    predictions.wait(source)
    return (effort or "Default").lower(), only


def _advanced(label: str | None) -> dict[str, Any]:
    """Let the user choose another model than `auto`; returns what is known of it.

    Those that score come first, then those that only impute. Classifiers are offered where there is a label to learn.
    """
    known = [model for model in data.models_of("table") if {"score", "impute"} & set(model["verbs"])]
    usable = [model for model in known if label is not None or "proba" not in model["verbs"]]
    order = sorted(usable, key=lambda model: (model["name"] != AUTO, "score" not in model["verbs"], model["name"]))
    models = {model["name"]: model for model in order}
    described = data.descriptions()
    return choose(models, described)


def choose(models: Mapping[str, dict[str, Any]], described: Mapping[str, str]) -> dict[str, Any]:
    """Let the user choose one of some models, by their names; `described` says what they are."""
    chosen = st.selectbox(
        "Model",
        list(models),
        0,
        format_func=lambda name: plain(f"{name} ({_what(models[name]['verbs'])}): {described.get(name, '')}"),
        help="In brackets: what the model can do.",
    )
    return models[chosen]


def _what(verbs: list[str]) -> str:
    named = {"score": "scores", "proba": "classifies", "impute": "imputes"}
    found = [text for verb, text in named.items() if verb in verbs]
    return ", ".join(found) if "score" in verbs else f"only {', '.join(found)}"


def seconds(source: str, model: str) -> None:
    """Say how long the fit of a model takes."""
    predictions.wait(source, "--model", model)
    found = predictions.estimates(source, "--model", model)
    if found:
        how = "At most" if found["seconds_at_most"] else "About"
        st.caption(literal(f"{how} {duration(found['seconds'])} to fit."))
