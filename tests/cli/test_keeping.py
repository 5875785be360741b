"""What a user sees of tag, rm, export, import and the versions of a model."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomalo.version import __version__
from anomalo.workspace.workspace import Workspace

Verb = Callable[..., Any]


@pytest.fixture
def home(untouched: Path, tables: Path, tmp_path: Path, anomalo: Verb, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with three versions of `visits`, two of which have a run each."""
    monkeypatch.setenv("ANOMALO_USER", "ann")
    home = tmp_path / "home"
    for neighbours in (3, 4, 5):
        columns = ("--id", "name", "--label", "sick", "--set", f"neighbours={neighbours}")
        outcome = anomalo(
            "fit", tables / "patients.csv", "--as", "visits", "--model", "knn", *columns, "--workspace", home
        )
        assert outcome.code == 0, outcome.err
    for version in (1, 3):
        outcome = anomalo("score", tables / "patients.csv", "--with", f"visits@{version}", "--workspace", home)
        assert outcome.code == 0, outcome.err
    return home


@pytest.fixture
def call(home: Path, anomalo: Verb) -> Verb:
    return lambda *arguments: anomalo(*arguments, "--workspace", home)


def refused(outcome: Any, code: int = 2) -> str:
    assert (outcome.code, outcome.out) == (code, "")
    (line,) = outcome.err.splitlines()
    return str(line)


def test_promote_and_roll_back(call: Verb) -> None:
    assert call("tag", "visits@1", "champion").out == "visits@1 is champion; no version was before\n"
    promoted = call("tag", "visits@3", "champion")
    assert promoted.out.splitlines() == [
        "visits@3 is champion; before it was visits@1",
        "to roll back: anomalo tag visits@1 champion",
    ]
    assert call("tag", "visits@1", "champion", "--json").json["before"] == 3
    assert call("tag", "visits@1", "champion").out == "visits@1 is champion already\n"
    taken = call("tag", "visits@1", "champion", "--remove").out
    assert taken == "visits@1 is no longer champion; to give the tag back: anomalo tag visits@1 champion\n"
    shown = call("tag", "visits", "--history").out.splitlines()
    assert [line.split()[2:] for line in shown[2:]] == [
        ["champion", "visits@1", "ann"],
        ["champion", "visits@3", "visits@1", "ann"],
        ["champion", "visits@1", "visits@3", "ann"],
        ["champion", "visits@1", "ann"],
    ]
    moves = call("tag", "visits", "--history", "--json").json["moves"]
    assert [(move["before"], move["after"]) for move in moves] == [(None, 1), (1, 3), (3, 1), (1, None)]


def test_wrong_usage_of_tag_is_one_line(call: Verb) -> None:
    wrong = {
        ("tag", "visits"): "expected a tag, such as `anomalo tag visits champion`, or --history",
        ("tag", "visits", "champion", "--history"): "--history shows the moves of all tags",
        ("tag", "visits", "7"): "a number would be taken for a version",
        ("tag", "visits", "../x"): "expected 1 to 100 letters",
        ("tag", "visits@9", "champion"): "no version or tag of 'visits' is named '9'",
        ("tag", "visits@1", "champion", "--remove"): "visits@1 has no tag 'champion'",
        ("tag", "visit", "champion"): "did you mean 'visits'?",
    }
    for arguments, message in wrong.items():
        assert message in refused(call(*arguments))
    assert call("tag", "visits", "--history").out == "no tag of visits was ever moved\n"


def test_a_saved_threshold_is_used_and_said_and_taken_back(call: Verb, tables: Path) -> None:
    assert call("threshold", "visits@3").out == "visits@3: no threshold is saved\n"
    assert call("threshold", "visits@3", "budget=7").out.splitlines() == [
        "visits@3 is scored with budget=7 where no other threshold is given",
        "to take it back: anomalo threshold visits@3 --remove",
    ]
    assert call("threshold", "visits", "budget=7").out == "budget=7 is saved with visits@3 already\n"
    scored = call("score", tables / "patients.csv", "--with", "visits")
    assert scored.out.startswith("240 rows, 7 alerts at budget=7, the threshold saved with visits@3\n")
    given = call("score", tables / "patients.csv", "--with", "visits", "--threshold", "budget=2")
    assert given.out.startswith("240 rows, 2 alerts at budget=2\n")
    (line,) = (line for line in call("models", "visits").out.splitlines() if line.split()[:1] == ["3"])
    assert line.split()[1] == "budget=7"
    back = "to take it back: anomalo threshold visits@3 budget=7"
    assert call("threshold", "visits@3", "--remove").out.splitlines()[1] == back
    wrong = {
        ("threshold", "visits@3", "--remove"): "no threshold is saved with visits@3",
        ("threshold", "visits@3", "share=2"): "threshold 'share=2': expected share=S",
        ("threshold", "visits@3", "budget=7", "--remove"): "give no RULE with it",
        ("threshold", "visit@3", "budget=7"): "did you mean 'visits'?",
    }
    for arguments, message in wrong.items():
        assert message in refused(call(*arguments))
    assert call("threshold", "visits", "--json").json == {"reference": "visits@3", "threshold": None}


def test_a_retired_version_is_used_only_if_it_is_named(call: Verb, tables: Path) -> None:
    assert call("retire", "visits@3").out.splitlines()[1] == "to take it back: anomalo retire visits@3 --undo"
    newest = call("score", tables / "patients.csv", "--with", "visits", "--json").json
    named = call("score", tables / "patients.csv", "--with", "visits@3", "--json").json
    assert (newest["model"], named["model"]) == ("visits@2", "visits@3")
    heads = call("models", "visits").out.splitlines()
    assert heads[0].split()[:4] == ["version", "tags", "retired", "created"]
    assert heads[-1] == "one version in full: anomalo models visits@2"
    for version in (1, 2):
        assert call("retire", f"visits@{version}", "--json").json["retired"].startswith("20")
    assert "all versions of 'visits' are retired" in refused(call("score", tables / "patients.csv", "--with", "visits"))
    assert call("models", "visits", "--json").json["reference"] == "visits@3"
    assert call("retire", "visits@3", "--undo").out == "visits@3 is in use again\n"
    assert "expected one version, such as visits@3" in refused(call("retire", "visits"))


def test_versions_side_by_side_and_one_in_full(call: Verb, tables: Path) -> None:
    call("tag", "visits@2", "champion")
    shown = call("models", "visits").out.splitlines()
    assert shown[0].split() == ["version", "tags", "created", "who", "model", "rows", "auroc", "ap", "source"]
    assert [line.split()[0] for line in shown[2:5]] == ["1", "2", "3"]
    assert shown[3].split()[1] == "champion"
    assert all("ann" in line and "240" in line and line.endswith("patients.csv") for line in shown[2:5])
    assert "moves of tags:" in shown
    assert shown[-1] == "one version in full: anomalo models visits@3"
    record = call("models", "visits", "--json").json
    assert (record["reference"], record["summary"]["parameters"]["neighbours"]) == ("visits@3", 5)
    assert [(one["version"], one["tags"], one["who"]) for one in record["versions"]] == [
        (1, [], "ann"), (2, ["champion"], "ann"), (3, [], "ann"),
    ]  # fmt: skip
    assert [move["after"] for move in record["moves"]] == [2]
    one = call("models", "visits@2", "--json").json
    assert "versions" not in one
    assert {**record, "versions": 0, "moves": 0}.keys() == {*one, "versions", "moves"}
    assert "neighbours 4" in call("models", "visits@2").out


def test_the_lineage_of_a_fit(call: Verb, tables: Path, tmp_path: Path, patients: pd.DataFrame) -> None:
    lineage = call("models", "visits@1", "--json").json["summary"]["lineage"]
    content = tables / "patients.csv"
    digest = subprocess.run(["sha256sum", content], capture_output=True, text=True, check=True).stdout.split()[0]
    data = lineage["data"]
    assert (data["sha256"], data["bytes"], data["files"]) == (digest, content.stat().st_size, 1)
    assert (lineage["who"], lineage["anomalo"]) == ("ann", __version__)
    assert lineage["plugins"]["knn"].startswith("plugin 'baselines' (anomalo-engine ")
    assert (lineage["options"]["id"], lineage["options"]["label"]) == ("name", "sick")
    assert 0.9 < lineage["metrics"]["auroc"] <= 1
    assert "who ann" in call("models", "visits@1").out

    more = ("--model", "knn", "--id", "name", "--label", "sick")
    assert call("fit", tables / "patients.parquet", "--as", "typed", *more).code == 0
    typed = call("models", "typed", "--json").json["summary"]["lineage"]
    assert typed["data"]["sha256"] != digest
    assert typed["data"]["fingerprint"] == data["fingerprint"]
    shuffled = tmp_path / "shuffled.csv"
    patients.sample(frac=1, random_state=0).to_csv(shuffled, index=False)
    assert call("fit", shuffled, "--as", "shuffled", *more).code == 0
    lineages = call("models", "shuffled", "--json").json["summary"]["lineage"]
    assert lineages["data"]["fingerprint"] == data["fingerprint"]
    assert call("fit", content, "--as", "base", "--model", "linear", "--set", "epochs=2", *more[2:]).code == 0
    assert call("fit", content, "--as", "child", "--from", "base", "--set", "epochs=2").code == 0
    child = call("models", "child", "--json").json["summary"]["lineage"]
    assert child["parent"]["reference"] == "base@1"
    assert {"skill", "validation_loss"} <= child["metrics"].keys()


@pytest.mark.slow
def test_a_scan_keeps_the_lineage_when_the_model_is_fitted_further(tables: Path, home: Path, anomalo: Verb) -> None:
    options = ("--id", "name", "--label", "sick", "--effort", "fast", "--device", "cpu", "--workspace", home)
    assert anomalo("scan", tables / "patients.csv", *options).code == 0
    lineage = Workspace(home).model("patients").summary["lineage"]
    assert lineage["who"] == "ann"
    assert {"auroc", "skill"} <= lineage["metrics"].keys()


def test_rm_without_a_terminal_needs_yes(call: Verb) -> None:
    line = refused(call("rm", "model", "visits@2"))
    assert line.startswith("error: nothing was removed: 1 item, ")
    assert line.endswith("there is no terminal to ask, add --yes")
    done = call("rm", "model", "visits@1", "visits@2", "--yes")
    assert done.code == 0
    assert done.out.splitlines()[:2] == ["removed visits@1; 1 run of it stays readable", "removed visits@2"]
    assert done.out.splitlines()[-1].startswith("2 items, ")
    assert call("models", "visits", "--json").json["version"] == 3
    assert "visits@1 (removed)" in call("runs", "0001-score").out
    assert call("runs", "0001-score", "--json").json["model"] == "visits@1"


@pytest.mark.parametrize(("answer", "left"), [("y", 2), ("n", 3), ("", 3)])
def test_rm_asks_on_a_terminal(home: Path, answer: str, left: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "anomalo", "rm", "model", "visits@2", "--workspace", str(home)]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, text=True)
    os.write(ours, f"{answer}\n".encode())
    out = process.communicate()[0]
    os.close(ours), os.close(theirs)
    assert process.returncode == 0
    assert "visits@2" in out
    assert "Remove 1 item, " in out
    assert len(Workspace(home).models("visits")) == left
    assert ("nothing was removed" in out) == (left == 3)


def test_rm_of_runs_by_age(call: Verb) -> None:
    assert call("rm", "runs", "--older-than", "30d", "--yes").out == "nothing to remove\n"
    assert call("rm", "runs", "--older-than", "30d").out == "nothing to remove\n"
    removed = call("rm", "runs", "--older-than", "0h", "--keep", "1", "--yes", "--json").json
    assert [item["name"] for item in removed["removed"]] == ["0001-score"]
    assert removed["bytes"] == removed["removed"][0]["bytes"] > 0
    assert [run["id"] for run in call("runs", "--json").json["runs"]] == ["0002-score"]
    assert call("rm", "run", "0002-score", "--yes").code == 0


def test_wrong_usage_of_rm_is_one_line(call: Verb) -> None:
    wrong = {
        ("rm", "everything"): "expected model, run, job or runs",
        ("rm", "model"): "expected at least one ID, such as `anomalo rm model fraud@3`",
        ("rm", "runs"): "expected --older-than AGE, such as 30d, or --keep N",
        ("rm", "runs", "0001-score"): "for one run, `anomalo rm run ID`",
        ("rm", "runs", "--older-than", "month"): "--older-than 'month' is no age; expected one such as 12h, 30d or 8w",
        ("rm", "runs", "--older-than", "-3d"): "is no age",
        ("rm", "run", "0001-score", "--keep", "3"): "--older-than and --keep are for `anomalo rm runs`",
        ("rm", "run", "../models/visits"): "no run is named",
        ("rm", "model", "../visits"): "no saved model is named",
        ("rm", "job", "../models"): "no job is named",
    }
    for arguments, message in wrong.items():
        assert message in refused(call(*arguments, "--yes"))
    assert len(call("models", "visits", "--json").json["versions"]) == 3


def test_export_and_import(call: Verb, anomalo: Verb, tmp_path: Path) -> None:
    call("tag", "visits@2", "champion")
    file, other = tmp_path / "visits.zip", tmp_path / "other"
    out = call("export", "visits@champion", file).out.splitlines()
    assert out[0].startswith(f"visits@2 is in {file}, ")
    assert out[1] == f"to take it in elsewhere: anomalo import {file}"
    taken = anomalo("import", file, "--workspace", other)
    assert taken.out.startswith("saved visits@1, which is visits@2 of ")
    assert anomalo("models", "visits", "--workspace", other, "--json").json["summary"]["lineage"]["who"] == "ann"
    facts = call("export", "visits@2", file, "--json").json
    assert json.loads(json.dumps(facts))["bytes"] == file.stat().st_size
    file.write_bytes(file.read_bytes()[:-1])
    assert "truncated; nothing was imported" in refused(anomalo("import", file, "--workspace", tmp_path / "third"), 1)
    assert not (tmp_path / "third").exists()
    assert "no saved model is named 'visit'" in refused(call("export", "visit", file))
