"""A job in the background is resumed wherever its verb can be."""

import time
from pathlib import Path

import pytest
import typer

from anomalo.cli.app import app
from anomalo.jobs.background.queue import can_resume, job, resume, start


def options() -> dict[str, set[str]]:
    """The options of each verb."""
    group = typer.main.get_command(app)
    return {name: {text for one in verb.params for text in one.opts} for name, verb in group.commands.items()}


def test_the_verbs_that_are_resumed_are_those_with_the_option() -> None:
    found = options()
    assert {verb for verb in found if can_resume(verb)} == {verb for verb in found if "--resume" in found[verb]}
    assert {"fit", "pretrain", "score", "impute", "repair", "embed", "run"} == {
        verb for verb in found if can_resume(verb)
    }


@pytest.mark.parametrize("verb", ["dashboard", "nothing", "context", "sharding", "queue", "ahead"])
def test_what_is_no_verb_of_a_job_cannot_be_resumed(verb: str) -> None:
    assert not can_resume(verb)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["repair", "plugins"])
def test_a_command_that_failed_is_given_the_option(
    verb: str, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALO_DISABLE_PLUGINS", "autoencoders,boltzmann,diffusion,gan")
    command = (verb, str(tables / "patients.csv"), "--with", "absent") if verb == "repair" else (verb, "--wrong")
    begun = start(tmp_path, "early", [command])
    while job(tmp_path, begun.id).status == "running":
        time.sleep(0.05)
    assert job(tmp_path, begun.id).status == "failed"
    again = resume(tmp_path, begun.id)
    assert again.commands == (((*command, "--resume") if verb == "repair" else command),)
    while job(tmp_path, begun.id).status == "running":
        time.sleep(0.05)
