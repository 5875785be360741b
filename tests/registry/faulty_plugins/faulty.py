"""Its models fail, each in one method and in one way; the marked line is the one that the message names."""

import os
import signal
import sys
from dataclasses import dataclass

import numpy as np

from anomalo.plugin import Cells, Filled, Model, hookimpl


@dataclass(kw_only=True)
class Plain(Model):
    """What the others inherit: it works."""

    def fit(self, data, run):
        self.rows_ = len(data)
        return self

    def score(self, data):
        return np.abs(data.values).sum(axis=1, dtype=np.float64)

    def impute(self, data, draws=0):
        return Filled(np.where(data.observed, data.values, np.float32(2)))


def faulty(name, **methods):
    """A model of this name, that has these methods instead of those of `Plain`."""
    return dataclass(kw_only=True)(type("Faulty", (Plain,), {"name": name, "__module__": __name__, **methods}))


def raises(self, data, run):
    raise ValueError("no\nluck")


def exits(self, data, run):
    sys.exit(0)


def interrupts(self, data, run):
    raise KeyboardInterrupt


def swallows(self, data, run):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:
        return self


def returns_none(self, data, run):
    self.rows_ = len(data)


def wrong_signature(self, data):
    return np.zeros(len(data))


def writes(self, data):
    data.values[:] = 0
    return data.values.sum(axis=1, dtype=np.float64)


def nan(self, data):
    return np.where(np.arange(len(data)) == 3, np.nan, 1.0)


def overwrites(self, data, draws=0):
    return Filled(data.values + 1)


@hookimpl
def anomalo_models():
    return [
        faulty("plain"),
        faulty("fit_raises", fit=raises),
        faulty("fit_exits", fit=exits),
        faulty("fit_interrupts", fit=interrupts),
        faulty("fit_swallows", fit=swallows),
        faulty("fit_none", fit=returns_none),
        faulty("fit_signature", fit=wrong_signature),
        faulty("score_none", score=lambda self, data: None),
        faulty("score_list", score=lambda self, data: [0.0] * len(data)),
        faulty("score_shape", score=lambda self, data: np.zeros((len(data), 1))),
        faulty("score_text", score=lambda self, data: np.array(["a"] * len(data))),
        faulty("score_nan", score=nan),
        faulty("score_writes", score=writes),
        faulty("score_signature", score=lambda self: None),
        faulty("score_float32", score=lambda self, data: np.abs(data.values).sum(axis=1)),
        faulty("explain_none", explain=lambda self, data: None),
        faulty("explain_shape", explain=lambda self, data: Cells(np.zeros(len(data)), data.values)),
        faulty("impute_none", impute=lambda self, data, draws=0: None),
        faulty("impute_overwrites", impute=overwrites),
        faulty("embed_shape", embed=lambda self, data: data.values[:-1], decode=lambda self, codes: codes),
        faulty("sample_none", sample=lambda self, given, run: None),
        faulty("state_none", state=lambda self: None),
        faulty("restore_none", restore=lambda self, state, create=None: None),
        faulty("restore_raises", restore=lambda self, state, create=None: 1 / 0),
        faulty("notes_number", notes_=7),
    ]
