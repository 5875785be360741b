"""The embedding map: its projections against scikit-learn's, what the page shows, and how it gets the codes."""

import doctest
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.errors import AnomaloError
from anomalo.evaluation.alerts.incidents import Incidents
from anomalo.jobs.background import queue
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data, projection
from anomalo_dashboard.mapping import chosen, cloud, codes, colours, lasso, layers

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture
def home(untouched: Path, tables: Path, anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A workspace in which `full` and `near` have scored the table; call verbs in it."""
    workspace = shutil.copytree(untouched, tmp_path / "workspace")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))

    def call(verb: str, model: str = "full", table: Path = tables / "patients.csv", *more: str) -> dict[str, Any]:
        options = ("--threshold", "budget=7") if verb == "score" else ()
        outcome = anomalo(verb, table, "--with", model, *options, *more, "--device", "cpu", "--json")
        assert outcome.code == 0, outcome.err
        found: dict[str, Any] = outcome.json
        return found

    call("score", "near")
    call("score")
    return call


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600).run()
    app.switch_page("views/embedding_map.py")
    app.query_params.update(query)
    app.run()
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    assert app.title[0].value == "Embedding map"
    return app


def chart(app: AppTest) -> Any:
    """Return the one chart of the page."""
    (found,) = [*app.get("vega_lite_chart"), *app.get("arrow_vega_lite_chart")]
    return found


def button(app: AppTest, label: str) -> Any:
    return next(one for one in app.button if one.label == label)


@given(rows=st.integers(1, 60), alerts=st.integers(0, 60), most=st.integers(1, 70), seed=st.integers(0, 99))
def test_a_sample_has_the_most_anomalous_alerts(rows: int, alerts: int, most: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(rows)
    alert = np.zeros(rows, dtype=bool)
    alert[order[:alerts]] = True
    found = projection.sample(order, alert, most)
    assert len(found) == min(rows, most)
    assert (np.diff(found) > 0).all()
    assert set(order[: min(alerts, rows)][: most // 2]) <= set(found)
    np.testing.assert_array_equal(found, projection.sample(order, alert, most))


def test_principal_components_are_those_of_scikit_learn() -> None:
    codes = np.random.default_rng(0).normal(size=(500, 5)).astype(np.float32) @ np.diag([1, 5, 0.5, 3, 2]) + 7
    points, shares = projection.principal_components(codes.astype(np.float32))
    oracle = PCA(2, svd_solver="full").fit(codes)
    np.testing.assert_allclose(shares, oracle.explained_variance_ratio_, rtol=1e-5)
    np.testing.assert_allclose(np.abs(points), np.abs(oracle.transform(codes)), rtol=1e-3, atol=1e-3)
    assert (np.corrcoef(points[:, 0], codes[:, 1])[0, 1], np.corrcoef(points[:, 1], codes[:, 3])[0, 1]) > (0.9, 0.9)


@pytest.mark.parametrize("shape", [(1, 4), (5, 1), (6, 3)])
def test_codes_of_one_number_or_all_equal_have_coordinates(shape: tuple[int, int]) -> None:
    points, shares = projection.principal_components(np.ones(shape, dtype=np.float32))
    assert points.tolist() == np.zeros((shape[0], 2)).tolist()
    assert shares.tolist() == [0, 0]


@pytest.mark.slow
def test_tsne_is_that_of_scikit_learn_and_always_the_same() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 20)
    codes = (rng.normal(size=(60, 4)) + 20 * group[:, None]).astype(np.float32)
    points = projection.tsne(codes)
    np.testing.assert_array_equal(points, projection.tsne(codes))
    oracle = TSNE(2, perplexity=59 / 3, init="pca", random_state=0).fit_transform(codes)
    np.testing.assert_allclose(points, oracle, rtol=1e-3, atol=1e-2)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(60)
    assert (group[distance.argmin(axis=1)] == group).all()


@pytest.mark.slow
def test_a_failing_process_is_reported_in_one_line() -> None:
    with pytest.raises(AnomaloError, match=r"^t-SNE of 20 rows failed: Input X contains NaN\.$"):
        projection.tsne(np.full((20, 3), np.nan, dtype=np.float32))


@pytest.mark.slow
def test_without_codes_the_page_makes_them_in_the_background(home: Any) -> None:
    app = opened()
    assert any("patients.csv have no codes yet" in text.value for text in app.markdown)
    button(app, "Compute the map").click().run()
    (job,) = queue.jobs(data.workspace())
    assert job.commands[0][0] == "embed"
    if job.status == "running":
        assert app.header[0].value == "Map of patients.csv"
    while queue.job(data.workspace(), job.id).status == "running":
        time.sleep(0.1)
    assert queue.job(data.workspace(), job.id).status == "done"
    chart(opened())


@pytest.mark.slow
def test_a_failed_job_is_shown_with_its_reason(home: Any, tmp_path: Path, patients: pd.DataFrame) -> None:
    gone = tmp_path / "gone.csv"
    patients.iloc[::-1].to_csv(gone, index=False)
    run = home("score", "full", gone)
    gone.write_text("")
    app = opened(run=run["id"])
    button(app, "Compute the map").click().run()
    (job,) = queue.jobs(data.workspace())
    while queue.job(data.workspace(), job.id).status == "running":
        time.sleep(0.1)
    app.run()
    assert app.error[0].value.startswith("The job failed at step 1 of 1")
    assert "gone.csv" in app.error[0].value


def test_all_rows_are_on_the_map(home: Any) -> None:
    embedded, run = home("embed"), Workspace(data.workspace()).runs()[1]
    app = opened()
    assert app.query_params["run"] == run.id
    assert "codes of 1 number" in app.caption[0].value
    assert "Shown: all rows." in app.caption[0].value
    assert chart(app)
    codes = data.codes(Workspace(data.workspace()).run(embedded["id"]))
    written = pq.read_table(Path(embedded["path"]) / "codes.parquet", columns=["code_0"]).to_pandas()
    np.testing.assert_array_equal(codes, written.to_numpy())
    # A link from Overview names the run of the codes; the page shows the scores of the same table.
    assert opened(run=embedded["id"]).query_params["run"] == run.id


def test_tsne_is_run_on_request_and_on_some_of_many_rows(
    home: Any, patients: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pd.concat([patients] * 9).to_csv(tmp_path / "long.csv", index=False)
    for verb in ("score", "embed"):
        home(verb, "full", tmp_path / "long.csv")
    asked: list[int] = []
    monkeypatch.setattr(
        projection, "tsne", lambda codes: asked.append(len(codes)) or projection.principal_components(codes)[0]
    )
    app = opened()
    assert asked == []
    app.button_group(key="projection").set_value("t-SNE").run()
    assert asked == [projection.MAX_TSNE_ROWS]
    assert "Shown: 2,000 of 2,160 rows, 7 of 7 alerts." in app.caption[0].value
    assert "Shown: 2,000 of 2,160 rows" in opened(projection="t-SNE").caption[0].value
    assert asked == [projection.MAX_TSNE_ROWS], "it is computed once"


@pytest.mark.slow
def test_a_model_without_codes_says_which_have_them(home: Any) -> None:
    app = opened(run=Workspace(data.workspace()).runs()[0].id)
    assert "knn does not" in app.info[0].value
    assert "residual" in app.info[0].value
    assert [one.label for one in app.button] == []


def test_the_page_says_that_the_table_has_changed_since(home: Any, tmp_path: Path, patients: pd.DataFrame) -> None:
    table = tmp_path / "table.csv"
    patients.iloc[::-1].to_csv(table, index=False)  # with the same content it would be the same job as another one
    run = home("score", "full", table)
    patients.head(100).to_csv(table, index=False)
    home("embed", "full", table)
    app = opened(run=run["id"])
    assert "240 rows when it was scored, and 100 when it was embedded" in app.warning[0].value
    assert [line.split()[1] for line in app.code[0].value.splitlines()] == ["score", "embed"]


def spec(app: AppTest) -> dict[str, Any]:
    """Return the description of the chart."""
    found: dict[str, Any] = json.loads(chart(app).proto.spec)
    return found


def test_a_moved_file_with_the_same_bytes_is_the_same_table(home: Any, tables: Path, tmp_path: Path) -> None:
    moved = shutil.copy(tables / "patients.csv", tmp_path / "moved.csv")
    embedded = home("embed", "full", Path(moved))
    assert embedded["source"] == str(moved)
    assert "Shown: all rows." in opened().caption[0].value


def test_the_kept_rows_are_on_the_map_where_the_file_is_gone(home: Any, tmp_path: Path, patients: pd.DataFrame) -> None:
    gone = tmp_path / "gone.csv"
    patients.iloc[::-1].to_csv(gone, index=False)
    run = home("score", "full", gone, "--explain", "30")
    gone.unlink()
    app = opened(run=run["id"])
    assert "not where it was" in app.info[0].value
    assert [one.label for one in app.button] == ["Compute the map of the 30 rows that the run has kept"]
    home("embed", "full", Path(run["path"]) / "rows.parquet")
    assert "Shown: the 30 rows that the run has kept, of 240." in opened(run=run["id"]).caption[0].value
    found = codes.find(Workspace(data.workspace()).run(run["id"]), data.runs("embed"))
    assert found is not None
    assert found.rows is not None
    scores = data.scores(Workspace(data.workspace()).run(run["id"]))
    assert set(found.rows) == set(scores.order[:30])
    every = home("embed", "full", save(patients.iloc[::-1], tmp_path / "back.csv"))
    all_codes = data.codes(Workspace(data.workspace()).run(every["id"]))
    np.testing.assert_allclose(data.codes(found.run), all_codes[found.rows], rtol=1e-6)


def save(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False)
    return path


def test_no_axis_says_zero_percent(home: Any) -> None:
    home("embed")
    shown = json.dumps(spec(opened()))
    assert "First component, 100.0 % of the variance" in shown
    assert '"Anomaly score' in shown
    assert " 0.0 % of" not in shown


@pytest.fixture
def cloud_of_many(home: Any) -> tuple[cloud.Cloud, data.Scores]:
    """5,000 rows in two dimensions, 40 of them alerts, far away."""
    rng = np.random.default_rng(0)
    total = 5000
    p_value = rng.permutation(total) / total + 1e-9
    alert = p_value < 40 / total
    none = Incidents((), np.full(total, -1, dtype=np.int32))
    texts, order = pa.nulls(total, pa.string()), np.argsort(p_value)
    found = data.Scores(1 / p_value, p_value, alert, order, texts, {}, none, None, None)
    x, y = rng.normal(size=(2, total)) + 5 * alert
    return cloud.Cloud(np.arange(total), x, y, ("x", "y"), False, ""), found


def test_alerts_are_points_and_tiles_count_all_other_rows(cloud_of_many: Any) -> None:
    many, scores = cloud_of_many
    kept = scores.order[:300]
    drawn = layers.points(many, scores, kept)
    assert drawn.tolist() == kept.tolist()
    tiles = layers.counts(many, drawn, scores.alert)
    assert (tiles["rows"].sum(), tiles["alerts"].sum()) == (4700, 0)
    assert len(tiles) <= layers.ACROSS * layers.DOWN
    first = tiles.iloc[0]
    rest = np.setdiff1d(many.rows, drawn)
    inside = (many.x[rest] >= first["x"]) & (many.x[rest] < first["x2"])
    inside &= (many.y[rest] >= first["y"]) & (many.y[rest] < first["y2"])
    assert inside.sum() == first["rows"]


def test_alerts_beyond_the_most_points_are_counted_in_tiles(
    cloud_of_many: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, scores = cloud_of_many
    monkeypatch.setattr(projection, "MAX_POINTS", 25)
    drawn = layers.points(many, scores, scores.order[:300])
    assert drawn.tolist() == scores.order[:25].tolist()
    assert layers.counts(many, drawn, scores.alert)["alerts"].sum() == 15


def test_a_rectangle_holds_the_rows_in_it(cloud_of_many: Any) -> None:
    many, _ = cloud_of_many
    found = cloud.inside(many, {"x": [1.0, -0.5], "y": [0.0, 0.25]})
    expected = [row for row in range(5000) if -0.5 <= many.x[row] <= 1 and 0 <= many.y[row] <= 0.25]
    assert found.tolist() == expected


def test_chosen_rows_are_listed_on_alerts_until_all_are_shown(home: Any) -> None:
    run = data.runs("score")[0]
    app = AppTest.from_file(APP, default_timeout=600).run()
    app.switch_page("views/alerts.py")
    app.query_params.update({"run": run.id, "rows": "3,17,200", "show": "all rows"})
    app.run()
    assert not app.exception, [error.message for error in app.exception]
    assert sorted(listed(app)) == [3, 17, 200]
    assert "Only 3 rows chosen on the map" in [one.value for one in app.info]
    button(app, "Show all rows").click().run()
    assert len(listed(app)) == data.PAGE
    assert "rows" not in app.query_params


def listed(app: AppTest) -> list[int]:
    found: list[int] = next(frame.value for frame in app.dataframe if "p_value" in frame.value)["row"].tolist()
    return found


def test_points_are_coloured_by_column_reason_and_state(home: Any, patients: pd.DataFrame) -> None:
    home("embed")
    run = data.runs("score")[0]
    rows = data.scores(run).order[:50]
    cells = colours.by_column(run, rows, "colour")
    expected = patients["colour"].astype(object).where(patients["colour"].notna(), colours.MISSING)
    assert cells.values == expected[rows].tolist()
    assert set(cells.levels) == set(cells.values)
    assert len(cells.colours) == len(cells.levels)
    numbers = colours.by_column(run, rows, "weight")
    np.testing.assert_allclose(np.array(numbers.values, float), patients["weight"][rows], equal_nan=True)
    assert numbers.levels == []
    written = pq.read_table(run.path / "scores.parquet").to_pandas()
    first = [reasons[0]["column"] for reasons in written["reasons"][rows]]
    assert colours.by_reason(run, rows).values == first
    assert colours.by_reason(run, np.array([10**6])).values == [colours.NONE]
    Workspace(data.workspace()).reviews.change(run.id, [int(rows[1])], "ann", state="expected")
    states = colours.by_state(rows, Workspace(data.workspace()).reviews.of(run.id))
    assert states.values[:3] == ["new", "expected", "new"]
    for by in ("Column colour", "Column weight", "First reason", "State"):
        assert opened(colour=by).selectbox(key="colour").value == by[0].lower() + by[1:]


def test_rare_levels_share_a_colour() -> None:
    values = [letter for at, letter in enumerate("abcdefghij") for _ in range(20 - at)]
    found = colours._by_level("c", [*values, None], colours.NONE)
    assert found.levels == [*"abcdefg", colours.OTHER, colours.NONE]
    assert found.values[-2:] == [colours.OTHER, colours.NONE]


def test_points_in_time_are_numbers() -> None:
    assert colours._numbers(["2020-01-01", "2021-01-01 10:00", None]) == [2020.0, 2021.0, None]
    assert colours._numbers(["red", "blue", "3"]) is None


@pytest.mark.parametrize("module", [projection, chosen])
def test_examples_in_the_docstrings(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("log", [False, True])
def test_a_lasso_holds_the_rows_around_which_it_winds(log: bool) -> None:
    random = np.random.default_rng(3)
    y = np.exp(random.normal(size=400)) if log else random.normal(size=400)
    map_of = cloud.Cloud(np.arange(400) * 2, random.normal(size=400), y, ("x", "y"), log, "")
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    corners = 0.5 + (0.1 + 0.3 * random.random(40))[:, None] * np.column_stack([np.cos(turns), np.sin(turns)])
    found = lasso.inside(map_of, lasso.on_the_map(corners, map_of))
    (left, right), (low, high) = map_of.sides
    part = (np.log(y / low) / np.log(high / low)) if log else (y - low) / (high - low)
    at = np.column_stack([(map_of.x - left) / (right - left), part])
    angles = np.angle([complex(*to) for to in (corners[None] - at[:, None]).reshape(-1, 2)]).reshape(400, 40)
    steps = (np.roll(angles, -1, axis=1) - angles + np.pi) % (2 * np.pi) - np.pi
    expected = map_of.rows[np.abs(steps.sum(axis=1)) > np.pi]
    assert 20 < len(expected) < 380
    assert found.tolist() == expected.tolist()


def test_a_lasso_in_the_url_chooses_rows(home: Any) -> None:
    home("embed")
    everything = opened(drag="lasso", lasso="0,0;1,0;1,1;0,1")
    assert not everything.exception
    assert "**240 rows** chosen" in " ".join(text.value for text in everything.markdown)
    assert "drag around rows" in opened(drag="lasso", lasso="0,0;x").caption[-1].value
