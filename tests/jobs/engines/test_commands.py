"""Commands with workers: how they end when they fail, are interrupted or killed; no process is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

# A shell starts background jobs with SIGINT ignored, which children inherit: the child takes it back.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from anomalo.jobs.engines.local import LocalEngine
LocalEngine.patience = 0.0
from anomalo.cli import main
main()
"""


@pytest.fixture(params=["local", "ray"])
def name(request: pytest.FixtureRequest) -> str:
    """Each engine that --engines names; a command with Ray starts a cluster of its machine."""
    if request.param not in request.config.getoption("--engines").split(","):
        pytest.skip(f"engine {request.param} is not asked for: pytest --engines local,ray")
    if request.param == "ray" and find_spec("ray") is None:
        pytest.skip("Ray is not installed: extra `ray`")
    return str(request.param)


@pytest.fixture
def long(patients: pd.DataFrame, tmp_path: Path) -> Path:
    pd.concat([patients] * 1500, ignore_index=True).to_parquet(tmp_path / "long.parquet", index=False)
    return tmp_path / "long.parquet"


def command(table: Path, home: Path, *arguments: object) -> list[str]:
    verb = ("score", table, "--with", "full", "--workspace", home, "--device", "cpu", *arguments)
    return [sys.executable, "-c", PROGRAM, *map(str, verb)]


@pytest.fixture
def started(long: Path, home: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """A scoring with two workers."""
    arguments = command(long, home, "-o", home.parent / "o.parquet", "--engine", name, "--workers", 2)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def kept(home: Path) -> int:
    return sum(len(path.read_text().split("\n")) for path in home.glob("unfinished/*/manifest.jsonl"))


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_command_leaves_no_process_and_is_resumed_with_other_workers(
    number: signal.Signals, started: Any, name: str, home: Path, long: Path, anomalo: Any, workers_of: Any, until: Any
) -> None:
    until(lambda: kept(home) > 2 or started.poll() is not None)
    below = workers_of(started.pid)
    assert len(below) >= 2, started.communicate()
    started.send_signal(number)
    out, err = started.communicate()
    until(lambda: not any(map(lives, below)), 60)
    assert started.returncode == (-9 if number == signal.SIGKILL else 5), err
    if number != signal.SIGKILL:
        assert err.splitlines()[-1].endswith("run the command again with --resume to continue")
        assert "Traceback" not in err
    assert out == ""
    assert [path for path in home.glob("runs/*") if not path.name.startswith(".")] == []
    again = anomalo(*command(long, home, "-o", home.parent / "o.parquet", "--resume")[3:])
    assert (again.code, again.err) == (0, "")
    whole = anomalo(*command(long, home, "-o", home.parent / "whole.parquet")[3:])
    assert whole.code == 0
    assert (home.parent / "o.parquet").read_bytes() == (home.parent / "whole.parquet").read_bytes()


FAILS = """
from dataclasses import dataclass
import numpy as np
from anomalo.plugin import Model, ModelState, hookimpl

@dataclass(kw_only=True)
class Fails(Model):
    name = "fails"

    def fit(self, data, run):
        return self

    def score(self, data):
        if data.values[:, 0].max() > 5:
            {failure}
        return data.values[:, 0].astype(np.float64)

    def state(self):
        return ModelState({{}}, {{}})

    def restore(self, state, create):
        return self

@hookimpl
def anomalo_models():
    return [Fails]
"""


FAILURES = [
    pytest.param("raise ZeroDivisionError('no rows like this')", id="error"),
    pytest.param("raise KeyboardInterrupt", id="interruption", marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES)
def test_a_plugin_that_fails_in_a_worker_is_reported_as_in_one_process(failure: str, tmp_path: Path) -> None:
    (tmp_path / "fails_module.py").write_text(FAILS.format(failure=failure))
    info = tmp_path / "fails-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fails\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[anomalo]\nfails = fails_module\n")
    frame = pd.DataFrame({"a": [number % 50 for number in range(200)], "b": [number % 7 for number in range(200)]})
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame.assign(a=frame["a"].where(frame.index != 120, 10**12)).to_csv(tmp_path / "bad.csv", index=False)
    batches = "from anomalo.jobs.context import JobContext; JobContext.batch_rows = 50"
    program = PROGRAM.replace("main()", f"{batches}; main()")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-c", program, *map(str, arguments), "--workspace", str(tmp_path / "w")]
        return subprocess.run(whole, capture_output=True, text=True, env=environment, check=False)

    assert run("fit", tmp_path / "train.csv", "--model", "fails", "--as", "m").returncode == 0
    one, two = (run("score", tmp_path / "bad.csv", "--with", "m", "--workers", number) for number in (1, 2))
    assert one.returncode == two.returncode == 1
    assert one.stderr == two.stderr
    assert one.stderr.startswith("error: model 'fails' of plugin 'fails' (fails 1.0) failed in score: ")
    assert len(one.stderr.splitlines()) == 1


def test_options_that_name_no_engine(anomalo: Any, home: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = ("score", tables / "patients.csv", "--with", "full", "--workspace", home)
    outcome = anomalo(*common, "--engine", "rya")
    assert outcome.code == 2
    assert outcome.err.startswith("error: no engine is named 'rya'; did you mean 'ray'?")
    outcome = anomalo(*common, "--address", "head:6379")
    assert outcome.code == 2
    assert outcome.err == "error: --address head:6379: engine 'local' has no cluster; give --engine too\n"
    assert anomalo(*common, "--workers", 0).code == 2


def test_an_engine_whose_library_is_absent_names_the_extra(
    anomalo: Any, home: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = anomalo("score", tables / "patients.csv", "--with", "full", "--workspace", home, "--engine", "ray")
    assert outcome.code == 2
    assert outcome.err == (
        "error: engine 'ray' needs Ray, which is not installed; install it: pip install 'anomalo-engine[ray]'\n"
    )
    assert not (home / "unfinished").exists() or list((home / "unfinished").iterdir()) == []


def test_plugins_are_listed_with_their_engines(anomalo: Any) -> None:
    found = {plugin["name"]: plugin["engines"] for plugin in anomalo("plugins", "--json").json["plugins"]}
    assert (found["engines"], found["ray"], found["baselines"]) == (["local"], ["ray"], [])
    assert "engine ray" in anomalo("plugins").out
