"""What the command line prints for people and for machines, and what its verbs do with their options."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from anomalo.cli.score import _show_cells
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.artifacts import read_manifest

JOBS = (
    "demo",
    "schema",
    "compare",
    "plan",
    "clean",
    "fit",
    "pretrain",
    "scan",
    "score",
    "explain",
    "impute",
    "repair",
    "apply",
    "augment",
    "evaluate",
    "embed",
    "run",
)
VERBS = (*JOBS, "models", "runs", "plugins", "tag", "threshold", "retire", "feedback", "export", "import", "rm")


@pytest.fixture
def run(anomalo: Any, workspace: Path) -> Any:
    """Run a verb that must succeed."""

    def call(*arguments: object) -> Any:
        outcome = anomalo(*arguments, "--workspace", workspace)
        assert outcome.code == 0, outcome.err
        return outcome

    return call


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lay out a plugin as pip would."""

    def install(name: str, group: str, code: str, attribute: str = "") -> None:
        (tmp_path / f"{name}_module.py").write_text(code)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}_module{attribute}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_help_lists_what_is_built_and_nothing_else(anomalo: Any) -> None:
    outcome = anomalo("--help")
    assert outcome.code == 0
    listed = outcome.out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == [*VERBS, "dashboard"]
    assert not any(line.rstrip().endswith("...") for line in listed)
    assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_fits_a_terminal(anomalo: Any, verb: str) -> None:
    outcome = anomalo(verb, "--help")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "--json" in outcome.out
    assert "--log-json" in outcome.out
    assert verb == "plugins" or "--workspace" in outcome.out


def test_no_arguments_show_the_help_as_wrong_usage(anomalo: Any) -> None:
    outcome = anomalo()
    assert (outcome.code, outcome.err) == (2, "")
    assert outcome.out.startswith("Usage: anomalo")


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys\nfrom anomalo.cli.app import _run\n"
        "for option in ('--help', '--version'):\n    sys.argv = ['anomalo', option]\n    assert _run() == 0\n"
        "heavy = {'torch', 'ignite', 'numpy', 'pandas', 'pyarrow', 'sklearn', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].startswith("anomalo ")


def test_models_as_json_is_a_list_of_five_facts_each(run: Any) -> None:
    models = run("models", "--json").json
    assert {tuple(model) for model in models} == {("name", "plugin", "modalities", "verbs", "parameters")}
    by_name = {model["name"]: model for model in models}
    assert {"linear", "undercomplete", "iforest", "knn", "mean", "median", "mode"} <= set(by_name)
    assert by_name["linear"]["plugin"] == "autoencoders"
    assert by_name["linear"]["modalities"] == ["table"]
    assert by_name["linear"]["verbs"] == ["score", "explain", "impute", "embed"]
    neighbours = by_name["knn"]["parameters"][0]
    assert (neighbours["name"], neighbours["default"], neighbours["low"]) == ("neighbours", 5, 1)
    assert neighbours["help"]


def test_models_for_people(run: Any, anomalo: Any, tmp_path: Path) -> None:
    shown = run("models").out
    assert "knn" in shown
    assert [line.split()[:2] for line in shown.splitlines() if line.startswith(("full@", "near@"))] == [
        ["full@1", "linear"],
        ["near@1", "knn"],
    ]
    assert not any(line != line.rstrip() for line in shown.splitlines())
    assert "No model is saved yet" in anomalo("models", "--workspace", tmp_path / "none").out
    assert not (tmp_path / "none").exists()


def test_one_model_saved_or_to_be_fitted(run: Any) -> None:
    record = run("models", "full", "--json").json
    assert (record["reference"], record["model"], record["rows"], record["columns"]) == ("full@1", "linear", 240, 5)
    assert record["summary"]["parameters"]["epochs"] == 3
    assert run("models", "full@1").out == run("models", "full").out
    assert run("models", "knn", "--json").json["parameters"][0]["name"] == "neighbours"
    shown = run("models", "knn").out
    assert "neighbours" in shown
    assert "--model knn" in shown


def test_plugins(run: Any, anomalo: Any) -> None:
    found = {plugin["name"]: plugin for plugin in anomalo("plugins", "--json").json["plugins"]}
    assert {"autoencoders", "baselines", "tables"} <= set(found)
    assert found["baselines"]["status"] == "ok"
    assert "knn" in found["baselines"]["models"]
    assert (found["baselines"]["pages"], found["baselines"]["failures"]) == ([], [])
    listed = anomalo("plugins", "--no-import", "--json").json["plugins"]
    assert {plugin["status"] for plugin in listed} == {"listed"}
    assert set(listed[0]) == set(found["baselines"])
    assert "baselines" in anomalo("plugins").out


def test_a_plugin_that_prints_or_fails_spoils_no_result(run: Any, anomalo: Any, plugin: Any) -> None:
    hook = "from anomalo.plugin import hookimpl\n@hookimpl\ndef anomalo_models():\n    return []\n"
    plugin("chatty", "anomalo", "print('hello from a plugin')\n" + hook)
    plugin("broken", "anomalo", "import nothing_of_that_name\n")
    outcome = run("models", "--json")
    assert "linear" in {model["name"] for model in outcome.json}
    assert "hello from a plugin" in outcome.err
    assert "warning: plugin 'broken'" in outcome.err
    outcome = anomalo("plugins")
    assert "\nbroken: ModuleNotFoundError" in outcome.out
    found = {plugin["name"]: plugin for plugin in anomalo("plugins", "--json").json["plugins"]}
    assert (found["chatty"]["status"], found["chatty"]["reason"]) == ("ok", "")
    assert found["broken"]["status"] == "failed"
    reason = "ModuleNotFoundError: No module named 'nothing_of_that_name'"
    assert found["broken"]["failures"] == [{"phase": "load", "reason": reason}]


def test_plugins_lists_pages(anomalo: Any, plugin: Any, tmp_path: Path) -> None:
    hook = "from pathlib import Path\nfrom anomalo.plugin import hookimpl\n@hookimpl\ndef anomalo_pages():\n"
    plugin("pager", "anomalo", hook + "    return [Path(__file__), Path('absent.py')]\n")
    found = {plugin["name"]: plugin for plugin in anomalo("plugins", "--json").json["plugins"]}["pager"]
    assert (found["status"], found["pages"]) == ("failed", [str(tmp_path / "pager_module.py")])
    assert [failure["phase"] for failure in found["failures"]] == ["anomalo_pages"]
    assert found["failures"][0]["reason"] == found["reason"]


def test_a_plugins_verb_is_listed_and_loaded_only_when_called(anomalo: Any, plugin: Any) -> None:
    plugin("greet", "anomalo.commands", "raise RuntimeError('imported')\n")
    outcome = anomalo("--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert "greet" in outcome.out
    assert "Verb of the plugin greet_module." in outcome.out
    outcome = anomalo("greet")
    assert outcome.code == 1
    assert outcome.err == (
        "error: verb 'greet' of plugin 'greet_module' (greet 1.0) failed in greet_module: "
        "RuntimeError: imported (greet_module.py:1)\n"
    )


def test_a_plugins_verb_works(anomalo: Any, plugin: Any) -> None:
    code = "def salute(name: str):\n    print('hello', name)\n"
    plugin("salute", "anomalo.commands", code, ":salute")
    outcome = anomalo("salute", "you")
    assert (outcome.code, outcome.out) == (0, "hello you\n"), outcome.err


def test_a_plugins_verb_that_raises_is_not_called_a_bug_of_ours(anomalo: Any, plugin: Any) -> None:
    plugin("sulk", "anomalo.commands", "def sulk():\n    raise RuntimeError('not today')\n", ":sulk")
    outcome = anomalo("sulk")
    assert (outcome.code, outcome.err) == (
        1,
        "error: verb 'sulk' of plugin 'sulk_module' (sulk 1.0) failed in sulk_module:sulk: "
        "RuntimeError: not today (sulk_module.py:2)\n",
    )


def test_fit_prints_what_it_saved(run: Any, tables: Path) -> None:
    fit = ("fit", tables / "patients.csv", "--as", "saved", "--model", "knn", "--id", "name", "--drop", "sick")
    outcome = run(*fit)
    assert outcome.out.startswith(
        "saved saved@1: knn, 240 rows, 5 columns (2 number, 1 integer, 1 category, 1 boolean)\n"
    )
    assert outcome.err == ""
    again = run(*fit, "--force", "--json").json
    assert (again["reference"], again["warnings"]) == ("saved@2", [])
    assert Path(again["path"]).is_dir()


def test_fit_takes_what_the_user_knows_from_options_and_from_a_file(run: Any, tables: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text('drop = ["sick"]\nid = "name"\n[columns]\nchildren = "category"\n')
    fit = ("fit", tables / "patients.csv", "--as", "known", "--model", "knn", "--schema", tmp_path / "schema.toml")
    outcome = run(*fit, "--kind", "smoker=category", "--missing", "colour=blue", "--set", "neighbours=2", "--seed", 3)
    assert "5 columns (3 category, 2 number)" in outcome.out
    record = run("models", "known", "--json").json
    assert (record["summary"]["parameters"]["neighbours"], record["summary"]["seed"]) == (2, 3)
    filled = run("score", tables / "patients.csv", "--with", "known", "-o", tmp_path / "o.parquet", "--explain", 240)
    assert filled.err == ""
    cells = pq.read_table(Path(run("runs", "--json").json["runs"][-1]["path"]) / "cells.parquet").to_pandas()
    assert "blue" not in set(cells[cells["column"] == "colour"]["observed"])


def test_score_for_people(run: Any, tables: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    lines = run(
        "score", tables / "patients.csv", "--with", "full", "-o", out, "--threshold", "budget=3"
    ).out.splitlines()
    assert lines[0] == "240 rows, 3 alerts at budget=3"
    assert lines[2].split() == ["row", "name", "score", "p-value", "alert", "reasons"]
    first = lines[4].split()
    assert first[0] in ("17", "101")
    assert first[1] in ("p017", "p101")
    assert first[4:6] == ["yes", "weight"]
    assert lines[-1].endswith(f"; scores in {out}")
    assert lines[-1].startswith("run 0")
    assert len(pd.read_csv(out)) == 240


def test_score_as_json(run: Any, tables: Path, tmp_path: Path) -> None:
    facts = run("score", tables / "patients.csv", "--with", "full", "-o", tmp_path / "o.csv", "--json").json
    assert facts["verb"] == "score"
    assert facts["model"] == "full@1"
    assert facts["summary"]["rows"] == 240
    assert len(facts["top"]) == 10
    assert list(facts["top"][0]) == ["row", "name", "score", "p_value", "alert", "reasons"]
    assert run("runs", facts["id"], "--json").json["summary"] == facts["summary"]


def test_explain(run: Any, tables: Path) -> None:
    explain = ("explain", tables / "patients.csv", "--with", "full", "--row", 17)
    lines = run(*explain).out.splitlines()
    assert lines[0].startswith("row 17: score ")
    assert lines[2].split()[:4] == ["column", "contribution", "observed", "expected"]
    assert lines[4].split()[0] == "weight"
    assert " to " in lines[4]
    assert run(*explain, "--json").json["cells"][0]["observed"] == "190.25"


def test_intervals_of_moments_are_moments(capsys: pytest.CaptureFixture[str]) -> None:
    cell = {"column": "when", "contribution": 1.5, "observed": None, "expected": "2024-01-01", "kind": "datetime"}
    ends: list[tuple[float, float]] = [(1.7e9, 1.7e9 + 60), (-1e300, 1e300)]
    for low, high in ends:
        _show_cells({"row": 0, "score": 1.5, "p_value": 0.5, "cells": [{**cell, "low": low, "high": high}]})
    shown = capsys.readouterr().out
    assert "2023-11-14 22:13:20 to 2023-11-14 22:14:20" in shown
    assert "before any date to after any date" in shown
    assert "missing" in shown


def test_impute(run: Any, tables: Path, tmp_path: Path) -> None:
    out = tmp_path / "filled.csv"
    lines = run("impute", tables / "patients.csv", "--with", "fill", "-o", out).out.splitlines()
    assert lines[0] == f"240 rows, 5 missing values imputed; table in {out}"
    assert [line.split() for line in lines[3:5]] == [["weight", "3"], ["colour", "2"]]
    assert not pd.read_csv(out).isna().any().any()
    facts = run("impute", tables / "patients.parquet", "--with", "fill", "-o", tmp_path / "f.parquet", "--json").json
    assert facts["summary"]["filled"] == {"weight": 3, "colour": 2}


@pytest.mark.parametrize(("verb", "name"), [("score", "scores.parquet"), ("impute", "filled.csv")])
def test_without_an_output_the_results_are_in_the_run(run: Any, tables: Path, verb: str, name: str) -> None:
    outcome = run(verb, tables / "patients.csv", "--with", "full")
    folder = Path(run("runs", "--json").json["runs"][-1]["path"])
    assert f"in {folder}" in outcome.out
    assert (folder / name).is_file()
    facts = run(verb, tables / "patients.csv", "--with", "full", "--json").json
    assert facts["summary"]["output"] is None
    assert len(pd.read_csv(folder / name) if verb == "impute" else pq.read_table(folder / name)) == 240


def test_too_many_alerts_end_with_3_and_the_outputs(
    anomalo: Any, tables: Path, workspace: Path, tmp_path: Path
) -> None:
    score = ("score", tables / "patients.csv", "--with", "full", "-o", tmp_path / "out.parquet", "--json")
    score = (*score, "--threshold", "budget=5", "--workspace", workspace, "--fail-over")
    assert anomalo(*score, 5).code == 0
    (tmp_path / "out.parquet").unlink()
    outcome = anomalo(*score, 4)
    assert outcome.code == 3
    assert outcome.err == f"error: 5 alerts, more than --fail-over 4; the scores are in {tmp_path / 'out.parquet'}\n"
    assert outcome.json["summary"]["alerts"] == 5
    assert pq.read_table(tmp_path / "out.parquet")["alert"].to_pylist().count(True) == 5


def test_too_many_alerts_in_a_run_without_an_output(anomalo: Any, workspace: Path, tables: Path) -> None:
    score = ("score", tables / "patients.csv", "--with", "full", "--threshold", "budget=5", "--workspace", workspace)
    outcome = anomalo(*score, "--fail-over", 4)
    assert outcome.code == 3
    assert outcome.err.endswith("scores.parquet\n")


@pytest.mark.parametrize("verb", ["score", "impute"])
def test_with_nothing_to_resume_a_warning_says_so(run: Any, tables: Path, verb: str) -> None:
    outcome = run(verb, tables / "patients.csv", "--with", "full", "--resume", "--force", "--json")
    assert outcome.err == f"warning: nothing to resume: `{verb}` started from the beginning\n"
    assert outcome.json["warnings"] == [f"nothing to resume: `{verb}` started from the beginning"]


def test_scan_of_the_bundled_table(run: Any) -> None:
    source = str(files("anomalo.datasets") / "hypothyroid.csv")
    lines = run("scan", source, "--model", "iforest", "--label", "Target").out.splitlines()
    assert lines[0] == "3,163 rows, 31 alerts at share=0.01"
    at = next(at for at, line in enumerate(lines) if line.startswith("compared with the label"))
    assert "of 31 alerts are 'hypothyroid', and 151 of all 3,163 rows" in lines[at]
    assert lines[at + 1].startswith("AUROC 0.")
    assert "table: 'TSH' is missing exactly where 'TSH_measured' is 'n'" in lines
    assert lines[-1] == "next: anomalo score OTHER.csv --with hypothyroid -o scores.csv"


def test_scan_as_json_and_its_warnings_as_json_lines(anomalo: Any, tmp_path: Path) -> None:
    (tmp_path / "tiny (1).csv").write_text("a,b\n1,x\n2,y\n3,x\n4,y\n50,x\n")
    scan = ("scan", tmp_path / "tiny (1).csv", "--model", "knn", "--workspace", tmp_path / "w", "--json", "--log-json")
    outcome = anomalo(*scan)
    assert outcome.code == 0
    assert outcome.json["model"] == "tiny--1@1"
    assert outcome.json["top"][0]["row"] == 4
    logged = [json.loads(line) for line in outcome.err.splitlines()]
    assert {line["level"] for line in logged} == {"progress", "warning"}
    warnings = [line["message"] for line in logged if line["level"] == "warning"]
    assert warnings == outcome.json["warnings"]
    assert "can never fire" in warnings[0]


def test_scan_takes_what_the_user_knows(run: Any, tables: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(SchemaOptions({"children": "category"}, drop=("sick",)).to_toml())
    scan = ("scan", tables / "patients.csv", "--model", "knn", "--id", "name", "--schema", tmp_path / "schema.toml")
    known = ("--kind", "smoker=category", "--missing", "colour=blue", "--inf", "missing", "--set", "neighbours=2")
    reference = run(*scan, *known, "--json").json["model"]
    record = run("models", reference, "--json").json
    assert record["summary"]["parameters"]["neighbours"] == 2
    schema = read_manifest(Path(record["path"]))["schema"]
    kinds = {column["name"]: column["kind"] for column in schema["columns"] if column["role"] == "feature"}
    assert kinds["children"] == kinds["smoker"] == "category"
    assert "sick" not in kinds
    assert (schema["missing"], schema["infinite"]) == (["colour=blue"], "missing")


def test_runs(run: Any, anomalo: Any, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("score", tables / "patients.csv", "--with", "near", "-o", tmp_path / "o.csv")
    last = run("runs", "--json").json["runs"][-1]
    assert last["model"] == "near@1"
    assert last["source"] == str(tables / "patients.csv")
    assert str(tables / "patients.csv") in run("runs").out
    monkeypatch.chdir(tables)
    (line,) = (line for line in run("runs").out.splitlines() if line.startswith(last["id"]))
    assert line.split()[-1] == "patients.csv"
    shown = run("runs", last["id"]).out
    assert f"output     {tmp_path / 'o.csv'}" in shown
    assert "No runs yet" in anomalo("runs", "--workspace", tmp_path / "none").out


def test_the_workspace_may_come_from_the_environment(
    anomalo: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))
    assert anomalo("models", "full", "--json").json["reference"] == "full@1"


def command(arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    start = f"{sys.executable} -m anomalo {arguments}"
    return subprocess.run(["bash", "-c", start], capture_output=True, text=True, **options)


@pytest.mark.slow
def test_exit_codes_of_real_processes(workspace: Path, tmp_path: Path) -> None:
    assert command("fit --foo").returncode == 2
    absent = command(f"fit {tmp_path}/absent.csv --as m")
    assert (absent.returncode, absent.stdout) == (1, "")
    assert absent.stderr == f"error: no such file: {tmp_path}/absent.csv\n"
    assert command(f"runs --workspace {workspace}").returncode == 0


@pytest.mark.slow
def test_a_closed_pipe_and_a_full_disk_at_stdout(workspace: Path) -> None:
    closed = command(f"runs --workspace {workspace} --json > >(exec true); sleep 0.1; exit 0")
    assert "Traceback" not in closed.stderr
    assert "Exception" not in closed.stderr
    full = command(f"runs --workspace {workspace} > /dev/full")
    assert full.returncode == 1
    assert full.stderr == "error: [Errno 28] No space left on device\n"


def test_a_text_is_kept_as_a_value_and_the_last_equals_sign_separates_a_kind(run: Any, tmp_path: Path) -> None:
    source = tmp_path / "regions.csv"
    rows = [f"{('NA', 'EU', 'AS', '')[row % 4]},{row % 2},{row % 7}" for row in range(80)]
    source.write_text("\n".join(["region,a=b,v", *rows]))
    fit = ("fit", source, "--model", "mode", "--json", "--as")
    assert "--keep 'region=NA'" in " ".join(run(*fit, "usual").json["warnings"])
    asked = run(*fit, "kept", "--keep", "region=NA", "--kind", "a=b=category").json
    assert not any("region" in warning for warning in asked["warnings"])
    record = run("models", "kept", "--json").json
    schema = read_manifest(Path(record["path"]))["schema"]
    assert schema["keep"] == ["region=NA"]
    assert [column["kind"] for column in schema["columns"][:2]] == ["category", "category"]
