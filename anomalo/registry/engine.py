"""What an engine is: where the parts of a job are computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from anomalo.errors import UsageError

Payload = bytes | memoryview
Compute = Callable[[Payload], Payload]
LOCAL = "local"
"""The name of the default engine."""


class Engine(ABC):
    """Computes tasks in workers: in processes of this machine, or on a cluster.

    An engine transports bytes and knows nothing of tables. The job reads the source, gives the rows of each part as one
    task, and keeps and writes the results in order. So every engine gives the same bytes, and a job can be resumed by
    another engine than the one that began it.

    Parameters
    ----------
    compute : callable
        Returns the result of a task. It can be pickled, once for each worker: it loads the model at its first task, and
        keeps it. It raises nothing; what fails in it is said in its result.
    workers : int or None
        How many tasks are computed at the same time, at most; None if the user left it to the engine.
    address : str or None
        Of the cluster, as the user gave it.

    Attributes
    ----------
    name : str
        By which `--engine` finds it.
    remote : bool
        Whether workers may run where the files of the workspace are not: then `compute` carries the model.
    patience : float
        So many seconds this process computes parts by itself before the engine is asked: a job that takes less does
        not pay for the start of workers.

    Raises
    ------
    UsageError
        An option is not for this engine, or a library that it needs is not installed.
    """

    name: ClassVar[str]
    remote: bool = True
    patience: float = 0.0

    def __init__(self, compute: Compute, workers: int | None = None, address: str | None = None) -> None:
        self.compute = compute
        self.workers = workers
        self.address = address

    @abstractmethod
    def map(self, tasks: Iterable[Payload]) -> Iterator[Payload]:
        """Yield the result of each task, in the order of the tasks; called one or more times.

        Tasks are taken as workers become free, so that only a few of them are in memory. A task whose worker is lost is
        computed again.

        Raises
        ------
        EngineError
            The workers cannot be started or reached, or are lost again and again.
        """

    def start(self) -> None:  # noqa: B027
        """Start the workers of a job that will be long, if that takes time; called once, before anything else.

        A worker loads the model when it computes an empty task, whose result says nothing.
        """

    def close(self) -> None:  # noqa: B027
        """End the workers; called once, also after an error or an interruption."""


@dataclass(frozen=True)
class EngineChoice:
    """Which engine computes the parts of a job, as the user chose it.

    Parameters
    ----------
    name : str
        The engine's name.
    workers : int, optional
        How many tasks are computed at the same time; by default what the engine finds best.
    address : str, optional
        Of the engine's cluster.
    threads : int
        How many threads the numerical libraries use in each worker.

    Raises
    ------
    UsageError
        There is an address, and the engine is the local one.
    """

    name: str = LOCAL
    workers: int | None = None
    address: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.name == LOCAL and self.address is not None:
            raise UsageError(f"--address {self.address}: engine {LOCAL!r} has no cluster; give --engine too")

    @property
    def in_process(self) -> bool:
        """Whether this process computes everything by itself."""
        return self.name == LOCAL and self.workers in (None, 1)
