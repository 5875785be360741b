"""The benchmark of foreign tables: corruptions break rows, once each; ranks are those of a scan; a run is resumed."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.loading import load

foreign, corruptions = load("foreign"), load("foreign_corruptions")

PASSENGER = {
    **{"survived": "0", "pclass": "3", "sex": "male", "age": "41.0", "sibsp": "1", "parch": "0", "fare": "7.25"},
    **{"embarked": "S", "class": "Third", "who": "man", "adult_male": "True", "deck": "", "embark_town": "Southampton"},
    **{"alive": "no", "alone": "False"},
}
CAR = {
    **{"mpg": "18.0", "cylinders": "8", "displacement": "307.0", "horsepower": "130.0", "weight": "4600"},
    **{"acceleration": "12.0", "model_year": "70", "origin": "usa", "name": "some car"},
}
TRIP = {
    **{"pickup": "2019-03-23 20:21:09", "dropoff": "2019-03-31 23:27:24", "passengers": "1", "distance": "1.6"},
    **{"fare": "37.0", "tip": "2.15", "tolls": "0.0", "total": "42.45", "color": "yellow", "payment": "credit card"},
    **{"pickup_zone": "Here", "dropoff_zone": "There", "pickup_borough": "Manhattan", "dropoff_borough": "Bronx"},
}
EXAMPLES = {"titanic": PASSENGER, "mpg": CAR, "taxis": TRIP}
CHANGES = {
    "titanic": [
        {"alive": "yes"},
        {"class": "First"},
        {"alone": "True"},
        {"embark_town": "Cherbourg"},
        {"who": "child"},
        {"adult_male": "False"},
        {"fare": "-7.25"},
        {"age": "410.0"},
        {"sex": "mlae"},
        {"fare": "512"},
    ],
    "mpg": [
        {"weight": "46000"},
        {"horsepower": "1300.0"},
        {"mpg": "-18.0"},
        {"cylinders": "44"},
        {"displacement": "30.7"},
        {"mpg": "60.0"},
        None,
        {"acceleration": "0.0"},
        {"model_year": "7"},
        {"origin": "uas"},
        {"horsepower": "60.0"},
        {"weight": "1700"},
    ],
    "taxis": [
        {"pickup": TRIP["dropoff"], "dropoff": TRIP["pickup"]},
        {"dropoff": "2019-04-01 23:27:24"},
        {"total": "52.45"},
        {"fare": "-37.0"},
        {"distance": "16.0"},
        {"distance": "0.0"},
        {"passengers": "66"},
        None,
        {"pickup_borough": "Brooklyn"},
        {"dropoff_borough": "Manhattan"},
        {"payment": "cerdit card"},
        {"color": "ylelow"},
        {"pickup": "2091-03-23 20:21:09", "dropoff": "2091-03-31 23:27:24"},
        {"tolls": "600.0"},
        {"total": "0.0"},
        {"fare": "2.5", "distance": "20.0"},
        {"tip": "215.0"},
    ],
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_each_corruption_changes(name: str) -> None:
    assert [corruption(EXAMPLES[name]) for corruption in corruptions.CORRUPTIONS[name]] == CHANGES[name]


@pytest.mark.parametrize(
    ("name", "corruption", "row"),
    [
        ("titanic", "alone_with_family", {"sibsp": "0"}),
        ("titanic", "embark_town_against_embarked", {"embarked": "", "embark_town": ""}),
        ("titanic", "child_at_40_or_more", {"age": "39.0"}),
        ("titanic", "child_at_40_or_more", {"age": ""}),
        ("titanic", "negative_fare", {"fare": "0.0"}),
        ("titanic", "age_of_an_adult_tenfold", {"age": "17.0"}),
        ("titanic", "fare_of_512_in_third_class", {"pclass": "2"}),
        ("mpg", "horsepower_tenfold", {"horsepower": ""}),
        ("mpg", "mpg_60_with_eight_cylinders", {"cylinders": "4"}),
        ("mpg", "horsepower_60_above_a_weight_of_4500", {"weight": "4500"}),
        ("mpg", "weight_1700_with_eight_cylinders", {"cylinders": "6"}),
        ("taxis", "pickup_and_dropoff_swapped", {"dropoff": TRIP["pickup"]}),
        ("taxis", "distance_tenfold", {"distance": "0.0"}),
        ("taxis", "distance_0_with_a_fare_above_30", {"fare": "30.0"}),
        ("taxis", "pickup_borough_against_its_zone", {"pickup_zone": "", "pickup_borough": ""}),
        ("taxis", "payment_misspelt", {"payment": ""}),
        ("taxis", "tip_hundredfold", {"tip": "0.0"}),
        ("taxis", "total_0", {"total": "0.0"}),
    ],
)
def test_a_row_in_which_nothing_would_break_is_left(name: str, corruption: str, row: dict[str, str]) -> None:
    assert getattr(corruptions, corruption)({**EXAMPLES[name], **row}) is None


def test_what_needs_other_rows() -> None:
    assert corruptions.displacement_400_with_four_cylinders({**CAR, "cylinders": "4"}) == {"displacement": "400.0"}
    assert corruptions.tip_with_payment_cash({**TRIP, "payment": "cash", "tip": "0.0"}) == {"tip": "7.40"}


def cars(rows: int = 60) -> list[dict[str, str]]:
    """Rows in which weight and displacement grow with the cylinders."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(rows):
        cylinders = int(rng.choice([4, 6, 8]))
        found.append(
            {
                "mpg": f"{36 - 3 * cylinders + rng.normal():.1f}",
                "cylinders": str(cylinders),
                "displacement": f"{cylinders * 35 + rng.normal(0, 8):.1f}",
                "horsepower": "" if number == 7 else f"{cylinders * 18 + rng.normal(0, 5):.1f}",
                "weight": str(int(cylinders * 560 + rng.normal(0, 150))),
                "acceleration": f"{20 - cylinders + rng.normal():.1f}",
                "model_year": str(rng.integers(70, 83)),
                "origin": str(rng.choice(["usa", "europe", "japan"])),
                "name": f"car {number}",
            }
        )
    return found


def test_the_seed_picks_the_rows_and_no_row_is_corrupted_twice() -> None:
    rows, chosen = cars(), corruptions.CORRUPTIONS["mpg"]
    first, again, other = (foreign.corrupt(rows, chosen, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(set(first.at)) == len(chosen)
    changed = [number for number, (old, new) in enumerate(zip(rows, first.rows, strict=True)) if old != new]
    assert sorted(first.at) == changed
    for number, cells in zip(first.at, first.cells, strict=True):
        assert cells == {name for name in rows[number] if rows[number][name] != first.rows[number][name]}


def test_a_table_without_a_row_to_corrupt() -> None:
    light = [{**row, "weight": "2000"} for row in cars()]
    with pytest.raises(ValueError, match="no row for horsepower 60 above a weight of 4500"):
        foreign.corrupt(light, corruptions.CORRUPTIONS["mpg"], 0)
    line = foreign.Line("mpg", 0, "knn", "weight tenfold")
    (failed,) = foreign.measure([line], light, "knn", {})
    assert failed.status == "ValueError: no row for horsepower 60 above a weight of 4500"
    assert not failed.found


def test_cells_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "taxis.csv"
    foreign.write(path, [{**TRIP, "tip": "2.150", "payment": "a, b"}] * 1600)
    found = foreign.read(path)
    assert len(found) == 1500
    assert found[0] == {**TRIP, "tip": "2.150", "payment": "a, b"}


@pytest.mark.slow
def test_ranks_are_those_of_the_command(tmp_path: Path) -> None:
    rows = foreign.corrupt(cars(), corruptions.CORRUPTIONS["mpg"], 0).rows
    ranks, reasons = foreign.scan(rows, "mpg", "ecod", {})
    foreign.write(tmp_path / "mpg.csv", rows)
    command = [sys.executable, "-m", "anomalo", "scan", "mpg.csv", "--model", "ecod"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (path,) = tmp_path.glob("anomalo-workspace/runs/*/scores.parquet")
    scores = pd.read_parquet(path)
    expected = scores.sort_values(["p_value", "score", "row"], ascending=[True, False, True])["row"]
    assert np.argsort(ranks).tolist() == expected.tolist()
    assert [found[0]["column"] if len(found) else "" for found in scores["reasons"]] == reasons


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["foreign.py", *map(str, arguments)])
    foreign.main()


@pytest.mark.slow
def test_a_run_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data, out, summary = tmp_path / "data", tmp_path / "out.csv", tmp_path / "s.md"
    data.mkdir()
    foreign.write(data / "mpg.csv", cars())
    arguments = ("--data", data, "--out", out, "--models", "ecod,hbos[bins=10]", "--sets", "mpg", "--seeds", "0,1")
    run(monkeypatch, *arguments, "--summary", summary)
    whole = pd.read_csv(out)
    assert len(whole) == 2 * 2 * 12
    assert (whole["status"] == "ok").all()
    assert (whole["found"] == (whole["rank"] <= 24)).all()
    assert whole.query("corruption == 'cylinders 44'")["found"].all()
    text = summary.read_text()
    assert capsys.readouterr().out.endswith(text + "\n")
    assert "## mpg, seed 1, hbos[bins=10]" in text
    counted = whole[whole["model"] == "ecod"].groupby("seed")["found"].sum()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert ["mpg", "ecod", "12", str(counted[0]), str(counted[1]), f"{counted.mean():.2f}"] in table
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:30]) + lines[30][:9])  # a kill in the middle of a line
    measured = []
    measure = foreign.measure
    monkeypatch.setattr(foreign, "measure", lambda some, *rest: (measured.append(some), measure(some, *rest))[1])
    run(monkeypatch, *arguments)
    assert len(measured) == 2  # 24 of the first 29 lines are two whole tables
    again = pd.read_csv(out)
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), whole.drop(columns="seconds"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sets", "cars"), "--sets cars: expected some of titanic, mpg, taxis"),
        ((), "titanic.csv is not there"),
        (("--sets", "mpg", "--models", "kn"), "no model is named 'kn'"),
    ],
)
def test_a_wrong_option_ends_the_program(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with (tmp_path / "mpg.csv").open("w", newline="") as file:
        csv.writer(file).writerow(CAR)
    with pytest.raises(SystemExit):
        run(monkeypatch, "--data", tmp_path, "--out", tmp_path / "out.csv", *arguments)
    assert message in capsys.readouterr().err
