from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_dha.channels import flattened, functional, new_inputs
from keras_dha.channels.calls import calls

X = np.arange(6.0, dtype="float32").reshape(2, 3)


def chain(*parts: Any, **arguments: Any) -> keras.Model:
    x = inputs = keras.Input((3,))
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x, **arguments)


def inner(name: str | None = None, units: int = 3) -> keras.Model:
    return chain(layers.Dense(units, name="dense"), layers.BatchNormalization(name="norm"), name=name)


def sequential(*parts: Any) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), *parts])


def with_two_inputs(named: bool) -> keras.Model:
    inputs = {"wide": keras.Input((3,), name="wide"), "narrow": keras.Input((1,), name="narrow")}
    y = layers.Dense(2)(layers.Concatenate()(list(inputs.values())))
    return keras.Model(inputs if named else list(inputs.values()), {"sum": y, "first": inputs["wide"] * 2.0})


def twice() -> keras.Model:
    shared = inner("shared")
    return chain(shared, layers.ReLU(name="between"), shared)


def deep() -> keras.Model:
    return chain(sequential(layers.Dense(3), inner("inner"), layers.Softmax()), sequential(sequential(layers.Dense(2))))


def shared_by_both() -> keras.Model:
    layer = layers.Dense(3, name="both")
    return chain(layer, sequential(layer), layer)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: sequential(layers.Dense(2, name="a"), layers.ReLU(name="b")), ["a", "b"]),
        (lambda: chain(inner("in"), layers.Dense(2, name="last")), ["dense", "norm", "last"]),
        (lambda: chain(inner("a"), inner("b")), ["dense", "norm", "b_dense", "b_norm"]),
        (lambda: chain(layers.Dense(3, name="dense"), inner("in")), ["dense", "in_dense", "norm"]),
        (lambda: sequential(inner("a"), layers.Dense(2, name="last")), ["dense", "norm", "last"]),
        (deep, None),
        (twice, None),
        (shared_by_both, ["both"]),
    ],
)
def test_layers_stand_in_the_place_of_models(make: Any, names: list[str] | None) -> None:
    model = make()
    model.set_weights([np.random.default_rng(0).uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    clone = flattened(model)
    assert clone.name == model.name
    assert not any(isinstance(layer, keras.Model) for layer in clone.layers)
    assert names is None or [layer.name for layer in clone.layers[1:]] == names
    assert clone.count_params() == model.count_params()
    np.testing.assert_allclose(clone(X), model(X), rtol=1e-6)


def test_a_layer_that_is_called_twice_stays_one() -> None:
    clone = flattened(twice())
    assert [call.layer.name for call in calls(clone)] == ["dense", "norm", "between", "dense", "norm"]
    assert len(clone.weights) == 6


@pytest.mark.parametrize("named", [False, True])
def test_inputs_and_outputs_keep_their_structure(named: bool) -> None:
    model = with_two_inputs(named)
    x = {"wide": X, "narrow": X[:, :1]} if named else [X, X[:, :1]]
    clone = flattened(model)
    assert type(clone.input) is type(model.input)
    assert [tensor.name for tensor in clone.inputs] == [tensor.name for tensor in model.inputs]
    found, expected = clone(x), model(x)
    assert set(found) == {"sum", "first"}
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])


def test_a_nested_model_of_named_inputs_and_several_outputs() -> None:
    inputs = [keras.Input((1,)), keras.Input((3,))]
    outputs = with_two_inputs(named=True)({"narrow": inputs[0], "wide": inputs[1]})
    model = keras.Model(inputs, layers.Concatenate()([outputs["first"], outputs["sum"]]))
    np.testing.assert_array_equal(flattened(model)([X[:, :1], X]), model([X[:, :1], X]))


def test_weights_are_copies() -> None:
    model = chain(inner(), layers.Dense(2))
    before = model.get_weights()
    clone = flattened(model)
    for values, expected in zip(clone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(values, expected)
    clone.set_weights([values + 1.0 for values in before])
    for values, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(values, expected)
    assert not {id(layer) for layer in clone.layers} & {id(layer) for layer in model.layers}


def test_what_is_trained_and_in_which_precision_stays() -> None:
    frozen = layers.Dense(3, dtype="mixed_float16", name="frozen")
    frozen.trainable = False
    layer = flattened(chain(sequential(frozen))).get_layer("frozen")
    assert not layer.trainable
    assert layer.dtype_policy.name == "mixed_float16"


def test_operations_are_calls() -> None:
    inputs = keras.Input((3,))
    y = inputs + 3.0
    model = keras.Model(inputs, ops.relu6(inputs * y) - np.array([1.0, 2.0, 3.0], "float32"))
    clone = flattened(model)
    np.testing.assert_array_equal(clone(X), model(X))
    found = calls(clone)
    assert [type(call.layer).__name__ for call in found] == ["Add", "Multiply", "Relu6", "Subtract"]
    assert [len(call.inputs) for call in found] == [1, 2, 1, 1]
    assert [np.size(call.constants) for call in found] == [1, 0, 0, 3]


def test_a_call_keeps_its_other_arguments() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.GaussianNoise(1.0)(inputs, training=True))
    assert np.abs(flattened(model)(X) - X).max() > 0.0


def test_calls_come_behind_those_that_they_read() -> None:
    inputs = keras.Input((3,))
    a = layers.Dense(3, name="a")(inputs)
    b = layers.Dense(3, name="b")(a)
    model = keras.Model(inputs, layers.Add(name="sum")([layers.ReLU(name="relu")(b), a]))
    assert [call.layer.name for call in calls(model)] == ["a", "b", "relu", "sum"]


def test_a_clone_can_be_built_on_given_inputs() -> None:
    inputs = keras.Input((3,), dtype="int32", name="own")
    clone = flattened(chain(layers.Rescaling(2.0)), inputs)
    assert clone.input is inputs
    np.testing.assert_array_equal(clone(X.astype("int32")), 2.0 * X)


def test_functional_models_stay_and_sequential_ones_share_their_layers() -> None:
    model = chain(layers.Dense(2))
    assert functional(model) is model
    model = sequential(layers.Dense(2))
    assert functional(model).layers[-1] is model.layers[-1]
    np.testing.assert_array_equal(functional(model)(X), model(X))


def test_new_inputs_are_like_those_of_the_model() -> None:
    found = new_inputs(with_two_inputs(named=True))
    assert {name: (x.name, x.shape, x.dtype) for name, x in found.items()} == {
        "wide": ("wide", (None, 3), "float32"),
        "narrow": ("narrow", (None, 1), "float32"),
    }
    fixed = keras.Input(batch_shape=(4, None), dtype="int32")
    assert (new_inputs(keras.Model(fixed, fixed)).shape, new_inputs(keras.Model(fixed, fixed)).dtype) == (
        (4, None),
        "int32",
    )
