"""It notes when it is imported and called."""

import os
from pathlib import Path

from anomalo.plugin import hookimpl

OUTPUT = Path(os.environ["LATE_OUTPUT"])
NOTES = OUTPUT.with_name("notes.txt")


def note(text):
    with NOTES.open("a") as file:
        print(text, OUTPUT.exists(), file=file)


note("imported")


@hookimpl
def anomalo_run_saved(store, run_id):
    note(run_id)
