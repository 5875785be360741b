"""Its handlers fail in the middle of a training: by `on`, by `add_event_handler`, and as an object."""

import sys

from anomalo.plugin import hookimpl

called = []


class Handler:
    """An object that attaches itself, as Ignite's own handlers do."""

    def attach(self, engine):
        from ignite.engine import Events

        engine.add_event_handler(Events.EPOCH_COMPLETED(every=1), self, "an argument")

    def __call__(self, engine, argument):
        called.append("object")
        raise OSError(f"the disk is full, {argument}")


@hookimpl
def anomalo_training(engine, model, run):
    from ignite.engine import Events

    @engine.on(Events.EPOCH_STARTED | Events.EPOCH_COMPLETED)
    def raises():
        called.append("on")
        raise RuntimeError("no chart today")

    def leaves(engine):
        called.append("added")
        sys.exit(0)

    engine.add_event_handler(Events.ITERATION_COMPLETED, leaves)
    assert engine.has_event_handler(leaves, Events.ITERATION_COMPLETED)
    engine.add_event_handler(Events.ITERATION_COMPLETED, print)
    engine.remove_event_handler(print, Events.ITERATION_COMPLETED)
    Handler().attach(engine)
