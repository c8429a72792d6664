import numpy as np
import pytest
from keras import ops

from keras_dha.augmentation import Brightness, Color, Contrast, Sharpness

RED = np.array([[[[1.0, 0.0, 0.0]]]], "float32")


def run(transform, images, strength, sign=1.0):
    out = transform(np.asarray(images, "float32"), np.array([strength], "float32"), np.array([sign], "float32"))
    return ops.convert_to_numpy(out)


@pytest.mark.parametrize(("strength", "sign", "expected"), [(1.0, 1.0, 0.38), (1.0, -1.0, 0.02), (0.5, 1.0, 0.29)])
def test_brightness_multiplies(strength, sign, expected):
    np.testing.assert_allclose(
        run(Brightness(), np.full((1, 1, 1, 1), 0.2), strength, sign), [[[[expected]]]], rtol=1e-5
    )


@pytest.mark.parametrize(("strength", "expected"), [(0.0, 0.02), (0.5, 0.2), (1.0, 0.38)])
def test_released_factors_have_the_identity_in_the_middle_and_no_sign(strength, expected):
    for sign in (-1.0, 1.0):
        out = run(Brightness("released"), np.full((1, 1, 1, 1), 0.2), strength, sign)
        np.testing.assert_allclose(out, [[[[expected]]]], rtol=1e-5)


def test_color_goes_to_gray_and_away_from_it():
    np.testing.assert_allclose(run(Color(), RED, 1.0, -1.0).ravel(), [0.1 + 0.9 * 0.299, 0.9 * 0.299, 0.9 * 0.299])
    np.testing.assert_allclose(run(Color(), RED, 1.0, 1.0).ravel(), [1.0, 0.0, 0.0])  # Clipped.


def test_color_leaves_gray_images():
    image = np.random.default_rng(0).random((1, 3, 3, 1), "float32")
    np.testing.assert_array_equal(run(Color(), image, 1.0), image)


def test_contrast_goes_to_the_mean():
    image = np.array([0.4, 0.6], "float32").reshape(1, 1, 2, 1)
    np.testing.assert_allclose(run(Contrast(), image, 1.0, -1.0).ravel(), [0.49, 0.51], rtol=1e-5)
    np.testing.assert_allclose(run(Contrast(), image, 1.0, 1.0).ravel(), [0.31, 0.69], rtol=1e-5)


def test_sharpness_smooths_inside_and_leaves_the_border():
    image = np.zeros((1, 3, 3, 1), "float32")
    image[0, 1, 1, 0] = 0.13
    image[0, 0, 0, 0] = 0.26
    out = run(Sharpness(), image, 1.0, -1.0)[0, :, :, 0]
    # Smoothed: (5 * 0.13 + 0.26) / 13 = 0.07; 0.1 * 0.13 + 0.9 * 0.07 = 0.076.
    np.testing.assert_allclose(out, [[0.26, 0.0, 0.0], [0.0, 0.076, 0.0], [0.0, 0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (1, 1)])
def test_sharpness_of_an_image_without_inside(shape):
    image = np.random.default_rng(0).random((1, *shape, 1), "float32")
    np.testing.assert_array_equal(run(Sharpness(), image, 1.0), image)


@pytest.mark.parametrize("transform", [Brightness, Color, Contrast, Sharpness])
def test_agrees_with_pil(transform):
    pillow = pytest.importorskip("PIL.Image")
    from PIL import ImageEnhance

    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), "uint8")
    expected = np.asarray(getattr(ImageEnhance, transform.__name__)(pillow.fromarray(pixels)).enhance(0.55))
    out = 255 * run(transform(), pixels[None] / 255, 0.5, -1.0)[0]
    assert np.abs(out - expected).max() < 1.6  # PIL rounds the degenerate and the result.
