"""The documents agree with the code: their snippets run, their commands parse, and they mention everything public."""

import importlib
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from pyarrow import orc

from anomalo import plugin
from anomalo.calibration.thresholds import Threshold
from anomalo.cli.app import app
from anomalo.encoding.encoded import Encoded
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.scoring.score import score
from anomalo.pipeline.config import FitConfig
from anomalo.registry import hookspecs
from anomalo.registry.engine import EngineChoice
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer
from anomalo.tabular.writing.destination import output_of
from anomalo.testing import check_model
from anomalo.workspace.workspace import Workspace

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', flags=re.MULTILINE | re.DOTALL)
HOOKS = [name for name in vars(hookspecs) if name.startswith("anomalo_")]


@dataclass(frozen=True)
class Block:
    """A block of code in a page; those with a title are files, the others are to be run one after the other."""

    page: Path
    language: str
    title: str
    code: str


BLOCKS = [Block(page, *match.groups(default="")) for page in PAGES for match in FENCE.finditer(page.read_text())]
SCRIPTS = [page for page in PAGES if any(b.page == page and b.language == "python" and not b.title for b in BLOCKS)]
FILES = {block.title: block.code for block in BLOCKS if block.title and block.page.name == "hooks.md"}
TUTORIAL = {block.title: block.code for block in BLOCKS if block.title and block.page.name == "write-a-plugin.md"}


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.fixture(scope="module")
def desk(anomalo: Any, patients: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it is after the quick start: a table, a model, a run of each kind."""
    folder = tmp_path_factory.mktemp("desk")
    patients.to_csv(folder / "patients.csv", index=False)
    common = (folder / "patients.csv", "--workspace", folder / "anomalo-workspace", "--device", "cpu")
    for verb in (
        ("fit", *common, "--as", "thyroid", "--model", "linear", "--set", "epochs=2", "--id", "name"),
        ("score", *common, "--with", "thyroid", "-o", folder / "scores.csv"),
        ("impute", *common, "--with", "thyroid", "-o", folder / "filled.csv"),
    ):
        outcome = anomalo(*verb)
        assert outcome.code == 0, outcome.err
    return folder


LONG = {"index.md", "imputation.md"}
"""Pages whose scripts fit many models."""


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if page.name in LONG else ()) for page in SCRIPTS],
    ids=names(SCRIPTS),
)
def test_the_snippets_of_a_page_run_in_order(page: Path, desk: Path, patients: pd.DataFrame, monkeypatch: Any) -> None:
    monkeypatch.chdir(desk)
    df = patients.drop(columns=["name", "sick"])
    space = {"df": df, "new_df": df.sample(50, random_state=0), "labels": np.arange(50) % 2}
    blocks = (block for block in BLOCKS if block.page == page and block.language == "python" and not block.title)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the warnings of a fit on these tables
        for block in blocks:
            exec(compile(block.code, f"{page.name}: {block.code[:60]!r}", "exec"), space)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=lambda b: b.page.name)
def test_toml_is_toml(block: Block) -> None:
    assert tomllib.loads(block.code)


def test_the_schema_file_is_one(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.title == "patients.toml")
    (tmp_path / "patients.toml").write_text(block.code)
    options = SchemaOptions.from_toml(tmp_path / "patients.toml")
    assert options == SchemaOptions(
        {"age": "number", "sex": "category"}, ("TBG",), None, "Target", ("?", "TSH=-1"), "missing"
    )


def commands(code: str) -> Iterator[list[str]]:
    """Yield the arguments of each `anomalo …` in a shell snippet."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line.split(" > ")[0], comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            del words[0]
        if words and words[0].rpartition("/")[2] == "anomalo":
            yield words[1:]


COMMANDS = [(b.page, words) for b in BLOCKS if b.language in ("sh", "console", "bash") for words in commands(b.code)]


def verb(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a verb's command, loaded if it is a plugin's."""
    monkeypatch.setattr(sys, "argv", ["anomalo", name])
    return typer.main.get_command(app).get_command(None, name)


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[f"{p.name}: {' '.join(w)}" for p, w in COMMANDS])
def test_a_command_parses(page: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    command = verb(words[0], monkeypatch)
    assert command is not None, f"{page.name}: there is no verb {words[0]!r}"
    command.make_context(words[0], list(words[1:]))


def verbs() -> list[str]:
    return list(typer.main.get_command(app).list_commands(None))


def sections() -> dict[str, str]:
    """Return the page of the command line by verb, and under "" what holds for every verb."""
    parts = re.split(r"^## (.+)$", (DOCS / "command-line.md").read_text(), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {"": found["Every verb"]} | {
        title.strip("`").split()[1]: text for title, text in found.items() if title.startswith("`anomalo ")
    }


def rows(text: str) -> dict[str, str]:
    """Return the options of a section's table with the defaults that it gives."""
    found = {}
    for line in re.findall(r"^\| (`-.*)$", text, flags=re.MULTILINE):
        option, default, *_ = (cell.strip() for cell in re.split(r"(?<!\\)\|", line))
        for name in re.findall(r"--?[a-z][a-z-]*", option):
            found[name] = default.strip("`")
    return found


def test_the_page_of_the_command_line_has_every_verb() -> None:
    assert [name for name in verbs() if name not in sections()] == []
    assert [name for name in sections() if name and name not in verbs()] == []


@pytest.mark.parametrize("name", verbs())
def test_the_page_of_the_command_line_has_every_option_and_its_default(name: str, monkeypatch: Any) -> None:
    text = sections()[name]
    common, specific = rows(sections()[""]), rows(text)
    options = {o: param for param in verb(name, monkeypatch).params for o in param.opts if o.startswith("-")}
    assert [o for o in options if o not in common and f"`{o}" not in text and f" {o} " not in text] == []
    assert [o for o in specific if o not in options] == [], "options that do not exist"
    for option, default in specific.items():
        actual = options[option].default
        assert default == ("" if actual is None or actual is False or actual == [] else str(actual)), option


@pytest.mark.parametrize("name", HOOKS)
def test_the_page_of_the_hooks_has_every_hook_with_an_example(name: str) -> None:
    page = (DOCS / "hooks.md").read_text()
    assert f"`{name}(" in page
    assert any(f"def {name}(" in code for code in FILES.values())


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The installed plugins, and those of the page of the hooks."""
    for title, code in FILES.items():
        if title.endswith(".py"):
            (tmp_path / title).write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = [Path(title).stem for title, code in FILES.items() if "@hookimpl" in code]
    first = [
        EntryPoint("tables", "anomalo.registry.hooks", "anomalo"),
    ]
    networks = EntryPoint("autoencoders", "anomalo_autoencoders", "anomalo")
    yield Registry.load(entry_points=[*first, networks, *(EntryPoint(name, name, "anomalo") for name in modules)])
    for title in FILES:
        sys.modules.pop(Path(title).stem, None)


def test_the_examples_of_hooks_do_what_the_page_says(
    clinic: Registry, tmp_path: Path, patients: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    source, context = str(tmp_path / "visits.orc"), JobContext(clinic, Workspace(tmp_path / "workspace"))
    orc.write_table(pa.Table.from_pandas(patients.drop(columns="name"), preserve_index=False), source)
    fit(context, source, "missing", FitConfig("missing_cells", {}), SchemaOptions())
    found = score(context, source, "missing", threshold=Threshold("budget", 3))
    assert found.score[[3, 4, 50]].tolist() == [1.0, 1.0, 2.0]
    assert (tmp_path / "workspace" / "bell.txt").read_text() == f"0001-score: 3 alerts in {source}\n"

    score(context, source, "missing", output=output_of("keep://scores"))
    assert sum(batch.num_rows for batch in sys.modules["anomalo_memory"].TABLES["keep://scores"]) == len(patients)

    monkeypatch.setattr(sys.modules["anomalo_patience"], "GOOD_ENOUGH", 1e9)
    trained = fit(context, source, "net", FitConfig("linear", {"epochs": 5}), SchemaOptions()).fitted
    assert [entry["epoch"] for entry in trained.facts["history"]] == [1]
    alone = score(context, source, "net").score
    context.engine = EngineChoice("timed")
    assert (score(context, source, "net").score == alone).all()
    assert capsys.readouterr().out.startswith("part 0: ")
    assert clinic.failures == ()


def test_the_example_of_another_modality_reads_encodes_and_fills(clinic: Registry, tmp_path: Path) -> None:
    pq.write_table(pa.table({"t0": [1.0, 2.0, 4.0], "t1": [2.0, None, 9.0]}), tmp_path / "signals.parquet")
    (batch,) = clinic.read(f"signal://{tmp_path / 'signals.parquet'}")
    schema = infer(pa.Table.from_batches([batch]))
    assert schema.modality == "signal"
    fitted = clinic.encoder("signal")().fit(schema.parse(batch), schema)
    again = clinic.encoder("signal").from_json(fitted.to_json(), schema)
    data: Encoded = again.encode(schema.parse(batch))
    assert data.observed.tolist() == [[[True], [True]], [[True], [False]], [[True], [True]]]
    back = again.fill(batch, data.values, np.ones(data.values.shape, dtype=bool))
    np.testing.assert_allclose(back.column("t0"), [1, 2, 4], rtol=1e-6)
    assert again.fill(batch, data.values, ~data.observed).column("t1").to_pylist()[::2] == [2.0, 9.0]


def test_the_example_of_a_page_is_shown(clinic: Registry, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    testing = pytest.importorskip("streamlit.testing.v1")
    (page,) = (page for _, page in clinic.pages())
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(desk / "anomalo-workspace"))
    shown = testing.AppTest.from_file(str(page), default_timeout=600).run()
    assert not shown.exception
    assert int(shown.metric[0].value) == Workspace(desk / "anomalo-workspace").run("0001-score").summary["alerts"]


def test_the_example_of_a_verb_counts(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("anomalo_rows")
    exec(FILES["anomalo_rows.py"], vars(module))
    command = typer.Typer()
    command.command()(module.rows)
    command([str(desk / "patients.csv")], standalone_mode=False)
    assert capsys.readouterr().out == "240\n"


@pytest.mark.slow
def test_the_tutorials_models_pass_the_conformance_kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for title, code in TUTORIAL.items():
        (tmp_path / title).write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    test = importlib.import_module("test_extremes").test_conformance
    (parametrised,) = test.pytestmark
    for case in parametrised.args[1]:
        test(*case.values)
    check_model(importlib.import_module("shallow").Shallow, epochs=2)
    for title in TUTORIAL:
        sys.modules.pop(Path(title).stem, None)


def test_the_readme_names_every_model_of_ours() -> None:
    registry = Registry.load()
    ours = [name for name in registry.models if registry.plugin_of(name) in ("autoencoders", "baselines")]
    assert ours
    assert [name for name in ours if f"`{name}`" not in (ROOT / "README.md").read_text()] == []


def test_the_readme_names_every_verb() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in verbs() if not re.search(rf"\b{name}\b", readme)] == []


def test_the_reference_of_the_authors_surface_is_whole() -> None:
    listed = re.findall(r"^ +- (\w+)$", (DOCS / "api" / "plugin.md").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(plugin.__all__)


def test_every_decision_is_listed() -> None:
    index = (DOCS / "decisions" / "index.md").read_text()
    assert [path.name for path in DOCS.glob("decisions/0*.md") if f"]({path.name})" not in index] == []


def test_no_page_installs_another_package_of_that_name() -> None:
    for path in [*ROOT.glob("*.md"), *PAGES, *ROOT.glob("examples/**/*.md")]:
        assert not re.search(r"pip install\s+(-\S+\s+)*['\"]?anomalo(?![-\w])", path.read_text()), path


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="the extra 'docs' is not installed")
def test_the_site_builds_without_a_warning_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = re.compile(r"""<(?:script|link|img)\b[^>]*(?:src|href)=["'](https?:)?//""")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 10
    assert [page.name for page in pages if loaded.search(page.read_text())] == []
