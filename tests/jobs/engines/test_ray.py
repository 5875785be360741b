"""The engine ray: order, a bounded number of tasks in the cluster, and errors in one line."""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import EngineError
from anomalo.jobs.engines.shard_work import ShardWork


@pytest.fixture
def ray_engine(engine: str) -> Any:
    if engine != "ray":
        pytest.skip("of Ray only")
    from anomalo_ray.engine import RayEngine

    return RayEngine


def numbers(most: int, taken: list[int]) -> Iterator[bytes]:
    for number in range(most):
        taken.append(number)
        yield str(number).encode()


def test_results_come_in_order_and_few_tasks_are_taken(ray_engine: Any) -> None:
    opened, taken = ray_engine(bytes.upper, 2), []
    for number, result in enumerate(opened.map(numbers(20, taken))):
        assert bytes(result) == str(number).encode()
        assert len(taken) <= number + 1 + 4
    assert [bytes(result) for result in opened.map(iter([b"ab"]))] == [b"AB"], "it can be asked again"
    opened.close()
    assert sys.modules["ray"].is_initialized(), "a connection that was there stays"


def test_what_fails_in_a_worker_is_one_line(ray_engine: Any) -> None:
    with pytest.raises(EngineError, match=r"^a worker of the Ray cluster failed: ValueError: invalid literal"):
        list(ray_engine(int).map(iter([b"many"])))


def test_workers_that_do_not_see_the_folder_get_the_model(ray_engine: Any, untouched: Path, tmp_path: Path) -> None:
    work = ShardWork.of(untouched / "models" / "full" / "1", True, "cpu", False, 1)
    work.folder = str(tmp_path / "absent")
    assert work._fitted.guarded.name == "linear"


def test_nobody_at_the_address(anomalo: Any, home: Path, tables: Path) -> None:
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: extra `ray`")
    if sys.modules.get("ray") is not None and sys.modules["ray"].is_initialized():
        sys.modules["ray"].shutdown()
    common = ("score", tables / "patients.csv", "--with", "full", "--workspace", home, "--device", "cpu")
    outcome = anomalo(*common, "--engine", "ray", "--address", "127.0.0.1:1")
    assert outcome.code == 1
    assert outcome.err.startswith("error: no Ray cluster at 127.0.0.1:1: ")
    assert outcome.err.endswith("; check --address and RAY_ADDRESS\n")
    assert len(outcome.err.splitlines()) == 1
    assert os.environ.get("RAY_ADDRESS") is None
