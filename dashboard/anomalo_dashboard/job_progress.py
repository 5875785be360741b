"""Show background jobs: their progress while they run, then their results or the reason of their failure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs.background import queue
from anomalo.jobs.background.queue import Job
from anomalo.tabular import quantities
from anomalo_dashboard import formatting, navigation
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain
from anomalo_dashboard.security.uploads import name_of

DOING = {
    "fit": "Fitting the model",
    "score": "Scoring the rows",
    "impute": "Imputing missing values",
    "embed": "Embedding the rows",
    "repair": "Searching for repairs",
    "clean": "Looking for wrong cells",
    "apply": "Writing the accepted cells",
    "augment": "Generating",
    "evaluate": "Comparing synthetic rows with real ones",
    "explain": "Explaining the row",
}
ENDED = {
    "failed": "The job failed",
    "stopped": "The job was stopped",
    "died": "The job died",
}


_PATHS = ("--workspace", "--synthetic", "--real", "--holdout", "-o")
"""The options whose values are paths."""
_LED_BY = "_job_led_by"
_PAGE_OF = {"score": "alerts", "impute": "repairs", "clean": "repairs"}
"""Where the first result of a job is seen."""


def doing(job: Job) -> str:
    """Return the current step of a job as text."""
    verb = job.commands[job.step][0]
    return f"Step {job.step + 1} of {len(job.commands)}: {DOING.get(verb, verb)}"


def shell(commands: Sequence[Sequence[str]]) -> str:
    """Return commands as they are typed in a shell, with the workspace, where the dashboard was started."""
    where = ["--workspace", str(navigation.workspace())]
    return "\n".join(" ".join(map(_quoted, ["anomalo", *_brief([*command, *where])])) for command in commands)


def _brief(command: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command, paths without folders that nobody needs to see: `...` stands for them."""
    for before, word in zip(["", *command], command, strict=False):
        path = Path(word)
        if not path.is_absolute() or (before.startswith("-") and before not in _PATHS):
            yield word
        elif path.is_relative_to(Path.cwd()):
            yield str(path.relative_to(Path.cwd()))
        elif path.is_relative_to(navigation.workspace()):
            yield f".../{path.relative_to(navigation.workspace().parent)}"
        else:
            yield f".../{path.name}"


def _quoted(word: str) -> str:
    """Quote a word for a shell; characters that are not seen as their codes, which it reads as characters again."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{plain(escaped)}'"


def start(title: str, command: Sequence[str]) -> NoReturn:
    """Start a job of one command, then draw the page again."""
    queue.start(navigation.workspace(), title, [list(command)])
    st.rerun()


def begin(title: str, commands: Sequence[Sequence[str]], opens: bool = True, here: bool = True) -> NoReturn:
    """Start a job and show it on the page Start.

    Parameters
    ----------
    opens : bool
        Whether its first result is opened once it is done.
    here : bool
        Whether this is the page Start.
    """
    job = queue.start(navigation.workspace(), title, commands)
    if opens:
        st.session_state[_LED_BY] = job.id
    if here:
        navigation.open_job(job.id)
    navigation.go("start", job=job.id)


def show_unfinished(command: Sequence[str]) -> bool:
    """Show the latest job of just this command unless it is done; returns whether there was one to show."""
    jobs = (job for job in queue.jobs(navigation.workspace()) if job.commands == (tuple(command),))
    job = next(jobs, None)
    if job is None or job.status == "done":
        return False
    show(job)
    return True


def show(job: Job) -> None:
    """Show a job; while it runs, the page follows it."""
    st.header(literal(job.title), anchor=False)
    st.caption(literal(" · ".join(filter(None, (described(job), job.who, formatting.moment(job.created))))))
    if job.status == "running":
        _live(job.id)
    elif job.status == "done":
        _lead_on(job)
        _done(job)
    else:
        _ended(job)
    with st.expander("The same on the command line", icon=":material/terminal:"):
        st.code(shell(job.commands), language="shell", wrap_lines=True)


@st.fragment(run_every=1)
def _live(identity: str) -> None:
    job = queue.job(navigation.workspace(), identity)
    if job.status != "running":
        st.rerun()
    _steps(job)
    beside = " · ".join(part for part in (doing(job), job.text, _time(job)) if part)
    st.progress(min(max(job.share, 0.0), 1.0), literal(beside))
    st.caption("The job runs in the background: you can close this page and come back.")
    if st.button("Stop", icon=":material/stop_circle:", key="stop"):
        _try(queue.stop, identity)


def _steps(job: Job) -> None:
    """Show which commands of a job are done, which one runs, and which are to come."""
    if len(job.commands) < 2:
        return
    shown = []
    for number, (verb, *_) in enumerate(job.commands):
        icon = (
            "check_circle" if number < job.step else "play_circle" if number == job.step else "radio_button_unchecked"
        )
        shown.append(f":material/{icon}: {literal(DOING.get(verb, verb))}")
    st.markdown(" &nbsp; ".join(shown))


def _time(job: Job) -> str:
    """Return how long a job has run, and about how long its step still takes."""
    took = formatting.duration(job.seconds)
    if job.left is None or job.share <= 0:
        return took
    return f"{took}, about {quantities.duration(job.left)} left" if job.left >= 1 else f"{took}, finishing"


def described(job: Job) -> str:
    """Return what a job does, as text: its verbs, table and model.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> described(SimpleNamespace(commands=(("score", "/data/may.csv", "--with", "visits@2"),)))
    'score may.csv with visits@2'
    """
    verbs, table, model = parts(job)
    name = f" {'as' if 'fit' in verbs or 'pretrain' in verbs else 'with'} {model}" if model else ""
    return f"{', '.join(verbs)}{f' {table}' if table else ''}{name}"


def parts(job: Job) -> tuple[list[str], str, str]:
    """Return the verbs of a job, the name of its table and that of its model; empty where it has none."""
    first = job.commands[0]
    table = first[1] if len(first) > 1 and not first[1].startswith("-") else ""
    model = next((value for option, value in pairwise(first) if option in ("--as", "--with")), "")
    return [verb for verb, *_ in job.commands], name_of(table) if table else "", model


def _lead_on(job: Job) -> None:
    """Open the first result of a job that was begun here; one that was there before is only named."""
    if st.session_state.get(_LED_BY) != job.id:
        return
    del st.session_state[_LED_BY]
    for result in job.results:
        if result.get("verb") in _PAGE_OF and not result.get("repeated"):
            navigation.go(_PAGE_OF[result["verb"]], run=result["id"])


def _done(job: Job) -> None:
    st.success(f"Done in {formatting.duration(job.seconds)}.", icon=":material/check_circle:")
    runs = {result["verb"]: result for result in job.results if "verb" in result}
    for result in job.results:
        if result.get("repeated"):
            _repeated(result)
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
        if right.button(f"See the imputed cells ({cells:,})", icon=":material/healing:", width="stretch"):
            navigation.go("repairs", run=filled["id"])
    if embedded and left.button("See the map", type="primary", icon=":material/scatter_plot:", width="stretch"):
        navigation.go("embedding_map", run=embedded["id"])
    if "augment" in runs and left.button(
        "See what was generated", type="primary", icon=":material/library_add:", width="stretch"
    ):
        navigation.go("synthesize", run=runs["augment"]["id"])
    for warning in job.warnings:
        st.warning(literal(formatting.sentence(failures.without_folders(warning))), icon=":material/info:")


def _repeated(result: dict[str, Any]) -> None:
    """Say that a command had nothing to do, and why."""
    before = result.get("reference") or f"run {result['id']}"
    st.info(
        f"Nothing was computed: {literal(before)}, of {formatting.moment(result['created'])}, is of the same table and "
        "options. To compute it again, run the command below with `--force`.",
        icon=":material/history:",
    )


def _ended(job: Job) -> None:
    """Show why a job ended early, and offer to resume it."""
    where = f"at step {job.step + 1} of {len(job.commands)}, after {formatting.duration(job.seconds)}"
    reason = f": {literal(failures.without_folders(job.message))}" if job.message else ""
    show_it = st.info if job.status == "stopped" else st.error
    show_it(f"{ENDED[job.status]} {where}{reason}", icon=":material/error:")
    if st.button("Resume", icon=":material/play_arrow:", type="primary", key="resume"):
        _try(queue.resume, job.id)


def _try(action: Callable[[Path, str], object], identity: str) -> None:
    """Stop or resume a job, then draw the page again."""
    try:
        action(navigation.workspace(), identity)
    except AnomaloError as error:
        failures.show(error)
    else:
        st.rerun()


def recent(jobs: Sequence[Job], most: int = 5) -> None:
    """List the latest jobs, each with a button that opens it."""
    st.header("Recent jobs", anchor=False)
    for job in jobs[:most]:
        title, status, when, button = st.columns([5, 2, 2, 1.4], vertical_alignment="center")
        title.markdown(literal(job.title))
        status.caption(job.status + (f", {literal(doing(job).lower())}" if job.status == "running" else ""))
        when.caption(formatting.moment(job.created))
        if button.button("Open", key=f"job-{job.id}", width="stretch"):
            navigation.open_job(job.id)
    st.page_link("views/jobs.py", label="All jobs", icon=":material/work_history:")
