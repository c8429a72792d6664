from typing import Any

import keras
import numpy as np
import pytest

from keras_dha.hyperparameters import LearningRate, WeightDecay, WeightGroups

RATE = 0.5


def weights() -> list[keras.Variable]:
    values = ([[2.0, -4.0]], [3.0], [[1.0], [5.0]], [-1.0, 6.0])
    return [keras.Variable(np.array(value), dtype="float64") for value in values]


def parts(coupled: bool = False) -> tuple[LearningRate, WeightDecay]:
    return LearningRate(RATE), WeightDecay(0.2, bounds=(0.1, 1.0), coupled=coupled)


@pytest.mark.parametrize(("coupled", "sizes"), [(False, [4, 3]), (True, [7])])
def test_weights_that_the_same_parts_act_on_are_one_vector(coupled: bool, sizes: list[int]) -> None:
    found = WeightGroups(weights(), parts(coupled)).vectors(weights())
    assert [len(vector) for vector in found] == sizes


def test_vectors_keep_the_order_of_the_weights_and_none_is_zeros() -> None:
    kernels, others = WeightGroups(weights(), parts()).vectors([None, *weights()[1:]])
    np.testing.assert_array_equal(kernels, [0.0, 0.0, 1.0, 5.0])
    np.testing.assert_array_equal(others, [3.0, -1.0, 6.0])


def test_data_types_are_not_mixed() -> None:
    mixed = [keras.Variable([1.0], dtype="float32"), keras.Variable([1.0], dtype="float64")]
    assert [keras.backend.standardize_dtype(v.dtype) for v in WeightGroups(mixed, ()).vectors(mixed)] == [
        "float32",
        "float64",
    ]


@pytest.mark.parametrize("coupled", [False, True])
def test_hypergradients_are_those_of_the_weights_one_by_one(coupled: bool) -> None:
    rng, both, variables = np.random.default_rng(0), parts(coupled), weights()
    groups = WeightGroups(variables, both)
    slopes: list[Any] = [rng.normal(size=v.shape) for v in variables]
    slopes[1] = None
    before, old = groups.vectors(variables), [v.numpy() for v in variables]
    for variable in variables:
        variable.assign_add(rng.normal(size=variable.shape))
    found = groups.hypergradients(slopes, before, RATE)
    known = [(g, v.numpy(), w) for g, v, w in zip(slopes, variables, old) if g is not None]
    rate = sum(np.sum(g * (v - w)) for g, v, w in known)
    decay = -RATE * 0.2 * sum(np.sum(g * w) for g, _, w in known if coupled or w.ndim > 1)
    np.testing.assert_allclose([float(slope) for slope in found], [rate, decay], rtol=1e-6)


def test_a_weight_that_did_not_move_was_not_decayed() -> None:
    variables = weights()
    groups = WeightGroups(variables, parts())
    before = groups.vectors(variables)
    variables[0].assign([[2.0, -3.0]])
    _, decay = groups.hypergradients([np.ones(v.shape) for v in variables], before, RATE)
    assert float(decay) == pytest.approx(-RATE * 0.2 * -4.0)
