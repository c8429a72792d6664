import numpy as np
import pytest
from keras import ops

from keras_dha.augmentation import AutoContrast, Equalize, Invert, Posterize, Solarize


def column(*values):
    """Gray pixels as one image."""
    return np.array(values, "float32").reshape(1, -1, 1, 1)


def run(transform, images, strength):
    return ops.convert_to_numpy(transform(images, np.array([strength], "float32"))).ravel()


def test_auto_contrast_stretches_and_blends():
    np.testing.assert_allclose(run(AutoContrast(), column(0.2, 0.4, 0.6), 1.0), [0.0, 0.5, 1.0], atol=1e-6)
    np.testing.assert_allclose(run(AutoContrast(), column(0.2, 0.4, 0.6), 0.5), [0.1, 0.45, 0.8], atol=1e-6)
    np.testing.assert_allclose(run(AutoContrast("released"), column(0.2, 0.4, 0.6), 0.0), [0.0, 0.5, 1.0], atol=1e-6)


def test_auto_contrast_stretches_each_channel_by_itself():
    image = np.array([[[[0.0, 0.5]], [[0.5, 0.5]]]], "float32")  # The second channel is constant.
    np.testing.assert_allclose(run(AutoContrast(), image, 1.0), [0.0, 0.5, 1.0, 0.5])


def test_equalize_counts_darker_pixels():
    # Four pixels, one as bright as the brightest: 0, 1, 1 and 3 of 4 - 1 are darker.
    np.testing.assert_allclose(run(Equalize(), column(0.1, 0.2, 0.2, 0.9), 1.0), [0.0, 1 / 3, 1 / 3, 1.0], atol=1e-6)
    np.testing.assert_allclose(run(Equalize(), column(0.0, 1.0), 1.0), [0.0, 1.0])


def test_equalize_agrees_with_pil_but_for_its_rounding():
    pillow = pytest.importorskip("PIL.Image")
    from PIL import ImageOps

    pixels = (255 * np.random.default_rng(0).random((64, 64, 3)) ** 3).astype("uint8")
    expected = np.asarray(ImageOps.equalize(pillow.fromarray(pixels)))
    out = run(Equalize(), pixels[None].astype("float32") / 255, 1.0).reshape(64, 64, 3)
    assert np.abs(255 * out - expected).max() < 20.0  # PIL's step is 4096 // 255 = 15 or 16, here 16.06.


@pytest.mark.parametrize(("strength", "step"), [(0.25, 2), (0.5, 4), (1.0, 16)])
def test_posterize_drops_bits(strength, step):
    values = np.arange(256)
    out = run(Posterize(), column(*values / 255), strength)
    np.testing.assert_allclose(255 * out, values // step * step, atol=1e-3)


def test_posterize_released_keeps_one_bit_at_strength_0_and_four_at_1():
    values = np.arange(256)
    np.testing.assert_allclose(255 * run(Posterize("released"), column(*values / 255), 0.0), values & 128, atol=1e-3)
    np.testing.assert_allclose(255 * run(Posterize("released"), column(*values / 255), 1.0), values & 240, atol=1e-3)


def test_solarize_inverts_what_is_bright():
    np.testing.assert_allclose(run(Solarize(), column(0.0, 0.4, 0.6, 1.0), 0.5), [0.0, 0.4, 0.4, 0.0], atol=1e-6)
    np.testing.assert_allclose(run(Solarize(), column(0.0, 0.4, 0.6, 1.0), 1.0), [1.0, 0.6, 0.4, 0.0], atol=1e-6)


def test_solarize_released_is_the_other_way_round():
    np.testing.assert_allclose(run(Solarize("released"), column(0.0, 0.4), 0.0), [1.0, 0.6], atol=1e-6)
    np.testing.assert_allclose(run(Solarize("released"), column(0.0, 1.0), 1.0), [0.0, 1.0])


def test_invert_is_the_negative_at_any_strength_above_0():
    np.testing.assert_allclose(run(Invert(), column(0.0, 0.4, 1.0), 0.01), [1.0, 0.6, 0.0], atol=1e-6)
    np.testing.assert_allclose(run(Invert("released"), column(0.0, 0.4, 1.0), 0.0), [1.0, 0.6, 0.0], atol=1e-6)
