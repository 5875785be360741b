"""The surface of plugin authors, without torch: data, models, verbs, parameters and hooks."""

from anomalo.encoding.encoded import (
    DENSE_LEVELS,
    FIRST_LEVEL,
    MISSING,
    UNSEEN,
    Block,
    Dense,
    Encoded,
    Floats,
    Layout,
    Mask,
    Scores,
)
from anomalo.encoding.encoder import Encoder
from anomalo.encoding.scaling import compress, expand
from anomalo.generators.transform import Parts, TableTransform
from anomalo.models.base import CAPABILITIES, Model, Run, is_goal, is_model
from anomalo.models.capabilities import (
    CanClassify,
    CanEmbed,
    CanExplain,
    CanImpute,
    CanPretrain,
    CanSample,
    CanScore,
    CanStart,
)
from anomalo.models.parameters import Parameter, param
from anomalo.models.residuals import residual_draws, residual_interval, residual_table
from anomalo.models.results import Cells, Filled, HiddenCells, ModelState
from anomalo.models.row_random import row_uniform
from anomalo.registry.hookspecs import hookimpl

__all__ = [
    "CAPABILITIES",
    "DENSE_LEVELS",
    "FIRST_LEVEL",
    "MISSING",
    "UNSEEN",
    "Block",
    "CanClassify",
    "CanEmbed",
    "CanExplain",
    "CanImpute",
    "CanPretrain",
    "CanSample",
    "CanScore",
    "CanStart",
    "Cells",
    "Dense",
    "Encoded",
    "Encoder",
    "Filled",
    "Floats",
    "HiddenCells",
    "Layout",
    "Mask",
    "Model",
    "ModelState",
    "Parameter",
    "Parts",
    "ReportsErrors",
    "Run",
    "Scores",
    "TableTransform",
    "compress",
    "expand",
    "hookimpl",
    "is_goal",
    "is_model",
    "param",
    "residual_draws",
    "residual_interval",
    "residual_table",
    "row_uniform",
]
