"""Repairs of columns that no model reads: their suggestions, the repaired table, and that a killed job resumes."""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.jobs.context import JobContext
from anomalo.jobs.imputing import repair as job
from anomalo.jobs.imputing.repair import RepairResult, repair

ROWS = 300
ODD: dict[tuple[str, int], Any] = {
    ("code", 40): "'AB-00040'",
    ("code", 92): "AB 00092",
    ("code", 151): "AB00151",
    ("mail", 151): "user151 at mail.com",
    ("mail", 201): "N/A",
    ("code", 251): "'AB-00251'",
    ("y", 251): 4.0,
}
AFTER = {
    ("code", 40): "AB-00040",
    ("code", 92): "AB-00092",
    ("mail", 201): None,
    ("code", 251): "AB-00251",
}
WRONG = {row for _, row in ODD}
RULE = "share=0.01"


def orders() -> pd.DataFrame:
    random = np.random.default_rng(3)
    x = random.uniform(-2, 2, ROWS)
    frame = pd.DataFrame(
        {
            "code": [f"AB-{at:05}" for at in random.permutation(ROWS)],
            "mail": [f"user{at}@mail.com" for at in random.permutation(ROWS)],
            "x": x.round(4),
            "y": (2 * x + random.normal(size=ROWS) / 10).round(4),
        }
    )
    for (name, row), text in ODD.items():
        frame.loc[row, name] = text
    return frame


@pytest.fixture(scope="module")
def home(anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a model of the table without the wrong rows, and the whole table with odd quotes and spaces."""
    folder = tmp_path_factory.mktemp("orders")
    orders().drop(index=sorted(WRONG)).to_csv(folder / "clean.csv", index=False)
    lines = orders().to_csv(index=False).splitlines()
    lines[41] = lines[41].replace("'AB-00040'", "\" 'AB-00040'\"")
    lines[51] = ",".join(f'"{cell}"' for cell in lines[51].split(","))
    lines[93] = lines[93].replace("AB 00092", " AB 00092")
    (folder / "orders.csv").write_text("\n".join(lines) + "\n")
    fit = anomalo("fit", folder / "clean.csv", "--as", "orders", "--model", "undercomplete", "--set", "epochs=5",
                  "--workspace", folder / "w", "--device", "cpu")  # fmt: skip
    assert fit.code == 0, fit.err
    return folder


def repaired(home: Path, source: str = "orders.csv", **options: Any) -> RepairResult:
    context = JobContext.at(home / "w")
    return repair(context, str(home / source), "orders", threshold=Threshold.parse(RULE), device="cpu", **options)


def lines_of(result: RepairResult) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = pq.read_table(result.run.path / "repairs.parquet").to_pylist()
    return lines


def cells(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text())))


def test_texts_are_lines_like_the_others(home: Path) -> None:
    result = repaired(home)
    lines = lines_of(result)
    texts = [line for line in lines if line["column"] in ("code", "mail")]
    assert {(line["column"], line["row"]): line["after"] for line in texts} == AFTER
    assert {(line["column"], line["row"]): line["before"] for line in texts} == {at: ODD[at] for at in AFTER}
    assert all(line["low"] is line["high"] is None and line["normal"] for line in texts)
    assert all(line["score_after"] < line["score_before"] for line in texts)
    assert [(line["row"], line["column"]) for line in lines if line["row"] in WRONG] == [
        (40, "code"), (92, "code"), (151, None), (201, "mail"), (251, "y"), (251, "code"),
    ]  # fmt: skip
    assert result.run.summary["replaced"] == Counter(line["column"] for line in lines if line["column"])
    assert result.run.summary["alerts"] == result.run.summary["repaired"] + 1
    top = {row["row"]: [cell["column"] for cell in row["cells"]] for row in result.top if row["row"] in WRONG}
    assert top == {40: ["code"], 92: ["code"], 151: [], 201: ["mail"], 251: ["y", "code"]}


def test_applied_only_those_cells_change(home: Path, tmp_path: Path, anomalo: Any) -> None:
    out = tmp_path / "out.csv"
    result = repaired(home, apply=True, output=out)
    lines = lines_of(result)
    old, new = (pd.DataFrame(cells(path)) for path in (home / "orders.csv", out))
    changed = {(old.iat[0, column], row - 1) for row, column in np.argwhere((old != new).to_numpy())}
    assert changed == {(line["column"], line["row"]) for line in lines if line["column"]}
    assert {at for at in changed if at[1] in WRONG} == {*AFTER, ("y", 251)}
    assert {at: new.iat[at[1] + 1, list(old.iloc[0]).index(at[0])] or None for at in AFTER} == AFTER
    scores = anomalo("score", out, "--with", "orders", "--workspace", home / "w", "--device", "cpu", "--json")
    found = pq.read_table(Path(scores.json["path"]) / "scores.parquet").to_pandas()
    for line in lines:
        if line["normal"]:
            assert found.loc[line["row"], "score"] == line["score_after"]
            assert found.loc[line["row"], "p_value"] == line["p_value_after"]


def test_typed_columns_keep_their_types(home: Path, tmp_path: Path) -> None:
    frame = orders()
    arrays = [
        pa.array(frame["code"]).dictionary_encode(),
        pa.array(frame["mail"], pa.large_string()),
        pa.array(frame["x"]),
        pa.array(frame["y"]),
    ]
    table = pa.table(arrays, names=list(frame))
    pq.write_table(table, home / "typed.parquet")
    out = tmp_path / "out.parquet"
    repaired(home, "typed.parquet", apply=True, output=out)
    written = pq.read_table(out)
    assert written.schema.equals(pq.read_schema(home / "typed.parquet"))
    assert {at: written[at[0]][at[1]].as_py() for at in AFTER} == AFTER


def test_texts_count_as_cells(home: Path) -> None:
    result = repaired(home, most=1)
    assert {(line["row"], line["column"]) for line in lines_of(result) if line["row"] == 251} == {(251, None)}


def test_what_was_found_of_texts_is_gone_on_with(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = lines_of(repaired(home))
    write = job.suggestions

    def stop(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "suggestions", stop)  # after the shard of repairs is kept
    with pytest.raises(KeyboardInterrupt):
        repaired(home)
    monkeypatch.setattr(job, "suggestions", write)
    monkeypatch.setattr(job, "repair_texts", stop)
    out = tmp_path / "out.csv"
    again = repaired(home, apply=True, output=out, resume=True)
    assert again.warnings == ()
    assert lines_of(again) == expected
    assert cells(out)[41][0] == "AB-00040"


def test_people_read_them(home: Path, anomalo: Any) -> None:
    outcome = anomalo("repair", home / "orders.csv", "--with", "orders", "--workspace", home / "w", "--threshold",
                      RULE, "--device", "cpu")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "1 has no repair of 5 cells or fewer" in outcome.out
    assert "code: AB-00040 instead of 'AB-00040'" in outcome.out
    assert "mail: missing instead of N/A" in outcome.out
    explained = anomalo("explain", home / "orders.csv", "--with", "orders", "--row", "40", "--workspace", home / "w")
    assert explained.code == 0, explained.err
    (line,) = (line for line in explained.out.splitlines() if line.startswith("code"))
    assert line.split()[2:] == ["'AB-00040'", "AB-00040"]
