"""The surface of plugin authors, without torch: data, models, verbs, parameters and hooks."""

from anomalo.encoding.encoded import DENSE_LEVELS, FIRST_LEVEL, MISSING, UNSEEN, Dense, Encoded, Floats, Mask, Scores
from anomalo.encoding.encoder import Encoder
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.mapped import is_mapped, row_parts
from anomalo.encoding.scaling import compress, expand
from anomalo.encoding.series.windows import autocorrelation
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
    SamplesClasses,
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
from anomalo.models.learners.shrinkage import MergedMoments, ledoit_wolf
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
from anomalo.registry.engine import Compute, Engine, Payload
from anomalo.registry.hookspecs import hookimpl
from anomalo.tabular.column import Column, with_modality
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.batches import BATCH
from anomalo.tabular.reading.folder.listing import TableFile, fixed_folder, has_magic, tables_among
from anomalo.tabular.reading.reader import read_files
from anomalo.tabular.reading.typed import flat_batches, is_binary
from anomalo.tabular.reading.values import Kinds, to_array
from anomalo.tabular.schema import Schema
from anomalo.tabular.writing.destination import Delivery
from anomalo.tabular.writing.writer import TableWriter, check_suffix

__all__ = [
    "BATCH",
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
    "Compute",
    "Conditional",
    "ConditionalImputer",
    "CrossFits",
    "Delivery",
    "Dense",
    "DensityRatio",
    "Encoded",
    "Encoder",
    "Engine",
    "Filled",
    "FittedBoosting",
    "Floats",
    "HeldOutPredictions",
    "HiddenCells",
    "Kinds",
    "Layout",
    "Mask",
    "MergedMoments",
    "Model",
    "ModelState",
    "Parameter",
    "Parts",
    "Payload",
    "Plan",
    "Plans",
    "ReadOptions",
    "ReportsErrors",
    "Run",
    "SamplesClasses",
    "Schema",
    "Scores",
    "TableFile",
    "TableTransform",
    "TableWriter",
    "Texts",
    "Trees",
    "autocorrelation",
    "boosting_inputs",
    "check_suffix",
    "compress",
    "concatenated",
    "conditional",
    "correct_by_density_ratio",
    "expand",
    "expectation_maximisation",
    "few_threads",
    "fixed_folder",
    "flat_batches",
    "flatten_boosting",
    "flatten_forest",
    "has_magic",
    "hookimpl",
    "in_row_blocks",
    "inverse",
    "is_binary",
    "is_goal",
    "is_mapped",
    "is_model",
    "learn_density_ratio",
    "ledoit_wolf",
    "missing_on_both_sides",
    "out_of_bag",
    "param",
    "read_files",
    "relative",
    "residual_draws",
    "residual_interval",
    "residual_table",
    "round_down_to_float32",
    "row_parts",
    "row_uniform",
    "tables_among",
    "to_array",
    "verbs_of",
    "with_modality",
]
