"""What tests of networks share: a fit whose process ends in the middle, and that resumes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ignite.engine import Engine, Events

from anomalo.models.run import LocalRun
from anomalo.persistence.resume import Checkpoint, resumable_state


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def after_kills(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that fits a model, killed after the iterations `stops` of its training, to the end."""

    def whole(fit: Callable[[LocalRun], Any], *stops: int, seed: int) -> Any:
        def attempt(stop: int) -> Any:
            def attach(engine: Engine, *_: Any) -> None:
                def kill(engine: Engine) -> None:
                    if engine.state.iteration == stop:
                        raise KilledError

                engine.add_event_handler(Events.ITERATION_COMPLETED, kill)

            with resumable_state(tmp_path / "kept", {}, resume=True) as kept:
                keep = lambda number: Checkpoint(kept, f"training-{number}", 0.0)  # noqa: E731
                return fit(LocalRun(seed=seed, keep=keep, notify=attach))

        for stop in stops:
            with pytest.raises(KilledError):
                attempt(stop)
        return attempt(-1)

    return whole
