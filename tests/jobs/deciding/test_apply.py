"""Accepted and edited cells are written, all others stay to the character, and it is noted who decided what."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.errors import SourceError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.deciding.apply import apply
from anomalo.jobs.deciding.suggestions import suggestions_of
from anomalo.workspace.workspace import RunRecord, Workspace


@pytest.fixture
def home(untouched: Path, tmp_path: Path) -> Path:
    return shutil.copytree(untouched, tmp_path / "w")


@pytest.fixture
def table(tables: Path, tmp_path: Path) -> Path:
    """The patients, with spaces, quotes and zeros that a writer might lose."""
    lines = (tables / "patients.csv").read_text().splitlines()
    lines[9] = lines[9].replace("p008,", '"p008,  ""x"" ",')
    lines[12] = lines[12].replace("p011,", "p011,0")
    return write(tmp_path / "today.csv", "\n".join(lines) + "\n")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def run(home: Path, anomalo: Any) -> Any:
    """Run a verb on a table with the model `full`."""

    def call(verb: str, table: Path, *options: object) -> RunRecord:
        model = () if verb == "clean" else ("--with", "full", "--device", "cpu")
        outcome = anomalo(verb, table, *model, *options, "--workspace", home, "--json")
        assert outcome.code == 0, outcome.err
        return Workspace(home).run(outcome.json["id"])

    return call


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def line_of(run: RunRecord, row: int, column: str) -> int:
    found = suggestions_of(run).to_pandas()
    return int(found.index[(found["row"] == row) & (found["column"] == column)][0])


def test_only_decided_cells_change(home: Path, run: Any, table: Path) -> None:
    before, imputed = cells(table), run("impute", table)
    decisions = Workspace(home).decisions
    values = suggestions_of(imputed).to_pandas()
    decisions.decide(imputed.id, [line_of(imputed, 3, "weight"), line_of(imputed, 4, "colour")], "accepted", "ann")
    decisions.decide(imputed.id, [line_of(imputed, 50, "weight")], "edited", "bob", value="71.25")
    decisions.decide(imputed.id, [line_of(imputed, 51, "weight")], "rejected", "bob")
    result = apply(JobContext.at(home), imputed.id)
    assert result.table == result.run.path / "repaired.csv"
    expected = [list(line) for line in before]
    weight, colour = before[0].index("weight"), before[0].index("colour")
    expected[4][weight] = values["after"][line_of(imputed, 3, "weight")]
    expected[5][colour] = values["after"][line_of(imputed, 4, "colour")]
    expected[51][weight] = "71.25"
    assert cells(Path(str(result.table))) == expected
    facts = result.run.summary
    assert (facts["of"], facts["rows"], facts["accepted"], facts["edited"]) == (imputed.id, 240, 2, 1)
    assert facts["replaced"] == {"weight": 2, "colour": 1}


def test_the_audit_says_who_changed_what_and_when(home: Path, run: Any, table: Path, tmp_path: Path) -> None:
    repaired = run("repair", table, "--threshold", "budget=4")
    line = line_of(repaired, 17, "weight")
    action = Workspace(home).decisions.decide(repaired.id, [line], "edited", "ann", value="72.5")
    (decision,) = Workspace(home).decisions.of(repaired.id)
    output = tmp_path / "out.csv"
    result = apply(JobContext.at(home), repaired.id, output=output, audit="changes")
    assert pq.read_table(result.audit).to_pylist() == [
        {
            "row": 17, "name": "p017", "column": "weight", "before": "190.25", "after": "72.5", "decision": "edited",
            "who": "ann", "created": decision.created, "run": repaired.id, "model": "full@1",
        }
    ]  # fmt: skip
    written = cells(output)
    assert written[0][-1] == "changes"
    said = f"weight: 190.25 → 72.5 (edited by ann, {decision.created}, {repaired.id})"
    assert [line[-1] for line in written[1:]] == [said if row == 17 else "" for row in range(240)]
    assert [line[:-1] for row, line in enumerate(written) if row != 18] == [
        line for row, line in enumerate(cells(table)) if row != 18
    ]
    Workspace(home).decisions.undo(action, "ann")
    with pytest.raises(UsageError, match=f"no cell of run {repaired.id} is accepted or edited"):
        apply(JobContext.at(home), repaired.id)


def test_types_stay(home: Path, run: Any, tables: Path) -> None:
    table = tables / "patients.parquet"
    imputed = run("impute", table)
    decisions = Workspace(home).decisions
    decisions.decide(imputed.id, range(5), "accepted", "ann")
    whole = apply(JobContext.at(home), imputed.id)
    filled = pq.read_table(imputed.path / "filled.parquet")
    assert pq.read_table(str(whole.table)).equals(filled)
    assert filled.schema.field("weight").type == pa.float64()
    decisions.decide(imputed.id, [line_of(imputed, 3, "weight")], "edited", "ann", value="heavy")
    with pytest.raises(UsageError, match="'heavy' cannot be written into row 3 of column 'weight', which holds double"):
        apply(JobContext.at(home), imputed.id)


def test_a_cell_can_be_made_missing(home: Path, run: Any, table: Path) -> None:
    repaired = run("repair", table, "--threshold", "budget=4")
    Workspace(home).decisions.decide(repaired.id, [line_of(repaired, 17, "weight")], "edited", "ann", value=None)
    result = apply(JobContext.at(home), repaired.id)
    assert cells(Path(str(result.table)))[18][2] == ""
    assert pq.read_table(result.audit)["after"].to_pylist() == [None]


def test_a_changed_table_is_not_written(home: Path, run: Any, table: Path) -> None:
    repaired, imputed = run("repair", table, "--threshold", "budget=4"), run("impute", table)
    decisions = Workspace(home).decisions
    decisions.decide(repaired.id, [line_of(repaired, 17, "weight")], "accepted", "ann")
    decisions.decide(imputed.id, [line_of(imputed, 3, "weight")], "accepted", "ann")
    before, text = Workspace(home).runs(), table.read_text()
    for change, identity, message in (
        (text.replace("190.25", "19.025"), repaired.id, "row 17 of column 'weight' holds '19.025', and held '190.25'"),
        (text + text.splitlines()[-1] + "\n", repaired.id, "has 241 rows, and had 240"),
        (text.replace("p003,170.2", "p003,170.2"), imputed.id, ""),
        ("name" + text[text.index(","):].replace("weight", "mass"), repaired.id, "has no column 'weight' any more"),
    ):  # fmt: skip
        write(table, change)
        if message:
            with pytest.raises(SourceError, match=message):
                apply(JobContext.at(home), identity)
    lines = text.splitlines()
    lines[4] = ",".join("66.5" if at == 2 else cell for at, cell in enumerate(lines[4].split(",")))
    write(table, "\n".join(lines) + "\n")
    with pytest.raises(SourceError, match=r"holds '66\.5', and held a missing value when run"):
        apply(JobContext.at(home), imputed.id)
    lines[4] = ",".join("n/a" if at == 2 else cell for at, cell in enumerate(lines[4].split(",")))
    write(table, "\n".join(lines) + "\n")
    assert Workspace(home).runs() == before
    apply(JobContext.at(home), imputed.id)


def test_the_source_is_never_written_over(home: Path, run: Any, table: Path) -> None:
    imputed = run("impute", table)
    Workspace(home).decisions.decide(imputed.id, [0], "accepted", "ann")
    with pytest.raises(UsageError, match="is the table that is read"):
        apply(JobContext.at(home), imputed.id, output=table)
    with pytest.raises(UsageError, match="has a column 'sick' already"):
        apply(JobContext.at(home), imputed.id, audit="sick")


def test_corrections_of_clean(home: Path, run: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame({"zip": ["35233", "36302"] * 40, "city": ["Birmingham", "Dothan"] * 40})
    frame.loc[7, "city"] = "Dxthan"
    frame.loc[10, "city"] = "N/A"
    table = tmp_path / "shops.csv"
    frame.to_csv(table, index=False)
    cleaned = run("clean", table)
    found = suggestions_of(cleaned).to_pandas()
    assert found.loc[found["row"] == 7, ["column", "before", "after", "offered"]].values.tolist() == [
        ["city", "Dxthan", "Dothan", True]
    ]
    assert found["probability"].dropna().between(0, 1).all()
    Workspace(home).decisions.decide(cleaned.id, found.index.to_numpy(), "accepted", "ann")
    result = apply(JobContext.at(home), cleaned.id)
    after = cells(Path(str(result.table)))
    assert after[8] == ["36302", "Dothan"]
    changed = set(found.loc[found["offered"], "row"])
    assert [line for row, line in enumerate(after[1:]) if row not in changed] == [
        line for row, line in enumerate(cells(table)[1:]) if row not in changed
    ]


def test_the_command_line_writes_too(home: Path, run: Any, table: Path, anomalo: Any, tmp_path: Path) -> None:
    imputed, output = run("impute", table), tmp_path / "out.csv"
    assert "no cell of run" in anomalo("apply", imputed.id, "--workspace", home).err
    Workspace(home).decisions.decide(imputed.id, [0, 1], "accepted", "ann")
    outcome = anomalo("apply", imputed.id, "-o", output, "--audit", "audit", "--workspace", home)
    assert outcome.code == 0, outcome.err
    assert f"2 cells changed (2 accepted, 0 edited); table in {output}" in outcome.out
    assert sum(bool(line[-1]) for line in cells(output)[1:]) == len(set(suggestions_of(imputed)["row"][:2].to_pylist()))
    scored = run("score", table)
    assert "a run of score suggests no cells" in anomalo("apply", scored.id, "--workspace", home).err
