from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_dha.costs import COSTS, multiply_adds, parameters


def chain(*parts: Any, shape: tuple[int | None, ...] = (4, 4, 3)) -> keras.Model:
    x = inputs = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def same(kind: str, *arguments: Any, **others: Any) -> keras.layers.Layer:
    return getattr(layers, kind)(*arguments, padding="same", **others)


# On 4 x 4 places of 3 channels: name, layer, multiply-adds, parameters.
LAYERS = [
    ("dense", layers.Dense(5), 16 * 3 * 5, 3 * 5 + 5),
    ("dense without bias", layers.Dense(5, use_bias=False), 16 * 3 * 5, 3 * 5),
    ("convolution", same("Conv2D", 5, 3), 16 * 9 * 3 * 5, 9 * 3 * 5 + 5),
    ("of steps", same("Conv2D", 5, 3, strides=2), 4 * 9 * 3 * 5, 9 * 3 * 5 + 5),
    ("of no padding", layers.Conv2D(5, (3, 2), use_bias=False), 2 * 3 * 6 * 3 * 5, 6 * 3 * 5),
    ("grouped", same("Conv2D", 6, 3, groups=3), 16 * 9 * 1 * 6, 9 * 1 * 6 + 6),
    ("transposed", same("Conv2DTranspose", 5, 2, strides=2), 16 * 4 * 3 * 5, 4 * 3 * 5 + 5),
    ("depthwise", same("DepthwiseConv2D", 3), 16 * 9 * 3, 9 * 3 + 3),
    ("depthwise, twice", same("DepthwiseConv2D", 3, strides=2, depth_multiplier=2), 4 * 9 * 6, 9 * 6 + 6),
    ("separable", same("SeparableConv2D", 5, 3), 16 * (9 * 3 + 3 * 5), 9 * 3 + 3 * 5 + 5),
    ("separable, twice", same("SeparableConv2D", 5, 3, depth_multiplier=2), 16 * (9 * 6 + 6 * 5), 9 * 6 + 6 * 5 + 5),
    ("batch normalization", layers.BatchNormalization(), 0, 4 * 3),
    ("batch normalization without scale", layers.BatchNormalization(scale=False), 0, 3 * 3),
    ("layer normalization", layers.LayerNormalization(), 0, 2 * 3),
    ("slopes of channels", layers.PReLU(shared_axes=[1, 2]), 0, 3),
    ("slopes of places", layers.PReLU(shared_axes=[3]), 0, 16),
    ("one slope", layers.PReLU(shared_axes=[1, 2, 3]), 0, 1),
    ("slopes", layers.PReLU(), 0, 48),
    ("pooling", layers.AveragePooling2D(2), 0, 0),
    ("softmax", layers.Softmax(), 0, 0),
]


@pytest.mark.parametrize(("layer", "adds", "numbers"), [row[1:] for row in LAYERS], ids=[row[0] for row in LAYERS])
def test_one_layer_by_hand(layer: keras.layers.Layer, adds: int, numbers: int) -> None:
    model = chain(layer)
    assert (multiply_adds(model), parameters(model)) == (adds, numbers)
    assert parameters(model) == model.count_params()
    assert all(isinstance(cost(model), int) for cost in (multiply_adds, parameters))


@pytest.mark.parametrize(
    ("layer", "shape", "adds", "numbers"),
    [
        (same("Conv1D", 5, 3), (4, 3), 4 * 3 * 3 * 5, 3 * 3 * 5 + 5),
        (same("SeparableConv1D", 5, 3), (4, 3), 4 * (3 * 3 + 3 * 5), 3 * 3 + 3 * 5 + 5),
        (same("Conv1DTranspose", 5, 3, strides=2), (4, 3), 4 * 3 * 3 * 5, 3 * 3 * 5 + 5),
        (same("Conv3D", 5, 3), (2, 2, 2, 3), 8 * 27 * 3 * 5, 27 * 3 * 5 + 5),
        (layers.Dense(5), (3,), 3 * 5, 3 * 5 + 5),
        (layers.Dense(5), (2, 3), 2 * 3 * 5, 3 * 5 + 5),
    ],
)
def test_other_numbers_of_axes(layer: keras.layers.Layer, shape: tuple[int, ...], adds: int, numbers: int) -> None:
    model = chain(layer, shape=shape)
    assert (multiply_adds(model), parameters(model)) == (adds, numbers)


def test_layers_add_up() -> None:
    model = chain(same("Conv2D", 5, 3, strides=2), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2))
    assert multiply_adds(model) == 4 * 9 * 3 * 5 + 20 * 2
    assert parameters(model) == (135 + 5) + 20 + (40 + 2)


def test_a_layer_called_twice_works_twice_and_has_one_kernel() -> None:
    layer = layers.Dense(3)
    model = chain(layer, layers.ReLU(), layer, shape=(3,))
    assert (multiply_adds(model), parameters(model)) == (2 * 9, 12)


def test_a_model_called_twice_does_so_too() -> None:
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(3), layers.BatchNormalization()])
    model = chain(inner, layers.ReLU(), inner, shape=(3,))
    assert (multiply_adds(model), parameters(model)) == (2 * 9, 12 + 12)
    assert parameters(keras.Sequential([keras.Input((3,)), model])) == 24


def test_several_inputs_and_outputs() -> None:
    inputs = [keras.Input((3,)), keras.Input((4,))]
    x, y = layers.Dense(2)(inputs[0]), layers.Dense(2)(inputs[1])
    model = keras.Model(inputs, [layers.Dense(5)(layers.Add()([x, y])), y])
    assert (multiply_adds(model), parameters(model)) == (6 + 8 + 10, model.count_params())


@pytest.mark.parametrize("cost", [multiply_adds, parameters])
def test_a_model_without_kernels_costs_nothing(cost: Any) -> None:
    assert cost(chain(layers.ReLU())) == 0


def test_mobile_net() -> None:
    model = keras.applications.MobileNetV2(weights=None)
    assert multiply_adds(model) == 300_774_272
    assert parameters(model) == model.count_params() == 3_538_984


def test_sizes_must_be_known_for_multiply_adds_alone() -> None:
    model = chain(layers.Conv2D(5, 3, name="first"), shape=(None, 4, 3))
    with pytest.raises(ValueError, match=r"all sizes are known\. Received: shape=\(None, None, 2, 5\) in 'first'"):
        multiply_adds(model)
    assert parameters(model) == 140


def test_layers_of_unknown_kinds_must_be_excluded() -> None:
    model = chain(layers.Conv1D(4, 1), layers.LSTM(2, name="memory"), layers.Dense(3), shape=(5, 3))
    for cost in (multiply_adds, parameters):
        with pytest.raises(ValueError, match="Received: LSTM 'memory'"):
            cost(model)
    assert multiply_adds(model, exclude="memory") == 5 * 3 * 4 + 2 * 3
    assert parameters(model, exclude="memory") == model.count_params()


def test_excluded_layers_of_known_kinds_count() -> None:
    model = chain(layers.Dense(4, name="a"), layers.Dense(2), shape=(3,))
    assert multiply_adds(model, exclude="a") == multiply_adds(model) == 12 + 8


def test_costs_are_listed() -> None:
    assert COSTS == ("multiply_adds", "parameters")


def test_the_model_stays_as_it_is() -> None:
    model = chain(layers.Dense(4), layers.Dense(2), shape=(3,))
    before = model.get_weights()
    multiply_adds(model)
    for values, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(values, expected)
