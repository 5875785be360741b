"""Starting from a fitted model: its weights, its columns and scales, and the verbs `pretrain` and `fit --from`."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.encoding.target import Target, label_of
from anomalo.errors import SchemaError, UsageError
from anomalo.models.run import LocalRun
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_model import load_fitted, save_fitted
from anomalo.plugin import Encoded, Layout
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer
from anomalo.testing import tables

QUICK = ("--set", "epochs=1", "--set", "hidden=8")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


def fitted(registry: Registry, name: str = "undercomplete", initial: Any = None, **params: Any) -> Any:
    params = {"epochs": 1, "hidden": (8,)} | params
    run = LocalRun(initial=initial, registered=registry.create)
    return registry.create(name, **params).fit(tables()[0], run)


def weights(model: Any) -> dict[str, np.ndarray]:
    return {name: array for name, array in model.state().arrays.items() if name.startswith("net.")}


def test_a_network_starts_where_the_one_like_it_ended(registry: Registry) -> None:
    first = fitted(registry)
    second = fitted(registry, initial=first, learning_rate=1e-7)
    moved = [np.abs(array - weights(second)[name]).max() for name, array in weights(first).items() if array.size]
    assert max(moved) < 1e-4
    fresh = weights(fitted(registry, learning_rate=1e-7))
    assert max(np.abs(array - fresh[name]).max() for name, array in weights(first).items() if array.size) > 0.1


def test_it_keeps_the_statistics_of_the_first_table(registry: Registry) -> None:
    first = fitted(registry)
    train, _ = tables()
    run = LocalRun(initial=first)
    again = registry.create("undercomplete", epochs=1, hidden=(8,)).fit(train.take(slice(0, 20)), run)
    np.testing.assert_array_equal(again.net.input.mean, first.net.input.mean)


def test_weights_that_do_not_fit_are_new_and_none_is_an_error(registry: Registry) -> None:
    first = fitted(registry)
    other = fitted(registry, initial=first, hidden=(8, 4))
    assert other.notes_ == ["7 of 15 weights fit those of 'undercomplete'; the rest are new"]
    assert not hasattr(fitted(registry, initial=first), "notes_")
    with pytest.raises(UsageError, match="no weight has the same name and shape; give the same model and sizes"):
        fitted(registry, initial=registry.create("median").fit(tables()[0], LocalRun()))


def test_a_second_fit_forgets_what_the_first_one_started_from(registry: Registry) -> None:
    first, train = fitted(registry), tables()[0]
    model = fitted(registry, initial=first, hidden=(8, 4)).fit(train, LocalRun())
    assert not hasattr(model, "notes_")
    fresh = weights(fitted(registry, hidden=(8, 4)))
    for name, array in weights(model).items():
        np.testing.assert_array_equal(array, fresh[name])


def people(rows: int = 60, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    size = rng.normal(50 * (seed + 1), 10, rows)
    kind = pa.array(rng.choice(["a", "b"], rows).tolist())
    sick = pa.array(np.where(size > size.mean(), "yes", "no").tolist(), mask=rng.random(rows) < 0.3)
    return pa.table({"size": size, "kind": kind, "sick": sick, "note": rng.normal(size=rows)})


def fit(table: pa.Table, model: str, registry: Registry, options: SchemaOptions, **given: Any) -> Fitted:
    config = FitConfig(model, {"epochs": 1, "hidden": (8,)}, device="cpu", calibrate=False)
    return Fitted.fit(table, infer(table, options), config, registry, **given).fitted


def test_columns_levels_and_scales_stay_and_the_label_may_be_new(registry: Registry, tmp_path: Path) -> None:
    base = fit(people().select(["kind", "size"]), "undercomplete", registry, SchemaOptions())
    new = people(seed=1)
    label = SchemaOptions(label="sick")
    found = fit(new, "classifier", registry, label, base=base, target=label_of(new, infer(new, label)))
    assert [column.name for column in found.schema.features] == ["kind", "size"]
    assert found.encoder.layout == base.encoder.layout
    assert found.schema.column("note").role == "dropped"
    assert found.facts["rows"] == len(new) - new["sick"].null_count
    save_fitted(found, tmp_path / "model")
    again = load_fitted(tmp_path / "model", registry, "cpu")
    batch = new.to_batches()[0]
    data = found.encode(batch)
    np.testing.assert_array_equal(again.proba(again.encode(batch)), found.proba(data))
    assert sorted(again.facts["classes"]) == ["no", "yes"]
    assert again.facts["initial"] == {"model": "undercomplete", "fingerprint": base.facts["fingerprint"]}
    # The score is the probability of the rarest class, whatever else is anomalous about the row.
    odd = again.encode(batch.set_column(1, "kind", pa.array(["never seen"] * batch.num_rows)))
    np.testing.assert_array_equal(again.score(odd).score, again.proba(odd)[:, 1].astype(float))


def test_a_table_that_does_not_fit_the_first_one_is_refused(registry: Registry) -> None:
    base = fit(people().drop_columns(["sick"]), "undercomplete", registry, SchemaOptions())
    with pytest.raises(SchemaError, match="reads the column 'kind', which the table does not have"):
        infer(people().drop_columns(["kind"])).continuing(base.schema)
    with pytest.raises(UsageError, match="column 'kind' cannot be the label: the model to start from reads it"):
        infer(people(), SchemaOptions(label="kind")).continuing(base.schema)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("knn", {"base"}, "model 'knn' cannot start from another model"),
        ("undercomplete", {"target"}, "does not learn from a label; model 'classifier' does"),
        ("classifier", {}, "learns from labels: fit it with --label COL --supervised"),
    ],
)
def test_models_report_what_they_cannot_start_from(
    model: str, given: set[str], message: str, registry: Registry
) -> None:
    table = people()
    base = fit(table, "undercomplete", registry, SchemaOptions()) if "base" in given else None
    target = label_of(table, infer(table, SchemaOptions(label="sick"))) if "target" in given else None
    params = {} if model == "knn" else {"epochs": 1}
    with pytest.raises(UsageError, match=message):
        Fitted.fit(table, infer(table), FitConfig(model, params), registry, base=base, target=target)


@pytest.mark.parametrize(
    ("cells", "classes", "codes"),
    [
        (pa.array([0, 1, None, 1]), ("1", "0"), [1, 0, np.nan, 0]),
        (pa.array([0.0, 1.0, np.nan, 1.0]), ("1", "0"), [1, 0, np.nan, 0]),
        (pa.array(["b", None, " a", "b"]), ("b", "a"), [0, np.nan, 1, 0]),
        (pa.array([True, False, None, None]), ("false", "true"), [1, 0, np.nan, np.nan]),
    ],
)
def test_classes_are_counted_from_the_most_frequent(cells: pa.Array, classes: Any, codes: Any) -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "y": cells})
    target = label_of(table, infer(table, SchemaOptions(label="y")))
    assert target.classes == classes
    np.testing.assert_array_equal(target.codes, codes)
    layout = Layout("table", (1,), ())
    data = target.on(Encoded(np.zeros((4, 1), np.float32), np.ones((4, 1), bool), layout))
    np.testing.assert_array_equal(data.target, [code for code in codes if code == code])
    assert Layout.from_json(data.layout.to_json()) == data.layout


def test_too_few_and_too_many_classes_are_refused() -> None:
    with pytest.raises(UsageError, match="the label has one class; expected from 2 to 100"):
        Target.of(pa.array(["a", None, "a"]))
    with pytest.raises(UsageError, match="the label has 101 classes"):
        Target.of(pa.array([str(number) for number in range(101)]))
    table = pa.table({"x": [1.0, 2.0]})
    with pytest.raises(UsageError, match="needs a label; name its column with --label COL"):
        label_of(table, infer(table))


@pytest.fixture(scope="module")
def desk(anomalo: Any, patients: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A workspace with a pretrained model, and a way to call verbs there."""
    folder = tmp_path_factory.mktemp("pretraining")
    patients.to_csv(folder / "all.csv", index=False)
    few = patients.assign(sick=np.where(patients["weight"] > 70, "yes", "no"))
    few.loc[100:, "sick"] = None
    few.to_csv(folder / "few.csv", index=False)

    def call(verb: str, table: str, *options: object) -> Any:
        return anomalo(verb, folder / table, *options, "--workspace", folder / "workspace", "--device", "cpu")

    columns = ("--label", "sick", "--drop", "name")
    done = call("pretrain", "all.csv", "--model", "undercomplete", *QUICK, "--as", "base", *columns, "--json")
    assert done.code == 0, done.err
    assert done.json["summary"]["warnings"] == []
    return call


def test_a_classifier_is_fitted_from_a_pretrained_model(desk: Any) -> None:
    done = desk("fit", "few.csv", "--from", "base", "--label", "sick", "--supervised", "--set", "epochs=2", "--as", "c")
    assert done.code == 0, done.err
    assert "140 rows have no label and were left out" in done.err
    assert "saved c@1: classifier, 100 rows, 5 columns" in done.out
    assert "started from base@1\nclasses: " in done.out
    scored = desk("score", "few.csv", "--with", "c", "--explain", "0", "--json")
    assert scored.code == 0, scored.err
    assert all(0 <= row["score"] <= 1 for row in scored.json["top"])


def test_the_same_model_continues_with_its_sizes(desk: Any) -> None:
    done = desk("fit", "few.csv", "--from", "base", "--set", "epochs=2", "--for", "embed", "--as", "more", "--json")
    assert done.code == 0, done.err
    assert done.json["model"] == "undercomplete"
    assert done.json["summary"]["parameters"]["hidden"] == [8]
    assert done.json["summary"]["parameters"]["epochs"] == 2
    assert done.json["columns"] == 5
    assert "has seen these rows" in done.err


def test_a_pretrained_model_scores_without_p_values_and_says_so(desk: Any) -> None:
    done = desk("score", "all.csv", "--with", "base", "--explain", "0")
    assert done.code == 0
    assert "the model was only pretrained, so every p-value is 1" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pretrain", "all.csv", "--model", "knn"), "model 'knn' cannot be pretrained: it has no encoder"),
        (("fit", "few.csv", "--from", "absent"), "saved model"),
        (("fit", "few.csv", "--from", "base", "--drop", "colour"), "column 'colour': a fit that starts from base@1"),
        (("fit", "few.csv", "--supervised"), "a supervised fit needs a label"),
        (("fit", "few.csv", "--label", "sick", "--supervised", "--model", "knn"), "model 'knn' does not learn"),
    ],
)
def test_wrong_usage_is_one_line(desk: Any, words: tuple[str, ...], message: str) -> None:
    outcome = desk(*words, "--as", "wrong")
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
