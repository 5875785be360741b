"""`anomalo schema`: how a table is understood, why, and a file in which to decide otherwise."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.jobs.context import JobContext
from anomalo.tabular.schema import SchemaOptions, infer


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    answered = rng.random(60) < 0.5
    frame = pd.DataFrame(
        {
            "key": [f"A-{row:03}" for row in range(60)],
            "weight": rng.normal(70, 8, 60).round(1).astype(str),
            "smokes": rng.choice(["yes", "no"], 60),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], 60),
            "asked": np.where(answered, "y", "n"),
            "answer": np.where(answered, rng.integers(1, 100, 60).astype(str), ""),
            "nothing": "",
            "same": "x",
            "seen": pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d"),
        }
    )
    frame.loc[3, "weight"] = "?"
    path = tmp_path_factory.mktemp("schema") / "visits.csv"
    frame.to_csv(path, index=False)
    return path


def test_json_is_one_object_with_a_list_of_columns(anomalo: Any, source: Path, tmp_path: Path) -> None:
    outcome = anomalo("schema", source, "--id", "key", "--json", "--workspace", tmp_path / "w")
    assert outcome.code == 0
    found = outcome.json
    assert found["rows"] == 60
    columns = {column["name"]: column for column in found["columns"]}
    assert list(columns) == pd.read_csv(source, nrows=1).columns.tolist()
    kinds = {name: column["kind"] for name, column in columns.items()}
    assert kinds == {
        **{"key": "identifier", "weight": "number", "smokes": "boolean", "city": "category", "asked": "boolean"},
        **{"answer": "integer", "nothing": "empty", "same": "constant", "seen": "datetime"},
    }
    assert columns["weight"]["missing"] == 1
    assert (
        columns["answer"]["missing"] == columns["asked"]["distinct"] * 0 + (pd.read_csv(source)["asked"] == "n").sum()
    )
    assert set(columns["city"]["examples"]) == {"Rome", "Oslo", "Bonn"}
    assert "'answer' is missing exactly where 'asked' is 'n'" in found["structure"]
    assert any("'nothing'" in text for text in found["warnings"])
    assert not (tmp_path / "w").exists(), "nothing is written"


def test_every_column_says_why(anomalo: Any, source: Path) -> None:
    assert all(column["why"] for column in anomalo("schema", source, "--json").json["columns"])


def test_its_file_leads_to_the_same_understanding(anomalo: Any, source: Path, tmp_path: Path) -> None:
    written = tmp_path / "schema.toml"
    outcome = anomalo("schema", source, "--id", "key", "-o", written)
    assert f"--schema {written}" in outcome.out
    assert "  # " in written.read_text(), "the reasons are comments"
    table = JobContext.at(tmp_path / "w").table(str(source))
    before = infer(table, SchemaOptions(id="key"))
    after = infer(table, SchemaOptions.from_toml(written))
    assert [(c.name, c.kind, c.role) for c in after.columns] == [(c.name, c.kind, c.role) for c in before.columns]


def test_rules_are_listed_with_support_and_exceptions(anomalo: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    fare, tip = rng.gamma(3, 4, 500).round(2), rng.gamma(2, 1, 500).round(2)
    total = (fare + tip).round(2)
    total[[5, 6]] += 10
    pd.DataFrame({"fare": fare, "tip": tip, "total": total}).to_csv(tmp_path / "bills.csv", index=False)
    expected = {"kind": "sum", "rule": "total = fare + tip", "columns": ["total", "fare", "tip"]}
    found = anomalo("schema", tmp_path / "bills.csv", "--json").json["rules"]
    assert found[0] == {**expected, "support": 500, "exceptions": 2}
    assert {rule["kind"] for rule in found[1:]} == {"sign"}
    lines = anomalo("schema", tmp_path / "bills.csv").out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.split() == ["rule", "rows", "exceptions"])
    assert lines[at + 2].split() == ["total", "=", "fare", "+", "tip", "500", "2"]
    assert not lines[at + 3]


def test_the_screen_shows_it_too(anomalo: Any, source: Path) -> None:
    out = anomalo("schema", source, "--kind", "city=text").out
    assert out.startswith(f"{source}: 60 rows, 9 columns")
    assert '"city" = "text"' in out
    assert '"weight" = "number"' in out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["absent.csv"], 1, "no such file: absent.csv"),
        (["SOURCE", "--kind", "wieght=number"], 2, "did you mean 'weight'"),
        (["SOURCE", "--kind", "city=number"], 4, "'city' holds"),
        (["SOURCE", "-o", "absent/schema.toml"], 1, "absent"),
    ],
)
def test_one_line_and_the_documented_code(anomalo: Any, source: Path, options: list[str], code: int, said: str) -> None:
    outcome = anomalo("schema", *(str(source) if option == "SOURCE" else option for option in options))
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert said in outcome.err
