"""The parts of a job, computed by an engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from anomalo.jobs.engines.shard_work import results_of, task_of
from anomalo.jobs.part import Find, Part
from anomalo.registry.engine import Engine, Payload


@dataclass
class Workers:
    """The engine of one job, and how long this process has worked before it is asked.

    Parameters
    ----------
    engine : Engine
        Computes tasks of `ShardWork`.
    seconds : float
        How long this process has computed parts by itself.
    """

    engine: Engine
    seconds: float = 0.0

    @property
    def asked(self) -> bool:
        """Whether the job is so long that the engine computes."""
        return self.seconds >= self.engine.patience

    def found(self, find: Find, parts: Iterator[Part]) -> Iterator[Part]:
        """Yield parts, in order, with their results; few of them are in memory at a time."""
        waiting: deque[Part] = deque()

        def tasks() -> Generator[Payload]:
            for part in parts:
                waiting.append(replace(part, data=None))
                yield task_of(find, part)

        with closing(tasks()) as source:
            for result in self.engine.map(source):
                arrays, counts = results_of(result)
                yield replace(waiting.popleft(), arrays=arrays, counts=counts)
