"""The losses of every epoch reach CSV and TensorBoard files, one for each of a fit's trainings, after a resume too."""

import csv
from pathlib import Path
from typing import Any

import pytest
from ignite.engine import Engine, Events

from anomalo_logging import anomalo_training

LOSSES = ["phase", "epoch", "epochs", "learning_rate", "loss", "validation_loss"]


def fit(anomalo: Any, tables: Path, workspace: Path, *options: object) -> Any:
    settings = ("--model", "linear", "--set", "epochs=3", "--drop", "name", "--workspace", workspace, "--device", "cpu")
    return anomalo("fit", tables / "patients.csv", "--as", "logged", *settings, *options, "--json")


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_files_hold_the_history(anomalo: Any, tables: Path, tmp_path: Path) -> None:
    outcome = fit(anomalo, tables, tmp_path / "ws", "--log-csv", tmp_path / "logs")
    assert outcome.code == 0, outcome.err
    names = {path.name for path in (tmp_path / "logs").iterdir()}
    assert names == {"final.csv", *(f"fold-{fold}.csv" for fold in range(5))}
    found = lines(tmp_path / "logs" / "final.csv")
    from anomalo.workspace.artifacts import read_manifest

    history = read_manifest(Path(outcome.json["path"]))["history"]
    assert list(found[0]) == LOSSES
    assert found == [{key: str(value) for key, value in entry.items()} for entry in history]


def test_a_csv_file_holds_all_phases_and_those_before_a_resume(tmp_path: Path) -> None:
    class Listened:
        part, logs = "final", {"csv": tmp_path}
        history: list[dict[str, Any]]

    run = Listened()
    run.history = [{"phase": "first", "epoch": 1, "loss": 3.0}]  # from before a kill
    (tmp_path / "final.csv").write_text("phase,epoch,loss\nfirst,1,3.0\nfirst,2,9.0\n")
    for phase in ("first", "second"):
        engine = Engine(lambda engine, batch: None)
        engine.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda engine, phase=phase: run.history.append({"phase": phase, "epoch": engine.state.epoch, "loss": 1.0}),
        )
        anomalo_training(engine, None, run)  # type: ignore[arg-type]
        engine.run([0], max_epochs=2)
    expected = [("first", "1", "3.0"), *((phase, str(e), "1.0") for phase in ("first", "second") for e in (1, 2))]
    assert [tuple(line.values()) for line in lines(tmp_path / "final.csv")] == expected


def test_tensorboard_reads_the_losses(anomalo: Any, tables: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    outcome = fit(anomalo, tables, tmp_path / "ws", "--tensorboard", tmp_path / "logs")
    assert outcome.code == 0, outcome.err
    from anomalo.workspace.artifacts import read_manifest

    history = read_manifest(Path(outcome.json["path"]))["history"]
    events = accumulator.EventAccumulator(str(tmp_path / "logs" / "final")).Reload()
    scalars = events.Scalars("training/validation_loss")
    assert [scalar.step for scalar in scalars] == [1, 2, 3]
    assert [scalar.value for scalar in scalars] == pytest.approx([entry["validation_loss"] for entry in history])


def test_a_missing_tensorboard_is_reported_at_once(
    anomalo: Any, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomalo.cli.fit.find_spec", lambda name: None)
    outcome = fit(anomalo, tables, tmp_path / "ws", "--tensorboard", tmp_path / "logs")
    assert outcome.code == 2
    assert "TensorBoard is not installed; install the extra 'tensorboard'" in outcome.err
    assert not (tmp_path / "ws").exists()
