"""Databases, folders and URLs on the command line: every verb reads them, writes them, and keeps no password."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

SECRET = "s3cret"


@pytest.fixture
def database(patients: pd.DataFrame, tmp_path: Path) -> str:
    connection = sqlite3.connect(tmp_path / "clinic.db")
    patients.to_sql("patients", connection, index=False)
    connection.close()
    return f"sqlite:///{tmp_path / 'clinic.db'}"


@pytest.fixture
def with_password(patients: pd.DataFrame) -> Iterator[str]:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    folder = f"/ann:{SECRET}@clinic"
    fsspec.filesystem("memory").pipe(f"{folder}/patients.csv", patients.to_csv(index=False).encode())
    yield f"memory:/{folder}/patients.csv"
    fsspec.filesystem("memory").rm(folder, recursive=True)


def test_a_query_is_scored_into_a_table(anomalo, workspace, database, patients):
    query = f"{database}::select * from patients where smoker = 'yes' order by name"
    common = ("--with", "near", "--workspace", workspace, "--json")
    done = anomalo("score", query, "-o", f"{database}::scores", *common)
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["source"] == query
    assert facts["summary"]["output"] == f"{database}::scores"
    path = database.removeprefix("sqlite:///")
    rows = sqlite3.connect(path).execute('select "row", name, score from scores order by "row"').fetchall()
    stored = pd.read_parquet(Path(workspace) / "runs" / facts["id"] / "scores.parquet")
    assert [row[0] for row in rows] == stored["row"].tolist()
    assert [row[1] for row in rows] == sorted(patients.loc[patients["smoker"] == "yes", "name"])
    assert [row[2] for row in rows] == stored["score"].tolist()
    again = anomalo("score", query, "-o", f"{database}::scores", *common)
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("error: ")
    assert "exists already; add ?mode=append" in again.err


def test_a_table_is_imputed_in_its_database(anomalo, workspace, database):
    common = ("--with", "fill", "--workspace", workspace)
    done = anomalo("impute", f"{database}::patients", "-o", f"{database}::filled", *common)
    assert done.code == 0, done.err
    connection = sqlite3.connect(database.removeprefix("sqlite:///"))
    assert connection.execute("select count(*) from patients where weight is null").fetchone() == (3,)
    assert connection.execute("select count(*), count(weight), count(colour) from filled").fetchone() == (240, 240, 240)
    refused = anomalo("impute", f"{database}::patients", "--draws", 2, "-o", f"{database}::x", *common)
    assert refused.code == 2
    assert "is no file" in refused.err


def test_a_folder_is_imputed_into_a_folder(anomalo, workspace, patients, tmp_path):
    for colour, rows in patients.fillna({"colour": "none"}).groupby("colour"):
        (tmp_path / "in" / f"colour={colour}").mkdir(parents=True)
        rows.drop(columns="colour").to_csv(tmp_path / "in" / f"colour={colour}" / "rows.csv", index=False)
    target = f"{tmp_path}/out/?by=colour"
    done = anomalo("impute", tmp_path / "in", "--with", "fill", "--workspace", workspace, "-o", target)
    assert done.code == 0, done.err
    assert pq.read_table(tmp_path / "out").num_rows == 240
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in (tmp_path / "in").iterdir()}


def test_a_file_that_is_read_is_no_output(anomalo, workspace, tables):
    for source in (tables, f"{tables}/*.csv", tables / "patients.csv"):
        done = anomalo("impute", source, "--with", "fill", "--workspace", workspace, "-o", tables / "patients.csv")
        assert done.code == 2
        assert "is the table that is read" in done.err


def test_no_password_is_kept_or_shown(anomalo, tmp_path, with_password):
    home = tmp_path / "w"
    common = ("--workspace", home)
    outcomes = [
        anomalo("fit", with_password, "--as", "m", "--model", "mean", "--for", "impute", *common, "--json"),
        anomalo("impute", with_password, "--with", "m", *common, "--json"),
        anomalo("impute", with_password, "--with", "m", "--resume", *common),
        anomalo("schema", with_password, *common),
        anomalo("runs", "--json", *common),
        anomalo("runs", *common),
        anomalo("models", "m", "--json", *common),
        anomalo("models", *common),
    ]
    assert [outcome.code for outcome in outcomes] == [0] * len(outcomes), outcomes
    failing = [
        anomalo("impute", with_password.replace(".csv", ".txt"), "--with", "m", *common),
        anomalo("score", with_password, "--with", "m", *common),
        anomalo("fit", with_password, "--as", "n", "--drop", "nothing", "--debug", *common),
        anomalo("fit", f"postgresql://ann:{SECRET}@127.0.0.1:1/db::t", "--as", "n", "--debug", *common),
        anomalo("impute", with_password, "--with", "m", "-o", f"nothing://ann:{SECRET}@host/x", *common),
        anomalo("impute", with_password, "--with", "m", "-o", f"postgresql://ann:{SECRET}@127.0.0.1:1/db::t", *common),
    ]
    assert all(outcome.code for outcome in failing)
    for outcome in [*outcomes, *failing]:
        assert SECRET not in outcome.out + outcome.err
    assert "ann:***@clinic" in outcomes[4].out
    for path in home.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
