"""How results, tables, progress and interruptions reach a terminal, a pipe or another program."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from anomalo.cli.terminal import progress
from anomalo.cli.terminal.console import Console
from anomalo.cli.terminal.printing import table
from anomalo.errors import InterruptedJobError


def test_a_table_in_a_pipe_has_one_line_an_item_no_trailing_spaces_and_no_codes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")
    wide, marked = "so " * 600, "[red]a[/red] :smile:"
    table(("n", "name", "words"), [(1, marked, wide), (22, "名前", ["two", "lines"]), (3, "", [])], right=("n",))
    assert capsys.readouterr().out.splitlines() == [
        " n  name                  words",
        "─" * (26 + len(wide)),
        f" 1  {marked}  {wide.rstrip()}",
        "22  名前                  two",
        "                          lines",
        " 3",
    ]


def be_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_table_in_a_terminal_fits_into_its_width_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    be_a_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    path, words = "/".join("abcdefghij" * 3), "several words " * 10
    table(("n", "path", "words"), [(12345, path, words)], right=("n",))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 50
    cells = [(line[:5], line[7:27].strip(), line[27:]) for line in lines[2:]]
    assert "".join(number for number, _, _ in cells).strip() == "12345"
    assert path in "".join(part for _, part, _ in cells)
    assert " ".join(word for _, _, part in cells for word in part.split()).split() == words.split()


def test_a_header_is_bold_in_a_terminal_unless_codes_are_not_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    be_a_terminal(monkeypatch)
    table(("name",), [("a",)])
    assert "\x1b[1mname" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    table(("name",), [("a",)])
    assert capsys.readouterr().out == "name\n────\na\n"


def test_results_are_ascii_where_the_terminal_is_not_unicode() -> None:
    code = "from anomalo.cli.terminal.console import Console\nConsole(as_json=True).result({'ä': '€'}, print)\n"
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
