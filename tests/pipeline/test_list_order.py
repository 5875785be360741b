"""The order of the list: within a run a larger score never has a larger p-value, and reasons sum to that score."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.estimators.detector import AnomalyDetector
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.plugin import CanClassify, CanExplain, CanScore, Model
from anomalo.registry.registry import Registry
from anomalo.tabular.column import write_notes
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 160
REGISTRY = Registry.load()
QUICK = {"auto", "covariance", "ecod", "hbos", "iforest", "knn", "linear", "lof", "undercomplete"}
"""Models that `make test` checks."""
FIRST_PARTY = [REGISTRY.get(name) for plugin in REGISTRY.plugins() if plugin.first_party for name in plugin.models]
OURS = list(dict.fromkeys(FIRST_PARTY))
MODELS = [model for model in OURS if "table" in model.modalities]
SCORING = [
    pytest.param(model, id=model.name, marks=() if model.name in QUICK else pytest.mark.matrix)
    for model in MODELS
    if issubclass(model, CanScore) and not issubclass(model, CanClassify)
]


def texts(seed: int, rows: int = ROWS) -> pa.Table:
    """Numbers, some of which cannot be read or are missing, and levels, as a text file has them."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=rows)
    size = [f"{value:.2f}" for value in hidden + 0.3 * rng.normal(size=rows)]
    weight = [f"{value:.1f}" for value in np.exp(hidden)]
    weight[3], weight[7] = "", "heavy"
    level = np.array(["red", "green", "blue"])[np.digitize(hidden, [-0.5, 0.5])].tolist()
    table = pa.table({"size": size, "weight": weight, "level": level})
    return table.replace_schema_metadata(write_notes(table.schema, {"text": True, "separator": ","}).metadata)


def mixed() -> tuple[pa.Table, pa.Table]:
    """Return training rows, some of them twice, and a table of half of them among new rows, some without precedent."""
    train, new = texts(0), texts(1)
    train = pa.concat_tables([train, train.slice(0, 8)])
    levels = new.column("level").to_pylist()
    levels[5], levels[6] = "violet", "violet"
    sizes = new.column("size").to_pylist()
    sizes[6], sizes[9] = "90.0", "?"
    new = new.set_column(2, "level", pa.array(levels)).set_column(0, "size", pa.array(sizes))
    new = new.replace_schema_metadata(train.schema.metadata)
    both = pa.concat_tables([train.slice(0, ROWS // 2), new])
    return train, both.take(np.random.default_rng(2).permutation(both.num_rows)).combine_chunks()


def fitted(model: type[Model], rows: pa.Table) -> Fitted:
    known = {parameter.name for parameter in model.parameters()}
    params = {name: value for name, value in {"epochs": 2, "trees": 5}.items() if name in known}
    config = FitConfig(model.name, params, device="cpu", folds=2, goals=frozenset({"score"}))
    return Fitted.fit(rows, infer(rows, SchemaOptions()), config, REGISTRY).fitted


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("model", SCORING)
def test_a_larger_score_never_has_a_larger_p_value(model: type[Model]) -> None:
    train, both = mixed()
    found = fitted(model, train)
    data = found.encode(both)
    scored = found.score(data)
    assert 0 < scored.known.sum() < len(scored.known)
    order = np.lexsort((scored.p_value, scored.score))
    score, p = scored.score[order], scored.p_value[order]
    assert (np.diff(p)[np.diff(score) > 0] <= 0).all()
    above = (found.calibration.reference[None] >= scored.score[:, None]).sum(axis=1)
    total = len(found.calibration.reference)
    np.testing.assert_array_equal(
        scored.p_value, np.where(scored.known, above / total, (above + 1) / (total + 1)), strict=True
    )
    np.testing.assert_array_equal(scored.score[~scored.known], found.score_as_new(data)[~scored.known])
    if issubclass(model, CanExplain):
        np.testing.assert_allclose(found.explain(data).contribution.sum(axis=1), scored.score, rtol=1e-4, atol=1e-4)


def test_score_samples_is_what_the_fitted_model_says_and_p_values_are_out_of_fold() -> None:
    train, both = mixed()
    numeric = [pd.to_numeric(table.column("size").to_pandas(), errors="coerce").to_frame() for table in (train, both)]
    frame, rows = (size.assign(level=table.column("level")) for size, table in zip(numeric, (train, both), strict=True))
    detector = AnomalyDetector("knn", device="cpu").fit(frame)
    found = detector.fitted_
    data = found.encode(pa.RecordBatch.from_pandas(rows, preserve_index=False))
    np.testing.assert_array_equal(detector.score_samples(rows), -found.score_as_new(data))
    reported = found.score(data)
    np.testing.assert_array_equal(detector.p_values(rows), reported.p_value)
    assert (reported.score != found.score_as_new(data))[reported.known].any()
    sums = detector.explain(rows).groupby("row")["contribution"].sum()
    np.testing.assert_allclose(sums, reported.score, rtol=1e-5)
