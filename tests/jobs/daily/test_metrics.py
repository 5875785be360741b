"""Figures of a run as OpenMetrics text, read by the parsers of Prometheus' client."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalo.jobs.daily.metrics import openmetrics, write_metrics
from anomalo.workspace.records import RunRecord

openmetrics_parser = pytest.importorskip("prometheus_client.openmetrics.parser")
text_parser = pytest.importorskip("prometheus_client.parser")

SUMMARY = {"rows": 200, "alerts": 5, "threshold": "budget=5", "warnings": ["one"]}
RUN = RunRecord(
    "0007-score", "score", "visits@3", "/a.csv", 1.5, SUMMARY, "done", "2026-11-30T06:00:00+00:00", Path("/runs/7")
)


def samples(text: str, parser: Any = openmetrics_parser) -> dict[str, tuple[dict[str, str], float]]:
    families = list(parser.text_string_to_metric_families(text))
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation for family in families)
    return {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}


@pytest.mark.parametrize("parser", [openmetrics_parser, text_parser])
def test_the_parsers_read_the_figures(parser: Any) -> None:
    found = samples(openmetrics(RUN, 1796040000.25, "daily"), parser)
    labels = {"anomalo_job": "daily", "model": "visits"}
    assert {name: value for name, (_, value) in found.items()} == {
        "anomalo_rows": 200,
        "anomalo_alerts": 5,
        "anomalo_alert_ratio": 0.025,
        "anomalo_warnings": 1,
        "anomalo_duration_seconds": 1.5,
        "anomalo_run_timestamp_seconds": 1796018400,
        "anomalo_last_success_timestamp_seconds": 1796040000.25,
        "anomalo_run_info": 1,
    }
    origin = {"run": "0007-score", "version": "visits@3", "threshold": "budget=5"}
    assert found.pop("anomalo_run_info")[0] == labels | origin
    assert all(each == labels for each, _ in found.values())


def test_what_is_known_of_drift_and_routes() -> None:
    drift = {"differs": True, "p_value": 1e-9, "columns": ["a", "b"], "summary": "it differs"}
    found = samples(openmetrics(replace(RUN, summary=SUMMARY | {"drift": drift}), 0.0, failed=2))
    assert found["anomalo_drift"] == ({"model": "visits"}, 1)
    assert found["anomalo_drift_p_value"][1] == 1e-9
    assert found["anomalo_drift_columns"][1] == 2
    assert found["anomalo_routes_failed"][1] == 2


def test_a_job_without_rows_or_with_any_name() -> None:
    name = 'a "quoted"\\ name\nof two lines'
    found = samples(openmetrics(replace(RUN, summary=SUMMARY | {"rows": 0, "alerts": 0}), 0.0, name))
    assert found["anomalo_alert_ratio"] == ({"anomalo_job": name, "model": "visits"}, 0)


def test_the_file_ends_as_it_must_and_is_readable_by_others(tmp_path: Path) -> None:
    write_metrics(tmp_path / "m.prom", RUN)
    assert (tmp_path / "m.prom").read_text().endswith("\n# EOF\n")
    assert (tmp_path / "m.prom").stat().st_mode & 0o044 == 0o044
    assert [path.name for path in tmp_path.iterdir()] == ["m.prom"]
