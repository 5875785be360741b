"""Notify people and programs of a run: by a command, a webhook or a mail, as the file of its daily job says."""

from typing import Any

from anomalo.plugin import hookimpl


@hookimpl
def anomalo_run_saved(store: Any, run_id: str) -> None:
    """Notify the routes of a run, if a daily job has given it any, that were not notified yet."""
    run = store.run(run_id)
    if run.summary.get("job"):
        from anomalo_routes.notifying import notify

        notify(run)
