"""The classifier: a softmax head on an encoder, pretrained or not."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from anomalo.errors import UsageError
from anomalo.neural import (
    ArrayRows,
    ColumnHeads,
    ColumnInput,
    NeuralModel,
    Phase,
    RowEncoder,
    activate,
    mlp,
    part_of_mean,
    split_rows,
)
from anomalo.plugin import CanPretrain, Encoded, Floats, Layout, Model, ModelState, Run, Scores, param


class DenseEncoder(RowEncoder):
    """An encoder that is not pretrained: a column input layer and dense ones."""

    def __init__(self, layout: Layout, widths: Sequence[int]) -> None:
        super().__init__()
        self.input = ColumnInput(layout, widths[0])
        self.rest = nn.Sequential(activate("silu"), mlp(*widths))

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the code, [n, latent]."""
        code: Tensor = self.rest(self.input(x, observed))
        return code


class ClassifierNet(RowEncoder):
    """An encoder and a linear layer from its code, standardised, to the classes' logits.

    Parameters
    ----------
    encoder : RowEncoder
    layout : Layout
        The table's columns and classes.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, encoder: RowEncoder, layout: Layout) -> None:
        super().__init__()
        self.encoder = encoder
        with torch.no_grad():
            width = encoder.encode(*_empty_row(layout)).shape[1]
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.head = nn.Linear(width, len(layout.classes))

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the encoder's code, [n, latent]."""
        return self.encoder.encode(x, observed)

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the classes' logits, [n, classes]."""
        logits: Tensor = self.head((self.encode(x, observed) - self.mean) / self.scale)
        return logits

    @torch.no_grad()
    def standardise_codes(self, codes: Floats, target: Scores) -> None:
        """Standardise the code as it is over the training rows [n, latent], and start from the classes' shares."""
        self.mean.copy_(torch.from_numpy(codes.mean(axis=0)))
        scale = codes.std(axis=0)
        self.scale.copy_(torch.from_numpy(np.where(scale > 1e-6, scale, 1)))
        counts = np.bincount(target.astype(np.intp), minlength=self.head.out_features) + 1.0
        self.head.weight.zero_()
        self.head.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


@dataclass(kw_only=True)
class Classifier(NeuralModel[ClassifierNet]):
    """A softmax classifier of codes.

    Started from a pretrained model, it takes its encoder (a deep belief network is unrolled first), of which the lower
    layers may be kept as they are; otherwise it trains a new encoder. Minimises the cross-entropy of the classes,
    with a smaller step size for pretrained layers. The score is the probability of the rarest class.

    Reference: Bengio et al. (2007), Greedy layer-wise training of deep networks, NIPS; Erhan et al. (2010), Why does
    unsupervised pre-training help deep learning?, JMLR 11.

    Examples
    --------
    >>> Classifier(freeze=-1).params()["freeze"]
    -1
    """

    name = "classifier"
    score_unit = "probability"

    hidden: tuple[int, ...] = param((128, 64), low=1, high=100_000, help="Widths of an encoder that is not pretrained.")
    freeze: int = param(0, low=-1, high=1000, help="Lowest layers of a pretrained encoder to keep; -1 keeps them all.")
    tuning: float = param(0.3, low=0.0, high=10.0, help="Step size of pretrained layers relative to that of the head.")
    epochs: int = param(60, low=1, high=100_000, help="Passes over the training rows at most; training stops early.")
    weight_decay: float = param(1e-2, low=0.0, high=10.0, help="Decoupled weight decay of Adam.")
    holdout: float = param(0.0, low=0.0, high=0.5, help="Share of the rows held out to decide when to stop.")

    def build(self, layout: Layout) -> ClassifierNet:
        """Return the network for this layout."""
        pretrained: NeuralModel[RowEncoder] | None = vars(self).get("encoder_")
        return ClassifierNet(DenseEncoder(layout, self.hidden) if pretrained is None else pretrained.net, layout)

    def begin(self, data: Encoded, run: Run) -> None:
        """Build the network around the encoder that it starts from.

        Raises
        ------
        UsageError
            The rows have no classes, or `run.initial` has no encoder.
        """
        if data.target is None or not data.layout.classes:
            raise UsageError(f"model {self.name!r} learns from labels: fit it with --label COL --supervised")
        vars(self).pop("encoder_", None)
        if run.initial is not None:
            self._encode_by(pretrained_encoder(run.initial, data, run))
        kept = copy.deepcopy(self.encoder_.net.state_dict()) if "encoder_" in vars(self) else None
        super().begin(data, run)
        net = self.net
        if kept is not None:
            net.encoder.load_state_dict(kept)  # building took the statistics of this table instead
            freeze_layers(net.encoder, data.layout, self.freeze)
        if not isinstance(run.initial, Classifier):
            net.eval()
            net.standardise_codes(self.infer(lambda x, observed: (net.encode(x, observed),), data)[0], data.target)

    def _encode_by(self, model: NeuralModel[RowEncoder] | None) -> None:
        if model is not None:
            self.encoder_ = model

    def start(self, initial: Model) -> None:
        """Continue from another classifier; any other model has given its encoder before."""
        if isinstance(initial, Classifier):
            super().start(initial)

    def training_data(self, data: Encoded, run: Run) -> ArrayRows:
        """Return the rows with their classes."""
        assert data.target is not None
        return ArrayRows(data.values, data.observed, data.target.astype(np.int64), device=run.device)

    def loss(self, net: ClassifierNet, x: Tensor, observed: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy of the classes `target`, int64 [n], in nats."""
        x, observed, target = split_rows(x, observed, target)
        return part_of_mean(F.cross_entropy(net(x, observed).float(), target))

    def phases(self, net: ClassifierNet) -> list[Phase]:
        """Return one stage over the weights that are not kept."""
        free = [parameter for parameter in net.parameters() if parameter.requires_grad]
        return [Phase("training", free, self.epochs, lambda optimizers: self.step(net, optimizers))]

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return AdamW, with a separate step size for pretrained layers."""
        head = {id(parameter) for parameter in self.net.head.parameters()}
        rate = self.learning_rate * (self.tuning if "encoder_" in vars(self) else 1.0)
        groups = [
            {"params": [p for p in parameters if id(p) in head], "lr": self.learning_rate},
            {"params": [p for p in parameters if id(p) not in head], "lr": rate},
        ]
        return [AdamW([g for g in groups if g["params"]], weight_decay=self.weight_decay, fused=True)]

    def proba(self, data: Encoded) -> Floats:
        """Return the probabilities of the classes, float32 [n, classes]."""
        return self.infer(lambda x, observed: (torch.softmax(self.net(x, observed).float(), dim=1),), data)[0]

    def score(self, data: Encoded) -> Scores:
        """Return the probability of the rarest class, float64 [n]."""
        return self.proba(data)[:, -1].astype(np.float64)

    def state(self) -> ModelState:
        """Return what was learned; a pretrained encoder's weights are those of the model within."""
        state = super().state()
        if "encoder_" in state.models:
            state.arrays = {k: array for k, array in state.arrays.items() if not k.startswith("net.encoder.")}
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> "Classifier":
        """Take back what `state` returned."""
        if "encoder_" in state.models:
            inner = state.models["encoder_"][2].arrays
            weights = {f"net.encoder.{k[4:]}": array for k, array in inner.items() if k.startswith("net.")}
            state = replace(state, arrays=state.arrays | weights)
        return super().restore(state, create)


def pretrained_encoder(initial: Model, data: Encoded, run: Run) -> NeuralModel[RowEncoder] | None:
    """Return a copy of the model whose encoder a classifier starts from; None if that is a classifier without one.

    Raises
    ------
    UsageError
        The model has no encoder.
    """
    if isinstance(initial, Classifier):
        inner: NeuralModel[RowEncoder] | None = vars(initial).get("encoder_")
        return None if inner is None else copy_of(inner, run)
    if isinstance(initial, NeuralModel) and isinstance(initial.net, RowEncoder):
        return copy_of(initial, run)
    unrolled = run.create("unrolled") if isinstance(initial, CanPretrain) else None
    if not isinstance(unrolled, NeuralModel):
        raise UsageError(f"model {initial.name!r} has no encoder to start from; expected an autoencoder, rbm or dbn")
    unrolled.begin(data, run)
    return unrolled


def copy_of(model: NeuralModel[RowEncoder], run: Run) -> NeuralModel[RowEncoder]:
    """Return a fitted model again, so that training does not change the one given."""
    return type(model)(**model.params()).restore(model.state(), run.create)


def encoder_layers(encoder: RowEncoder, layout: Layout) -> list[list[nn.Parameter]]:
    """Return the weights that a code depends on, layer by layer, bottom up.

    A layer is a module with weights. Weights that the encoder shares with the heads, such as tied ones, belong to the
    lowest.
    """
    weights = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    code = encoder.encode(*_empty_row(layout))
    found = torch.autograd.grad(code.sum(), weights, allow_unused=True)
    used = {id(p) for p, gradient in zip(weights, found, strict=True) if gradient is not None}
    tied = [p for module in encoder.modules() if isinstance(module, ColumnHeads) for p in module.parameters()]
    first = [p for p in tied if id(p) in used]
    used -= {id(p) for p in first}
    modules = [[p for p in module.parameters(recurse=False) if id(p) in used] for module in encoder.modules()]
    above = [module for module in modules if module]
    return [[*first, *above[0]], *above[1:]] if above else [first]


def freeze_layers(encoder: RowEncoder, layout: Layout, count: int) -> None:
    """Exclude from training the lowest `count` layers of an encoder (-1: all), and weights that no code depends on."""
    found = encoder_layers(encoder, layout)
    free = {id(p) for layer in found[len(found) if count < 0 else count :] for p in layer}
    for parameter in encoder.parameters():
        parameter.requires_grad_(id(parameter) in free)


def _empty_row(layout: Layout) -> tuple[Tensor, Tensor]:
    shape = (1, len(layout.blocks))
    return torch.zeros(shape), torch.zeros(shape, dtype=torch.bool)
