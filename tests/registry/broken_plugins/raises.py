"""Breaks: every hook raises, or ends the process, when it is called."""

import sys

from anomalo.plugin import hookimpl


@hookimpl
def anomalo_models():
    yield from ()
    raise RuntimeError("the models\nare out")


@hookimpl
def anomalo_encoders():
    sys.exit(4)


@hookimpl
def anomalo_read(source):
    raise OSError("the disk is out")
    yield


@hookimpl
def anomalo_training(engine, model, run):
    raise RuntimeError("the handlers are out")


@hookimpl
def anomalo_run_saved(store, run_id):
    sys.exit(5)


@hookimpl
def anomalo_pages():
    raise RuntimeError("the pages are out")
