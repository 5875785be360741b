"""The run of one of several nested models: it passes on all calls and scales the progress to the model's share."""

from typing import Any
from zlib import crc32

import numpy as np

from anomalo.plugin import Run


class MemberRun:
    """The run of a part of a model: calls are passed on; reports carry the part's name, their progress is its share.

    The part has a random generator of its own, so that it does not depend on which other parts there are.

    Parameters
    ----------
    run : Run
        The fit that all parts belong to.
    name : str
        The part's name.
    start, share : float
        The progress at which it begins, and how much of the progress it is.
    """

    def __init__(self, run: Run, name: str, start: float, share: float) -> None:
        rng = np.random.default_rng([run.seed, crc32(name.encode())])
        vars(self).update(_run=run, _name=name, _start=start, _share=share, rng=rng)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._run, name, value)

    def report(self, *, done: float | None = None, **metrics: Any) -> None:
        """Record metrics under the part's name, and advance the progress by its share."""
        if "phase" in metrics:
            metrics["phase"] = f"{self._name}: {metrics['phase']}"
        else:
            metrics["part"] = self._name
        self._run.report(done=None if done is None else self._start + done * self._share, **metrics)
