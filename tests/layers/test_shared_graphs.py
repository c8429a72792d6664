"""SharedGraphs: mixtures of equal branches are traced once, and compute what they would alone."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.layers import BatchNormalization, MixedNode, MixedOp, SharedGraphs
from keras_dha.layers.shared_graphs import reading_all
from keras_dha.spaces import Choice

OP = Choice("edge", ("thin", "wide", "skip"))
NODE = Choice("node", ("0/thin", "0/wide", "1/thin", "1/wide"), keep=2, groups=(0, 0, 1, 1))
traces: list[str] = []


class Traced(keras.layers.Dense):
    """A dense layer that says when its code runs."""

    def call(self, x: Any, training: bool | None = None) -> Any:
        traces.append(self.name)
        return super().call(x)


def branch(units: int) -> keras.layers.Layer:
    return keras.Sequential(
        [Traced(units, kernel_initializer="random_normal"), BatchNormalization(), keras.layers.Dense(2)]
    )


def mixture(graphs: SharedGraphs | None, choice: Choice = OP, thin: int = 3) -> Any:
    if choice is OP:
        layer = MixedOp(choice, [branch(thin), branch(5), keras.layers.Identity()], sparse=True, graphs=graphs)
    else:
        branches = [branch(units) for units in (thin, 5, thin, 5)]
        layer = MixedNode(choice, branches, sparse=True, exact=False, graphs=graphs)
    inputs = [(None, 2)] * (1 if choice is OP else 2)
    layer.build([*inputs, (len(choice.options),)])
    return layer


def step(layers: list[Any], x: Any, weights: Any) -> Any:
    """Outputs of a chain of mixtures, and gradients for its weights and variables, in a graph."""
    variables = [v for layer in layers for v in layer.trainable_variables]

    def run(x: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            for layer in layers:
                inputs = [x] if isinstance(layer, MixedOp) else [x, x + 1.0]
                x = layer([*inputs, weights], training=True)
            loss = keras.ops.sum(keras.ops.square(x))
        return x, tape.gradient(loss, [weights, *variables], unconnected_gradients="zero")

    traces.clear()
    return tf.function(run, autograph=False)(tf.constant(x), tf.constant(weights))


@pytest.mark.parametrize(
    ("choice", "weights"),
    [(OP, [0.0, 0.7, 0.0]), (OP, [1.0, 0.0, 0.0]), (OP, [0.0, 0.0, 2.0]), (NODE, [0.5, 0.0, 0.0, -2.0])],
)
def test_shared_or_not_the_mixtures_compute_the_same(choice: Choice, weights: list[float]) -> None:
    graphs = SharedGraphs()
    shared, alone = ([mixture(kind, choice) for _ in range(3)] for kind in (graphs, None))
    for one, other in zip(shared, alone, strict=True):
        other.set_weights(one.get_weights())
    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    results = [step(layers, x, np.array(weights, "float32")) for layers in (shared, alone)]
    for one, other in zip(*map(tf.nest.flatten, results), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(shared, alone, strict=True):  # moving statistics too
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_statistics_of_the_branches_that_did_not_run_stay() -> None:
    layers = [mixture(SharedGraphs()) for _ in range(2)]
    before = [[v.numpy() for v in layer.non_trainable_variables] for layer in layers]
    step(layers, np.eye(4, 2, dtype="float32"), np.array([1.0, 0.0, 0.0], "float32"))
    for layer, old in zip(layers, before, strict=True):
        moved = [not np.array_equal(v, o) for v, o in zip(layer.non_trainable_variables, old, strict=True)]
        assert moved == [True, True, False, False]


def test_a_branch_is_traced_once_for_all_like_it() -> None:
    graphs = SharedGraphs()
    layers = [mixture(graphs) for _ in range(4)]
    step(layers, np.ones((4, 2), "float32"), np.array([1.0, 0.0, 0.0], "float32"))
    assert len(traces) == 2  # the thin and the wide one


def test_branches_of_other_sizes_are_not_mixed_up() -> None:
    graphs = SharedGraphs()
    layers = [mixture(graphs, thin=3), mixture(graphs, thin=4), mixture(graphs, NODE, thin=3)]
    step(layers[:2], np.ones((4, 2), "float32"), np.array([1.0, 0.0, 0.0], "float32"))
    assert len(traces) == 4
    step(layers[2:], np.ones((4, 2), "float32"), np.array([1.0, 0.0, 0.0, 0.0], "float32"))
    assert len(traces) == 4


def test_inputs_of_other_sizes_are_not_mixed_up() -> None:
    """The zeros of a pass without branches had the shape of the first mixture with such branches."""
    graphs, choice = SharedGraphs(), Choice("edge", ("none", "skip"))
    for size in (2, 3):
        branches = [keras.layers.Rescaling(0.0), keras.layers.Identity()]
        layer = MixedOp(choice, branches, sparse=True, graphs=graphs)
        layer.build([(None, size), (2,)])
        assert tf.function(layer)([tf.ones((4, size)), tf.constant([1.0, 0.0])]).shape == (4, size)


def test_names_do_not_tell_branches_apart_but_what_they_are_named_after_does() -> None:
    graphs = SharedGraphs()

    def of(name: str, activation: str) -> Any:
        layer = keras.layers.Dense(2, activation=activation, name=name)
        layer.build((None, 2))
        return graphs.of(lambda *_: None, [layer])

    assert of("relu", "relu") is of("other", "relu")
    assert of("relu", "relu") is not of("tanh", "tanh")


def test_the_policy_of_data_types_tells_branches_apart() -> None:
    graphs = SharedGraphs()

    def of(policy: str) -> Any:
        layer = keras.layers.Dense(2, dtype=policy)
        layer.build((None, 2))
        return graphs.of(lambda *_: None, [layer])

    assert of("float32") is not of("mixed_bfloat16")


def test_what_keras_cannot_describe_is_left_alone() -> None:
    class Secret(keras.layers.Layer):
        def __init__(self, what: Any) -> None:
            super().__init__()
            self.what = what

    assert SharedGraphs().of(lambda *_: None, [Secret(object())]) is None


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_under_mixed_precision_each_has_its_own_graph(dtype: str) -> None:
    branches = [keras.layers.Dense(2, dtype=dtype) for _ in range(3)]
    layer = MixedOp(OP, branches, sparse=True, graphs=SharedGraphs(), dtype=dtype)
    y = tf.function(layer)([tf.ones((4, 2)), tf.constant([0.0, 1.0, 0.0])])
    assert layer._graph is None
    assert y.dtype == dtype.removeprefix("mixed_")


def test_a_call_that_reads_all_outputs_needs_no_copy_of_its_graph() -> None:
    value = tf.constant(0.1)
    others = {"logits": tf.fill((3, 2), 1e4), "gone": None, "drawn": [tf.ones(2, tf.int32)]}
    np.testing.assert_array_equal(reading_all(value, others), value)
    assert reading_all(value, {"gone": None}) is value
    graph = tf.function(reading_all).get_concrete_function(value, {"logits": others["logits"]}).graph
    assert {tensor.op.type for tensor in graph.inputs} == {"Placeholder"}
    assert all(tensor.consumers() for tensor in graph.inputs)
