import dataclasses

import keras
import numpy as np
import pytest

from keras_dha.hyperparameters import LearningRate, WeightDecay, WeightStep

RATE = 0.5
KERNEL, BIAS = keras.Variable([[2.0, -4.0]]), keras.Variable([3.0])


def step() -> WeightStep:
    """The second number of the kernel rested."""
    before, after = [np.array([[2.0, -4.0]]), np.array([3.0])], [np.array([[1.5, -4.0]]), np.array([5.0])]
    return WeightStep([KERNEL, BIAS], [np.array([[1.0, 1.0]]), np.array([2.0])], before, after, RATE)


def test_what_a_hyperparameter_acts_on() -> None:
    assert step().seen_by(LearningRate()).weights == [KERNEL, BIAS]
    seen = step().seen_by(WeightDecay())
    assert seen.weights == [KERNEL]
    assert [len(values) for values in (seen.held_out_gradients, seen.before, seen.after)] == [1, 1, 1]
    assert seen.learning_rate == RATE


def test_displacement_and_what_decayed() -> None:
    np.testing.assert_array_equal(step().displacement[0], [[-0.5, 0.0]])
    np.testing.assert_array_equal(step().displacement[1], [2.0])
    np.testing.assert_array_equal(step().decayed[0], [[2.0, 0.0]])
    stretched = dataclasses.replace(step(), stretch=[None, 0.5])
    np.testing.assert_array_equal(stretched.decayed[1], [1.5])


@pytest.mark.parametrize(("coupled", "product"), [(False, 1.0 * 2.0), (True, 1.0 * 2.0 + 2.0 * 3.0)])
def test_hypergradients_count_what_they_act_on(coupled: bool, product: float) -> None:
    assert float(LearningRate(RATE).hypergradient(step())) == pytest.approx(-0.5 + 4.0)
    decay = WeightDecay(0.2, bounds=(0.1, 1.0), coupled=coupled)
    assert float(decay.hypergradient(step())) == pytest.approx(-RATE * 0.2 * product)


def test_a_gradient_of_none_counts_as_zero() -> None:
    part = WeightStep([KERNEL, BIAS], [None, np.array([2.0])], step().before, step().after, RATE)
    assert float(LearningRate(RATE).hypergradient(part)) == pytest.approx(4.0)
