"""A run as one of several members sees it."""

from typing import Any

from anomalo.plugin import Run


class AsMember:
    """Passes everything on to the run; what is reported is marked with the member and counts as its share.

    Parameters
    ----------
    run : Run
        The fit that all members are part of.
    name : str
        The member's.
    number, total : int
        Which of how many it is, from 0.
    """

    def __init__(self, run: Run, name: str, number: int, total: int) -> None:
        vars(self).update(_run=run, _name=name, _number=number, _total=total)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._run, name, value)

    def report(self, *, done: float | None = None, **metrics: Any) -> None:
        """Record metrics under the member's name, and move the progress by its share."""
        if "phase" in metrics:
            metrics["phase"] = f"{self._name}: {metrics['phase']}"
        self._run.report(done=None if done is None else (self._number + done) / self._total, **metrics)
