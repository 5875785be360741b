"""Values that are over-represented among alerts, against Fisher's exact test of SciPy."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import fisher_exact

from anomalo.evaluation.alerts.segments import over_represented
from anomalo.evaluation.comparison.profile import Profile
from anomalo.jobs.comparing.profiles import profile_of_fit
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import infer

ROWS = 2000


@pytest.fixture
def table() -> pa.Table:
    """Devices in equal parts, two sites, and a number."""
    rng = np.random.default_rng(0)
    columns = {
        "device": [f"dev{at % 8:02}" for at in range(ROWS)],
        "site": rng.choice(["north", "south"], ROWS),
        "amount": rng.normal(size=ROWS),
    }
    return pa.table(columns)


def profile(table: pa.Table) -> Profile:
    parsed = ParsedTable(table)
    found = profile_of_fit(parsed, infer(parsed))
    assert found is not None
    return found


def test_a_device_that_is_too_frequent_is_named(table: pa.Table) -> None:
    devices = np.array(table["device"].to_pylist())
    alerts = np.concatenate([np.flatnonzero(devices == "dev07")[:20], np.flatnonzero(devices == "dev01")[:20]])
    alerts = np.concatenate([alerts, np.flatnonzero(devices == "dev02")[:2]])
    found = over_represented(table.take(pa.array(alerts)), profile(table))
    assert [(each.column, each.alerts) for each in found] == [("device", 20)]
    first = found[0]
    counts = {name: int((devices == name).sum()) for name in ("dev07", "dev01")}
    assert counts[first.value] == 250
    assert first.lift == pytest.approx((20 / 42) / (250 / ROWS))
    alone = fisher_exact([[20, 22], [250, ROWS - 250]], alternative="greater").pvalue
    assert first.p_value == pytest.approx(alone * 4)  # two devices and two sites have three alerts or more


def test_nothing_is_named_for_alerts_like_all_rows(table: pa.Table) -> None:
    assert over_represented(table.slice(0, 80), profile(table)) == []
    assert over_represented(table.slice(0, 0), profile(table)) == []


def test_a_value_that_the_other_rows_do_not_have_is_named(table: pa.Table) -> None:
    alerts = table.slice(0, 12).set_column(0, "device", pa.array(["dev99"] * 12))
    (found,) = over_represented(alerts, profile(table))
    assert (found.column, found.value, found.alerts) == ("device", "dev99", 12)
    assert math.isinf(found.lift)
