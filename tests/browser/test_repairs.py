"""Three suggestions are accepted and one is edited in a real browser; the written file is that to the character."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalo.jobs.deciding.suggestions import suggestions_of
from anomalo.workspace.decisions import Decided
from anomalo.workspace.workspace import Workspace

playwright = pytest.importorskip("playwright.sync_api")


def cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def text(lines: list[list[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(lines)
    return written.getvalue().encode()


def download(page: Any, name: str) -> bytes:
    with page.expect_download() as saved:
        page.get_by_role("button", name=name).click()
    return Path(saved.value.path()).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_three_suggestions_are_accepted_one_is_edited_and_the_table_is_written(
    page: Any, serve: Callable[[Path], str], untouched: Path, tables: Path, anomalo: Any, tmp_path: Path
) -> None:
    workspace, source = shutil.copytree(untouched, tmp_path / "w"), tables / "patients.csv"
    common = ("--threshold", "budget=6", "--with", "full", "--device", "cpu", "--workspace", workspace)
    outcome = anomalo("repair", source, *common, "--json")
    assert outcome.code == 0, outcome.err
    run = Workspace(workspace).run(outcome.json["id"])
    offered = suggestions_of(run).to_pylist()
    weight = next(at for at, cell in enumerate(offered) if cell["column"] == "weight")
    others = [at for at in range(len(offered)) if at != weight][:3]
    before = source.read_bytes()

    page.goto(f"{serve(workspace)}/repairs?run={run.id}")
    page.get_by_text(f"{len(offered)} suggested cells, {len(offered)} undecided").wait_for()
    playwright.expect(page.get_by_role("button", name="Write accepted")).to_be_disabled()
    for number, at in enumerate(others):
        line = page.locator(f"[class*='st-key-accept-{at}']")
        line.get_by_role("button").click()
        page.get_by_text(f"{len(offered) - number - 1} undecided").wait_for()
    page.locator(f"[class*='st-key-edit-{weight}']").get_by_role("button").click()
    box = page.get_by_role("textbox", name="New value of weight")
    box.fill("heavy")
    box.press("Enter")
    page.get_by_text("Column 'weight' takes numbers").wait_for()
    box.fill("71.25")
    box.press("Enter")
    page.get_by_text(f"{len(offered) - 4} undecided").wait_for()

    page.get_by_role("button", name="Write accepted").click()
    page.get_by_role("button", name="Write the table").click()
    page.get_by_text("4 cells changed (3 accepted, 1 edited).").wait_for()
    page.screenshot(path=tmp_path / "written.png")

    decided = Decided.of(Workspace(workspace).decisions.of(run.id), len(offered))
    expected, said = cells(before), {}
    expected[0].append("audit")
    for line in expected[1:]:
        line.append("")
    for at in sorted([*others, weight], key=lambda at: (offered[at]["column"], offered[at]["row"])):
        cell, decision = offered[at], decided.decision(at)
        assert decision is not None
        after = "71.25" if at == weight else cell["after"]
        line = expected[cell["row"] + 1]
        line[expected[0].index(cell["column"])] = after
        by = f"{decision.what} by {decision.who}, {decision.created}, {run.id}"
        said.setdefault(cell["row"], []).append(f"{cell['column']}: {cell['before']} → {after} ({by})")
    for row, notes in said.items():
        expected[row + 1][-1] = "; ".join(notes)
    assert download(page, "Repaired table as CSV") == text(expected)
    assert source.read_bytes() == before
    audit = cells(download(page, "Audit as CSV"))
    assert audit[0] == ["row", "name", "column", "before", "after", "decision", "who", "created", "run", "model"]
    assert sorted((int(row), column, after) for row, _, column, _, after, *_ in audit[1:]) == sorted(
        (offered[at]["row"], offered[at]["column"], "71.25" if at == weight else offered[at]["after"])
        for at in [*others, weight]
    )
