"""What each further family does beside the contract: growth, translation, halves of images, sets as images."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Events

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.models.run import LocalRun
from anomalo.testing.images import images
from anomalo.testing.tables import labelled
from anomalo_images_gan.families.augmented_cyclegan import AugmentedCycleGan
from anomalo_images_gan.families.biggan import BigGan
from anomalo_images_gan.families.cyclegan import CycleGan
from anomalo_images_gan.families.pix2pix import Pix2Pix
from anomalo_images_gan.families.progan import ProGan
from anomalo_images_gan.families.sagan import Sagan
from anomalo_images_gan.families.setgan import SetGan
from anomalo_images_gan.image_generator import ImageGenerator
from anomalo_images_gan.networks.point_sets import density, drawn, points_of
from anomalo_images_gan.networks.translation.both_ways import BothWays
from anomalo_images_gan.networks.translation.cycle_step import CycleStep

TRAIN, NEW = (data.take(slice(0, 40)) for data in images())
LABELLED = labelled(TRAIN)
SMALL: dict[str, Any] = {"epochs": 1, "width": 4}


def test_networks_grow_over_the_training_and_are_grown_up_at_its_end() -> None:
    grown: list[float] = []

    def attach(engine: Any, model: Any, run: Any) -> None:
        engine.add_event_handler(
            Events.ITERATION_COMPLETED, lambda _: grown.append(float(model.net.generator.grown.item()))
        )

    model = ProGan(epochs=6, width=2, noise=4, growing=0.8).fit(TRAIN, LocalRun(seed=1, notify=attach))
    assert grown == sorted(grown)
    assert grown[0] == 0
    assert any(0 < level < 1 for level in grown)
    parts = (model.net.generator, model.net.critic, model.net.average.net)
    assert [float(part.grown) for part in parts] == [1, 1, 1]  # type: ignore[arg-type]
    assert int(model.net.generator.shown) == 6 * len(TRAIN)  # type: ignore[arg-type]


def test_the_critic_learns_faster_by_its_rate() -> None:
    model = Sagan(**SMALL, noise=4, learning_rate=1e-3, critic_rate=4.0).fit(TRAIN, LocalRun())
    rates = [optimizer.param_groups[0]["lr"] for optimizer in model.optimizers([])]
    assert rates == pytest.approx([4e-3, 1e-3])


def test_truncation_draws_less_varied_images() -> None:
    model = BigGan(epochs=2, width=4, noise=8).fit(TRAIN, LocalRun())
    labels = np.zeros(64, dtype=np.int64)
    variances = []
    for threshold in (0.0, 0.1):
        model.net.average.net.threshold = threshold  # type: ignore[assignment]
        variances.append(model.generated(labels, np.random.default_rng(0)).var(axis=0).mean())
    assert variances[1] < variances[0]


def test_translation_needs_a_label_of_two_values() -> None:
    with pytest.raises(UsageError, match="'cyclegan' learns from labels"):
        CycleGan(**SMALL).fit(TRAIN, LocalRun())
    three = replace(LABELLED, layout=replace(LABELLED.layout, classes=("a", "b", "c")))
    with pytest.raises(UsageError, match="the label has 3 values; give one with two"):
        CycleGan(**SMALL).fit(three, LocalRun())


def test_an_image_of_a_class_is_the_translation_of_one_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CycleGan(**SMALL).fit(LABELLED, LocalRun())
    monkeypatch.setattr(model, "translate", lambda images, _to, _rng: images)
    asked = replace(Encoded.blank(LABELLED.layout, 30), target=np.arange(30) % 2.0)
    found = model.sample(asked, LocalRun(seed=2))
    assert found.target is not None
    assert LABELLED.target is not None
    whole = np.where(LABELLED.observed, LABELLED.values, model.mean_)
    for image, label in zip(found.values, found.target, strict=True):
        nearest = np.abs(whole - image).max(axis=(1, 2, 3)).argmin()
        assert np.abs(whole[nearest] - image).max() < 1e-4
        assert LABELLED.target[nearest] == 1 - label


def test_a_latent_chooses_among_translations_and_the_seed_the_latent() -> None:
    model = AugmentedCycleGan(**SMALL).fit(LABELLED, LocalRun())
    some, to = LABELLED.values[:3], np.array([0, 1, 1])
    first, again = (model.translate(some, to, np.random.default_rng(7)) for _ in range(2))
    other = model.translate(some, to, np.random.default_rng(8))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max(axis=(1, 2, 3)).min() > 1e-6


def test_labels_choose_the_direction_of_a_translation() -> None:
    both, some = BothWays((1, 8, 8), 4, 0), torch.randn(4, 1, 8, 8)
    found = both(some, torch.tensor([0, 1, 0, 1]))
    assert torch.allclose(found[::2], both.translate(some, 0, None)[::2], atol=1e-6)
    assert torch.allclose(found[1::2], both.translate(some, 1, None)[1::2], atol=1e-6)


@pytest.mark.parametrize("family", [CycleGan, AugmentedCycleGan])
def test_a_batch_of_one_class_is_learned_from(family: type[CycleGan]) -> None:
    model = family(**SMALL).fit(LABELLED, LocalRun())
    step = CycleStep(model.net.train(), model.optimizers([]), 10.0, 1.0)
    losses = step(torch.rand(3, 1, 12, 14), torch.zeros(3, dtype=torch.int64))
    assert all(value.isfinite() for value in losses.values())


def test_the_loss_of_there_and_back_is_that_of_the_cycle() -> None:
    """Its value in the history is the one computed from the same networks by hand."""
    model = CycleGan(**SMALL).fit(LABELLED, LocalRun())
    net, some = model.net.eval(), torch.rand(6, 1, 12, 14)
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    expected = 0.0
    with torch.no_grad():
        for to, source in ((1, some[:4]), (0, some[4:])):
            there = net.generator.translate(source, to, None)
            expected += float((net.generator.translate(there, 1 - to, None) - source).abs().mean())
    losses = CycleStep(net, model.optimizers([]), 10.0, 1.0)(some, labels)
    assert float(losses["loss"]) == pytest.approx(expected, rel=1e-4)


def test_pairs_have_halves() -> None:
    odd = replace(TRAIN.layout, shape=(1, 12, 13))
    whole = Encoded(TRAIN.values[..., :13], TRAIN.observed[..., :13], odd)
    with pytest.raises(UsageError, match="images are 13 pixels wide, which has no halves"):
        Pix2Pix(**SMALL).fit(whole, LocalRun())


def test_a_hidden_right_half_is_filled_from_the_left_one_alone() -> None:
    model = Pix2Pix(**SMALL).fit(TRAIN, LocalRun())
    right = np.broadcast_to(np.arange(14) >= 7, NEW.values.shape)
    hidden = NEW.hide(right)
    filled = model.impute(hidden).point
    assert np.array_equal(filled[hidden.observed], NEW.values[hidden.observed])
    expected = model.pixel_range.to_encoded(model.translate(hidden))
    assert np.array_equal(filled[..., 7:], expected)
    changed = replace(hidden, values=np.where(right, np.float32(1.5), hidden.values))
    assert np.array_equal(model.impute(changed).point, filled)
    left = model.impute(NEW.hide(~right)).point[..., :7]
    assert np.array_equal(left, np.broadcast_to(model.mean_[..., :7], left.shape))


@pytest.mark.slow
def test_pix2pix_learns_a_simple_translation() -> None:
    """The right half is the left one, inverted."""
    values = np.concatenate([TRAIN.values[..., :6], -TRAIN.values[..., :6]], axis=3)
    pairs = Encoded(values, np.ones(values.shape, dtype=bool), replace(TRAIN.layout, shape=(1, 12, 12)))
    model = Pix2Pix(epochs=20, width=4, learning_rate=4e-3).fit(pairs, LocalRun())
    error = model.pixel_range.to_encoded(model.translate(pairs)) - values[..., 6:]
    assert np.square(error).mean() < 0.5 * values.var()


def test_dots_are_as_bright_on_average_as_the_images() -> None:
    model = SetGan(**SMALL, points=60).fit(TRAIN, LocalRun())
    seen = model.whole(torch.tensor(TRAIN.values), torch.tensor(TRAIN.observed))
    torch.manual_seed(0)
    dots = drawn(density(points_of(seen, 60), (12, 14)), model.gain_)
    assert float(dots.mean()) == pytest.approx(float(seen.mean()), abs=0.02)


@pytest.mark.parametrize("family", [Sagan, SetGan, Pix2Pix, CycleGan, AugmentedCycleGan])
def test_images_can_be_held_out(family: type[ImageGenerator]) -> None:
    run = LocalRun()
    family(**SMALL, holdout=0.3).fit(LABELLED, run)
    assert np.isfinite(run.history[-1]["validation_loss"])


def test_the_held_out_loss_of_pairs_is_the_difference_of_right_halves() -> None:
    model = Pix2Pix(**SMALL).fit(TRAIN, LocalRun())
    x, seen = torch.tensor(NEW.values), torch.tensor(NEW.observed)
    found = model.validation(model.net, x, seen, torch.zeros(len(x)))
    expected = np.abs(model.translate(NEW) - model.whole(x, seen).numpy()[..., 7:]).mean()
    assert float(found) == pytest.approx(expected, rel=1e-4)
