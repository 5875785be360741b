"""`anomalo plan`: what a job is going to take, in a few lines or one object."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("frugal")


def test_a_fit_is_planned_in_a_few_aligned_lines(anomalo: Any, tables: Path, tmp_path: Path) -> None:
    outcome = anomalo("plan", tables / "patients.csv", "--id", "name", "--workspace", tmp_path / "w")
    assert outcome.code == 0, outcome.err
    first, blank, *lines = outcome.out.splitlines()
    assert first.endswith("patients.csv, auto; nothing is done yet")
    assert blank == ""
    names = [line.split()[0] for line in lines]
    assert names == ["rows", "bytes", "fit", "seconds", "efforts", "memory", "batches", "device"]
    assert {line[15:16] + line[16:17].strip()[:0] for line in lines} == {" "}
    found = dict(zip(names, (line[16:] for line in lines), strict=True))
    assert found["rows"] == "240 (all were read), 7 columns"
    assert "each fitted 3 times on 240 rows" in found["fit"]
    assert found["seconds"].startswith("about ")
    assert found["batches"] == "of 240 rows are read"
    assert not (tmp_path / "w").exists(), "nothing is written"


def test_json_is_one_object_with_numbers(anomalo: Any, tables: Path) -> None:
    outcome = anomalo("plan", tables / "patients.parquet", "--model", "undercomplete", "--device", "cpu", "--json")
    found = outcome.json
    assert (found["rows"], found["columns"], found["training_rows"]) == (240, 7, 512)
    assert all(found[name] > 0 for name in ("seconds", "memory_bytes", "bytes", "table_bytes"))
    assert found["seconds_at_most"] is True
    assert found["seconds"] == sum(found["verbs"]["fit"]["steps"].values())
    assert (found["device"], found["device_why"]) == ("cpu", "as asked")


def test_a_saved_model_has_a_line_for_each_verb(anomalo: Any, workspace: Path, tables: Path) -> None:
    outcome = anomalo("plan", tables / "patients.csv", "--with", "full", "--workspace", workspace)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("score and impute ")
    for start in ("seconds score", "memory score", "seconds impute", "memory impute"):
        assert f"\n{start}" in outcome.out


def test_a_fit_on_disk_says_so(anomalo: Any, tables: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    header, *lines = (tables / "patients.csv").read_text().splitlines(keepends=True)
    path.write_text(header + "".join(lines) * 300)
    outcome = anomalo("plan", path, "--model", "iforest", "--max-memory", "600M")
    assert outcome.code == 0, outcome.err
    assert "\ndisk            all rows lie there; " in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "knn", "--with", "full"), "--model and --with: a plan is that of a fit, or of a saved model"),
        (("--model", "nothing"), "no model is named 'nothing'"),
        (("--with", "nothing"), "no saved model is named 'nothing'"),
        (("--with", "full", "--set", "epochs=3"), "--set is for fits, not for --with"),
        (("--with", "full", "--max-memory", "2G"), "--max-memory is for fits, not for --with"),
        (("--model", "knn", "--set", "folly=3"), "folly"),
        (("--for", "sleep"), "--for sleep: expected"),
        (("--max-memory", "2X"), "--max-memory '2X' is no amount of memory"),
        (("--drop", "absent"), "absent"),
    ],
)
def test_mistakes_are_named_in_one_line(
    anomalo: Any, workspace: Path, tables: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = anomalo("plan", tables / "patients.csv", *arguments, "--workspace", workspace)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err
