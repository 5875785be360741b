"""Tables in which several sources report the same items, such as the times of a flight, and often disagree."""

from __future__ import annotations

import re

import numpy as np
from cell_errors import ERRORS, Injected
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Random = np.random.Generator

ROWS = 1500
ALTERNATIVES = ("moved", "moved", "moved", "other row", "missing", "typo", "format", "dated")
STYLES = ("{h}:{i:02} {t}.m.", "{k:02}:{i:02}", "{h}:{i:02}{u}M", "{k:02}{i:02}", "{k:02}:{i:02}:00")


def reported_table(clean: Texts, random: Random) -> Injected:
    """Return reports of the rows of a table [n, columns] by several sources of different reliability.

    The first column names the source, the second one the item; the true text of a cell is that of the item, which its
    sources do not always report, and wrong ones may agree with each other.
    """
    items = _items(clean, random)
    sources = int(random.integers(4, 41))
    names = [f"{text[:12]}{at}" for at, text in enumerate(random.choice(clean.ravel().astype(str), sources))]
    pairs = np.array([(at, to) for at in range(sources) for to in range(len(items))])
    pairs = pairs[np.sort(random.permutation(len(pairs))[: int(min(len(pairs) * random.uniform(0.5, 1), ROWS))])]
    rates = np.clip(random.beta(1.2, 1.2 / random.uniform(0.1, 0.65) - 1.2, sources), 0, 0.95)
    hardness = random.uniform(0.4, 1.5, items.shape[1])
    hardness[random.random(items.shape[1]) < 0.2] = 0.02
    truth = items[pairs[:, 1]]
    dirty, kinds = truth.copy(), np.full(truth.shape, "", dtype=object)
    for column in range(items.shape[1]):
        others = [_alternatives(items, row, column, random) for row in range(len(items))]
        for row in np.flatnonzero(random.random(len(pairs)) < rates[pairs[:, 0]] * hardness[column]):
            texts, chances = others[pairs[row, 1]]
            dirty[row, column] = texts[int(random.choice(len(texts), p=chances))]
    kinds[dirty != truth] = "source"
    keys = _keys(items, random)
    heads = np.stack([np.array(names, dtype=object)[pairs[:, 0]], keys[pairs[:, 1]]], axis=1)
    plain = np.full(heads.shape, "", dtype=object)
    tables = [np.concatenate([heads, body], axis=1) for body in (dirty, truth)]
    return Injected(tables[0], tables[1], np.concatenate([plain, kinds], axis=1))


def _items(clean: Texts, random: Random) -> Texts:
    rows = clean[random.permutation(len(clean))[: int(random.integers(8, 91))]]
    columns = np.sort(random.permutation(clean.shape[1])[: int(random.integers(1, 6))])
    style = str(random.choice(STYLES))
    times = [[_time(int(minute), style) for minute in random.integers(300, 1430, len(rows))] for _ in range(4)]
    parts = [rows[:, columns], np.array(times[: int(random.integers(0, 5))], dtype=object).reshape(-1, len(rows)).T]
    return np.concatenate(parts, axis=1)


def _keys(items: Texts, random: Random) -> Texts:
    form = str(random.choice(["{a}-{b}", "item {b}", "{b}", "{a}{b:05}"]))
    numbers = random.permutation(9000)[: len(items)] + 1000
    return np.array(
        [form.format(a=str(row[0])[:8].strip(), b=int(b)) for row, b in zip(items, numbers, strict=True)], object
    )


def _time(minute: int, style: str) -> str:
    hour, rest = minute // 60 % 24, minute % 60
    return style.format(h=hour % 12 or 12, k=hour, i=rest, t="ap"[hour // 12], u="AP"[hour // 12])


def _alternatives(items: Texts, row: int, column: int, random: Random) -> tuple[list[str], NDArray[np.float64]]:
    """Return the wrong texts that are told of an item, and how often each is among them."""
    text = str(items[row, column])
    found = [_changed(text, items[:, column], random) for _ in range(int(random.integers(1, 5)))]
    return found, random.dirichlet(np.full(len(found), 0.8))


def _changed(text: str, column: Texts, random: Random) -> str:
    way = str(random.choice(ALTERNATIVES))
    if way == "moved":
        moved = _moved(text, random)
        return moved if moved != text else str(random.choice(column))
    if way == "dated":
        return f"{int(random.integers(1, 13))}/{int(random.integers(1, 29)):02} {text}" if text else text
    return ERRORS[way](text, column, random) if way != "missing" else ""


def _moved(text: str, random: Random) -> str:
    """Return a text of which one number is a little larger or smaller."""
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return text
    one = numbers[int(random.integers(len(numbers)))]
    step = int(random.choice([1, 1, 2, 5, 6, 10, 17])) * int(random.choice([-1, 1]))
    value = max(int(one[0][:12]) + step, 0)
    return f"{text[: one.start()]}{value:0{len(one[0])}}{text[one.end() :]}"
