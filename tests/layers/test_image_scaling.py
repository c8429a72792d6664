import keras
import numpy as np
import pytest

from keras_dha.layers import ImageScaling


def adapted(low: float, high: float, mean: list[float], std: list[float]) -> ImageScaling:
    scaling = ImageScaling(len(mean))
    scaling.adapt(low, high, mean, std)
    return scaling


def test_bytes_by_hand() -> None:
    scaling = adapted(0, 255, [51.0], [25.5])
    x = np.array([0, 51, 255], "uint8").reshape(1, 1, 3, 1)
    np.testing.assert_allclose(np.ravel(scaling.unit(x)), [0.0, 0.2, 1.0], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(scaling(x)), [-2.0, 0.0, 8.0], rtol=1e-5, atol=1e-6)


def test_a_range_around_zero() -> None:
    scaling = adapted(-1.0, 1.0, [0.0, 0.5], [0.5, 1.0])
    x = np.array([-1.0, 1.0], "float32").reshape(1, 1, 1, 2)
    np.testing.assert_allclose(np.ravel(scaling.unit(x)), [0.0, 1.0])
    np.testing.assert_allclose(np.ravel(scaling(x)), [-2.0, 0.5], rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_image_is_finite(value: float) -> None:
    scaling = adapted(value, value, [value], [0.0])
    assert np.ravel(scaling(np.full((1, 2, 2, 1), value, "float32"))).tolist() == [0.0] * 4


@pytest.mark.parametrize("width", [None, 4])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_as_rescaling_is_the_same_function(policy: str, width: int | None) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        scaling = adapted(0, 255, [10.0, 128.0, 250.0], [3.0, 60.0, 100.0])
        stock = scaling.as_rescaling(width)
        x = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype("float32")
        np.testing.assert_allclose(stock(x), scaling(x), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(scaling(x), scaling.standardize(scaling.unit(x)), rtol=1e-6)
    finally:
        keras.config.set_dtype_policy(before)
    assert type(stock) is keras.layers.Rescaling
    assert np.shape(stock.scale) == np.shape(stock.offset) == ((3,) if width is None else (4, 3))
    assert stock.compute_dtype == scaling.compute_dtype == "float32"


def test_channels_that_are_scaled_alike_are_scaled_by_one_number() -> None:
    stock = adapted(0, 255, [51.0] * 3, [25.5] * 3).as_rescaling(4)
    assert (np.shape(stock.scale), np.shape(stock.offset)) == ((), ())
    np.testing.assert_allclose(stock(np.full((1, 2, 4, 3), 51.0, "float32")), 0.0, atol=1e-6)
    assert np.shape(adapted(0, 255, [1.0, 2.0], [3.0, 3.0]).as_rescaling(1).scale) == (1, 2)


def test_config_round_trip() -> None:
    scaling = ImageScaling(3, name="pixels")
    again = ImageScaling.from_config(scaling.get_config())
    assert again.get_config() == scaling.get_config()
    assert len(again.weights) == 3
