import functools
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_dha import costs
from keras_dha.channels import ChannelMask, functional, remove_closed, rules
from keras_dha.channels.calls import calls
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import GatedSpace

IMAGE = (6, 6, 3)
JOINS = ("Add", "Subtract", "Average", "Maximum", "Minimum", "Multiply", "Concatenate")
# Each reads what a batch normalization gives, and is read by a dense layer: kinds of layers with their arguments.
APART: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "depthwise": [
        ("DepthwiseConv2D", {"kernel_size": 2}),
        ("DepthwiseConv2D", {"kernel_size": 2, "use_bias": False, "activation": "relu"}),
        ("DepthwiseConv2D", {"kernel_size": 2, "depth_multiplier": 2, "use_bias": False, "activation": "softplus"}),
        ("DepthwiseConv2D", {"kernel_size": 2, "activation": "softmax"}),
    ],
    "fused": [
        ("Conv2D", {"filters": 4, "kernel_size": 2, "strides": 2, "activation": "sigmoid"}),
        ("Conv2D", {"filters": 4, "kernel_size": 2, "use_bias": False, "activation": "softmax"}),
        ("Dense", {"units": 4, "use_bias": False, "activation": "gelu"}),
    ],
    "groups": [("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 2})],
    "normalized": [("BatchNormalization", a) for a in ({}, {"scale": False}, {"scale": False, "center": False})],
    "slopes": [("PReLU", {"shared_axes": shared} if shared else {}) for shared in (None, [1], [1, 2], [3])],
    "rescaled": [
        ("Rescaling", {"scale": s, "offset": b}) for s, b in ((3.0, 0.0), (3.0, -1.0), ([1.0, 2.0, 3.0, 4.0], 0.0))
    ],
    "activations": [
        *(("Activation", {"activation": name}) for name in ("relu", "sigmoid", "softplus", "softmax")),
        ("ReLU", {"max_value": 6.0, "threshold": 0.5}),
        *(("Softmax", {"axis": axis}) for axis in (-1, 1)),
    ],
    "flatten": [*(("Reshape", {"target_shape": s}) for s in ((3, 12, 4), (6, -1), (-1, 4), (-1, 3))), ("Flatten", {})],
    "permute": [("Permute", {"dims": dims}) for dims in ((2, 1, 3), (3, 1, 2))],
    "whole": [("LayerNormalization", {}), ("GroupNormalization", {"groups": 1})],
}


def chain(*parts: Any, shape: tuple[int, ...] = IMAGE) -> keras.Model:
    x = inputs = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def conv(x: Any, filters: int = 5, size: int = 3, **arguments: Any) -> Any:
    return layers.Conv2D(filters, size, padding="same", **arguments)(x)


def normed(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))


def classified(inputs: Any, x: Any) -> keras.Model:
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def apart(*parts: Any) -> keras.Model:
    apart = ((layers.BatchNormalization(), part, layers.Dense(4)) for part in parts)
    return chain(layers.Dense(4), *(layer for three in apart for layer in three), layers.Dense(2))


def of_kinds(kinds: list[tuple[str, dict[str, Any]]]) -> keras.Model:
    return apart(*(getattr(layers, kind)(**arguments) for kind, arguments in kinds))


def made(axes: int, kind: str, *arguments: Any, **others: Any) -> keras.layers.Layer:
    return getattr(layers, f"{kind}{axes}D")(*arguments, **others)


def of_kernels(axes: int) -> keras.Model:
    parts = [made(axes, "Conv", 4, 2, padding="same"), getattr(layers, f"Conv{axes}DTranspose")(5, 3, strides=2)]
    if axes < 3:
        parts.append(made(axes, "DepthwiseConv", 2, depth_multiplier=2, use_bias=False))
        parts.append(made(axes, "SeparableConv", 4, 3, depth_multiplier=axes))
    return chain(*parts, layers.Dense(4), layers.Dense(2), shape=(4, 5, 3, 2)[-axes - 1 :])


def over_places(axes: int) -> keras.Model:
    kinds = (("UpSampling", 2), ("MaxPooling", 2, 1), ("AveragePooling", 2, 2), ("ZeroPadding", 2), ("Cropping", 1))
    parts = [made(axes, *kind) for kind in (("Conv", 5, 1), *kinds, ("SpatialDropout", 0.5))]
    model = chain(*parts, shape=(4, 5, 3, 2)[-axes - 1 :])
    pooled = [made(axes, f"Global{kind}Pooling")(model.output) for kind in ("Max", "Average")]
    return keras.Model(model.input, layers.Dense(2)(layers.Concatenate()(pooled)))


def each_alone() -> keras.Model:
    drops = [layers.Dropout(0.5), layers.AlphaDropout(0.5), layers.GaussianDropout(0.5), layers.GaussianNoise(0.5)]
    parts = [layers.LeakyReLU(), layers.ELU(), layers.ActivityRegularization(0.1), layers.Identity()]
    return chain(layers.Conv2D(5, 1), *drops, *parts, layers.Activation("mish"), layers.Dense(4), layers.Dense(2))


def joined(kind: str, x: Any) -> keras.Model:
    return classified(x, getattr(layers, kind)()([conv(x), normed(conv(x))]))


def residual() -> keras.Model:
    inputs = keras.Input(IMAGE)
    x = normed(conv(inputs))
    y = layers.BatchNormalization()(conv(normed(conv(x, 4))))
    return classified(inputs, layers.ReLU()(layers.Add()([x, y])))


def normalized_before() -> keras.Model:
    inputs = keras.Input(IMAGE)
    x = conv(inputs)
    for _ in range(2):
        x = x + conv(normed(conv(normed(x), 4)))
    return classified(inputs, normed(x))


def inverted() -> keras.Model:
    inputs = keras.Input(IMAGE)
    x = conv(inputs, 4)
    y = normed(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(normed(conv(x, 6, 1))))
    return classified(inputs, layers.Add()([x, layers.BatchNormalization()(conv(y, 4, 1))]))


def excited(by_layers: bool) -> keras.Model:
    inputs = keras.Input(IMAGE)
    x = normed(conv(inputs))
    y = layers.GlobalAveragePooling2D(keepdims=not by_layers)(x)
    if by_layers:
        y = layers.Dense(3, activation="relu")(layers.Reshape((1, 1, 5))(y))
        return classified(inputs, conv(layers.Multiply()([x, layers.Dense(5, activation="sigmoid")(y)]), 4))
    y = conv(ops.relu(conv(y, 3, 1)), 5, 1)
    return classified(inputs, conv(x * (ops.relu6(y + 3.0) / 6.0), 4))


def zero_kept(x: Any) -> Any:
    x = ops.tanh(ops.hard_silu(ops.silu(ops.celu(ops.gelu(ops.selu(ops.elu(ops.relu6(x))))))))
    x = ops.negative(ops.square(ops.abs(ops.softsign(ops.hard_tanh(x)))))
    return ops.clip(ops.leaky_relu(ops.sqrt(ops.absolute(x))), -1.0, 1.0)


def of_operations() -> keras.Model:
    inputs = keras.Input(IMAGE)
    a, b, c = (conv(inputs) for _ in range(3))
    x = ops.maximum(a - b, 2.0 * ops.minimum(b, c)) / 0.5 + 0.0
    y = conv(inputs) * np.arange(1.0, 6.0, dtype="float32") / ops.exp(c)
    z = ops.divide(1.0, ops.sigmoid(conv(inputs, 1)))
    return classified(inputs, conv(normed(x * z) + conv(inputs) + y) - 1.0)


def shared() -> keras.Model:
    inputs, layer, slope = keras.Input(IMAGE), layers.Conv2D(5, 3, padding="same"), layers.PReLU(shared_axes=[1, 2])
    return classified(inputs, slope(layer(slope(layer(conv(inputs))))))


def nested() -> keras.Model:
    inner = chain(layers.Conv2D(5, 1, padding="same"), layers.BatchNormalization(), layers.ReLU(), shape=(6, 6, 5))
    inputs = keras.Input(IMAGE)
    deep = keras.Sequential([keras.Input((6, 6, 5)), inner, layers.Conv2D(4, 1)])
    return classified(inputs, deep(inner(conv(inputs))))


def parted() -> keras.Model:
    inputs = keras.Input(IMAGE)
    parts = layers.Concatenate()([normed(conv(inputs, 3)), conv(inputs, 4)])
    return classified(inputs, conv(layers.Add()([parts, conv(inputs, 7)]), 4))


def beside() -> keras.Model:
    inputs = keras.Input(IMAGE)
    x = layers.Concatenate(axis=1)([conv(inputs), normed(conv(inputs))])
    return classified(inputs, conv(layers.Multiply()([x, conv(x, 1, activation="sigmoid")]), 4))


def of_two(named: bool) -> keras.Model:
    inputs = {"b": keras.Input(IMAGE, name="b"), "a": keras.Input((4,), name="a")}
    x = layers.Concatenate()([layers.Flatten()(conv(inputs["b"], 4)), layers.Dense(4)(inputs["a"])])
    return keras.Model(inputs if named else list(inputs.values()), layers.Dense(2)(layers.Dense(4)(x)))


MODELS = {
    **{name: functools.partial(of_kinds, kinds) for name, kinds in APART.items()},
    **{f"kernels {axes}D": functools.partial(of_kernels, axes) for axes in (1, 2, 3)},
    **{f"places {axes}D": functools.partial(over_places, axes) for axes in (1, 2, 3)},
    **{f"{kind} of two": functools.partial(joined, kind, keras.Input(IMAGE)) for kind in JOINS},
    "layers excite": lambda: excited(True),
    "operations excite": lambda: excited(False),
    "operations keep zero": lambda: apart(zero_kept, ops.softmax, ops.log_softmax),
    "operations do not": lambda: apart(ops.exp, ops.sigmoid, ops.hard_sigmoid, ops.softplus, lambda x: x + 1.0),
    "named inputs": lambda: of_two(True),
    "two inputs": lambda: of_two(False),
    **{make.__name__: make for make in (each_alone, residual, normalized_before, inverted, of_operations)},
    **{make.__name__: make for make in (shared, nested, parted, beside)},
    "repeated": lambda: chain(layers.Dense(5), layers.RepeatVector(3), layers.Conv1D(4, 2), shape=(3,)),
    "embedded": lambda: chain(layers.Embedding(9, 4), layers.Conv1D(4, 3), layers.Dense(2), shape=(7,)),
    "mobile": lambda: keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, weights=None, classes=10, classifier_activation=None
    ),
}
every_model = pytest.mark.parametrize("name", MODELS)


def with_random_weights(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    for variable in model.weights:
        values = rng.normal(0.0, 0.5, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    return model


def inputs_of(model: keras.Model) -> Any:
    rng, inputs = np.random.default_rng(1), functional(model).input
    return keras.tree.map_structure(lambda x: rng.uniform(0.0, 4.0, (2, *x.shape[1:])).astype("float32"), inputs)


def assert_same_outputs(model: keras.Model, other: keras.Model) -> None:
    x = inputs_of(model)
    for found, expected in zip(keras.tree.flatten(other(x)), keras.tree.flatten(model(x)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@functools.cache
def removed(name: str) -> tuple[keras.Model, GatedSpace, Any, keras.Model, keras.Model]:
    model = with_random_weights(MODELS[name]())
    space = GatedSpace(model)
    decisions = space.random_decisions(seed=0)
    network = space.build(FixedChooser(decisions))
    return model, space, decisions, network, space.without_closed(network)


@every_model
def test_outputs_are_those_of_the_network_with_masks(name: str) -> None:
    model, _, _, network, small = removed(name)
    assert_same_outputs(network, small)
    x = inputs_of(model)
    assert np.abs(model(x) - small(x)).max() > 1e-3 * np.abs(model(x)).max()  # the masks did something


@every_model
def test_closed_channels_are_gone_and_only_stock_layers_are_left(name: str) -> None:
    model, _, _, network, small = removed(name)
    assert any(isinstance(layer, ChannelMask) for layer in network.layers)
    assert all(type(layer).__module__.startswith("keras.") for layer in small.layers)
    assert not any(isinstance(layer, keras.Model) for layer in small.layers)
    assert small.count_params() < model.count_params() == network.count_params()


# Without those that take seconds, or have no kernels but those of others.
@pytest.mark.parametrize("name", [name for name in MODELS if "mobile" not in name and "of two" not in name])
def test_costs_are_those_of_what_is_left(name: str) -> None:
    _, space, decisions, _, small = removed(name)
    assert costs.parameters(small) == small.count_params() == costs.SpaceCost(space, "parameters").of(decisions)
    assert costs.multiply_adds(small) == costs.SpaceCost(space).of(decisions)


def test_every_kind_of_layer_is_in_the_catalogue() -> None:
    found = {type(call.layer) for name in MODELS for call in calls(removed(name)[-1])}
    assert not {kind for kind, rule in rules._BY_LAYER.items() if type(rule) is not rules.Whole} - found
    # No function of Keras makes an Abs or a Mish.
    assert not set(rules._BY_OPERATION) - {kind.__name__ for kind in found} - {"Abs", "Mish"}


@pytest.mark.parametrize("name", ["inverted", "operations excite", "parted"])
def test_the_result_can_be_saved(name: str, tmp_path) -> None:
    small = removed(name)[-1]
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again(inputs_of(small)), small(inputs_of(small)))


def test_a_model_without_masks_comes_back() -> None:
    model = removed("nested")[0]
    small = remove_closed(model)
    assert small.count_params() == model.count_params()
    assert_same_outputs(model, small)


def test_the_given_model_stays_as_it_is() -> None:
    network = removed("nested")[3]
    config, before = network.get_config(), network.get_weights()
    for variable in remove_closed(network).weights:
        variable.assign(0 * variable)
    assert network.get_config() == config
    for found, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_models_of_several_outputs() -> None:
    inputs = keras.Input(IMAGE)
    x = ChannelMask([True, False, True, False])(normed(conv(inputs, 4)))
    y = ChannelMask([False, True, True, True])(layers.ReLU()(conv(x, 4)))
    outputs = {"near": layers.Dense(2)(layers.Flatten()(x)), "far": layers.Dense(3)(layers.Flatten()(y))}
    model = with_random_weights(keras.Model(inputs, outputs))
    small = remove_closed(model)
    assert [layer.filters for layer in small.layers if isinstance(layer, layers.Conv2D)] == [2, 3]
    assert sorted(small.output) == ["far", "near"]
    assert_same_outputs(model, small)
