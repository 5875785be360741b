"""What tests of engines share: the engines that are asked for, and the processes that they start."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from anomalo.jobs.context import JobContext
from anomalo.jobs.engines.local import LocalEngine
from anomalo.models.guard import INTERRUPTION
from anomalo.models.run import Progress
from anomalo.registry.engine import EngineChoice

BATCH = 50
"""Rows in a batch here: the table of 240 rows comes in five."""
At = Callable[..., JobContext]


@pytest.fixture(autouse=True)
def interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers say of Ctrl-C is theirs, also where a test calls their work in this process."""
    monkeypatch.setattr(INTERRUPTION, "handled", INTERRUPTION.handled)


@pytest.fixture(scope="session", params=["local", "ray"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each engine that --engines names and whose library is installed."""
    name = request.param
    if name not in request.config.getoption("--engines").split(","):
        pytest.skip(f"engine {name} is not asked for: pytest --engines local,ray")
    if name == "local":
        yield name
        return
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: extra `ray`")
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield name
    ray.shutdown()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Return the context of a job on small batches, of which workers compute every one."""
    monkeypatch.setattr(LocalEngine, "patience", 0.0)

    def context(workspace: Path, engine: str, workers: int = 2, progress: Progress | None = None) -> JobContext:
        return JobContext.at(workspace, progress, BATCH, engine=EngineChoice(engine, workers))

    return context


@pytest.fixture
def home(untouched: Path, tmp_path: Path) -> Path:
    """A workspace with models and no runs, of this test alone."""
    shutil.copytree(untouched / "models", tmp_path / "w" / "models")
    shutil.copy(untouched / "anomalo.db", tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture
def workers_of() -> Callable[[int], list[int]]:
    """Return the function that lists the worker processes below a process."""
    if sys.platform != "linux":
        pytest.skip("processes are listed by /proc")

    def listed(process: int) -> list[int]:
        return [pid for pid in _below(process) if _is_worker(pid)]

    return listed


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Return the function that waits for what must become true."""

    def wait(true: Callable[[], bool], seconds: float = 300.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it never becomes true"
            time.sleep(0.02)

    return wait


def _below(process: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, last = [], {process}
    while last:
        last = {pid for pid, parent in parents.items() if parent in last}
        found += sorted(last)
    return found


def _is_worker(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"worker_process import serve" in command or command.startswith((b"ray::_run", b"ray::IDLE"))
