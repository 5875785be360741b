"""Yardsticks of images against their definitions."""

import numpy as np
import pytest
from scipy.ndimage import correlate

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.testing.images import images
from anomalo_images.pooling import contrast, smoothed
from anomalo_images.yardsticks.filters import Filters
from anomalo_images.yardsticks.local_pca import LocalPca
from anomalo_images.yardsticks.patches import Patches

TRAIN, NEW = images()
WHOLE = NEW.take(np.flatnonzero(NEW.flat()[1].all(axis=1)))


def with_scar(data: Encoded) -> Encoded:
    values = data.values.copy()
    values[:, 0, 4:7, 5:8] += 2.0
    return Encoded(values, data.observed, data.layout)


@pytest.mark.parametrize("model", [LocalPca(), Patches(size=5, components=4), Filters()], ids=lambda model: model.name)
def test_a_scar_is_found_and_where_it_is(model: LocalPca | Patches | Filters) -> None:
    model.fit(TRAIN, LocalRun())
    marred = with_scar(WHOLE)
    assert np.median(model.score(marred)) > np.quantile(model.score(WHOLE), 0.9)
    parts = model.explain(marred).contribution[:, 0]
    assert np.median(parts[:, 4:7, 5:8].mean(axis=(1, 2)) / parts.mean(axis=(1, 2))) > 3


@pytest.mark.parametrize("model", [LocalPca(), Patches(), Filters()], ids=lambda model: model.name)
def test_what_a_mask_hides_changes_nothing(model: LocalPca | Patches | Filters) -> None:
    model.fit(TRAIN, LocalRun())
    hidden = np.zeros(NEW.observed.shape, dtype=np.bool_)
    hidden[:, :, 3:6, 2:7] = True
    first, second = (
        model.explain(Encoded(np.where(hidden, under, NEW.values), NEW.observed & ~hidden, NEW.layout))
        for under in (0.0, np.float32(9.0))
    )
    assert (first.contribution == second.contribution).all()
    assert (first.expected == second.expected).all()
    assert (first.contribution[hidden | ~NEW.observed] == 0).all()


def test_a_score_is_finite_whatever_the_pixel_and_the_power() -> None:
    values = WHOLE.values.copy()
    values[:, 0, 4, 5] = 1e15
    model = LocalPca(power=16.0, relative=0.0).fit(TRAIN, LocalRun())
    scores = model.score(Encoded(values, WHOLE.observed, WHOLE.layout))
    assert np.isfinite(scores).all()
    assert (scores > 1e200).all()


def test_without_a_penalty_the_expected_image_is_the_nearest_in_the_hyperplane() -> None:
    model = LocalPca(neighbours=5, ridge=1e-6).fit(TRAIN, LocalRun())
    image = WHOLE.take(slice(0, 1))
    found = model.expected(image).ravel().astype(np.float64)
    kept = model.images_.astype(np.float64)
    x = image.values.ravel().astype(np.float64)
    near = kept[np.argsort(np.square(kept - x).sum(axis=1))[:5]]
    span = (near[1:] - near[0]).T
    nearest = near[0] + span @ np.linalg.lstsq(span, x - near[0], rcond=None)[0]
    assert np.abs(found - nearest).max() < 1e-3


def test_a_hidden_square_is_filled_better_than_by_the_mean_image() -> None:
    model = LocalPca().fit(TRAIN, LocalRun())
    hidden = np.zeros(WHOLE.observed.shape, dtype=np.bool_)
    hidden[:, :, 4:8, 5:9] = True
    filled = model.impute(WHOLE.hide(hidden)).point
    mean = model.mean_.reshape(WHOLE.layout.shape)
    error, plain = (np.square((guess - WHOLE.values)[hidden]).mean() for guess in (filled, mean + 0 * filled))
    assert error < 0.1 * plain


def test_the_energy_of_a_patch_is_its_residual_to_the_components() -> None:
    model = Patches(size=4, components=3, contrast=False, blur=0.0).fit(TRAIN, LocalRun())
    image, seen = WHOLE.values[0], WHOLE.observed[0]
    energies, _ = model.of_image(image, seen)
    patch = image[0, 3:7, 4:8].ravel().astype(np.float64)  # around pixel (5, 6)
    residual = patch - model.basis_.T @ (model.basis_ @ patch)
    assert energies[0, 5, 6] == pytest.approx(np.square(residual).mean())


def test_components_of_patches_are_those_of_numpy() -> None:
    model = Patches(size=3, components=2, contrast=False).fit(TRAIN.take(slice(0, 40)), LocalRun())
    every = np.concatenate([model._patches(image.astype(np.float64)) for image in TRAIN.values[:40]])
    _, _, right = np.linalg.svd(every, full_matrices=False)
    assert np.abs(model.basis_.T @ model.basis_ - right[:2].T @ right[:2]).max() < 1e-6


def test_the_responses_of_filters_are_white_in_training() -> None:
    model = Filters(scales=(1, 2)).fit(TRAIN, LocalRun())
    white = []
    for image, seen in zip(TRAIN.values, TRAIN.observed, strict=True):
        responses = model._responses(image, seen)[:, seen[0]]
        white.append(model.whitening_ @ (responses - model.mean_[:, None]))
    covariance = np.cov(np.concatenate(white, axis=1))
    assert np.abs(covariance - np.eye(len(covariance))).max() < 1e-2


def test_smoothing_over_a_mask_is_the_ratio_of_two_convolutions() -> None:
    rng = np.random.default_rng(0)
    values, seen = rng.random((1, 9, 9)), rng.random((1, 9, 9)) < 0.7
    reach = np.arange(-4, 5)
    kernel = np.exp(-0.5 * np.square(reach))
    kernel /= kernel.sum()
    total, weight = (
        correlate(array.astype(float)[0], np.outer(kernel, kernel), mode="nearest") for array in (values * seen, seen)
    )
    assert np.abs(smoothed(values, seen, 1.0) - np.where(seen, total / weight, 0)).max() < 1e-9


def test_contrast_is_about_the_median_of_what_is_seen() -> None:
    image = np.array([[[0.0, 0.0, 0.0, 2.0, 9.0]]], dtype=np.float32)
    assert contrast(image, np.array([[[True, True, True, True, False]]])) == 1.0
    assert contrast(image, np.zeros((1, 1, 5), dtype=np.bool_)) == 0.01
