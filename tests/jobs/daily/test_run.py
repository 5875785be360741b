"""`anomalo run`: a daily job from its file to scores, figures and routes, with the documented exit codes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomalo.jobs.daily.deliveries import deliveries
from anomalo.jobs.scoring.score import score
from anomalo.workspace.workspace import Workspace
from tests.conftest import Call, Outcome

pytestmark = pytest.mark.usefixtures("frugal")
JOB = """
source = "patients-{date}.csv"
with = "full"
threshold = "budget=3"
workspace = "w"

[outputs]
scores = "scores-{date}.csv"
metrics = "patients.prom"

[compute]
device = "cpu"
"""
COMMAND = """
[[routes]]
kind = "command"
command = ["sh", "-c", "cat >> notified.json; echo >> notified.json; test ! -e broken"]
"""


@pytest.fixture
def home(tmp_path: Path, untouched: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(untouched, tmp_path / "job" / "w")
    shutil.copy(tables / "patients.csv", tmp_path / "job" / "patients-2026-11-30.csv")
    monkeypatch.chdir(tmp_path)  # elsewhere, as cron is
    monkeypatch.delenv("ANOMALO_WORKSPACE", raising=False)
    return tmp_path / "job"


@pytest.fixture
def run(anomalo: Call, home: Path) -> Callable[..., Outcome]:
    def call(text: str, *options: object) -> Outcome:
        (home / "job.toml").write_text(text)
        return anomalo("run", home / "job.toml", "--date", "2026-11-30", *options)

    return call


def notified(home: Path) -> list[dict[str, Any]]:
    path = home / "notified.json"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_day(run: Any, home: Path) -> None:
    outcome = run(JOB + COMMAND)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "240 rows, 3 alerts at budget=3"
    assert lines[-2:] == [
        f"run 0001-score in {home}/w/runs/0001-score; scores in {home}/scores-2026-11-30.csv",
        "route command: sent",
    ]
    assert pd.read_csv(home / "scores-2026-11-30.csv")["alert"].sum() == 3
    assert 'anomalo_alerts{anomalo_job="job",model="full"} 3.0' in (home / "patients.prom").read_text()
    (payload,) = notified(home)
    assert (payload["version"], payload["job"], payload["route"], payload["run"]) == (1, "job", "command", "0001-score")
    assert (payload["rows"], payload["alerts"], payload["model"]) == (240, 3, "full@1")
    assert {row["row"] for row in payload["top"]} >= {17, 101}
    assert payload["top"][0]["name"].startswith("p")
    assert payload["top"][0]["reasons"][0]["column"] == "weight"
    assert payload["output"] == str(home / "scores-2026-11-30.csv")


def test_the_scores_are_those_of_score(run: Any, home: Path, anomalo: Call) -> None:
    run(JOB)
    table, out = home / "patients-2026-11-30.csv", home / "o.csv"
    options = ("--with", "full", "--threshold", "budget=3", "--workspace", home / "w", "--device", "cpu")
    assert anomalo("score", table, *options, "-o", out).code == 0
    assert out.read_bytes() == (home / "scores-2026-11-30.csv").read_bytes()


def test_the_same_day_again(run: Any, home: Path) -> None:
    run(JOB + COMMAND)
    before = (home / "patients.prom").read_text()
    again = run(JOB + COMMAND)
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        "nothing to do: run 0001-score is of the same table, model and options (--force runs it again)",
    )
    assert len(notified(home)) == 1, "nobody is notified twice"
    assert (home / "patients.prom").read_text() != before, "the job succeeded once more"
    found = run(JOB + COMMAND, "--json").json
    assert (found["repeated"], found["id"], found["routes"][0]["status"]) == (True, "0001-score", "sent")
    forced = run(JOB + COMMAND, "--force", "--json").json
    assert (forced["repeated"], forced["id"]) == (False, "0002-score")
    assert len(notified(home)) == 2
    assert run(JOB + COMMAND + "top = 1\n", "--json").json["id"] == "0003-score", "another route is another job"


def test_a_route_that_fails_is_notified_by_the_next_call(run: Any, home: Path) -> None:
    (home / "broken").touch()
    text = JOB + COMMAND + '[[routes]]\nname = "other"\nkind = "command"\ncommand = ["touch", "other"]\n'
    outcome = run(text + "[gates]\nfail_over = 2\n")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "warning: route 'command' of run 0001-score failed: sh ended with 1",
        "error: run 0001-score is stored, but 1 route of 2 failed (command: sh ended with 1); run the same command "
        "again to notify, without scoring again",
    ]
    assert (home / "other").exists()
    assert "anomalo_routes_failed" in (home / "patients.prom").read_text()
    assert (home / "scores-2026-11-30.csv").exists()
    (home / "other").unlink()
    (home / "broken").unlink()
    again = run(text + "[gates]\nfail_over = 2\n", "--json")
    assert again.code == 3, "the gate holds once everybody is notified"
    assert again.err == f"error: 3 alerts, more than fail_over = 2; the scores are in {home}/scores-2026-11-30.csv\n"
    assert [entry["status"] for entry in again.json["routes"]] == ["sent", "sent"]
    assert not (home / "other").exists(), "who was notified is not again"
    assert len(Workspace(home / "w").runs()) == 1


@pytest.mark.parametrize(
    ("when", "statuses"),
    [("always", "sent"), ("alerts", "sent"), ("over 2", "sent"), ("over 3", "skipped"), ("drift", "")],
)
def test_conditions(run: Any, when: str, statuses: str) -> None:
    found = run(JOB + COMMAND + f'when = "{when}"\n', "--json").json
    drifted = bool((found["summary"].get("drift") or {}).get("differs"))
    assert found["routes"][0]["status"] == (statuses or ("sent" if drifted else "skipped"))


def test_gates_on_alerts_and_drift(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(JOB + "[gates]\nfail_over = 3\n").code == 0
    hit = run(JOB + "[gates]\nfail_over = 2\n", "--json")
    assert (hit.code, hit.json["summary"]["alerts"]) == (3, 3)

    def drifted(*arguments: Any, **named: Any) -> Any:
        found = score(*arguments, **named)
        found.run.summary["drift"] = {"differs": True}
        return found

    monkeypatch.setattr("anomalo.jobs.daily.run.score", drifted)
    gate = run(JOB + "[gates]\nfail_on_drift = true\n", "--force")
    assert (gate.code, "error: the table differs from the training table" in gate.err) == (3, True)


def test_routes_without_their_plugin_are_not_silent(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalo.registry.registry.Registry.run_saved", lambda *arguments, **named: None)
    outcome = run(JOB + COMMAND)
    assert outcome.code == 1
    assert "command: no plugin took it" in outcome.err


def test_a_first_model(run: Any, home: Path) -> None:
    text = JOB.replace('"full"', '"new"') + '[fit]\nsource = "patients-{date}.csv"\nmodel = "knn"\nid = "name"\n'
    text += 'drop = ["sick"]\nset = { neighbours = 2 }\n'
    outcome = run(text)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"saved new@1, fitted on {home}/patients-2026-11-30.csv\n\n240 rows, 3 alerts")
    record = Workspace(home / "w").model("new")
    assert (record.model, record.columns, record.summary["parameters"]["neighbours"]) == ("knn", 5, 2)
    assert "nothing to do" in run(text).out
    assert len(Workspace(home / "w").models("new")) == 1


def test_a_first_model_gets_the_tag_that_the_job_names(run: Any, home: Path) -> None:
    first = '[fit]\nsource = "patients-{date}.csv"\nmodel = "knn"\n'
    outcome = run(JOB.replace('"full"', '"new@champion"') + first)
    assert (outcome.code, outcome.err) == (0, "")
    store = Workspace(home / "w")
    assert store.model("new@champion").version == 1
    assert [(move.before, move.after) for move in store.tag_moves("new")] == [(None, 1)]
    refused = run(JOB.replace('"full"', '"other@2"') + first, "--check")
    assert (refused.code, "[fit] makes its version 1, not 2" in refused.err) == (2, True)


@pytest.mark.slow
def test_check_runs_nothing(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(JOB + COMMAND, "--check")
    assert outcome.out.splitlines() == [
        f"job.toml is valid: score {home}/patients-2026-11-30.csv with full at budget=3",
        f"workspace  {home}/w",
        f"scores     {home}/scores-2026-11-30.csv",
        f"metrics    {home}/patients.prom",
        "route      command: command, when alerts",
    ]
    assert run(JOB, "--check", "--json").json["valid"] is True
    assert Workspace(home / "w").runs() == []
    assert not (home / "scores-2026-11-30.csv").exists()
    absent = run(JOB.replace('"full"', '"ful"'), "--check")
    assert (absent.code, "did you mean 'full'?" in absent.err) == (2, True)
    hook = '[[routes]]\nkind = "webhook"\nurl_env = "NOT_SET_HERE"\n'
    unset = run(JOB + hook, "--check")
    assert (unset.code, unset.err) == (
        2,
        "error: route 'webhook': the environment variable NOT_SET_HERE (url_env) is not set; export it\n",
    )
    monkeypatch.setenv("NOT_SET_HERE", "https://host/s3cret")
    assert "s3cret" not in run(JOB + hook, "--check").out
    assert run(JOB.replace("scores-{date}", "absent/scores")).code == 1


def test_the_workspace_of_the_option_and_of_the_environment(
    run: Any, home: Path, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(untouched, home / "v")
    assert f"run 0001-score in {home}/v/runs" in run(JOB, "--workspace", home / "v").out
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(home / "v"))
    assert "nothing to do" in run(JOB).out


def test_a_table_that_is_not_there_and_a_day_that_is_none(run: Any, home: Path, anomalo: Call) -> None:
    (home / "patients-2026-11-30.csv").unlink()
    absent = run(JOB)
    assert (absent.code, absent.err) == (1, f"error: no such file: {home}/patients-2026-11-30.csv\n")
    assert not (home / "patients.prom").exists(), "the time of the last success stays as it was"
    wrong = anomalo("run", home / "job.toml", "--date", "yesterday")
    assert (wrong.code, wrong.err) == (2, "error: --date yesterday: expected a day such as 2026-11-30\n")


def test_a_line_that_a_killed_process_left_is_no_delivery(run: Any, home: Path) -> None:
    run(JOB + COMMAND)
    record = Workspace(home / "w").run("0001-score")
    path = record.path / "routes.jsonl"
    path.write_text(path.read_text()[:-9])
    (entry,) = deliveries(record)
    assert entry["status"] == "failed"
    assert run(JOB + COMMAND).code == 0
    assert len(notified(home)) == 2
