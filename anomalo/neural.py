"""The surface of plugin authors with torch: neural models, reconstructors, building blocks, and diffusion."""

from anomalo.nn.dataset import ArrayRows, Batch, BatchSource
from anomalo.nn.diffusion.averaged_network import AveragedNetwork
from anomalo.nn.diffusion.level_embedding import LevelEmbedding
from anomalo.nn.diffusion.samplers import Denoise, ancestral, heun, implicit, multistep
from anomalo.nn.diffusion.schedules import DiscreteSchedule, even_levels, karras_levels
from anomalo.nn.distributed.shares import draw_rows, mean_of_batch, part_of_mean, split_rows, sum_of_batch
from anomalo.nn.imputation import filled
from anomalo.nn.layers import ColumnHeads, ColumnInput, Standardised, activate, mlp
from anomalo.nn.mixture_heads import MixtureHeads
from anomalo.nn.model import NeuralModel
from anomalo.nn.module_tuple import ModuleTuple
from anomalo.nn.reconstructor import Autoencoder, CodeNetwork, Reconstructor, RowEncoder
from anomalo.nn.robust_heads import NaturalHeads, compressed, natural
from anomalo.nn.trainer import STEPS_PER_EPOCH, Loss, Phase, Step, seeded
from anomalo.nn.training_by_sampling import draw_rows_by_code

__all__ = [
    "STEPS_PER_EPOCH",
    "ArrayRows",
    "Autoencoder",
    "AveragedNetwork",
    "Batch",
    "BatchSource",
    "CodeNetwork",
    "ColumnHeads",
    "ColumnInput",
    "Denoise",
    "DiscreteSchedule",
    "LevelEmbedding",
    "Loss",
    "MixtureHeads",
    "ModuleTuple",
    "NaturalHeads",
    "NeuralModel",
    "Phase",
    "Reconstructor",
    "RowEncoder",
    "Standardised",
    "Step",
    "activate",
    "ancestral",
    "compressed",
    "draw_rows",
    "draw_rows_by_code",
    "even_levels",
    "filled",
    "heun",
    "implicit",
    "karras_levels",
    "mean_of_batch",
    "mlp",
    "multistep",
    "natural",
    "part_of_mean",
    "seeded",
    "split_rows",
    "sum_of_batch",
]
