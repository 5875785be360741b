"""The surface of plugin authors with torch: neural models, building blocks, adversarial training and diffusion."""

from anomalo.nn.adversarial.energy_distance import energy_distance
from anomalo.nn.adversarial.losses import (
    critic_loss,
    generator_loss,
    one_centred_penalty,
    squared_gradient_norms,
    zero_centred_penalty,
)
from anomalo.nn.adversarial.minibatch_features import MinibatchDeviation, MinibatchDiscrimination
from anomalo.nn.adversarial.moving_average import MovingAverage
from anomalo.nn.adversarial.network import AdversarialNetwork
from anomalo.nn.adversarial.replay_buffer import ReplayBuffer
from anomalo.nn.adversarial.step import AdversarialStep, zero_centred_outputs
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
from anomalo.nn.optimiser import clipped
from anomalo.nn.reconstructor import Autoencoder, CodeNetwork, Reconstructor, RowEncoder
from anomalo.nn.robust_heads import NaturalHeads, compressed, natural
from anomalo.nn.trainer import STEPS_PER_EPOCH, Loss, Phase, Step, seeded
from anomalo.nn.training_by_sampling import draw_rows_by_code

__all__ = [
    "STEPS_PER_EPOCH",
    "AdversarialNetwork",
    "AdversarialStep",
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
    "MinibatchDeviation",
    "MinibatchDiscrimination",
    "MixtureHeads",
    "ModuleTuple",
    "MovingAverage",
    "NaturalHeads",
    "NeuralModel",
    "Phase",
    "Reconstructor",
    "ReplayBuffer",
    "RowEncoder",
    "Standardised",
    "Step",
    "activate",
    "ancestral",
    "clipped",
    "compressed",
    "critic_loss",
    "draw_rows",
    "draw_rows_by_code",
    "energy_distance",
    "even_levels",
    "filled",
    "generator_loss",
    "heun",
    "implicit",
    "karras_levels",
    "mean_of_batch",
    "mlp",
    "multistep",
    "natural",
    "one_centred_penalty",
    "part_of_mean",
    "seeded",
    "split_rows",
    "squared_gradient_norms",
    "sum_of_batch",
    "zero_centred_outputs",
    "zero_centred_penalty",
]
