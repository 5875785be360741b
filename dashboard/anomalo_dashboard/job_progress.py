"""A job in the background, as the page Start shows it: alive while it works, then what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs import background
from anomalo.jobs.background import Job
from anomalo_dashboard import formatting, navigation

DOING = {
    "fit": "Fitting the model",
    "score": "Scoring the rows",
    "impute": "Filling the holes",
    "embed": "Embedding the rows",
    "repair": "Looking for repairs",
    "augment": "Making rows",
    "evaluate": "Comparing them with the real ones",
}
STATUS = {"running": "at work", "done": "done", "failed": "failed", "stopped": "stopped", "died": "died"}
EXPLAINED = {
    "failed": "The job failed",
    "stopped": "The job was stopped",
    "died": "The job died",
}


def doing(job: Job) -> str:
    """Say what a job is at."""
    verb = job.commands[job.step][0]
    return f"Step {job.step + 1} of {len(job.commands)}: {DOING.get(verb, verb)}"


def shell(commands: Sequence[Sequence[str]]) -> str:
    """Return commands as they can be typed, in one workspace."""
    where = ["--workspace", str(navigation.workspace())]
    return "\n".join(shlex.join(["anomalo", *command, *where]) for command in commands)


def show(job: Job) -> None:
    """Show a job, live while it works."""
    st.subheader(job.title, anchor=False)
    if job.status == "running":
        _live(job.id)
    elif job.status == "done":
        _done(job)
    else:
        _ended(job)
    with st.expander("The same on the command line", icon=":material/terminal:"):
        st.code(shell(job.commands), language="shell", wrap_lines=True)


@st.fragment(run_every=1)
def _live(identity: str) -> None:
    job = background.job(navigation.workspace(), identity)
    if job.status != "running":
        st.rerun()
    share = (job.step + min(max(job.share, 0.0), 1.0)) / len(job.commands)
    beside = " · ".join(part for part in (doing(job), job.text, formatting.duration(job.seconds)) if part)
    st.progress(share, beside)
    st.caption("It goes on in the background: you can close this page and come back.")
    if st.button("Stop", icon=":material/stop_circle:", key="stop"):
        _try(background.stop, identity)


def _done(job: Job) -> None:
    st.success(f"Done in {formatting.duration(job.seconds)}.", icon=":material/check_circle:")
    runs = {result["verb"]: result for result in job.results if "verb" in result}
    scored, filled, embedded = (runs.get(verb) for verb in ("score", "impute", "embed"))
    left, right, _ = st.columns([2, 2, 3])
    if scored and left.button(
        f"See the alerts ({scored['summary']['alerts']:,})",
        type="primary",
        icon=":material/notifications:",
        width="stretch",
    ):
        navigation.go("alerts", run=scored["id"])
    if filled:
        cells = sum(filled["summary"]["filled"].values())
        if right.button(f"See the repairs ({cells:,})", icon=":material/healing:", width="stretch"):
            navigation.go("repairs", run=filled["id"])
    if embedded and left.button("See the map", type="primary", icon=":material/scatter_plot:", width="stretch"):
        navigation.go("embedding_map", run=embedded["id"])
    if "augment" in runs and left.button(
        "See the rows", type="primary", icon=":material/library_add:", width="stretch"
    ):
        navigation.go("synthesize", run=runs["augment"]["id"])
    for warning in job.warnings:
        st.warning(warning, icon=":material/info:")


def _ended(job: Job) -> None:
    """Show a job that did not end well: why, and how to go on."""
    where = f"at step {job.step + 1} of {len(job.commands)}, after {formatting.duration(job.seconds)}"
    reason = f": {job.message}" if job.message else ""
    show_it = st.info if job.status == "stopped" else st.error
    show_it(f"{EXPLAINED[job.status]} {where}{reason}", icon=":material/error:")
    if st.button("Go on where it ended", icon=":material/play_arrow:", type="primary", key="resume"):
        _try(background.resume, job.id)


def _try(action: Callable[[Path, str], object], identity: str) -> None:
    """Stop or resume a job, then look at it again."""
    try:
        action(navigation.workspace(), identity)
    except AnomaloError as error:
        st.error(str(error))
    else:
        st.rerun()


def recent(jobs: Sequence[Job], most: int = 8) -> None:
    """List the latest jobs, each with a way to it."""
    st.subheader("Recent jobs", anchor=False)
    for job in jobs[:most]:
        title, status, when, button = st.columns([5, 2, 2, 1.4], vertical_alignment="center")
        title.markdown(job.title)
        status.caption(STATUS[job.status] + (f", {doing(job).lower()}" if job.status == "running" else ""))
        when.caption(formatting.moment(job.created))
        if button.button("Open", key=f"job-{job.id}", width="stretch"):
            navigation.open_job(job.id)
