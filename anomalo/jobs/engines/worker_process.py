"""A process that computes tasks for this one, and that ends when this one does."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

from anomalo.registry.engine import Compute, Payload

# -P, and the parent's path: a file in the working folder, such as csv.py, must not stand in for a module of that name.
PROGRAM = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({descriptor})"


@dataclass
class Task:
    """A task that was taken, and its result once it is there.

    Attributes
    ----------
    payload : bytes or memoryview
        The task; released once there is a result.
    result : bytes, optional
        What `compute` returned.
    losses : int
        How many workers were lost while they computed it.
    """

    payload: Payload
    result: bytes | None = None
    losses: int = 0


@dataclass
class WorkerProcess:
    """A worker, seen from the process that started it.

    Attributes
    ----------
    process : Popen
        The process.
    connection : Connection
        Tasks go there, and results come back, both in order.
    given : deque of Task
        The tasks that it was given and has not returned: the first is being computed.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    given: deque[Task] = field(default_factory=deque)

    @classmethod
    def start(cls, compute: Compute) -> WorkerProcess:
        """Start a process; it loads nothing before its first task.

        Raises
        ------
        OSError
            It cannot be started.
        """
        mine, its = socket.socketpair()
        with its:
            program = PROGRAM.format(path=sys.path, module=__name__, descriptor=its.fileno())
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", program],
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # what plugins print is no result
                    pass_fds=[its.fileno()],
                    process_group=0,  # Ctrl-C is for this process, which ends its workers
                )
            except BaseException:
                mine.close()
                raise
        worker = cls(process, Connection(mine.detach()))
        try:
            worker.connection.send_bytes(pickle.dumps(compute))
        except OSError:  # it is lost already, which is noticed when its result is received
            process.kill()
        return worker

    def give(self, task: Task) -> None:
        """Send a task; a lost worker is noticed when its result is received."""
        self.given.append(task)
        try:
            self.connection.send_bytes(task.payload)
        except OSError:
            self.process.kill()

    def receive(self) -> bool:
        """Wait for the result of the first of its tasks; return False if the worker is lost."""
        try:
            result = self.connection.recv_bytes()
        except (EOFError, OSError):
            return False
        task = self.given.popleft()
        task.result, task.payload = result, b""
        return True

    def end(self) -> int:
        """End the process, which has nothing to save, and return its exit code."""
        self.connection.close()
        self.process.kill()
        return self.process.wait()


def serve(descriptor: int) -> None:
    """Compute the tasks that come from another process until it closes the connection, or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    tasks: SimpleQueue[bytes] = SimpleQueue()
    results: SimpleQueue[Payload] = SimpleQueue()
    Thread(target=_until_closed, args=(lambda: tasks.put(connection.recv_bytes()),), daemon=True).start()
    Thread(target=_until_closed, args=(lambda: connection.send_bytes(results.get()),), daemon=True).start()
    compute: Compute = pickle.loads(tasks.get())
    while True:
        results.put(compute(tasks.get()))


def _until_closed(step: Callable[[], None]) -> None:
    """Receive or send beside the computation, so that neither process waits for the other one to take what it sends."""
    try:
        while True:
            step()
    except (EOFError, OSError):
        os._exit(0)  # also in the middle of a task: nobody waits for its result
