"""A job that had nothing to do says which run is of the same table and options."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    from pathlib import Path

    from anomalo.jobs.background.queue import Job
    from anomalo_dashboard import job_progress

    run = {"verb": "score", "id": "0007-score", "created": "2026-11-29T06:15:00+00:00", "summary": {"alerts": 3}}
    commands = (("fit", "a.csv", "--as", "a"), ("score", "a.csv", "--with", "a"))
    results = ({"reference": "a@1"}, run | {"repeated": True})
    job_progress.show(
        Job(
            "0001-fit",
            "a",
            commands,
            "done",
            1,
            1.0,
            "",
            None,
            "",
            0,
            run["created"],
            "ann",
            2.0,
            Path("/w"),
            results,
            (),
        )  # type: ignore[arg-type]
    )


def test_the_former_run_is_named_and_can_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    app = AppTest.from_function(page, default_timeout=600).run()
    assert not app.exception, [error.message for error in app.exception]
    (info,) = app.info
    assert info.value.startswith(r"Nothing was computed: run 0007\-score, of 2026-11-29 06:15, is of the same table")
    assert "`--force`" in info.value
    assert [button.label for button in app.button] == ["See the alerts (3)"]
