"""Our transforms beside tensorflow-addons 0.23, from what tests/golden/make_addons_golden.py wrote."""

import numpy as np
import pytest
from keras import ops
from source_files import ROOT

from keras_dha.augmentation import (
    Cutout,
    Equalize,
    GaussianBlur,
    GeometricTransform,
    Rotate,
    Sharpness,
    ShearX,
    ShearY,
    TranslateXRel,
    TranslateYRel,
)
from keras_dha.augmentation.resampling import affine_resample


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(ROOT / "tests" / "golden" / "addons.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def images(golden: dict[str, np.ndarray]) -> np.ndarray:
    return golden["images"].astype("float32") / 255


def numbers(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, "float32")


@pytest.mark.parametrize(
    ("name", "transform", "argument"),
    [("rotate", Rotate(), "angles"), ("shear_x", ShearX(), "shears"), ("shear_y", ShearY(), "shears")],
)
def test_rotate_and_shear(golden, images, name: str, transform: GeometricTransform, argument: str) -> None:
    out = transform.apply(images, numbers(golden[argument]))
    np.testing.assert_allclose(out, golden[name], atol=1e-5)


def test_translate(golden, images) -> None:
    height, width = images.shape[1:3]
    right, down = golden["shifts"].T
    maps = ops.matmul(
        TranslateXRel().matrix(numbers(-right / width), height, width),
        TranslateYRel().matrix(numbers(-down / height), height, width),
    )
    np.testing.assert_allclose(affine_resample(images, maps, differentiable=True), golden["translate"], atol=1e-5)


@pytest.mark.parametrize(("transform", "slope"), [(ShearX(), 1.0), (ShearY(), -1.0)])
def test_shear_about_the_corner(golden, images, transform: GeometricTransform, slope: float) -> None:
    height, width = images.shape[1:3]
    shear = transform.matrix(numbers([slope]), height, width)
    if isinstance(transform, ShearX):
        back = TranslateXRel().matrix(numbers([slope * (height - 1) / 2 / width]), height, width)
        expected = golden["corner_shear_x"]
    else:
        back = TranslateYRel().matrix(numbers([slope * (width - 1) / 2 / height]), height, width)
        expected = golden["corner_shear_y"]
    out = affine_resample(images[:1], ops.matmul(back, shear), differentiable=True)
    np.testing.assert_allclose(out[0], expected / 255, atol=1e-5)


def test_equalize_but_for_the_integer_division(golden, images) -> None:
    # Both count darker pixels. Ours divides by those that are not the brightest, in one channel of one picture; theirs
    # by a 255th of them as a whole number, here 1, so that all that has more than 255 darker pixels becomes white.
    ties = np.sum(images == images.max((1, 2), keepdims=True), axis=(1, 2), keepdims=True)
    darker = np.asarray(Equalize().apply(images, numbers([1.0, 1.0]))) * (17 * 21 - ties)
    np.testing.assert_allclose(np.minimum(darker, 255), golden["equalize"], atol=1e-3)


def test_sharpness_but_for_fractions_that_are_cut_off_twice(golden, images) -> None:
    out = np.asarray(Sharpness().apply(images, numbers(golden["factors"])))
    np.testing.assert_allclose(out, golden["sharpness"] / 255, atol=1.9 / 255)
    assert np.abs(out - golden["sharpness"] / 255).mean() < 0.5 / 255


def test_cutout(golden, images) -> None:
    out = Cutout(fill=0.0).cover(images, numbers(golden["cutout_offset"]), numbers([6.0, 6.0]))
    np.testing.assert_allclose(out, golden["cutout"] / 255, atol=1e-6)


def test_gaussian_filter_away_from_the_border(golden, images) -> None:
    largest = max(min(images.shape[1:3]) / 16, 1.0)
    out = np.asarray(GaussianBlur().apply(images, numbers([1 / largest**2] * 2)))
    np.testing.assert_allclose(out[:, 4:-4, 4:-4], golden["gaussian_filter"][:, 4:-4, 4:-4], atol=1e-4)
