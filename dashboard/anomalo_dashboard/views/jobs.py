"""Jobs: what runs in the background and what has run, with its log; stop it, resume it or run it again."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from anomalo.errors import AnomaloError, UsageError
from anomalo.jobs.background import queue
from anomalo_dashboard import job_progress, navigation
from anomalo_dashboard.managing import job_list
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain, plain_table


def chosen(jobs: list[queue.Job]) -> queue.Job:
    """Return the job that the URL names, or else the latest."""
    requested = st.query_params.get("job")
    known = {job.id: job for job in jobs}
    if requested and requested not in known:
        st.warning(f"There is no job {literal(requested)} here; this is the latest.", icon=":material/info:")
    return known.get(requested or "", jobs[0])


def filtered(jobs: list[queue.Job]) -> list[queue.Job]:
    """Let the user choose jobs by their status and a text."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    status = left.segmented_control(
        "Status",
        list(job_list.STATUS),
        default=None,
        format_func=lambda name: plain(job_list.STATUS[name]),
        key="job_status",
        bind="query-params",
    )
    text = right.text_input("Search", key="job_text", bind="query-params", placeholder="a table, model, verb or person")
    return [job for job in jobs if (status is None or job.status == status) and job_list.matches(job, text or "")]


def list_of(jobs: list[queue.Job]) -> None:
    """Show a page of jobs, each with a button that shows it below."""
    if not jobs:
        st.info("No job is like that.", icon=":material/info:")
        return
    page = jobs[navigation.one_page(len(jobs), job_list.PAGE, "job_page")] if len(jobs) > job_list.PAGE else jobs
    st.dataframe(
        plain_table(pd.DataFrame([job_list.line(job) for job in page])),
        hide_index=True,
        height="content",
        column_config=job_list.columns(),
        alt="Jobs in the background, newest first",
    )
    opened = st.session_state.get("open_job")
    if opened is not None and opened.row < len(page) and st.query_params.get("job") != page[opened.row].id:
        navigation.open_job(page[opened.row].id)


def actions(job: queue.Job) -> None:
    """Let the user run a job again, or remove it."""
    left, right, _ = st.columns([2, 2, 5])
    if job.status == "running":
        return
    if left.button("Run again", icon=":material/replay:", width="stretch", help="As a new job, from the beginning"):
        started = job_list.again(job)
        navigation.open_job(started.id)
    if right.button("Remove", icon=":material/delete:", width="stretch", help="The job and its log; its results stay"):
        try:
            queue.remove(navigation.workspace(), job.id)
        except AnomaloError as error:
            failures.show(error)
        else:
            navigation.open_job(None)


st.title("Jobs", anchor=False)
jobs = queue.jobs(navigation.workspace())
if not jobs:
    navigation.empty("No job yet", "Learn or score a table on the Start page; the job is then listed here.")
list_of(filtered(jobs))
try:
    job = chosen(jobs)
except UsageError as error:
    failures.show(error)
else:
    st.divider()
    job_progress.show(job)
    actions(job)
    with st.expander("Log", icon=":material/description:"):
        st.code(job_list.log(job) or "empty", language=None, height=300)
