"""The local engine: several processes of this machine."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import wait

from anomalo.errors import EngineError
from anomalo.jobs.engines.worker_process import Task, WorkerProcess
from anomalo.registry.engine import LOCAL, Compute, Engine, Payload

AHEAD = 2
"""Tasks that a worker has at most: it computes one, and the next one is there when it is done."""
LOSSES = 3
"""A task that so many workers were lost with, while no other one returned a result, is given to no other."""


class LocalEngine(Engine):
    """Computes tasks in processes of this machine; at most two tasks for each are in memory.

    Parameters
    ----------
    compute, workers, address
        See `Engine`; by default one worker for each core.
    """

    name = LOCAL
    remote = False
    patience = 1.0

    def __init__(self, compute: Compute, workers: int | None = None, address: str | None = None) -> None:
        super().__init__(compute, workers or _cores(), address)
        self._processes: list[WorkerProcess] = []

    def start(self) -> None:
        """Start all processes, which load the model while this one does.

        Raises
        ------
        EngineError
            One cannot be started.
        """
        for _ in range(self.workers or 1):
            self._start().give(Task(b""))

    def map(self, tasks: Iterable[Payload]) -> Iterator[Payload]:
        """Yield the result of each task, in order; a task whose worker is lost is given to another.

        Raises
        ------
        EngineError
            Several workers were lost with the same task, or none can be started.
        """
        source, line, todo = iter(tasks), deque[Task](), deque[Task]()
        try:
            while True:
                while len(line) < AHEAD * (self.workers or 1) and (payload := next(source, None)) is not None:
                    line.append(Task(payload))
                    todo.append(line[-1])
                    self._give(todo)
                if not line:
                    return
                while line[0].result is None:
                    self._receive(line, todo)
                yield line.popleft().result or b""
        finally:
            if line:  # left early: what the workers return now is not asked for
                self.close()

    def close(self) -> None:
        """End the processes."""
        while self._processes:
            self._processes.pop().end()

    def _give(self, todo: deque[Task]) -> None:
        """Give tasks to workers, first to those that have none; a worker is started only if all others have some."""
        while todo:
            free = min(self._processes, key=lambda worker: len(worker.given), default=None)
            if len(self._processes) < (self.workers or 1) and (free is None or free.given):
                free = self._start()
            if free is None or len(free.given) >= AHEAD:
                return
            free.give(todo.popleft())

    def _receive(self, line: deque[Task], todo: deque[Task]) -> None:
        """Wait for results of the tasks in the line; replace workers that are lost."""
        ready = wait([worker.connection for worker in self._processes])
        for worker in [worker for worker in self._processes if worker.connection in ready]:
            if worker.receive():
                for task in line:  # workers that were lost before were not lost with these rows alone
                    task.losses = 0
            else:
                self._processes.remove(worker)
                todo.extendleft(reversed(_lost(worker)))
        self._give(todo)

    def _start(self) -> WorkerProcess:
        try:
            worker = WorkerProcess.start(self.compute)
        except OSError as error:
            why = error.strerror or error
            raise EngineError(f"cannot start a worker process: {why}; give fewer --workers") from error
        self._processes.append(worker)
        return worker


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lost(worker: WorkerProcess) -> list[Task]:
    """Return the tasks that a lost worker has left."""
    code, left = worker.end(), list(worker.given)
    if left:
        left[0].losses += 1
        if left[0].losses == LOSSES:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise EngineError(
                f"{LOSSES} worker processes were lost with the same rows, the last one {how}; "
                "if the machine is out of memory, give fewer --workers"
            )
    return left
