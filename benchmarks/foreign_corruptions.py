"""Corruptions of titanic, mpg and taxis: each changes cells of one row so that they contradict others or the column.

A corruption takes a row, its cells as they are in the file by column, and returns those that it changes; None if it
would break nothing in that row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

Row = dict[str, str]
Changes = dict[str, str] | None
Corruption = Callable[[Row], Changes]


def alive_against_survived(row: Row) -> Changes:
    return {"alive": "no" if row["alive"] == "yes" else "yes"}


def class_against_pclass(row: Row) -> Changes:
    return {"class": _next(row["class"], ("First", "Second", "Third"))}


def alone_with_family(row: Row) -> Changes:
    return {"alone": "True"} if int(row["sibsp"]) + int(row["parch"]) > 0 else None


def embark_town_against_embarked(row: Row) -> Changes:
    towns = ("Southampton", "Cherbourg", "Queenstown")
    return {"embark_town": _next(row["embark_town"], towns)} if row["embarked"] else None


def child_at_40_or_more(row: Row) -> Changes:
    return {"who": "child"} if _number(row["age"]) >= 40 else None


def adult_male_against_who(row: Row) -> Changes:
    return {"adult_male": "False" if row["adult_male"] == "True" else "True"}


def negative_fare(row: Row) -> Changes:
    return {"fare": f"-{row['fare']}"} if _number(row["fare"]) > 0 else None


def age_of_an_adult_tenfold(row: Row) -> Changes:
    return {"age": _times(row["age"], 10)} if _number(row["age"]) >= 18 else None


def sex_misspelt(row: Row) -> Changes:
    return {"sex": _misspelt(row["sex"])}


def fare_of_512_in_third_class(row: Row) -> Changes:
    return {"fare": "512"} if row["pclass"] == "3" else None


def weight_tenfold(row: Row) -> Changes:
    return {"weight": _times(row["weight"], 10)}


def horsepower_tenfold(row: Row) -> Changes:
    return {"horsepower": _times(row["horsepower"], 10)} if row["horsepower"] else None


def negative_mpg(row: Row) -> Changes:
    return {"mpg": f"-{row['mpg']}"}


def cylinders_44(row: Row) -> Changes:
    return {"cylinders": "44"}


def displacement_of_a_tenth(row: Row) -> Changes:
    return {"displacement": _times(row["displacement"], 0.1)}


def mpg_60_with_eight_cylinders(row: Row) -> Changes:
    return {"mpg": "60.0"} if row["cylinders"] == "8" else None


def displacement_400_with_four_cylinders(row: Row) -> Changes:
    return {"displacement": "400.0"} if row["cylinders"] == "4" else None


def acceleration_0(row: Row) -> Changes:
    return {"acceleration": "0.0"}


def model_year_7(row: Row) -> Changes:
    return {"model_year": "7"}


def origin_misspelt(row: Row) -> Changes:
    return {"origin": _misspelt(row["origin"])}


def horsepower_60_above_a_weight_of_4500(row: Row) -> Changes:
    return {"horsepower": "60.0"} if _number(row["weight"]) > 4500 else None


def weight_1700_with_eight_cylinders(row: Row) -> Changes:
    return {"weight": "1700"} if row["cylinders"] == "8" else None


def pickup_and_dropoff_swapped(row: Row) -> Changes:
    return {"pickup": row["dropoff"], "dropoff": row["pickup"]} if row["pickup"] < row["dropoff"] else None


def dropoff_a_day_later(row: Row) -> Changes:
    return {"dropoff": str(datetime.fromisoformat(row["dropoff"]) + timedelta(days=1))}


def total_10_higher(row: Row) -> Changes:
    return {"total": f"{_number(row['total']) + 10:.2f}"}


def distance_tenfold(row: Row) -> Changes:
    return {"distance": _times(row["distance"], 10)} if _number(row["distance"]) > 0 else None


def distance_0_with_a_fare_above_30(row: Row) -> Changes:
    return {"distance": "0.0"} if _number(row["fare"]) > 30 and _number(row["distance"]) > 0 else None


def passengers_66(row: Row) -> Changes:
    return {"passengers": "66"}


def tip_with_payment_cash(row: Row) -> Changes:
    """Tip a fifth of the fare, which is usual with a card; no tip in cash is recorded."""
    return {"tip": f"{_number(row['fare']) / 5:.2f}"} if row["payment"] == "cash" and row["tip"] == "0.0" else None


def pickup_borough_against_its_zone(row: Row) -> Changes:
    return _other_borough(row, "pickup")


def dropoff_borough_against_its_zone(row: Row) -> Changes:
    return _other_borough(row, "dropoff")


def payment_misspelt(row: Row) -> Changes:
    return {"payment": _misspelt(row["payment"])} if row["payment"] else None


def color_misspelt(row: Row) -> Changes:
    return {"color": _misspelt(row["color"])}


def in_2091(row: Row) -> Changes:
    return {name: f"2091{row[name][4:]}" for name in ("pickup", "dropoff")}


def tolls_600(row: Row) -> Changes:
    return {"tolls": "600.0"}


def total_0(row: Row) -> Changes:
    return {"total": "0.0"} if _number(row["total"]) > 0 else None


def fare_of_2_50_for_20_miles(row: Row) -> Changes:
    return {"fare": "2.5", "distance": "20.0"}


def tip_hundredfold(row: Row) -> Changes:
    return {"tip": _times(row["tip"], 100)} if _number(row["tip"]) > 0 else None


CORRUPTIONS: dict[str, Sequence[Corruption]] = {
    "titanic": (
        alive_against_survived,
        class_against_pclass,
        alone_with_family,
        embark_town_against_embarked,
        child_at_40_or_more,
        adult_male_against_who,
        negative_fare,
        age_of_an_adult_tenfold,
        sex_misspelt,
        fare_of_512_in_third_class,
    ),
    "mpg": (
        weight_tenfold,
        horsepower_tenfold,
        negative_mpg,
        cylinders_44,
        displacement_of_a_tenth,
        mpg_60_with_eight_cylinders,
        displacement_400_with_four_cylinders,
        acceleration_0,
        model_year_7,
        origin_misspelt,
        horsepower_60_above_a_weight_of_4500,
        weight_1700_with_eight_cylinders,
    ),
    "taxis": (
        pickup_and_dropoff_swapped,
        dropoff_a_day_later,
        total_10_higher,
        negative_fare,
        distance_tenfold,
        distance_0_with_a_fare_above_30,
        passengers_66,
        tip_with_payment_cash,
        pickup_borough_against_its_zone,
        dropoff_borough_against_its_zone,
        payment_misspelt,
        color_misspelt,
        in_2091,
        tolls_600,
        total_0,
        fare_of_2_50_for_20_miles,
        tip_hundredfold,
    ),
}
"""The corruptions of each table, in the order in which they draw their rows."""


def _number(text: str) -> float:
    """Return a cell as a number; nan, which is neither above nor below another one, if it is missing."""
    return float(text or "nan")


def _times(text: str, factor: float) -> str:
    """Return a number times a factor, as the file writes numbers: whole ones stay whole."""
    return str(round(int(text) * factor) if "." not in text else round(float(text) * factor, 4))


def _next(value: str, values: Sequence[str]) -> str:
    return values[(values.index(value) + 1) % len(values)]


def _misspelt(text: str) -> str:
    """Swap the second letter and the third."""
    return f"{text[0]}{text[2]}{text[1]}{text[3:]}"


def _other_borough(row: Row, end: str) -> Changes:
    name = f"{end}_borough"
    if not row[name] or not row[f"{end}_zone"]:
        return None
    return {name: "Brooklyn" if row[name] == "Manhattan" else "Manhattan"}
