"""Several processes train as one does; an error or interruption of one ends all, and is reported once."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalo.workspace.workspace import Workspace

FOLDER = Path(__file__).parent
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
QUICK = '"epochs": 8, "batch_size": 64'
SHARED = (
    f'["undercomplete", {{{QUICK}}}]',
    f'["denoising", {{"noise": 0.1, "swap": 0.1, {QUICK}}}]',
    f'["variational", {{"free": 0.01, {QUICK}}}]',
    f'["sparse", {{{QUICK}}}]',
    f'["contractive", {{"hidden": [16], {QUICK}}}]',
    f'["stacked", {{"greedy": 2, {QUICK}}}]',
    f'["classifier", {{{QUICK}}}]',
    f'["ddpm", {{"updates": 200, {QUICK}}}]',
)
NOT_SHARED = ('["gan", {"epochs": 2}]', '["rbm", {"epochs": 2}]')

pytestmark = pytest.mark.slow


def run(*command: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=500, check=False)
    assert code is None or done.returncode == code, done.stderr
    return done


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error:")]


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """Return what one, two and three processes find."""
    folder, script = tmp_path_factory.mktemp("fits"), FOLDER / "several_fits.py"
    for count in (1, 2, 3):
        started = (sys.executable,) if count == 1 else (*TORCHRUN, count)
        run(*started, script, folder / f"{count}.json", *SHARED, *NOT_SHARED)
    return {count: json.loads((folder / f"{count}.json").read_text()) for count in (1, 2, 3)}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("model", SHARED)
def test_the_losses_are_those_of_one_process(fits: dict[int, dict[str, Any]], model: str, count: int) -> None:
    expected, found = fits[1][model], fits[count][model]
    assert found["warnings"] == []
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-5)
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=1e-4)
    assert len(expected["losses"]) >= 8


@pytest.mark.parametrize("model", NOT_SHARED)
def test_what_cannot_be_shared_is_trained_by_one_process_exactly(fits: dict[int, dict[str, Any]], model: str) -> None:
    expected, found = fits[1][model], fits[2][model]
    assert found["losses"] == expected["losses"]
    (warning,) = found["warnings"]
    assert "is trained by one process" in warning


@pytest.mark.parametrize(
    ("rank", "when", "message"),
    [
        (1, "step", "error: process 1 of 2: no memory left"),
        (0, "step", "error: no memory left"),
        (1, "loss", "error: the loss became nan in epoch 1"),
    ],
)
def test_an_error_in_one_process_ends_all_and_is_one_line(rank: int, when: str, message: str) -> None:
    done = run(*TORCHRUN, 2, FOLDER / "failing_fit.py", rank, when, code=None)
    assert done.returncode
    (line,) = errors(done.stderr)
    assert line.startswith(message)


def command(folder: Path, *options: str) -> Sequence[str]:
    common = ("--model", "denoising", "--as", "d", "--set", "epochs=40", "--device", "cpu", "--threads", "1")
    source, workspace = str(folder / "table.csv"), str(folder / "workspace")
    return ("-m", "anomalo", "pretrain", source, "--workspace", workspace, *common, *options)


def losses(folder: Path) -> list[float]:
    (model,) = Workspace(folder / "workspace").models()
    assert model.version == 1
    manifest = json.dumps(Workspace.manifest(model))
    return [float(part.split(",")[0]) for part in manifest.split('"loss": ')[1:]]


def interrupt(folder: Path) -> tuple[list[str], int]:
    """Interrupt a fit of two processes in its training; return its errors, and how many states it left."""
    started = [*map(str, TORCHRUN), "2", *command(folder, "--checkpoint-every", "0")]
    with subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        saved, until = (
            folder / "workspace" / "unfinished" / "fit-d" / "training-0-0.safetensors",
            time.monotonic() + 300,
        )
        while not saved.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=120)
    return errors(stderr), int(saved.exists())


def test_an_interrupted_fit_is_resumed_and_saved_once(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(331, 2)) @ np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        np.savetxt(tmp_path / name / "table.csv", numbers, delimiter=",", header="a,b,c", comments="")
    run(sys.executable, *command(tmp_path / "one"))
    (line,), states = interrupt(tmp_path / "two")
    assert line.startswith("error: interrupted")
    assert states == 1
    done = run(*TORCHRUN, 2, *command(tmp_path / "two", "--resume"))
    assert done.stdout.count("saved d@1") == 1
    assert "nothing to resume" not in done.stderr
    expected, found = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(expected) == len(found) > 10
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_verb_that_trains_nothing_ends_all_processes(tmp_path: Path) -> None:
    done = run(*TORCHRUN, 2, "-m", "anomalo", "models", "--workspace", tmp_path)
    assert "Traceback" not in done.stderr
