"""What pretraining is worth: codes of images with and without it, and classifiers of few labels.

`codes` fits the deep autoencoder of Hinton and Salakhutdinov (2006) on MNIST digits, 8,000 to train on and 2,000 to
test, with 30 codes: from a pretrained deep belief network, from small random weights, and from weights scaled to the
layers' widths. It reports the squared error of the reconstruction per test image, beside that of 30 principal
components.

`mnist` and `adult` fit classifiers on 10, 20, 50 and 100 labels per class of MNIST digits (accuracy) and of adult
(AUROC of an income above 50,000), drawn anew with each seed: from an encoder pretrained once on 8,000 rows without
their labels, with the same network from scratch, with the classifier's own network, and by gradient boosting. They
report each method's mean, and the paired difference to the same network from scratch with a 95 % interval over seeds
(Student's t).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import calm
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.ensemble import HistGradientBoostingClassifier

from anomalo import TableClassifier, TableEmbedder
from anomalo.metrics import roc_auc
from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout, Model
from anomalo.registry.registry import Registry
from anomalo.workspace import artifacts
from anomalo_autoencoders.classifier import Classifier
from anomalo_boltzmann.models.deep_belief_network import DeepBelief
from anomalo_boltzmann.models.unrolled_autoencoder import Unrolled

WIDTHS = (500, 250, 30)
PIXELS: dict[str, Any] = {"numbers": "bernoulli", "holdout": 0.02, "batch_size": 100}
TRAIN, ADULT, ADULT_TEST = 8000, 8000, 5000
PER_CLASS = (10, 20, 50, 100)
UNTRAINED: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-7}
"""Parameters with which a fit leaves random weights as they are."""
SCRATCH = "the same network from scratch"

Line = dict[str, Any]
Fit = Callable[[NDArray[np.intp], int], float]
"""Fits on labelled rows with a seed, and returns how good the classifier is."""


@dataclass(frozen=True)
class Digits:
    """MNIST: pixels in [0, 1] and digits, to train on and to test."""

    train: Encoded
    test: Encoded
    classes: NDArray[np.int64]
    truth: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> Digits:
        with np.load(folder / "images" / "mnist10k.npz") as found:
            order = np.random.default_rng(0).permutation(len(found["images"]))
            pixels = found["images"][order].reshape(len(order), -1).astype(np.float32) / 255
            labels = found["labels"][order].astype(np.int64)
        blocks = tuple(Block(f"pixel{at}", "number", at, high=1.0) for at in range(pixels.shape[1]))
        data = Encoded(pixels, np.ones(pixels.shape, dtype=bool), Layout("table", (len(blocks),), blocks))
        return cls(data.take(slice(0, TRAIN)), data.take(slice(TRAIN, None)), labels[:TRAIN], labels[TRAIN:])


def run(seed: int = 0, initial: Model | None = None) -> LocalRun:
    """Return the surroundings of a fit."""
    return LocalRun(seed=seed, initial=initial, registered=Registry.load().create)


def belief(digits: Digits, epochs: int, folder: Path | None) -> DeepBelief:
    """Return the pretrained deep belief network, from the folder if it is there."""
    settings: dict[str, Any] = {"persistent": False, "learning_rate": 0.005, "samples": 1}
    model = DeepBelief(hidden=WIDTHS, epochs=epochs, **PIXELS, **settings)
    if folder is not None and folder.exists():
        return model.restore(artifacts.load(folder).state)
    started = time.process_time()
    model.fit(digits.train, run())
    print(f"pretraining: {epochs} epochs a layer, {time.process_time() - started:.0f} s", flush=True)
    if folder is not None:
        artifacts.save(folder, {}, model.state())
    return model


def components(digits: Digits, count: int) -> float:
    """Return the squared error per test image of that many principal components."""
    mean = digits.train.values.mean(axis=0)
    axes = np.linalg.svd(digits.train.values - mean, full_matrices=False)[2][:count]
    centred = digits.test.values - mean
    return float(np.square(centred @ axes.T @ axes - centred).sum(axis=1).mean())


def squared_error(model: Unrolled, data: Encoded) -> float:
    """Return the squared error per image of a network's reconstruction."""
    return float(np.square(model.decode(model.embed(data)) - data.values).sum(axis=1).mean())


def codes(digits: Digits, stack: DeepBelief, epochs: int, rate: float) -> Iterator[str]:
    """Yield the lines on reconstruction."""
    linear = components(digits, WIDTHS[-1])
    yield f"{WIDTHS[-1]} principal components: {linear:.2f}"
    starts = {
        "pretrained": (stack, "modern"),
        "small random weights": (None, "small"),
        "scaled random weights": (None, "modern"),
    }
    for name, (initial, weights) in starts.items():
        started = time.process_time()
        settings: dict[str, Any] = {"hidden": WIDTHS, "weights": weights, "hide": 0.0, "learning_rate": rate}
        model = Unrolled(epochs=epochs, **settings, **PIXELS)
        model.begin(digits.train, run(initial=initial))
        model.net.eval()
        before = squared_error(model, digits.test)
        model.fit(digits.train, run(initial=initial))
        error, seconds = squared_error(model, digits.test), time.process_time() - started
        share = f"{100 * error / linear:.0f} % of that of principal components"
        yield f"{name}: {error:.2f} after {epochs} epochs, {share}; {before:.2f} before; {seconds:.0f} s"


def few(classes: NDArray[Any], per_class: int, seed: int) -> NDArray[np.intp]:
    """Draw as many rows of each class."""
    rng = np.random.default_rng([seed, per_class])
    return np.concatenate([rng.permutation(np.flatnonzero(classes == one))[:per_class] for one in np.unique(classes)])


def leaf(rows: NDArray[np.intp]) -> int:
    """Return the fewest rows of a leaf: scikit-learn's 20, fewer where so few rows could not be split by it."""
    return max(1, min(20, len(rows) // 10))


def of_digits(digits: Digits, stack: DeepBelief) -> dict[str, Fit]:
    """Return each method: its accuracy for the labelled rows and the seed."""
    unrolled, blank = Unrolled(), Unrolled(hidden=WIDTHS, **PIXELS)
    unrolled.begin(digits.train, run(initial=stack))
    blank.begin(digits.train, run())
    layout = replace(digits.train.layout, classes=tuple(map(str, range(10))))

    def network(initial: Model | None, **params: Any) -> Fit:
        def fit(rows: NDArray[np.intp], seed: int) -> float:
            part = digits.train.take(rows)
            data = Encoded(part.values, part.observed, layout, digits.classes[rows].astype(np.float64))
            model = Classifier(**params).fit(data, run(seed, initial))
            return float(np.mean(model.proba(digits.test).argmax(axis=1) == digits.truth))

        return fit

    def boosting(rows: NDArray[np.intp], seed: int) -> float:
        model = HistGradientBoostingClassifier(max_iter=50, min_samples_leaf=leaf(rows), random_state=seed)
        return float(model.fit(digits.train.values[rows], digits.classes[rows]).score(digits.test.values, digits.truth))

    return {
        "pretrained": network(unrolled),
        "pretrained, kept": network(unrolled, freeze=-1),
        SCRATCH: network(blank, tuning=1.0),
        "own network from scratch": network(None),
        "gradient boosting": boosting,
    }


def adult(folder: Path) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the columns, texts as categories, and whether an income is above 50,000, in random order."""
    table = pd.read_csv(folder / "mixed" / "adult_train.csv", skipinitialspace=True, na_values="?")
    table = table.sample(frac=1, random_state=0).head(ADULT + ADULT_TEST).reset_index(drop=True)
    rich = (table.pop("income") == ">50K").to_numpy(np.int64)
    texts = table.columns[~table.dtypes.map(pd.api.types.is_numeric_dtype)]
    return table.astype(dict.fromkeys(texts, "category")), rich


def of_adult(table: pd.DataFrame, rich: NDArray[np.int64]) -> dict[str, Fit]:
    """Return each method: its AUROC for the labelled rows and the seed."""
    pool, test, truth = table.head(ADULT), table.tail(ADULT_TEST), rich[ADULT:]
    encoders = {
        "pretrained": TableEmbedder("denoising").fit(pool),
        SCRATCH: TableEmbedder("denoising", params=UNTRAINED).fit(pool),
        "pretrained undercomplete": TableEmbedder("undercomplete").fit(pool),
    }

    def network(initial: Any, **params: Any) -> Fit:
        def fit(rows: NDArray[np.intp], seed: int) -> float:
            model = TableClassifier(params=params, initial=initial, random_state=seed)
            return roc_auc(truth, model.fit(pool.iloc[rows], rich[rows]).predict_proba(test)[:, 1])

        return fit

    def boosting(rows: NDArray[np.intp], seed: int) -> float:
        leaves: dict[str, Any] = {"min_samples_leaf": leaf(rows), "categorical_features": "from_dtype"}
        model = HistGradientBoostingClassifier(**leaves, random_state=seed)
        return roc_auc(truth, model.fit(pool.iloc[rows], rich[rows]).predict_proba(test)[:, 1])

    return {
        "pretrained": network(encoders["pretrained"]),
        "pretrained, kept": network(encoders["pretrained"], freeze=-1),
        "pretrained undercomplete": network(encoders["pretrained undercomplete"]),
        SCRATCH: network(encoders[SCRATCH], tuning=1.0),
        "own network from scratch": network(None),
        "gradient boosting": boosting,
    }


def results(
    name: str, methods: dict[str, Fit], classes: NDArray[Any], seeds: list[int], done: set[tuple[Any, ...]]
) -> Iterator[Line]:
    """Yield one line for each method, number of labels and seed that is not done."""
    for seed in seeds:
        for per_class in PER_CLASS:
            rows = few(classes, per_class, seed)
            for method, fit in methods.items():
                if (name, per_class, seed, method) in done:
                    continue
                started = time.process_time()
                value = fit(rows, seed)
                seconds = time.process_time() - started
                cell = {"set": name, "per_class": per_class, "seed": seed, "method": method}
                yield cell | {"value": value, "fit_s": seconds}


def summary(lines: pd.DataFrame) -> Iterator[str]:
    """Yield each set's means, in hundredths, and differences to the same network from scratch."""
    for (name, per_class), part in lines.groupby(["set", "per_class"]):
        values = part.pivot(index="seed", columns="method", values="value") * 100
        for method in values.columns:
            difference = values[method] - values[SCRATCH]
            middle, half = difference.mean(), interval(difference.to_numpy())
            seconds = part.loc[part["method"] == method, "fit_s"].mean()
            relative = "" if method == SCRATCH else f", {middle:+.1f} [{middle - half:+.1f}, {middle + half:+.1f}]"
            yield f"{name}, {per_class} per class, {method}: {values[method].mean():.1f}{relative}; {seconds:.1f} s"


def curves(lines: pd.DataFrame) -> Any:
    """Return a chart: each method's mean against the number of labels, a panel for each set."""
    import altair as alt

    means = lines.groupby(["set", "per_class", "method"], as_index=False)["value"].mean()
    labels = alt.X("per_class:Q", title="labels per class").scale(type="log").axis(values=PER_CLASS)
    value = alt.Y("value:Q", title="AUROC (adult), accuracy (mnist)").scale(zero=False)
    drawn = alt.Chart(means).mark_line(point=True).encode(labels, value, alt.Color("method:N", title=None))
    return drawn.properties(width=300, height=240).facet("set:N").resolve_scale(y="independent")


def interval(differences: NDArray[np.float64]) -> float:
    """Return half the width of a mean's 95 % interval; nan of a single value."""
    n = len(differences)
    if n < 2:
        return float("nan")
    return float(student.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n))


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--data", type=Path, required=True, help="folder with images/mnist10k.npz and mixed/")
    command.add_argument("--parts", default="codes,mnist,adult", help="which of codes, mnist and adult to run")
    command.add_argument("--seeds", type=lambda text: [int(item) for item in text.split(",")], default=[0, 1, 2, 3, 4])
    command.add_argument("--pretraining", type=int, default=10, help="epochs for each layer of the belief network")
    command.add_argument("--epochs", type=int, default=15, help="epochs of the autoencoders")
    command.add_argument("--rate", type=float, default=3e-3, help="learning rate of the autoencoders")
    command.add_argument("--keep", type=Path, help="folder of the pretrained network, to be taken from there if it is")
    command.add_argument("--out", type=Path, help="CSV of the classifiers; cells that it holds are not run again")
    command.add_argument("--plot", type=Path, help="draw the classifiers' curves into this file, such as labels.svg")
    options = command.parse_args()
    with calm(1):
        lines = study(options, options.parts.split(","))
    if lines and options.plot:
        curves(pd.DataFrame(lines)).save(options.plot)
    if lines:
        for text in summary(pd.DataFrame(lines)):
            print(text, flush=True)


def study(options: argparse.Namespace, parts: list[str]) -> list[Line]:
    """Run the parts, and return the lines of the classifiers."""
    kept = pd.read_csv(options.out) if options.out and options.out.exists() else pd.DataFrame()
    lines: list[Line] = kept.to_dict("records")
    done = {(line["set"], line["per_class"], line["seed"], line["method"]) for line in lines}
    studies: list[Iterator[Line]] = []
    if {"codes", "mnist"} & set(parts):
        digits = Digits.read(options.data)
        stack = belief(digits, options.pretraining, options.keep)
        if "codes" in parts:
            for text in codes(digits, stack, options.epochs, options.rate):
                print(text, flush=True)
        if "mnist" in parts:
            studies.append(results("mnist", of_digits(digits, stack), digits.classes, options.seeds, done))
    if "adult" in parts:
        table, rich = adult(options.data)
        studies.append(results("adult", of_adult(table, rich), rich[:ADULT], options.seeds, done))
    for found in studies:
        for line in found:
            lines.append(line)
            if options.out:
                pd.DataFrame(lines).to_csv(options.out, index=False)
    return lines


if __name__ == "__main__":
    main()
