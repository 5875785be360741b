"""The examples of schedulers are valid, and what they call is run."""

from __future__ import annotations

import ast
import configparser
import datetime
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer

from anomalo.cli.app import app
from anomalo.jobs.daily.job_file import read_job
from tests.conftest import Call

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "every-day"
DAY = datetime.date(2026, 11, 30)
VARIABLES = ("VISITS_CHAT_URL", "VISITS_CHAT_SECRET", "VISITS_MAIL_USER", "VISITS_MAIL_PASSWORD")


def run_of(text: str) -> list[str]:
    """Return the arguments of the only call of anomalo in a command line, which parse."""
    words = shlex.split(text.replace("{{ ds }}", str(DAY)))
    (at,) = (at for at, word in enumerate(words) if word.rpartition("/")[2] == "anomalo")
    arguments = words[at + 1 :]
    if ">" in arguments:
        arguments = arguments[: arguments.index(">")]
    command = typer.main.get_command(app).get_command(None, arguments[0])  # type: ignore[attr-defined, arg-type]
    command.make_context(arguments[0], arguments[1:])
    assert arguments[0] == "run"
    return list(arguments)


@pytest.fixture
def desk(tmp_path: Path, untouched: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The examples, with a table of the day, a model, and the variables of the routes."""
    folder = Path(shutil.copytree(EXAMPLES, tmp_path / "visits"))
    for name in ("tables", "scores", "metrics"):
        (folder / name).mkdir()
    shutil.copy(tables / "patients.csv", folder / "tables" / f"visits-{DAY}.csv")
    shutil.copytree(untouched, folder / "anomalo-workspace")
    for name in VARIABLES:
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    return folder


def with_model(folder: Path) -> None:
    """Let the job use a model of the tests, which is not called as that of the example."""
    text = (folder / "job.toml").read_text()
    assert '"visits@production"' in text
    text = text.replace('"visits@production"', '"full"').replace("fdr=0.05", "budget=5")
    (folder / "job.toml").write_text(text)


def test_the_job_is_run(desk: Path, anomalo: Call) -> None:
    with_model(desk)
    job = ("run", desk / "job.toml", "--date", DAY)
    assert anomalo(*job, "--check").code == 0
    outcome = anomalo(*job, "--json")
    assert outcome.code == 0, outcome.err
    assert [entry["status"] for entry in outcome.json["routes"]][:2] == ["sent", "skipped"]
    assert len(pd.read_csv(desk / "scores" / f"visits-{DAY}.csv")) == 240
    assert (desk / "metrics" / "visits.prom").read_text().endswith("# EOF\n")
    assert (desk / "tickets.txt").read_text().startswith("0001-score: 5 of 240 rows of ")
    assert "nothing to do" in anomalo(*job).out


def test_the_variables_of_the_job_are_those_that_the_examples_set(desk: Path) -> None:
    text = (desk / "job.toml").read_text()
    assert sorted(re.findall(r'_env = "(\w+)"', text)) == sorted(VARIABLES)
    workflow = (desk / ".github" / "workflows" / "visits.yml").read_text()
    assert all(f"{name}: ${{{{ secrets.{name} }}}}" in workflow for name in VARIABLES)


def test_the_line_of_cron() -> None:
    lines = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("MAILTO=")
    (line,) = lines[1:]
    *when, command = line.split(None, 5)
    for field, (low, high) in zip(when, [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)], strict=True):
        assert field == "*" or low <= int(field) <= high
    assert "%" not in command, "cron would end the line there"
    assert run_of(command.rpartition(";")[2])[-1] == "--resume"
    subprocess.run(["sh", "-n", "-c", command], check=True)


@pytest.mark.parametrize("name", ["anomalo-visits.service", "anomalo-visits.timer"])
def test_the_units_of_systemd(name: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(EXAMPLES / name)
    if name.endswith("service"):
        assert unit["Service"]["Type"] == "oneshot"
        assert run_of(unit["Service"]["ExecStart"])[1:] == ["/srv/visits/job.toml", "--resume"]
        assert unit["Service"]["SuccessExitStatus"] == "3"
    else:
        assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d", unit["Timer"]["OnCalendar"])
    if (analyze := shutil.which("systemd-analyze")) is not None:
        done = subprocess.run([analyze, "verify", EXAMPLES / name], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_dag_of_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (EXAMPLES / "airflow_dag.py").read_text()
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    (operator,) = (call for call in calls if getattr(call.func, "id", "") == "BashOperator")
    options = {keyword.arg: keyword.value for keyword in operator.keywords}
    assert run_of(ast.literal_eval(options["bash_command"]))[1:4] == ["/srv/visits/job.toml", "--date", str(DAY)]
    assert ast.literal_eval(options["skip_on_exit_code"]) == 3
    compile(source, "airflow_dag.py", "exec")
    models = pytest.importorskip("airflow.models", reason="Airflow is not installed")
    bag = models.DagBag(str(EXAMPLES / "airflow_dag.py"), include_examples=False)
    assert bag.import_errors == {}


@pytest.mark.slow
def test_the_workflow_of_github_runs_the_job(desk: Path, tmp_path: Path) -> None:
    text = (desk / ".github" / "workflows" / "visits.yml").read_text()
    workflow: dict[Any, Any] = yaml.safe_load(text)
    assert workflow[True]["schedule"] == [{"cron": "15 6 * * *"}]  # YAML reads `on` as a truth value
    (step,) = (step for step in workflow["jobs"]["score"]["steps"] if step.get("name") == "Score")
    assert set(step["env"]) == set(VARIABLES)
    run_of(step["run"])
    with_model(desk)
    shutil.move(desk / "tables" / f"visits-{DAY}.csv", desk / "tables" / f"visits-{datetime.date.today()}.csv")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "anomalo"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m anomalo "$@"\n')
    script.chmod(0o755)
    environment = os.environ | {"PATH": f"{script.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-e", "-c", step["run"]], cwd=desk, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"alerts": 5' in (desk / "summary.json").read_text()


def test_the_files_of_dbt(anomalo: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    project = yaml.safe_load((EXAMPLES / "dbt" / "dbt_project.yml").read_text())
    assert {"name", "version", "profile", "model-paths"} <= set(project)
    models = yaml.safe_load((EXAMPLES / "dbt" / "models" / "visits.yml").read_text())
    (model,) = models["models"]
    assert (EXAMPLES / "dbt" / "models" / f"{model['name']}.sql").exists()
    script = EXAMPLES / "dbt" / "after-dbt.sh"
    subprocess.run(["sh", "-n", script], check=True)
    (line,) = (line for line in script.read_text().splitlines() if "anomalo run" in line)
    run_of(line)
    job = read_job(EXAMPLES / "dbt" / "job.toml", DAY)
    assert job.source.endswith(f"::{model['name']}")
    assert f"--select {model['name']} " in script.read_text()


def test_a_build_of_dbt_that_fails_scores_nothing(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLES / "dbt", tmp_path / "dbt"))
    (tmp_path / "bin").mkdir()
    for name, code in (("dbt", "echo dbt $* >> calls; exit $(cat code)"), ("anomalo", "echo anomalo $* >> calls")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{code}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    for code, calls in ((1, 1), (0, 2)):
        (folder / "code").write_text(str(code))
        (folder / "calls").unlink(missing_ok=True)
        done = subprocess.run([folder / "after-dbt.sh", str(DAY)], env=environment, cwd=tmp_path)
        lines = (folder / "calls").read_text().splitlines()
        assert (done.returncode, len(lines)) == (code, calls)
    assert lines[1] == f"anomalo run job.toml --date {DAY} --resume"


@pytest.mark.parametrize("page", ["schedules.md"])
def test_the_job_files_of_the_page_are_valid(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r'^```toml title="(.+?)"\n(.*?)^```$', text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for name, code in blocks:
        (tmp_path / name).write_text(code)
        assert read_job(tmp_path / name, DAY).routes
