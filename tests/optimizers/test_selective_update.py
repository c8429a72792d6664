from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.optimizers import FlatUpdate, MomentumSGD, SelectiveUpdate

OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda: MomentumSGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.1, amsgrad=True),
    "clipped": lambda: keras.optimizers.Adam(0.1, global_clipnorm=0.5),
    "factored": lambda: keras.optimizers.Adafactor(0.1),
    "averaged": lambda: keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_overwrite_frequency=2),
}


def variables() -> list[keras.Variable]:
    return [keras.Variable([[1.0, 2.0]]), keras.Variable([3.0])]


GRADIENTS = [np.array([[0.5, -1.0]], "float32"), np.array([2.0], "float32")]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("in_graph", [True, False])
def test_all_active_equals_the_plain_optimizer(name: str, in_graph: bool) -> None:
    plain, ours = OPTIMIZERS[name](), OPTIMIZERS[name]()
    expected, found = variables(), variables()
    plain.build(expected)
    update = SelectiveUpdate(ours, found)

    def step(active: Any) -> None:
        update.apply(GRADIENTS, found, [True, active])

    for _ in range(3):
        plain.apply(GRADIENTS, expected)
        (tf.function(step) if in_graph else step)(tf.constant(True))
    for a, b in zip([*expected, *plain.variables], [*found, *ours.variables], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "averaged"])
def test_the_inactive_do_not_move_by_a_bit(name: str) -> None:
    optimizer, both = OPTIMIZERS[name](), variables()
    update = SelectiveUpdate(optimizer, both)
    update.apply(GRADIENTS, both, [True, True])  # now momentum would go on
    slots = update._slots[id(both[1])]
    assert slots
    kept = [v.numpy() for v in [both[1], *slots]]
    moved = both[0].numpy()
    for _ in range(2):
        update.apply(GRADIENTS, both, [True, tf.constant(False)])
    for before, after in zip(kept, [both[1], *slots]):
        np.testing.assert_array_equal(before, after.numpy())
    assert not np.array_equal(moved, both[0].numpy())


def test_a_gradient_of_none_leaves_its_variable_alone() -> None:
    both = variables()
    update = SelectiveUpdate(keras.optimizers.SGD(1.0), both)
    update.apply([None, GRADIENTS[1]], both, [True, True])
    assert [np.ravel(v).tolist() for v in both] == [[1.0, 2.0], [1.0]]
    update.apply([None, None], both, [True, True])


@pytest.mark.parametrize("make", [SelectiveUpdate, FlatUpdate])
def test_what_is_not_active_loses_nothing(make: Any) -> None:
    both = [keras.Variable([[4.0]]), keras.Variable([[4.0]])]
    update = make(keras.optimizers.SGD(0.0), both)
    before = update.apply([[[1.0]], [[1.0]]], both, [tf.constant(True), tf.constant(False)], [0.25] * len(update.units))
    assert [float(v[0, 0]) for v in both] == [3.0, 4.0]
    assert np.ravel(before).tolist() == [4.0, 4.0]


def test_replicas_lose_the_same_share() -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        both = [keras.Variable([[2.0]]), keras.Variable([[4.0]])]
        update = FlatUpdate(keras.optimizers.SGD(0.0), both)

    @tf.function
    def step() -> Any:
        def replica() -> Any:
            update.apply([tf.ones((1, 1))] * 2, both, [True, True], [tf.constant(0.25)])
            return tf.identity(both[1].value)

        return strategy.run(replica)

    np.testing.assert_allclose(np.array(step().values).ravel(), [3.0, 3.0])


def test_joined_of_variables_one_by_one() -> None:
    both = variables()
    found = SelectiveUpdate(keras.optimizers.SGD(0.1), both).joined([None, GRADIENTS[1]], both)
    np.testing.assert_array_equal(found[0], [[0.0, 0.0]])
    assert found[1] is GRADIENTS[1]


def test_the_optimizer_keeps_its_own_way_of_making_slots() -> None:
    optimizer = keras.optimizers.Adam()
    SelectiveUpdate(optimizer, variables())
    assert "add_variable_from_reference" not in vars(optimizer)


def test_an_optimizer_in_use() -> None:
    optimizer = keras.optimizers.Adam(name="mine")
    optimizer.build(variables())
    with pytest.raises(ValueError, match=r"must be new. Received: optimizer='mine', built"):
        SelectiveUpdate(optimizer, variables())


@pytest.mark.parametrize("make", [SelectiveUpdate, FlatUpdate])
def test_steps_without_anything_active_do_not_count(make: Any) -> None:
    first, both = keras.optimizers.Adam(0.1, beta_1=0.5), variables()
    update = make(first, both)
    before = [v.numpy() for v in both]
    for due in [False] * 300 + [True]:
        update.apply(GRADIENTS, both, [tf.constant(due)] * 2)
    assert int(first.iterations) == 1
    for old, new, gradient in zip(before, both, GRADIENTS):  # the first step of Adam is the rate, whatever came before
        np.testing.assert_allclose(new.numpy(), old - 0.1 * np.sign(gradient), rtol=1e-5)
