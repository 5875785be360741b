"""Commands: what they get, how they end, and that nothing of them is left."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from anomalo_routes.command import start
from anomalo_routes.delivery import DeliveryError

FACTS: dict[str, Any] = {
    "job": "visits of the day", "run": "0007-score", "model": "visits@3", "source": "/a b.csv", "rows": 200,
    "alerts": 3, "output": None, "folder": "/runs/7", "top": [{"row": 17}],
}  # fmt: skip


def route(*command: str, **options: Any) -> dict[str, Any]:
    return {"command": list(command), "timeout": 20.0} | options


def test_the_payload_is_its_input_and_the_main_facts_its_environment(tmp_path: Path) -> None:
    script = "cat > payload.json; env | grep ^ANOMALO_ | sort > environment; echo ignored"
    start(route("sh", "-c", script), FACTS, tmp_path)
    assert json.loads((tmp_path / "payload.json").read_text()) == FACTS
    lines = (tmp_path / "environment").read_text().splitlines()
    assert {"ANOMALO_ALERTS=3", "ANOMALO_JOB=visits of the day", "ANOMALO_OUTPUT=", "ANOMALO_SOURCE=/a b.csv"} <= set(
        lines
    )


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    start(route("touch", "a; touch b", "$HOME"), FACTS, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a; touch b", "$HOME"}


def test_a_program_beside_the_job_file(tmp_path: Path) -> None:
    (tmp_path / "notify.sh").write_text("#!/bin/sh\ntouch notified\n")
    (tmp_path / "notify.sh").chmod(0o755)
    start(route("./notify.sh"), FACTS, tmp_path)
    assert (tmp_path / "notified").exists()


def test_a_program_that_reads_nothing_is_none_that_fails(tmp_path: Path) -> None:
    start(route("true"), FACTS | {"top": ["x" * 1_000_000]}, tmp_path)


def test_a_failure_has_the_last_line_of_its_errors(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match=r"^sh ended with 7: no such channel$"):
        start(route("sh", "-c", "echo first >&2; echo no such channel >&2; exit 7"), FACTS, tmp_path)


@pytest.mark.parametrize("command", ["absent-program", "./absent.sh", "nul\0"])
def test_a_program_that_cannot_be_started(tmp_path: Path, command: str) -> None:
    with pytest.raises(DeliveryError, match="cannot be started"):
        start(route(command), FACTS, tmp_path)


def test_one_that_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    started = time.monotonic()
    script = "(sleep 1; touch late) & sleep 60"
    with pytest.raises(DeliveryError, match=r"sh took longer than 0.3 seconds"):
        start(route("sh", "-c", script, timeout=0.3), FACTS, tmp_path)
    assert time.monotonic() - started < 10
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()
