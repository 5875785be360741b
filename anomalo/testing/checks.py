"""The conformance checks: each fits small models or uses one shared fitted model, independently of the others."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, UNSEEN, Encoded
from anomalo.models.base import Model, is_model
from anomalo.models.capabilities import CanClassify, CanEmbed, CanExplain, CanImpute, CanSample, CanScore
from anomalo.models.result_checks import require, require_self
from anomalo.models.run import LocalRun
from anomalo.registry.registry import Registry
from anomalo.tabular.column import IMAGE, TABLE
from anomalo.testing.answers import Answers, answers, digests, require_equal, require_sane, sampled
from anomalo.testing.rows import rows_for
from anomalo.testing.series import SERIES
from anomalo.testing.tables import labelled_for, select, with_constants
from anomalo.workspace import artifacts

_SEED = 90210  # no model is expected to seed a global generator with this very number


class Make:
    """A factory of equal unfitted models, and one fitted model that the checks share, since fits take most of the time.

    Parameters
    ----------
    cls : type of Model
    **params
        Its hyperparameters.
    """

    def __init__(self, cls: type[Model], **params: Any) -> None:
        self.cls, self.params = cls, params

    def __call__(self) -> Model:
        """Return a new model."""
        return self.cls(**self.params)

    @cached_property
    def rows(self) -> tuple[Encoded, Encoded]:
        """Rows to train on, and new ones."""
        return rows_for(self.cls)

    @cached_property
    def fitted(self) -> Model:
        """A model that was fitted on the training rows."""
        return _fit(self(), self.rows[0])

    @cached_property
    def answers(self) -> Answers:
        """The answers of that model for the new rows."""
        return answers(self.fitted, self.rows[1])


def check_model(cls: type[Model], **params: Any) -> None:
    """Run every check that applies to a model.

    Parameters
    ----------
    cls : type of Model
        The model class; importable by its module's name (the saved model is restored in a new process).
    **params
        Hyperparameters, such as ``epochs=2`` to keep a neural network quick.

    Raises
    ------
    AssertionError
        At least one check failed; the message says which, and why.
    """
    failed: list[tuple[str, Exception]] = []
    chosen = checks(cls, **params)
    for name, check in chosen:
        try:
            check()
        except Exception as error:
            failed.append((name, error))
    if failed:
        lines = [f"- {name}: {_described(error)}" for name, error in failed]
        title = f"{cls.__name__} fails {len(failed)} of {len(chosen)} checks of anomalo.testing:"
        raise AssertionError("\n".join([title, *lines])) from failed[0][1]


def checks(cls: type[Model], **params: Any) -> list[tuple[str, Callable[[], None]]]:
    """Return the name of every check that applies to a model, and a function that runs it."""
    make = Make(cls, **params)
    able = [check for check in CHECKS if issubclass(cls, ONLY_FOR.get(check, Model))]
    others = ONLY_FOR_TABLES | (ONLY_FOR_COLUMNS if {IMAGE, SERIES} & set(cls.modalities) else set())
    without = set() if TABLE in cls.modalities else others
    chosen = [check for check in able if check not in without]
    return [(check.__name__, partial(check, make)) for check in chosen]


def declaration(make: Make) -> None:
    """The class can be registered, does something, and every hyperparameter explains itself."""
    model = make()
    require(is_model(type(model)), "set `name` on the class")
    able = isinstance(model, CanScore | CanImpute | CanEmbed | CanSample | CanClassify)
    verbs = "score(data), impute(data), sample(given, run), proba(data), nor embed(data) and decode(codes)"
    require(able, f"{type(model).__name__} has none of {verbs}")
    whole = isinstance(model, CanEmbed) or not hasattr(model, "embed")
    require(whole, f"{type(model).__name__} has embed(data), but no decode(codes) that leads back")
    for parameter in model.parameters():
        require(bool(parameter.help), f"parameter {parameter.name!r} has no help; give param(..., help='...')")


def determinism(make: Make) -> None:
    """The same data and seed give the same model, whatever the global random state is."""
    train, new = make.rows
    with _another_random_state():
        second = answers(_fit(make(), train), new)
    require_equal(make.answers, second, "fitted again with the same data and seed")


def refit(make: Make) -> None:
    """A second fit forgets the first one."""
    train, new = make.rows
    model = _fit(make(), train.take(slice(0, 50)))
    require_equal(make.answers, answers(_fit(model, train), new), "fitted again on other data")


def row_independence(make: Make) -> None:
    """A row's answers depend on that row alone: not on the other rows, their number or their order."""
    _, new = make.rows
    whole = {name: array for name, array in make.answers.items() if name != "sampled"}  # which are drawn together
    order = np.random.default_rng(0).permutation(len(new))
    batches: dict[str, Any] = {"in another order": order, "in every second row": slice(None, None, 2)}
    batches |= {"repeated": np.repeat(order[:3], 5)}
    batches |= {f"row {row} alone": slice(row, row + 1) for row in range(6)}
    for when, rows in batches.items():
        expected = {name: array[rows] for name, array in whole.items()}
        got = answers(make.fitted, new.take(rows))
        got.pop("sampled", None)
        require_equal(expected, got, when)


def missing_cells(make: Make) -> None:
    """Missing cells are scored and filled; observed ones stay as they are."""
    train, new = make.rows
    require_sane(make.answers, new)
    complete = train.take(np.flatnonzero(train.flat()[1].all(axis=1)))
    require_sane(answers(_fit(make(), complete), new), new)


def rows_without_cells(make: Make) -> None:
    """A row in which everything is missing is scored and filled, and does not disturb a fit."""
    train, new = make.rows
    empty = new.hide(np.ones_like(new.observed))
    require_sane(answers(make.fitted, empty), empty)
    mixed = Encoded.concatenate([train.take(slice(0, 50)), empty.take(slice(0, 5))])
    require_sane(answers(_fit(make(), mixed), new), new)


def one_row(make: Make) -> None:
    """One row is enough to fit on."""
    train, new = make.rows
    require_sane(answers(_fit(make(), train.take(slice(0, 1))), new), new)


def one_column(make: Make) -> None:
    """One number or one category is enough to fit on."""
    train, new = make.rows
    for name in ("weight", "animal"):
        column = select(new, [name])
        require_sane(answers(_fit(make(), select(train, [name])), column), column)


def constant_columns(make: Make) -> None:
    """Columns that never vary do no harm, beside others or alone."""
    train, new = (with_constants(data) for data in make.rows)
    require_sane(answers(_fit(make(), train), new), new)
    for names in (["zero"], ["country"], ["zero", "country"]):
        alone = select(new, names).hide(np.arange(len(new))[:, None] % 4 == 0)
        require_sane(answers(_fit(make(), select(train, names)), alone), alone)


def empty_columns(make: Make) -> None:
    """A number of which nothing is observed does no harm."""
    train, new = make.rows
    hidden = np.zeros_like(train.observed)
    hidden[:, 1] = True
    require_sane(answers(_fit(make(), train.hide(hidden)), new), new)


def unseen_levels(make: Make) -> None:
    """A level that the training table did not have is scored, and filled with a known one."""
    _, new = make.rows
    values, observed = new.values.copy(), new.observed.copy()
    values[:, new.layout.categories[1]] = UNSEEN
    observed[:, new.layout.categories[1]] = False
    unseen = Encoded(values, observed, new.layout)
    require_sane(answers(make.fitted, unseen), unseen)


def contributions_sum_to_the_score(make: Make) -> None:
    """The contributions of a row's cells sum to its score."""
    _, new = make.rows
    given = make.answers
    total = given["contribution"].sum(axis=tuple(range(1, new.values.ndim)))
    wrong = np.flatnonzero(~np.isclose(total, given["score"], rtol=1e-4, atol=1e-6))
    if len(wrong):
        row = wrong[0]
        raise AssertionError(f"the contributions of row {row} sum to {total[row]}, its score is {given['score'][row]}")


def codes_between_rows(make: Make) -> None:
    """The points between two rows' codes, and beyond them, stand for rows as well."""
    _, new = make.rows
    model: Any = make.fitted
    codes = model.embed(new)
    for share in (0.5, 3.0):
        blended = ((1 - share) * codes + share * codes[::-1]).astype(np.float32)
        require_sane({"decoded": model.decode(blended)}, new)


def rows_from_nothing(make: Make) -> None:
    """Where nothing is given, rows are drawn that training could have had; the seed alone decides which."""
    train, new = make.rows
    model: Any = make.fitted
    nothing = Encoded.concatenate([new] * 4).hide(np.ones_like(np.concatenate([new.observed] * 4)))
    rows = sampled(model, nothing, seed=1)
    require_sane({"sampled": rows}, nothing)
    require_equal({"rows": rows}, {"rows": sampled(model, nothing, seed=1)}, "drawn again with the same seed")
    require(bool((rows != sampled(model, nothing, seed=2)).any()), "another seed gives the same rows; use run.rng")
    for block in train.layout.blocks:
        if block.kind == "category":
            missing = int((rows[:, block.position] == MISSING).sum())
            require(
                block.missing > 0 or not missing,
                f"column {block.name!r} got {missing} missing values, but training had none",
            )


def any_level_can_be_given(make: Make) -> None:
    """Every level of every category can be given, alone or with all other cells."""
    train, new = make.rows
    model: Any = make.fitted
    for block in train.layout.blocks:
        if block.kind != "category":
            continue
        codes = np.arange(block.size, dtype=np.float32) + FIRST_LEVEL
        rows = new.take(np.arange(len(codes)) % len(new))
        values, observed = rows.values.copy(), rows.observed.copy()
        values[:, block.position], observed[:, block.position] = codes, True
        whole = Encoded(values, observed, new.layout)
        alone = whole.hide(np.broadcast_to(np.arange(values.shape[1]) != block.position, values.shape))
        for given in (whole, alone):
            require_sane({"sampled": sampled(model, given)}, given)


def saved_and_restored_in_a_new_process(make: Make) -> None:
    """What is saved is all that the model needs: a new process gives the same answers, bit for bit."""
    saved_and_restored_in_one_process([make])


def saved_and_restored_in_one_process(makes: Sequence[Make]) -> None:
    """Check several models by one new process, as one takes seconds to start."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = [str(Path(temporary) / str(number)) for number in range(len(makes))]
        for make, folder in zip(makes, folders, strict=True):
            _save(make, Path(folder))
        command = [sys.executable, "-m", "anomalo.testing.restoring", *folders]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    last_line = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}, no message"])[-1]
    require(done.returncode == 0, f"a new process could not restore the model: {last_line}")
    for make, restored in zip(makes, json.loads(done.stdout), strict=True):
        different = [name for name, digest in digests(make.answers).items() if restored.get(name) != digest]
        which = f"{make.cls.__qualname__}: {', '.join(different)}"
        require(not different, f"the model restored in a new process gives other answers: {which}")


def _save(make: Make, folder: Path) -> None:
    cls = make.cls
    importable = cls.__module__ != "__main__" and "<locals>" not in cls.__qualname__
    require(importable, f"{cls.__qualname__} cannot be imported by another process; define it at the top of a module")
    entries = {"module": cls.__module__, "class": cls.__qualname__, "parameters": make().params()}
    artifacts.save(folder, entries, make.fitted.state())


def global_state_untouched(make: Make) -> None:
    """Neither a fit nor an answer changes the process: random states, threads, defaults."""
    train, new = make.rows
    for _ in range(2):  # torch may be imported by the first fit: its state is known from the second on
        with _another_random_state():
            before = _global_state()
            answers(_fit(make(), train), new)
            after = _global_state()
        changed = [name for name, value in before.items() if after[name] != value]
        require(not changed, f"the model changed {', '.join(changed)}; use run.rng, and restore what you set")


def data_untouched(make: Make) -> None:
    """The arrays are never written to, and may be read-only or memory-mapped."""
    train, new = make.rows
    before = [array.tobytes() for data in (train, new) for array in (data.values, data.observed)]
    answers(_fit(make(), train), new)
    after = [array.tobytes() for data in (train, new) for array in (data.values, data.observed)]
    require(before == after, "the model wrote into data.values or data.observed; work on a copy")


CHECKS: tuple[Callable[[Make], None], ...] = (
    declaration,
    determinism,
    refit,
    row_independence,
    missing_cells,
    rows_without_cells,
    one_row,
    one_column,
    constant_columns,
    empty_columns,
    unseen_levels,
    contributions_sum_to_the_score,
    codes_between_rows,
    rows_from_nothing,
    any_level_can_be_given,
    saved_and_restored_in_a_new_process,
    global_state_untouched,
    data_untouched,
)
ONLY_FOR: dict[Callable[[Make], None], Any] = {
    contributions_sum_to_the_score: CanExplain,
    codes_between_rows: CanEmbed,
    rows_from_nothing: CanSample,
    any_level_can_be_given: CanSample,
}
"""The checks that apply to some models only, with the capability that they need."""
ONLY_FOR_TABLES = {one_column, constant_columns}
"""The checks of what only tables have: other columns, numbers among them."""
ONLY_FOR_COLUMNS = {empty_columns, unseen_levels}
"""The checks of rows whose first axis is that of columns, which the rows of images and series do not have."""


def _fit(model: Model, data: Encoded) -> Model:
    run = LocalRun(seed=0, device="cpu", registered=lambda name, **params: Registry.load().create(name, **params))
    require_self("fit", model.fit(labelled_for(model, data), run), model)
    return model


def _described(error: Exception) -> str:
    return str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"


def _environment() -> dict[str, str]:
    """The environment of a process that imports what this one can, and counts on as many threads."""
    torch = sys.modules.get("torch")
    threads = {} if torch is None else {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def _global_state() -> dict[str, Any]:
    kind, keys, *rest = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "numpy's global random state": (kind, np.asarray(keys).tobytes(), *rest),
        "the state of the module random": random.getstate(),
        "numpy's error handling": np.geterr(),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        state |= {
            "torch's global random state": torch.get_rng_state().numpy().tobytes(),
            "torch's number of threads": torch.get_num_threads(),
            "torch's default dtype": torch.get_default_dtype(),
            "torch's gradient mode": torch.is_grad_enabled(),
            "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        }
    return state


@contextmanager
def _another_random_state() -> Iterator[None]:
    """Set the global random generators to another state, and restore the previous one afterwards."""
    torch = sys.modules.get("torch")
    kept = (np.random.get_state(), random.getstate(), None if torch is None else torch.get_rng_state())
    try:
        np.random.seed(_SEED)
        random.seed(_SEED)
        if torch is not None:
            torch.default_generator.manual_seed(_SEED)
        yield
    finally:
        np.random.set_state(kept[0])
        random.setstate(kept[1])
        if torch is not None:
            torch.set_rng_state(kept[2])
