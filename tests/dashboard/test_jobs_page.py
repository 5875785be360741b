"""Jobs: every job is listed with what it was and who began it, its log can be read, and it can be run again."""

from pathlib import Path

import pytest

from anomalo.jobs.background import queue
from anomalo_dashboard.managing import job_list
from tests.dashboard.test_pages import ended, fine, opened, seen, table


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a job that was done, and one that failed on a secret URL."""
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("ANOMALO_USER", "ann")
    done = queue.start(tmp_path / "workspace", "the plugins", [["plugins"]])
    monkeypatch.setenv("ANOMALO_USER", "ben")
    table = "sqlite:////nowhere/absent.db?password=hush::visits"
    failed = queue.start(tmp_path / "workspace", "lost", [["schema", table], ["plugins"]])
    for job in (done, failed):
        ended(tmp_path / "workspace", job.id)
    return tmp_path / "workspace"


@pytest.mark.slow
def test_jobs_say_what_they_were_who_began_them_and_why_they_failed(home: Path) -> None:
    app = opened("jobs")
    fine_but_for_the_failure = [error.value for error in app.error]
    assert not app.exception
    assert len(fine_but_for_the_failure) == 1
    listed = table(app, "verbs").set_index("job")
    assert listed["status"].to_dict() == {"0002-schema": "failed", "0001-plugins": "done"}
    assert listed["who"].to_dict() == {"0002-schema": "ben", "0001-plugins": "ann"}
    assert listed.loc["0002-schema", "verbs"] == "schema, plugins"
    assert listed.loc["0002-schema", "message"]
    log = app.code[-1].value
    assert "$ anomalo schema" in log
    assert "error: " in log
    assert "hush" not in str(app.main)


@pytest.mark.slow
def test_jobs_are_found_by_status_and_text(home: Path) -> None:
    app = opened("jobs", job_text="ANN")
    assert table(app, "verbs")["job"].tolist() == ["0001-plugins"]
    app = opened("jobs", job_text="nothing like this")
    assert "No job is like that" in app.info[0].value


@pytest.mark.slow
def test_a_job_is_run_again_and_removed(home: Path) -> None:
    app = opened("jobs", job="0001-plugins")
    fine(app)
    next(button for button in app.button if button.label == "Run again").click().run()
    assert queue.job(home, "0003-plugins").commands == (("plugins",),)
    assert ended(home, "0003-plugins").status == "done"
    app = opened("jobs", job="0001-plugins")
    next(button for button in app.button if button.label == "Remove").click().run()
    assert [job.id for job in queue.jobs(home)] == ["0003-plugins", "0002-schema"]
    assert "no job 0001-plugins" in seen(opened("jobs", job="0001-plugins").warning[0].value)


@pytest.mark.slow
def test_a_verb_that_would_find_its_former_run_is_forced(home: Path) -> None:
    job = queue.start(home, "x", [["score", "a.csv", "--with", "m", "--resume"], ["plugins"]])
    ended(home, job.id)
    again = job_list.again(queue.job(home, job.id))
    assert again.commands == (("score", "a.csv", "--with", "m", "--force"), ("plugins",))
    ended(home, again.id)
