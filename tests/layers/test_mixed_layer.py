"""MixedOp and MixedNode: which branches run, and what they sum up to."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.layers import ChoiceWeights, MixedNode, MixedOp
from keras_dha.relaxations import Softmax
from keras_dha.spaces import Choice

OP = Choice("edge", ("a", "b", "c"))
NODE = Choice("node", ("0/a", "0/b", "1/a", "1/b"), keep=2, groups=(0, 0, 1, 1))


class Times(keras.layers.Layer):
    """`factor * x`, and counts its calls."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        return self.factor * x


def mixture(choice: Choice, *, sparse: bool) -> Any:
    branches = [Times(10.0**i) for i in range(len(choice.options))]
    cls = MixedOp if choice is OP else MixedNode
    layer = cls(choice, branches, sparse=sparse)
    layer.build([(None, 1)] * (1 if choice is OP else 2) + [(len(branches),)])
    for branch in branches:
        branch.calls.assign(0.0)
    return layer


def call(layer: Any, weights: list[float], *, in_graph: bool = True) -> float:
    inputs = [np.array([[value]], "float32") for value in ((1.0,) if layer.choice is OP else (1.0, 2.0))]
    if not in_graph:
        return float(layer([*inputs, np.array(weights, "float32")])[0, 0])
    model_inputs = [keras.Input((1,)) for _ in inputs]
    shared = keras.Input(batch_shape=(len(weights),))
    model = keras.Model([*model_inputs, shared], layer([*model_inputs, shared]))
    return float(tf.function(model)([*inputs, np.array(weights, "float32")])[0, 0])


def calls(layer: Any) -> list[int]:
    return [int(branch.calls) for branch in layer.branches]


@pytest.mark.parametrize("in_graph", [True, False])
def test_dense_op_runs_all(in_graph: bool) -> None:
    layer = mixture(OP, sparse=False)
    assert call(layer, [0.5, 0.0, 0.25], in_graph=in_graph) == 25.5
    assert calls(layer) == [1, 1, 1]


@pytest.mark.parametrize("in_graph", [True, False])
@pytest.mark.parametrize(
    ("weights", "expected", "ran"), [([0, 2, 0], 20.0, [0, 1, 0]), ([0, 0, -1], -100.0, [0, 0, 1])]
)
def test_sparse_op_runs_one(weights: list[float], expected: float, ran: list[int], in_graph: bool) -> None:
    layer = mixture(OP, sparse=True)
    assert call(layer, weights, in_graph=in_graph) == expected
    assert calls(layer) == ran


@pytest.mark.parametrize("in_graph", [True, False])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_is_not_multiplied_by_1_has_the_gradients_of_what_is(position: int, in_graph: bool) -> None:
    x, weights = tf.constant([[1.0, 2.0]]), tf.one_hot(position, 3)
    results = []
    for unit in (False, True):
        branches = [keras.layers.Rescaling(3.0), keras.layers.Rescaling(0.0), keras.layers.ReLU()]
        layer = MixedOp(OP, branches, sparse=True, unit=unit)
        layer.build([(None, 2), (3,)])

        def gradients(layer: Any = layer) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([x, weights])
                output = layer([x, weights])
                loss = tf.reduce_sum(tf.square(output))
            return output, *tape.gradient(loss, [x, weights], unconnected_gradients="zero")

        results.append((tf.function(gradients) if in_graph else gradients)())
    for product, credit in zip(*results, strict=True):
        np.testing.assert_array_equal(product, credit)
    slopes = ([18.0, 36.0], [0.0, 0.0], [2.0, 4.0])  # of the sum of squares of 3 x, 0 and x
    np.testing.assert_array_equal(results[1][1][0], slopes[position])
    assert results[1][2][position] == (90.0, 0.0, 10.0)[position]  # twice that sum


@pytest.mark.parametrize("learns", [True, False])
def test_no_pass_over_memory_for_a_weight_of_1(learns: bool) -> None:
    branches = [keras.layers.Identity(), keras.layers.ReLU()]
    layer = MixedOp(Choice("edge", ("skip", "relu")), branches, sparse=True, unit=True)
    layer.build([(None, 2), (2,)])

    def gradient(x: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, weights])
            output = layer([x, weights if learns else tf.stop_gradient(weights)])
        return tape.gradient(output, [x, weights] if learns else [x])

    graph = tf.function(gradient, autograph=False).get_concrete_function(tf.ones((3, 2)), tf.ones(2)).graph
    large = [op for op in graph.get_operations() if op.type == "Mul" and op.outputs[0].shape.rank == 2]
    needed = set().union(*map(reached, graph.outputs))
    assert len([op for op in large if op in needed]) == int(learns)


def reached(tensor: Any) -> set[Any]:
    """The operations that a tensor of a graph needs."""
    found: set[Any] = set()
    waiting = [tensor.op]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [one.op for one in op.inputs] + list(op.control_inputs)
    return found


def test_dense_node_reads_its_inputs() -> None:
    layer = mixture(NODE, sparse=False)
    assert call(layer, [1.0, 1.0, 1.0, 1.0]) == 1 + 10 + 200 + 2000
    assert calls(layer) == [1, 1, 1, 1]


def test_a_layer_that_stands_for_several_options_of_an_input_runs_once() -> None:
    layer = mixture(NODE, sparse=False)
    layer.branches[1] = layer.branches[0]
    assert call(layer, [1.0, 0.5, 1.0, 1.0]) == 1.5 + 200 + 2000
    assert calls(layer) == [1, 1, 1, 1]  # the first two are one


@pytest.mark.parametrize("in_graph", [True, False])
def test_sparse_node_runs_the_active_ones(in_graph: bool) -> None:
    layer = mixture(NODE, sparse=True)
    assert call(layer, [0.0, 0.5, -1.0, 0.0], in_graph=in_graph) == 5.0 - 200.0
    assert calls(layer) == [0, 1, 1, 0]


@pytest.mark.parametrize("sparse", [True, False])
def test_settled_only_the_kept_ones_run_and_weights_are_not_read(sparse: bool) -> None:
    layer = mixture(NODE, sparse=sparse)
    layer.settle({1: 1.0, 2: 0.5})
    assert call(layer, [np.nan] * 4) == 10.0 + 100.0
    assert calls(layer) == [0, 1, 1, 0]


def test_reopened_all_may_run_again() -> None:
    layer = mixture(OP, sparse=True)
    layer.settle({0: 1.0})
    layer.reopen()
    assert call(layer, [0.0, 0.0, 1.0]) == 100.0


@pytest.mark.parametrize("cls", [MixedOp, MixedNode])
def test_unequal_output_shapes(cls: Any) -> None:
    choice = Choice("edge", ("wide", "narrow"), groups=(0, 0))
    layer = cls(choice, [keras.layers.Dense(3), keras.layers.Dense(2)], sparse=False, name="mixture")
    with pytest.raises(
        ValueError, match=r"same output shape.*Received: \{'wide': \(None, 3\), 'narrow': \(None, 2\)\}"
    ):
        layer.build([(None, 4), (2,)])


def test_the_sum_has_the_compute_dtype() -> None:
    layer = MixedNode(
        NODE, [keras.layers.Identity(dtype="mixed_bfloat16") for _ in range(4)], sparse=True, dtype="mixed_bfloat16"
    )
    x = np.ones((1, 2), "float32")
    y = layer([x, x, np.array([0.0, 0.5, 1.0, 0.0], "float32")])
    assert y.dtype == "bfloat16"
    np.testing.assert_array_equal(keras.ops.cast(y, "float32"), [[1.5, 1.5]])


def test_weights_of_options() -> None:
    layer = ChoiceWeights(Softmax().for_choice(OP))
    symbolic = layer(keras.Input((5,)))
    assert symbolic.shape == (3,)
    np.testing.assert_allclose(layer(np.zeros((7, 5))), [1 / 3] * 3, rtol=1e-6)
