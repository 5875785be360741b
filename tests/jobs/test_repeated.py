"""The same job is not run again: the same verb, options, contents, model, version, and outputs that are still there."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomalo.jobs import identity
from anomalo.jobs.context import JobContext
from anomalo.jobs.scoring.score import score
from anomalo.workspace.workspace import Workspace
from tests.conftest import Call, Outcome

pytestmark = pytest.mark.usefixtures("frugal")
Run = Callable[..., Outcome]


@pytest.fixture
def home(tmp_path: Path, untouched: Path, tables: Path) -> Path:
    """A folder with a workspace and a table."""
    shutil.copytree(untouched, tmp_path / "w")
    shutil.copy(tables / "patients.csv", tmp_path / "table.csv")
    return tmp_path


@pytest.fixture
def run(anomalo: Call, home: Path) -> Run:
    """Run a verb that must succeed."""

    def call(*arguments: object) -> Outcome:
        outcome = anomalo(*arguments, "--workspace", home / "w")
        assert outcome.code == 0, outcome.err
        return outcome

    return call


def number(home: Path) -> int:
    store = Workspace(home / "w")
    return len(store.runs()) + len(store.models())


SCORE = ("score", "{home}/table.csv", "--with", "full", "-o", "{home}/out.csv")
COMMANDS: dict[str, tuple[str, ...]] = {
    "fit": ("fit", "{home}/table.csv", "--as", "again", "--model", "zscore"),
    "pretrain": ("pretrain", "{home}/table.csv", "--as", "base", "--model", "linear", "--set", "epochs=1"),
    "score": SCORE,
    "impute": ("impute", "{home}/table.csv", "--with", "fill", "-o", "{home}/out.csv"),
    "repair": ("repair", "{home}/table.csv", "--with", "full", "-o", "{home}/out.csv"),
    "clean": ("clean", "{home}/table.csv", "-o", "{home}/out.csv"),
    "embed": ("embed", "{home}/table.csv", "--with", "full", "-o", "{home}/out.csv"),
    "augment": ("augment", "--with", "maker", "-n", "3", "-o", "{home}/out.csv"),
}
OTHER = {
    "fit": ("--seed", "1"),
    "pretrain": ("--seed", "1"),
    "score": ("--threshold", "budget=3"),
    "impute": ("--safe-csv",),
    "repair": ("--cells", "2"),
    "clean": ("--drop", "colour"),
    "embed": ("--safe-csv",),
    "augment": ("--seed", "1"),
}


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_same_job_is_found_another_is_run(run: Run, home: Path, verb: str) -> None:
    command = [part.format(home=home) for part in COMMANDS[verb]]
    if verb == "augment":
        run("fit", home / "table.csv", "--as", "maker", "--model", "mixture", "--for", "sample")
    first, before = run(*command, "--json").json, number(home)
    again = run(*command)
    name = first.get("reference", first.get("id"))
    assert again.out.startswith(f"nothing to do: {'' if 'reference' in first else 'run '}{name} is of the same ")
    assert (again.out.count("\n"), again.err, number(home)) == (1, "", before)
    found = run(*command, "--json").json
    assert found["repeated"] is True
    assert found.get("reference", found.get("id")) == name
    assert found["summary"] == first["summary"]

    other = run(*command, *OTHER[verb])
    assert "nothing to do" not in other.out
    assert number(home) == before + 1
    forced = run(*command, "--force", "--json").json
    assert "repeated" not in forced
    assert forced.get("reference", forced.get("id")) != name
    assert number(home) == before + 2


def test_a_byte_of_the_source_its_time_and_its_name(run: Run, home: Path) -> None:
    command = ("score", home / "table.csv", "--with", "full")
    run(*command)
    os.utime(home / "table.csv", (1, 1))
    assert "nothing to do" in run(*command).out, "the time is no content"
    shutil.copy(home / "table.csv", home / "copy.csv")
    copy = run("score", home / "copy.csv", "--with", "full")
    assert copy.out == (
        f"nothing to do: run 0001-score is of the same table ({home}/table.csv), model and options (--force runs it "
        "again)\n"
    )
    text = (home / "table.csv").read_text()
    changed = text.replace("red", "rde", 1)
    assert len(changed) == len(text)
    (home / "table.csv").write_text(changed)
    os.utime(home / "table.csv", (1, 1))
    assert "nothing to do" not in run(*command).out


def test_an_output_that_is_gone_or_changed_is_written_again(run: Run, home: Path) -> None:
    command = [part.format(home=home) for part in SCORE]
    run(*command)
    before = (home / "out.csv").read_bytes()
    (home / "out.csv").unlink()
    assert "nothing to do" not in run(*command).out
    assert (home / "out.csv").read_bytes() == before
    (home / "out.csv").write_text("something else")
    assert "nothing to do" not in run(*command).out
    assert (home / "out.csv").read_bytes() == before
    assert "nothing to do" in run(*command).out
    assert "nothing to do" not in run(*command[:-1], home / "other.csv").out


def test_a_folder_of_tables(run: Run, home: Path) -> None:
    (home / "tables").mkdir()
    for name in ("a", "b"):
        shutil.copy(home / "table.csv", home / "tables" / f"{name}.csv")
    command = ("score", home / "tables", "--with", "full", "-o", f"{home}/scores/")
    run(*command)
    assert "nothing to do" in run(*command).out
    shutil.rmtree(home / "scores")
    assert "nothing to do" not in run(*command).out
    shutil.rmtree(home / "scores")
    shutil.move(home / "tables" / "b.csv", home / "tables" / "c.csv")
    assert "nothing to do" not in run(*command).out, "the names of files are of the table"


@pytest.mark.slow
def test_another_version_of_the_model_and_of_anomalo(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ("fit", home / "table.csv", "--as", "m", "--model", "zscore")
    score_it = ("score", home / "table.csv", "--with", "m")
    run(*fit)
    run(*score_it)
    assert "nothing to do" in run(*score_it).out
    run(*fit, "--seed", 1)
    assert "nothing to do" not in run(*score_it).out
    assert "nothing to do: run 0001-score" in run(*score_it, "--with", "m@1").out
    assert "nothing to do" not in run(*fit).out, "the latest version is of another job"
    assert "nothing to do: m@3" in run(*fit).out
    monkeypatch.setattr(identity, "__version__", "99")
    assert "nothing to do" not in run(*score_it).out


def test_what_results_do_not_depend_on_does_not_count(run: Run, home: Path) -> None:
    run("score", home / "table.csv", "--with", "full")
    same = ("--threads", 2, "--workers", 2, "--fail-over", 10**6, "--resume", "--threshold", "share=0.010")
    assert "nothing to do" in run("score", home / "table.csv", "--with", "full", *same).out


def test_a_gate_and_the_metrics_hold_for_the_former_run(anomalo: Call, home: Path) -> None:
    command = ("score", home / "table.csv", "--with", "full", "--threshold", "budget=5", "--workspace", home / "w")
    assert anomalo(*command).code == 0
    again = anomalo(*command, "--fail-over", 4, "--metrics", home / "m.prom")
    assert (again.code, "nothing to do" in again.out) == (3, True)
    assert again.err.startswith("error: 5 alerts, more than --fail-over 4")
    assert "anomalo_alerts{" in (home / "m.prom").read_text()


def test_a_source_that_is_not_a_local_file_is_read_each_time(run: Run, home: Path) -> None:
    table = f"sqlite:///{home / 'data.db'}::patients"
    run("impute", home / "table.csv", "--with", "fill", "-o", table)
    for expected in (1, 2):
        assert "nothing to do" not in run("score", table, "--with", "full").out
        assert [each.verb for each in Workspace(home / "w").runs()].count("score") == expected


def test_a_table_that_changes_while_it_is_read_is_never_the_same(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*arguments: Any, **named: Any) -> Any:
        os.utime(home / "table.csv", (1, 1))
        return score(*arguments, **named)

    monkeypatch.setattr("anomalo.jobs.scoring.score.score", touched)
    command = ("score", home / "table.csv", "--with", "full")
    assert "identity" not in run(*command, "--json").json["summary"]
    monkeypatch.undo()


def test_python_always_runs(home: Path) -> None:
    context = JobContext.at(home / "w")
    first = score(context, str(home / "table.csv"), "full")
    again = score(context, str(home / "table.csv"), "full")
    assert (first.run.id, again.run.id) == ("0001-score", "0002-score")
    assert "identity" not in again.run.summary


def test_a_saved_cleaner_that_was_replaced(run: Run, home: Path) -> None:
    command = ("clean", home / "table.csv", "--as", "cleaner")
    run(*command)
    assert "nothing to do" in run(*command).out
    run(*command, "--drop", "colour")
    assert "nothing to do" not in run(*command).out, "the latest cleaner of the name is another one"
    frame = pd.DataFrame({"row": [0], "column": ["colour"], "wrong": ["yes"], "value": ["blue"]})
    frame.to_csv(home / "answers.csv", index=False)
    learned = ("clean", home / "table.csv", "--labels", home / "answers.csv")
    run(*learned)
    assert "nothing to do" in run(*learned).out
    frame.assign(value="red").to_csv(home / "answers.csv", index=False)
    assert "nothing to do" not in run(*learned).out


def test_the_sources_are_read_only_where_a_record_may_be_the_same(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noted(files: Any) -> str:
        read.append("")
        return digest(files)

    digest = identity.files_digest
    monkeypatch.setattr(identity, "files_digest", noted)
    found = identity.identify(Workspace(home / "w"), "score", {}, [str(home / "table.csv")])
    assert found.former(Workspace(home / "w").runs()) is None
    assert read == []
    assert json.dumps(found.facts())
    assert len(read) == 1
