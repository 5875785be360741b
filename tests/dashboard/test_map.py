"""The embedding map: its projections against scikit-learn's, what the page shows, and how it gets the codes."""

import doctest
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.errors import AnomaloError
from anomalo.jobs.background import queue
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data, projection

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture
def home(untouched: Path, tables: Path, anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A workspace in which `full` and `near` have scored the table; call verbs in it."""
    workspace = shutil.copytree(untouched, tmp_path / "workspace")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))

    def call(verb: str, model: str = "full", table: Path = tables / "patients.csv") -> dict[str, Any]:
        options = ("--threshold", "budget=7") if verb == "score" else ()
        outcome = anomalo(verb, table, "--with", model, *options, "--device", "cpu", "--json")
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
    assert set(order[: min(alerts, rows)][: most // 4]) <= set(found)
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
    assert "patients.csv have no codes yet" in app.markdown[0].value
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
    gone.unlink()
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


def test_examples_in_the_docstrings() -> None:
    assert doctest.testmod(projection).failed == 0
