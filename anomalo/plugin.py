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
from anomalo.generators.density_ratio import DensityRatio, correct_by_density_ratio, learn_density_ratio
from anomalo.generators.transform import Parts, TableTransform
from anomalo.models.base import Model, Run, is_goal, is_model
from anomalo.models.capabilities import (
    VERBS,
    CanClassify,
    CanEmbed,
    CanExplain,
    CanExtend,
    CanImpute,
    CanPretrain,
    CanSample,
    CanScore,
    CanStart,
    CrossFits,
    Plans,
    ReportsErrors,
    verbs_of,
)
from anomalo.models.conditional import ConditionalImputer, HeldOutPredictions
from anomalo.models.learners.boosting import (
    FittedBoosting,
    boosting_inputs,
    few_threads,
    flatten_boosting,
    missing_on_both_sides,
)
from anomalo.models.learners.gaussian import Conditional, conditional, expectation_maximisation, inverse
from anomalo.models.learners.shrinkage import ledoit_wolf
from anomalo.models.learners.trees import (
    ROW_BLOCK,
    Trees,
    concatenated,
    flatten_forest,
    out_of_bag,
    round_down_to_float32,
)
from anomalo.models.parameters import Parameter, param
from anomalo.models.residuals import residual_draws, residual_interval, residual_table
from anomalo.models.results import Cells, Filled, HiddenCells, ModelState, Plan, relative
from anomalo.models.row_invariant import in_row_blocks
from anomalo.models.row_random import row_uniform
from anomalo.registry.hookspecs import hookimpl
from anomalo.tabular.column import Column, with_modality
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema

__all__ = [
    "DENSE_LEVELS",
    "FIRST_LEVEL",
    "MISSING",
    "ROW_BLOCK",
    "UNSEEN",
    "VERBS",
    "Block",
    "CanClassify",
    "CanEmbed",
    "CanExplain",
    "CanExtend",
    "CanImpute",
    "CanPretrain",
    "CanSample",
    "CanScore",
    "CanStart",
    "Cells",
    "Column",
    "Columns",
    "Conditional",
    "ConditionalImputer",
    "CrossFits",
    "Dense",
    "DensityRatio",
    "Encoded",
    "Encoder",
    "Filled",
    "FittedBoosting",
    "Floats",
    "HeldOutPredictions",
    "HiddenCells",
    "Layout",
    "Mask",
    "Model",
    "ModelState",
    "Parameter",
    "Parts",
    "Plan",
    "Plans",
    "ReportsErrors",
    "Run",
    "Schema",
    "Scores",
    "TableTransform",
    "Texts",
    "Trees",
    "boosting_inputs",
    "compress",
    "concatenated",
    "conditional",
    "correct_by_density_ratio",
    "expand",
    "expectation_maximisation",
    "few_threads",
    "flatten_boosting",
    "flatten_forest",
    "hookimpl",
    "in_row_blocks",
    "inverse",
    "is_goal",
    "is_model",
    "learn_density_ratio",
    "ledoit_wolf",
    "missing_on_both_sides",
    "out_of_bag",
    "param",
    "relative",
    "residual_draws",
    "residual_interval",
    "residual_table",
    "round_down_to_float32",
    "row_uniform",
    "verbs_of",
    "with_modality",
]
