"""The processes that torchrun started: the first one runs a verb, the others train with it."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from anomalo.errors import AnomaloError, InterruptedJobError, TrainingError, UsageError
from anomalo.models.base import Run
from anomalo.models.run import LocalRun
from anomalo.nn.checkpoint import random_state, set_random_state
from anomalo.nn.dataset import ArrayRows, BatchSource
from anomalo.nn.distributed.team import Released, Team, training_by

_log = logging.getLogger("anomalo.distributed")

POLL = 0.02
"""Seconds between two looks at what the first process wants."""
PATIENCE = timedelta(days=1)
"""How long a process waits for the others in a training; one that has ended is noticed at once."""
END, FAILURE = "end", "failure"


class Trained(Protocol):
    """The part of a model that its training needs."""

    @property
    def name(self) -> str:
        """Its registered name."""

    @property
    def net(self) -> nn.Module:
        """The network."""

    def train(self, rows: BatchSource, run: Run, /) -> None:
        """Train the network on rows."""


class Processes:
    """The processes of one torchrun, on one machine.

    Small messages go by torchrun's store, which outlives each of them; networks, rows and gradients by
    `ignite.distributed`, which is started for the first training.

    Parameters
    ----------
    rank, size : int
        This process, from 0, and how many there are.
    store : torch.distributed.Store
        Of torchrun.
    """

    def __init__(self, rank: int, size: int, store: Any) -> None:
        self.rank, self.size, self.store = rank, size, store
        self.backend: str | None = None
        self.trainings = 0
        self.warned: set[str] = set()
        self.usable = True
        """Whether further trainings can be shared."""

    @classmethod
    def of_environment(cls) -> Processes:
        """Return the processes that torchrun's variables describe.

        Raises
        ------
        UsageError
            They run on several machines.
        """
        from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

        values = {name: int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")}
        if values["LOCAL_WORLD_SIZE"] != values["WORLD_SIZE"]:
            raise UsageError("the processes run on several machines; start them on one: torchrun --nproc-per-node N")
        # Programs that this one starts are not of the group.
        os.environ.pop("TORCHELASTIC_RUN_ID", None)
        store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), wait_for_workers=False)
        return cls(values["RANK"], values["WORLD_SIZE"], PrefixStore("anomalo", store))

    def connect(self, backend: str) -> None:
        """Connect all processes, once."""
        if self.backend is None:
            import ignite.distributed as idist
            import torch.distributed as dist

            if backend == "nccl":
                torch.cuda.set_device(self.rank)
            # Not by idist.initialize, which wants a GPU for each process even with gloo.
            dist.init_process_group(backend, timeout=PATIENCE)
            idist.sync()
            self.backend = backend

    def add(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        import ignite.distributed as idist

        total: Tensor = self._together(lambda: idist.all_reduce(tensor))
        return total

    def send(self, value: object) -> None:
        """Send a value from the first process to all others."""
        buffer = io.BytesIO()
        torch.save(value, buffer)
        self.send_bytes(buffer.getvalue())

    def send_bytes(self, content: bytes) -> None:
        """Send bytes from the first process to all others."""
        self._broadcast(torch.tensor([len(content)]))
        self._broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8))

    def receive(self) -> Any:
        """Return what the first process sent, its tensors on the CPU."""
        size = self._broadcast(torch.zeros(1, dtype=torch.int64))
        content = self._broadcast(torch.zeros(int(size), dtype=torch.uint8))
        return torch.load(io.BytesIO(content.cpu().numpy().tobytes()), map_location="cpu", weights_only=False)

    def _broadcast(self, tensor: Tensor) -> Tensor:
        import ignite.distributed as idist

        sent: Tensor = self._together(lambda: idist.broadcast(tensor.to(idist.device()), src=0))
        return sent

    def _together(self, operation: Callable[[], Any]) -> Any:
        """Do what all processes do together.

        Raises
        ------
        TrainingError
            One of them has ended.
        """
        try:
            return operation()
        except RuntimeError as error:
            self.usable = False
            found = self.message(FAILURE, 0.0 if self.rank else 2.0)
            text = f"a process of this training has ended: {error}" if found is None else found["text"]
            raise TrainingError(text) from None

    def message(self, key: str, seconds: float) -> dict[str, Any] | None:
        """Return what another process left in the store, after up to some seconds; None if nothing."""
        until = time.monotonic() + seconds
        while not self.store.check([key]):
            if time.monotonic() > until:
                return None
            time.sleep(POLL)
        found: dict[str, Any] = json.loads(self.store.get(key))
        return found

    def leave(self, key: str, **message: Any) -> None:
        """Leave a message in the store; torchrun may have ended."""
        with suppress(RuntimeError):
            self.store.set(key, json.dumps(message))

    def device_name(self, name: str) -> str:
        """Return the device of the first process where a fit asks for `name`: a GPU if each process can have one.

        Raises
        ------
        UsageError
            A GPU was asked for, and there are fewer than processes; or a certain one.
        """
        gpus = torch.cuda.device_count()
        if name.startswith("cuda:") or (name == "cuda" and gpus < self.size):
            raise UsageError(
                f"device {name!r}: {self.size} processes need a GPU each, and there {'is' if gpus == 1 else 'are'} "
                f"{gpus}; give --device cuda with as many GPUs as processes, or --device cpu"
            )
        if name != "auto" or not 0 < gpus < self.size:
            return name
        self._warn(f"{self.size} processes, {gpus} GPUs: the CPU trains; start no more processes than there are GPUs")
        return "cpu"

    def _warn(self, text: str) -> None:
        """Warn once: the folds of a fit train the same model."""
        if text not in self.warned:
            self.warned.add(text)
            _log.warning(text)

    def training(self, model: Trained, rows: BatchSource, run: Run) -> AbstractContextManager[None]:
        """Let all processes train the model's network inside the `with` block of the first one."""
        if not self.usable or torch.device(run.device).type not in ("cpu", "cuda"):
            return nullcontext()
        device = torch.device(run.device)
        facts = {
            "seed": run.seed,
            "device": device.type,
            "goals": run.goals,
            "rng": run.rng.bit_generator.state,
            "random": random_state(device),
            "threads": torch.get_num_threads(),
        }
        buffer = io.BytesIO()
        try:
            torch.save((model, rows, facts), buffer)
        except Exception as error:  # whatever a plugin's model holds
            self._warn(f"model {model.name!r} is trained by one process: it cannot be sent to others ({error})")
            return nullcontext()
        return self._training(model.name, "nccl" if device.type == "cuda" else "gloo", buffer.getvalue())

    @contextmanager
    def _training(self, name: str, backend: str, task: bytes) -> Iterator[None]:
        self.leave(f"training/{self.trainings}", backend=backend)
        self.trainings += 1

        text = f"model {name!r} is trained by one process: its steps are not sums over parts of a batch"
        try:
            self.connect(backend)
            self.send_bytes(task)
            with training_by(Team(self, lambda: self._warn(text))):
                yield
        except TrainingError:
            raise  # in all processes, or noticed by `_together`
        except BaseException:
            self.usable = False
            raise

    def serve(self) -> int:
        """Train whatever the first process trains, until it ends; return its exit code."""
        while True:
            key = f"training/{self.trainings}"
            if self.store.check([END]):
                return self._end_of_first(0)
            if not self.store.check([key]):
                time.sleep(POLL)
                continue
            self.trainings += 1
            self.connect(json.loads(self.store.get(key))["backend"])
            self._train()
            if not self.usable:
                return self._end_of_first(1)

    def _train(self) -> None:
        model, rows, facts = self.receive()
        device = torch.device("cpu" if facts["device"] == "cpu" else f"cuda:{self.rank}")
        run = LocalRun(seed=facts["seed"], device=str(device), goals=facts["goals"])
        run.rng.bit_generator.state = facts["rng"]
        if isinstance(rows, ArrayRows):
            rows = ArrayRows(*rows.arrays, device=run.device)
        torch.set_num_threads(facts["threads"])
        set_random_state(facts["random"], device)
        model.net.to(device)
        with training_by(Team(self)), suppress(Released, TrainingError):
            model.train(rows, run)

    def _end_of_first(self, otherwise: int) -> int:
        """Return the exit code of the first process, which may have failed."""
        end = self.message(END, seconds=5.0)
        return otherwise if end is None else int(end["code"])

    def fail(self, error: BaseException) -> int:
        """Report to the first process why this one ends, wait for its end, and return the exit code."""
        if isinstance(error, KeyboardInterrupt):
            with suppress(RuntimeError):
                if self.store.check([END]):
                    return self._end_of_first(5)
            return InterruptedJobError.exit_code
        text = str(error) if isinstance(error, AnomaloError) else f"{type(error).__name__}: {error}"
        self.leave(FAILURE, text=f"process {self.rank} of {self.size}: {text}")
        with suppress(Exception, KeyboardInterrupt):
            disconnect()
            while not self.store.check([END]):  # torchrun interrupts all processes once one has ended
                time.sleep(POLL)
        return 1

    def close(self, code: int) -> None:
        """End the other processes, with the exit code of this one."""
        self.leave(END, code=code)
        if self.usable and self.backend is not None:
            disconnect()


_PROCESSES: Processes | None = None


def processes() -> Processes | None:
    """Return the processes that this one, the first, can train with; None if it is alone."""
    return _PROCESSES


def disconnect() -> None:
    """End the connection of this process to the others."""
    import ignite.distributed as idist

    idist.finalize()


def run_with_others(verb: Callable[[], int]) -> int:
    """Run a verb in the first of the processes that torchrun started, while the others train with it.

    Returns
    -------
    int
        The exit code, of the first process in all of them.

    Raises
    ------
    UsageError
        The processes run on several machines.
    """
    global _PROCESSES
    found = Processes.of_environment()
    if found.rank:
        return _serve(found)
    _PROCESSES, code = found, 1
    try:
        code = verb()
    finally:
        found.close(code)
    return code


def _serve(found: Processes) -> int:
    """Train with the first process, silently: it alone prints."""
    with open(os.devnull, "w") as nowhere:
        for stream in () if "--debug" in sys.argv else (1, 2):
            os.dup2(nowhere.fileno(), stream)
    try:
        code = found.serve()
        if found.usable and found.backend is not None:
            disconnect()
        return code
    except BaseException as error:
        if "--debug" in sys.argv:
            raise
        return found.fail(error)
