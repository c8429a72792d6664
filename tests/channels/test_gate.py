from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from keras_dha.channels import ChannelMask, Gate, remove_closed

OPEN = [True, False, True]


def chain(parts: Sequence[keras.layers.Layer]) -> keras.Model:
    x = inputs = keras.Input((3,))
    for part in parts:
        x = part(x)
    return with_positive_weights(keras.Model(inputs, x))


def with_positive_weights(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, values.shape) for values in model.get_weights()])
    return model


def assert_same_outputs(model: keras.Model, other: keras.Model) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    np.testing.assert_allclose(other(x), model(x), rtol=1e-5, atol=1e-6)


def test_closed_channels_are_zero() -> None:
    mask = ChannelMask(OPEN)
    np.testing.assert_array_equal(mask(np.array([[1.0, 2.0, 3.0]])), [[1.0, 0.0, 3.0]])
    np.testing.assert_array_equal(mask(np.ones((1, 2, 2, 3)))[0, 1, 1], [1.0, 0.0, 1.0])
    assert isinstance(mask, Gate)
    assert mask.open_channels().tolist() == OPEN
    assert not mask.weights


def test_entries_are_as_many_as_channels() -> None:
    with pytest.raises(ValueError, match=r"one entry a channel\. Received: 3 for 4 channels in 'mask'"):
        ChannelMask(OPEN, name="mask")(np.ones((1, 4)))


def test_a_config_is_the_same_mask() -> None:
    mask = ChannelMask(np.array([1, 0, 1]), name="mask")
    assert mask.get_config()["is_open"] == OPEN
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(mask))
    assert isinstance(again, ChannelMask)
    assert again.name == "mask"
    assert again.open_channels().tolist() == OPEN


def test_a_model_with_masks_can_be_saved(tmp_path: Path) -> None:
    model = chain([layers.Dense(3), ChannelMask(OPEN), layers.Dense(2)])
    model.save(tmp_path / "masked.keras")
    again = keras.models.load_model(tmp_path / "masked.keras")
    assert_same_outputs(model, again)
    assert_same_outputs(model, remove_closed(again))


def test_half_floats_stay_what_they_are() -> None:
    assert ChannelMask([True], dtype="float16")(np.ones((1, 1), "float16")).dtype == "float16"


@pytest.mark.parametrize("kind", ["sequential", "nested"])
def test_what_a_mask_closes_is_taken_out(kind: str) -> None:
    parts = [layers.Dense(3), ChannelMask(OPEN), layers.ReLU(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,)), *parts])
    model = with_positive_weights(model if kind == "sequential" else chain([model]))
    small = remove_closed(model)
    assert [values.shape for values in small.get_weights()] == [(3, 2), (2,), (2, 2), (2,)]
    assert [type(layer) for layer in small.layers[1:]] == [layers.Dense, layers.ReLU, layers.Dense]
    assert_same_outputs(model, small)


STAY = {
    "input": lambda mask: [mask, layers.Dense(2)],
    "output": lambda mask: [layers.Dense(3), mask],
    "behind a softmax": lambda mask: [layers.Dense(3, activation="softmax"), mask, layers.Dense(2)],
    "before a normalization of layers": lambda mask: [
        layers.Dense(3),
        mask,
        layers.LayerNormalization(),
        layers.Dense(2),
    ],
    "before a batch normalization": lambda mask: [layers.Dense(3), mask, layers.BatchNormalization(), layers.Dense(2)],
    "before a sigmoid": lambda mask: [layers.Dense(3), mask, layers.Activation("sigmoid"), layers.Dense(2)],
}


@pytest.mark.parametrize("where", STAY)
def test_a_mask_on_what_must_stay_becomes_a_rescaling(where: str) -> None:
    model = chain(STAY[where](ChannelMask(OPEN, name="mask")))
    small = remove_closed(model)
    assert type(small.get_layer("mask")) is layers.Rescaling
    assert small.get_layer("mask").scale == [1.0, 0.0, 1.0]
    assert small.count_params() == model.count_params()
    assert_same_outputs(model, small)


def test_excluded_layers_keep_their_channels() -> None:
    model = chain([layers.Dense(3, name="a"), ChannelMask(OPEN), layers.Dense(2)])
    assert remove_closed(model).get_layer("a").units == 2
    kept = remove_closed(model, exclude="a")
    assert kept.get_layer("a").units == 3
    assert_same_outputs(model, kept)


@pytest.mark.parametrize(
    ("second", "width", "scales"),
    [
        (OPEN, 2, []),
        ([False, False, True], 2, [[0.0, 1.0]]),
        ([True, True, False], 3, [[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]),
    ],
    ids=["agree", "agree on one", "disagree"],
)
def test_a_channel_of_a_sum_goes_where_all_masks_close_it(
    second: list[bool], width: int, scales: list[list[float]]
) -> None:
    inputs = keras.Input((3,))
    x = ChannelMask(OPEN)(layers.Dense(3, name="a")(inputs))
    y = ChannelMask(second)(layers.Dense(3, name="b")(layers.ReLU()(layers.Dense(4)(x))))
    model = with_positive_weights(keras.Model(inputs, layers.Dense(2)(layers.Add()([x, y]))))
    small = remove_closed(model)
    assert [small.get_layer(name).units for name in "ab"] == [width, width]
    assert [layer.scale for layer in small.layers if isinstance(layer, layers.Rescaling)] == scales
    assert_same_outputs(model, small)
