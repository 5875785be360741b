"""How results, tables, progress and interruptions reach a terminal, a pipe or another program."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from anomalo.cli import progress
from anomalo.cli.console import Console
from anomalo.cli.printing import table
from anomalo.errors import InterruptedJobError


def test_a_table_in_a_pipe_has_one_line_a_row_and_no_trailing_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    table(("n", "name", "words"), [(1, "a", "so " * 60), (22, "名前", ["two", "lines"])], right=("n",))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == " n  name  words"
    assert lines[2] == " 1  a     " + ("so " * 60).rstrip()
    assert lines[3:] == ["22  名前  two", "          lines"]


def test_a_table_in_a_terminal_wraps_its_last_column(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    table(("name", "words"), [("a", "several words " * 10)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 50
    assert len(lines) > 4
    assert all(line.startswith("        ") for line in lines[3:])


def test_results_are_ascii_where_the_terminal_is_not_unicode() -> None:
    code = "from anomalo.cli.console import Console\nConsole(as_json=True).result({'ä': '€'}, print)\n"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"ä": "€"}


def test_progress_is_shown_on_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    with Console().work("fitting") as update:
        update(0.5, "loss 0.1")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Console().work("fitting") as update:
        update(0.5, "loss 0.1")
        sys.stdout.write("a plugin says\n")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "fitting" in shown.err
    assert "loss 0.1" in shown.err
    assert "a plugin says" in shown.err


def test_progress_as_json_lines_is_at_most_one_a_second_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([10.0, 10.0, 10.5, 10.9, 11.0, 11.0, 11.2])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with Console(log_json=True).work("fitting") as update:
        for share in (0.0, 1 / 3, 0.5, 0.6, 0.7):
            update(share, f"loss {share:.1f}")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["share"], line["message"]) for line in lines] == [
        ("progress", 0.0, "loss 0.0"),
        ("progress", 0.6, "loss 0.6"),
        ("progress", 1.0, "loss 0.7"),
    ]
    with Console(log_json=True).work("loading"):
        pass
    assert capsys.readouterr().err == ""


def test_interrupted_work_says_how_to_continue_if_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(console: Console, resumable: bool) -> None:
        with console.work("fitting", resumable=resumable) as update:
            update(0.5, "half")
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError, match="with --resume to continue"):
        interrupted(Console(), resumable=True)
    with pytest.raises(KeyboardInterrupt):
        interrupted(Console(log_json=True), resumable=False)
    assert len(capsys.readouterr().err.splitlines()) == 1  # not the one that says that all is done
