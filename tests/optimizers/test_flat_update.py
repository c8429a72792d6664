from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.optimizers import FlatUpdate, MomentumSGD, SelectiveUpdate

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda: MomentumSGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.1, amsgrad=True),
    "clipped": lambda: keras.optimizers.AdamW(0.1, global_clipnorm=0.5),
    "centered": lambda: keras.optimizers.RMSprop(0.1, momentum=0.5, centered=True),
    "accumulating": lambda: keras.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2),
}
SHAPES = ((2, 3), (), (4,), (1, 1, 2))


def variables(seed: int = 0) -> list[keras.Variable]:
    rng = np.random.default_rng(seed)
    return [keras.Variable(rng.normal(size=shape).astype("float32")) for shape in SHAPES]


def gradients(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [tf.constant(rng.normal(size=shape), "float32") for shape in SHAPES]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("in_graph", [True, False])
def test_steps_are_those_of_an_update_by_variable(name: str, in_graph: bool) -> None:
    expected, found = variables(), variables()
    by_variable, flat = SelectiveUpdate(OPTIMIZERS[name](), expected), FlatUpdate(OPTIMIZERS[name](), found)

    def step(slopes: list[Any], gate: Any) -> None:
        active = [True, gate, gate, tf.logical_not(gate)]
        by_variable.apply([*slopes[:3], None], expected, active)
        flat.apply([*slopes[:3], None], found, active)

    run = tf.function(step) if in_graph else step
    for seed in range(1, 7):
        run(gradients(seed), tf.constant(seed % 3 > 0))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    assert int(flat.optimizer.iterations) == int(by_variable.optimizer.iterations) > 0


@pytest.mark.parametrize("name", ["momentum", "adam"])
@pytest.mark.parametrize("in_graph", [True, False])
def test_vectors_by_kind_take_the_same_steps(name: str, in_graph: bool) -> None:
    expected, found = variables(), variables()
    by_variable = SelectiveUpdate(OPTIMIZERS[name](), expected)
    flat = FlatUpdate(OPTIMIZERS[name](), found, kind=lambda variable: len(variable.shape) > 1)
    assert [unit.shape for unit in flat.units] == [(8,), (5,)]
    assert [len(variable.shape) > 1 for variable in flat.representatives] == [True, False]
    share = tf.constant(0.25)

    def step(slopes: list[Any], gate: Any) -> list[Any]:
        active = [True, gate, gate, tf.logical_not(gate)]
        by_variable.apply([*slopes[:3], None], expected, active, [share, None, None, share])
        return flat.apply([*slopes[:3], None], found, active, [share, None])

    run = tf.function(step) if in_graph else step
    for seed in range(1, 4):
        values = flat.joined(found[:3], found[:3])
        for old, before in zip(values, run(gradients(seed), tf.constant(seed % 3 > 0)), strict=True):
            np.testing.assert_array_equal(old, before)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[3].numpy(), variables()[3].numpy())  # no gradient: no decay either
    for unit, value in zip(flat.units, flat.joined(found[:3], found[:3]), strict=True):
        np.testing.assert_array_equal(unit.numpy(), value)


def test_joined_fills_up_with_zeros() -> None:
    own = variables()
    update = FlatUpdate(keras.optimizers.SGD(0.1), own, kind=lambda variable: len(variable.shape) > 1)
    kernels, others = update.joined([None, *own[1:3]], own[:3])
    np.testing.assert_array_equal(kernels, np.zeros(8))
    np.testing.assert_array_equal(others, [own[1].numpy(), *own[2].numpy()])


def test_the_inactive_and_their_slots_do_not_move_by_a_bit() -> None:
    optimizer, own = keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1), variables()
    update = FlatUpdate(optimizer, own)
    update.apply(gradients(1), own, [True] * 4)
    before = [variable.numpy() for variable in own]
    momentum = {key: value.numpy() for key, value in update.by_variable(optimizer.momentums).items()}
    assert [momentum[id(variable)].shape for variable in own] == list(SHAPES)
    for _ in range(2):
        update.apply([gradients(2)[0], *gradients(2)[1:3], None], own, [True, False, tf.constant(False), True])
    after = update.by_variable(optimizer.momentums)
    for variable, value in zip(own[1:], before[1:]):
        np.testing.assert_array_equal(variable.numpy(), value)
        np.testing.assert_array_equal(after[id(variable)], momentum[id(variable)])
    assert np.any(own[0].numpy() != before[0])


def test_both_kinds_give_the_slots_of_each_variable() -> None:
    expected, found = variables(), variables()
    by_variable = SelectiveUpdate(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), expected)
    flat = FlatUpdate(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), found)
    by_variable.apply(gradients(1), expected, [True] * 4)
    flat.apply(gradients(1), found, [True] * 4)
    slots = by_variable.by_variable(by_variable.optimizer.momentums), flat.by_variable(flat.optimizer.momentums)
    for a, b in zip(expected, found):
        np.testing.assert_allclose(slots[0][id(a)], slots[1][id(b)], rtol=1e-6)


def test_without_any_gradient_nothing_happens() -> None:
    own = variables()
    update = FlatUpdate(keras.optimizers.SGD(1.0), own)
    update.apply([None] * 4, own, [True] * 4)
    assert int(update.optimizer.iterations) == 0


def excluding() -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.SGD(0.1, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["variable"])
    return optimizer


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adafactor(0.1),
        lambda: keras.optimizers.Lamb(0.1),
        lambda: keras.optimizers.SGD(0.1, clipnorm=1.0),
        lambda: keras.optimizers.SGD(0.1, use_ema=True),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        excluding,
    ],
)
def test_optimizers_that_look_at_variables(optimizer: Callable[[], Any]) -> None:
    assert not FlatUpdate.suits(optimizer(), variables())


def test_variables_that_are_no_vector() -> None:
    sgd = keras.optimizers.SGD(0.1)
    own = variables()
    assert FlatUpdate.suits(sgd, own)
    assert not FlatUpdate.suits(sgd, own[:1])
    assert not FlatUpdate.suits(sgd, [*own, keras.Variable(1.0, dtype="float16")])
    own[0].constraint = keras.constraints.NonNeg()
    assert not FlatUpdate.suits(sgd, own)


def test_an_optimizer_in_use() -> None:
    optimizer = keras.optimizers.Adam(name="mine")
    optimizer.build(variables())
    with pytest.raises(ValueError, match=r"must be new. Received: optimizer='mine', built"):
        FlatUpdate(optimizer, variables())
