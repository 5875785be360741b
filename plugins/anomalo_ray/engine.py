"""Tasks on a Ray cluster: each worker process keeps the model, and lost tasks are computed again."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from anomalo.errors import EngineError, UsageError, without_passwords
from anomalo.plugin import Compute, Engine, Payload

ADDRESS = "RAY_ADDRESS"
LOSSES = 3
"""A task that so many workers were lost with is given to another, and to no more."""
AHEAD = 2
"""Tasks in the cluster for each one that is computed: the next ones are there when these are done."""
TOKEN = "it asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to that of the cluster"
SECONDS = 10.0
"""How long a cluster may take to answer."""

_known: dict[str, Compute] = {}
"""In a worker: what it computes. There is one entry, that of the last job."""


class RayEngine(Engine):
    """Computes tasks on the Ray cluster at an address, or on a local one that ends with the job.

    Ray computes a task again when its worker or node is lost.

    Parameters
    ----------
    compute, workers
        See `Engine`; by default as many workers as the cluster has CPUs, also those that join it later.
    address : str or None
        Of the cluster; by default the environment variable RAY_ADDRESS, and without it a local one.

    Raises
    ------
    UsageError
        Ray is not installed.
    """

    name = "ray"

    def __init__(self, compute: Compute, workers: int | None = None, address: str | None = None) -> None:
        super().__init__(compute, workers, address or os.environ.get(ADDRESS))
        self._ray = _installed()
        self._started = False
        self._key = uuid.uuid4().hex
        self._compute: Any = None

    def start(self) -> None:
        """Let the workers load the model while this process does.

        Raises
        ------
        EngineError
            No cluster is at the address.
        """
        self._open()
        run = self._task()
        for _ in range(min(self.workers or self._cpus(), self._cpus())):
            run.remote(self._key, [self._compute], b"")

    def map(self, tasks: Iterable[Payload]) -> Iterator[Payload]:
        """Yield the result of each task, in order.

        Raises
        ------
        EngineError
            No cluster is at the address, or a task was lost with several workers.
        """
        self._open()
        run, most = self._task(), self._most()
        source, pending = iter(tasks), deque[Any]()
        try:
            while True:
                for task in islice(source, most - len(pending)):
                    pending.append(run.remote(self._key, [self._compute], bytes(task)))
                if not pending:
                    return
                yield self._result(pending.popleft())
        finally:
            for task in pending:  # left early
                self._ray.cancel(task, force=False)

    def close(self) -> None:
        """End the local cluster; one that was there before stays."""
        self._compute = None
        if self._started:
            self._started = False
            self._ray.shutdown()

    def _open(self) -> None:
        """Connect to the cluster, or start one; a process that is connected already stays so."""
        if self._compute is not None:
            return
        if not self._ray.is_initialized():
            self._connect()
        self._compute = self._ray.put(self.compute)

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # workers may use the GPU as this process does
        logging.getLogger("ray").setLevel(logging.ERROR)  # what went wrong is said by an error
        common = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
        local = {"num_cpus": self.workers, "include_dashboard": False}
        try:
            if self.address is not None:
                _require_answer(self.address)
            with _signals_kept():
                self._ray.init(address=self.address or "local", **common, **({} if self.address else local))
        except (OSError, RuntimeError, ValueError) as error:
            where = f"at {without_passwords(self.address)}" if self.address else "of this machine"
            why = " ".join(str(error).split())[:200]
            advice = TOKEN if _asks_for_token(error) else f"check --address and {ADDRESS}"
            raise EngineError(f"no Ray cluster {where}: {why}; {advice}") from error
        self._started = True

    def _task(self) -> Any:
        return self._ray.remote(num_cpus=1, max_retries=LOSSES)(_run)

    def _most(self) -> int:
        """Return how many tasks are in the cluster at a time; no more than the workers where the cluster is larger."""
        cpus = self._cpus()
        return self.workers if self.workers is not None and self.workers < cpus else AHEAD * cpus

    def _cpus(self) -> int:
        return max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def _result(self, task: Any) -> Payload:
        errors = self._ray.exceptions
        try:
            result: bytes = self._ray.get(task)
        except errors.RayTaskError as error:
            why = " ".join(str(error.cause).split())[:200]
            raise EngineError(
                f"a worker of the Ray cluster failed: {type(error.cause).__name__}: {why}; "
                "install the same version of anomalo on all machines of the cluster"
            ) from error
        except errors.RayError as error:
            raise EngineError(
                f"{LOSSES + 1} workers of the Ray cluster were lost with the same rows ({type(error).__name__}); "
                "if its machines are out of memory, give fewer --workers"
            ) from error
        return result


def _run(key: str, compute: list[Any], task: bytes) -> Payload:
    """Compute a task in a worker, which takes the model from the cluster once."""
    if key not in _known:
        import ray

        _known.clear()
        _known[key] = ray.get(compute[0])
    return _known[key](task)


def _installed() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise UsageError(
            "engine 'ray' needs Ray, which is not installed; install it: pip install 'anomalo-engine[ray]'"
        ) from error
    return ray


def _asks_for_token(error: BaseException | None) -> bool:
    """Return whether a cluster has refused the connection since it came without its token."""
    while error is not None:
        if "AuthenticationError" in f"{type(error).__name__} {error}":
            return True
        error = error.__cause__ or error.__context__
    return False


def _require_answer(address: str) -> None:
    """Raise OSError if nobody listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), SECONDS).close()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put the handlers of signals back that Ray replaces, so that Ctrl-C and SIGTERM still end the job as they do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stopped = False
    try:
        yield
    except SystemExit:  # what Ray makes of SIGTERM
        stopped = True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        signal.raise_signal(signal.SIGTERM)
