"""The run of one of several nested models: it passes on all calls and scales the progress to the model's share."""

from typing import Any

from anomalo.plugin import Run


class MemberRun:
    """The run of a member: calls are passed on; reports carry the member's name, their progress is its share.

    Parameters
    ----------
    run : Run
        The fit that all members are part of.
    name : str
        The member's name.
    number, total : int
        The member's number, from 0, and how many members there are.
    """

    def __init__(self, run: Run, name: str, number: int, total: int) -> None:
        vars(self).update(_run=run, _name=name, _number=number, _total=total)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._run, name, value)

    def report(self, *, done: float | None = None, **metrics: Any) -> None:
        """Record metrics under the member's name, and advance the progress by its share."""
        if "phase" in metrics:
            metrics["phase"] = f"{self._name}: {metrics['phase']}"
        self._run.report(done=None if done is None else (self._number + done) / self._total, **metrics)
