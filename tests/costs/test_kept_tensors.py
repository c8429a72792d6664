from typing import Any

import keras
import pytest
from keras import layers

from keras_dha.costs import KeptTensors


def chain(*parts: Any, shape: tuple[int, ...] = (4, 4, 3)) -> KeptTensors:
    return KeptTensors.of(keras.Sequential([keras.Input(shape), *parts]))


def conv(channels: int = 2, **arguments: Any) -> keras.layers.Layer:
    return layers.Conv2D(channels, 3, padding="same", use_bias=False, **arguments)


def test_a_branch_of_a_cell_keeps_what_its_convolution_and_its_normalization_read() -> None:
    kept = chain(layers.ReLU(), conv(), layers.BatchNormalization())
    assert kept.elements == 16 * 3 + 16 * 2
    assert (kept.rectified, kept.outputs) == (16 * 3, 16 * 2)
    assert not kept.reads_input  # the gradient of a ReLU reads what it gave
    assert not kept.outputs_kept
    assert (kept.parameters, kept.layers) == (9 * 3 * 2 + 4, 3)


@pytest.mark.parametrize(
    ("parts", "elements", "reads_input", "outputs_kept"),
    [
        ((conv(),), 0, True, False),
        ((layers.AveragePooling2D(2),), 0, False, False),
        ((layers.MaxPooling2D(2),), 4 * 3, True, True),
        ((layers.Identity(),), 0, False, True),
        ((layers.Rescaling(2.0),), 0, False, False),
        ((conv(activation="relu"),), 16 * 2, True, True),
        ((layers.ReLU(), layers.Identity(), conv()), 16 * 3, False, False),
        ((layers.ReLU(), layers.Flatten(), layers.Dense(5)), 48, False, False),
        ((layers.UnitNormalization(),), 48, True, True),  # a kind that is not known keeps all
    ],
)
def test_by_kind(parts: Any, elements: int, reads_input: bool, outputs_kept: bool) -> None:
    kept = chain(*parts)
    assert (kept.elements, kept.reads_input, kept.outputs_kept) == (elements, reads_input, outputs_kept)


def test_a_tensor_that_several_read_is_kept_once() -> None:
    inputs = keras.Input((4, 4, 3))
    x = layers.ReLU()(inputs)
    outputs = layers.Add()([conv()(x), conv()(x)])
    assert KeptTensors.of(keras.Model(inputs, outputs)).elements == 16 * 3


def test_models_in_a_model_are_looked_into_and_count_each_time_that_they_are_called() -> None:
    inner = keras.Sequential([layers.ReLU(), conv(3), layers.BatchNormalization()])
    inputs = keras.Input((4, 4, 3))
    once = KeptTensors.of(keras.Model(inputs, inner(inputs)))
    twice = KeptTensors.of(keras.Model(inputs, inner(inner(inputs))))
    assert once == chain(layers.ReLU(), conv(3), layers.BatchNormalization())
    assert twice.elements == 2 * once.elements
    assert twice.parameters == once.parameters


def test_sizes_must_be_known() -> None:
    with pytest.raises(ValueError, match=r"known sizes. Received: a tensor of shape \(None, None, None, 3\)"):
        chain(conv(), layers.BatchNormalization(), shape=(None, None, 3))
