"""Oja's rule, variational and contractive autoencoders, and classifiers of images, against their definitions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.models.base import Model
from anomalo.models.run import LocalRun
from anomalo.persistence.resume import Checkpoint, ResumableState, resumable_state
from anomalo.registry.registry import Registry
from anomalo.testing.images import images
from anomalo_auto.images.image_auto import ImageAuto
from anomalo_images.networks.classifier import ImageClassifier
from anomalo_images.networks.conv import Conv
from anomalo_images.networks.conv_contractive import ConvContractive, SigmoidConvAutoencoder, jacobian_norm
from anomalo_images.networks.conv_vae import ConvVae, VariationalConvAutoencoder
from anomalo_images.networks.layers import enlarged
from anomalo_images.yardsticks.local_pca import LocalPca
from anomalo_images.yardsticks.oja import Oja, sanger

TRAIN, NEW = images()
WHOLE = NEW.take(np.flatnonzero(NEW.flat()[1].all(axis=1)))
REGISTRY = Registry.load()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


def labelled(data: Encoded) -> Encoded:
    """Images with a class: whether the upper half is brighter than the lower."""
    target = (data.values[:, 0, :6].mean(axis=(1, 2)) > data.values[:, 0, 6:].mean(axis=(1, 2))).astype(np.float64)
    return replace(data, layout=replace(data.layout, classes=("lower", "upper")), target=target)


def test_a_step_of_sanger_is_that_of_its_equation() -> None:
    rng = np.random.default_rng(0)
    weights, rows, rate = rng.normal(size=(3, 5)), rng.normal(size=(4, 5)), 0.1
    expected = weights.copy()
    for x in rows:
        y = weights @ x
        for unit in range(3):
            taken = sum(y[before] * weights[before] for before in range(unit + 1))
            expected[unit] += rate / len(rows) * y[unit] * (x - taken)
    np.testing.assert_allclose(sanger(weights, rows, rate), expected)


def test_components_learned_online_span_those_of_pca() -> None:
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(12 * 14, 3)))[0].T
    values = 0.5 + rng.normal(size=(260, 3)) * (4, 2.5, 1.5) @ basis + 0.05 * rng.normal(size=(260, 12 * 14))
    shaped = values.astype(np.float32).reshape(-1, 1, 12, 14)
    whole = Encoded(shaped, np.ones(shaped.shape, dtype=np.bool_), TRAIN.layout)
    model = Oja(components=3).fit(whole, LocalRun())
    _, _, right = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    learned = model.weights_.astype(np.float64)
    assert np.abs(learned @ learned.T - np.eye(3)).max() < 0.05
    cosines = np.linalg.svd(np.linalg.qr(learned.T)[0].T @ right[:3].T)[1]
    assert cosines.min() > 0.99
    expected = values.mean(axis=0) + (values - values.mean(axis=0)) @ right[:3].T @ right[:3]
    error = np.square(model.expected(whole).reshape(expected.shape) - expected).mean()
    assert error < 0.01 * np.square(expected).mean()


def test_a_constant_image_does_not_trouble_the_online_rule() -> None:
    flat = Encoded(np.zeros_like(TRAIN.values), TRAIN.observed, TRAIN.layout)
    assert np.isfinite(Oja(epochs=2).fit(flat, LocalRun()).score(NEW)).all()


def test_the_variational_loss_is_the_negative_bound_of_its_distributions() -> None:
    model, net = ConvVae(hide=0.0, beta=0.7), VariationalConvAutoencoder((1, 12, 14), 2, 3, "upsampling")
    x, observed = torch.randn(4, 1, 12, 14), torch.rand(4, 1, 12, 14) < 0.8
    with torch.no_grad():
        net.log_variance.fill_(-0.5)
        torch.manual_seed(1)
        found = model.loss(net, x, observed)
        torch.manual_seed(1)
        torch.rand(5, 4, 1, 1)  # the rectangles
        mean, log_variance = net.posterior(x, observed)
        posterior = Normal(mean, (0.5 * log_variance).exp())
        decoded = net.decode(mean + torch.randn(4, 3) * posterior.scale)
        surprisal = -Normal(decoded, float(np.exp(-0.25))).log_prob(x) * observed
        divergence = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1)
        bound = (surprisal.flatten(1).sum(dim=1) + 0.7 * divergence) / observed.flatten(1).sum(dim=1)
    assert found.item() == pytest.approx(bound.mean().item(), rel=1e-5)


def test_the_mean_of_the_estimates_is_the_norm_of_the_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    net = SigmoidConvAutoencoder((1, 6, 7), 2, 3, "upsampling")
    x, observed = torch.randn(2, 1, 6, 7), torch.ones(2, 1, 6, 7, dtype=torch.bool)
    jacobian = torch.autograd.functional.jacobian(lambda images: net.encode(images, observed), x)
    exact = torch.stack([jacobian[row, :, row].square().sum() for row in range(2)])
    every = [torch.tensor([a, b, c]).expand(2, 3) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    estimates = []
    for signs in every:
        monkeypatch.setattr(torch, "randint", lambda *_, signs=signs, **__: signs.float())
        estimates.append(jacobian_norm(net, x, observed).detach())
    assert torch.allclose(torch.stack(estimates).mean(dim=0), exact, rtol=1e-4)


def test_the_penalty_is_learned_from_and_makes_codes_change_less() -> None:
    net = SigmoidConvAutoencoder((1, 12, 14), 2, 3, "upsampling")
    x, observed = torch.from_numpy(WHOLE.values[:8].copy()), torch.from_numpy(WHOLE.observed[:8].copy())
    model = ConvContractive(weight=50.0)
    model.loss(net, x, observed).backward()
    steep = float(jacobian_norm(net, x, observed).mean().detach())
    with torch.no_grad():
        for weight in net.to_code.parameters():
            assert weight.grad is not None
            weight -= 0.05 * weight.grad / weight.grad.norm()
    assert float(jacobian_norm(net, x, observed).mean().detach()) < steep


def test_a_linear_autoencoder_without_overlap_learns_the_components_of_patches() -> None:
    patches = torch.from_numpy(WHOLE.values.copy()).unfold(2, 2, 2).unfold(3, 2, 2).reshape(-1, 4).double()
    values = torch.from_numpy(WHOLE.values.copy()).double()
    down, up = nn.Conv2d(1, 2, 2, stride=2, bias=False).double(), enlarged(2, 1, "transposed").double()
    optimizer = torch.optim.LBFGS([*down.parameters(), *up.parameters()], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        error = (up(down(values)) - values).square().mean()
        error.backward()
        return error

    optimizer.step(closure)
    centred = patches - patches.mean(dim=0)
    least = torch.linalg.svdvals(centred)[2:].square().sum() / patches.numel()
    assert float(closure().detach()) == pytest.approx(float(least), rel=0.05)


@pytest.mark.parametrize(
    "encoder", [Conv(epochs=2), ConvVae(epochs=2), ConvContractive(epochs=2)], ids=lambda m: m.name
)
def test_a_classifier_starts_from_the_encoder_of_an_autoencoder(encoder: Conv) -> None:
    encoder.fit(TRAIN.take(slice(0, 40)), LocalRun())
    few = labelled(TRAIN.take(slice(0, 20)))
    model = ImageClassifier(epochs=1, tuning=0.0).fit(few, LocalRun(initial=encoder))
    taken = encoder.net.state_dict()
    for name, weight in model.net.encoder.state_dict().items():
        assert torch.equal(weight, taken[name][: len(weight)])
    assert model.net.head.in_features == encoder.latent
    again = ImageClassifier().restore(model.state())
    assert (again.proba(NEW) == model.proba(NEW)).all()
    further = ImageClassifier(epochs=1).fit(few, LocalRun(initial=model))
    assert further.net.encoder.to_code.weight.shape == model.net.encoder.to_code.weight.shape


def test_a_classifier_needs_classes_and_an_encoder() -> None:
    with pytest.raises(UsageError, match="learns from labels: fit it with --label COL --supervised"):
        ImageClassifier().fit(TRAIN, LocalRun())
    with pytest.raises(UsageError, match="'local_pca' has no encoder to start from; expected conv"):
        ImageClassifier().fit(labelled(TRAIN), LocalRun(initial=LocalPca().fit(TRAIN, LocalRun())))


@pytest.mark.slow
def test_a_classifier_learns_which_images_are_brighter() -> None:
    def shown(data: Encoded) -> Encoded:
        target = (np.arange(len(data)) % 2).astype(np.float64)
        values = data.values + 2 * target[:, None, None, None].astype(np.float32)
        return replace(labelled(Encoded(values, data.observed, data.layout)), target=target)

    model = ImageClassifier(epochs=10, width=2, latent=6).fit(shown(TRAIN), LocalRun())
    new = shown(NEW)
    assert (model.proba(new).argmax(axis=1) == new.target).mean() > 0.9


class KilledError(Exception):
    """Stands for the end of the process."""


KILLED: list[Model] = [
    Conv(epochs=4, width=2),
    ConvContractive(epochs=4, width=2),
    ConvVae(epochs=4, width=2),
    ImageClassifier(epochs=4, width=2),
    ImageAuto(members="local_pca,conv", effort="default"),
]


@pytest.mark.slow
@pytest.mark.parametrize("model", KILLED, ids=lambda model: type(model).__name__)
def test_a_killed_fit_ends_with_the_same_scores(model: Model, tmp_path: Path) -> None:
    data = labelled(TRAIN.take(slice(0, 60)))

    def member(name: str, /, **params: Any) -> Model:
        return REGISTRY.create_for("image", name, params)

    def run(keep: ResumableState | None, kill_at: float | None = None) -> LocalRun:
        def progress(done: float, text: str) -> None:
            if kill_at is not None and done >= kill_at:
                raise KilledError

        checkpoints = None if keep is None else lambda number: Checkpoint(keep, f"training-0-{number}", 0)
        return LocalRun(seed=1, keep=checkpoints, progress=progress, registered=member)

    plain = replace(model).fit(data, run(None))
    with pytest.raises(KilledError), resumable_state(tmp_path / "job", {}, resume=False) as keep:
        replace(model).fit(data, run(keep, 0.8))
    with resumable_state(tmp_path / "job", {}, resume=True) as keep:
        resumed = replace(model).fit(data, run(keep))
    assert (plain.score(NEW) == resumed.score(NEW)).all()  # type: ignore[attr-defined]
