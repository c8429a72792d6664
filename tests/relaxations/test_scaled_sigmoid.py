from collections.abc import Iterator

import keras
import numpy as np
import pytest
from keras import ops

from keras_dha.relaxations import ScaledSigmoid
from keras_dha.spaces import Choice

WIDTH = Choice("width", ("0", "1", "2", "3"), keep=4, at_least=1)


def gates(logits=(0.0, 0.0, 0.0, 0.0), choice=WIDTH, **arguments):
    relaxation = ScaledSigmoid(seed=0, **arguments).for_choice(choice)
    relaxation.build()
    relaxation.logits.assign(logits)
    return relaxation


def weights(relaxation, share):
    relaxation.step(share)
    return ops.convert_to_numpy(relaxation(relaxation.logits))


def test_the_scale_grows_by_equal_factors_from_1_to_10000() -> None:
    relaxation = gates()
    found = []
    for k in range(11):
        relaxation.step(k / 10)
        found.append(float(relaxation.present_scale()))
    np.testing.assert_allclose(found, 10 ** (0.4 * np.arange(11)), rtol=1e-5)


def test_all_weights_are_1_while_it_rests_and_then_the_scale_begins() -> None:
    relaxation = gates((1.0, -1.0, 0.0, 0.5), rest=0.75)
    np.testing.assert_array_equal(weights(relaxation, 0.7), 1.0)
    np.testing.assert_allclose(weights(relaxation, 0.75), 1 / (1 + np.exp([-1.0, 1.0, 0.0, -0.5])), rtol=1e-5)
    relaxation.step(1.0)
    assert float(relaxation.present_scale()) == pytest.approx(1e4, rel=1e-5)


def test_weights_are_nearer_to_0_and_1_than_an_exponential() -> None:
    """|sigmoid(scale * s) - 1[s > 0]| <= exp(-scale * |s|), and the gap shrinks as the scale grows."""
    logits = np.array([0.3, -0.01, 0.002, -1.0], "float32")
    relaxation, gaps = gates(logits), []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        soft = weights(relaxation, share)
        bound = np.exp(-float(relaxation.present_scale()) * np.abs(logits))
        assert np.all(np.abs(soft - (logits > 0)) <= bound + 1e-6)
        gaps.append(np.sum(soft * (1.0 - soft)))
    assert np.all(np.diff(gaps) < 0)


def test_what_is_above_the_threshold_is_kept() -> None:
    least = np.log(9.0) / 1e4
    relaxation = gates((1.01 * least, 0.99 * least, 0.0, -1.0))
    np.testing.assert_array_equal(relaxation.harden(relaxation.logits), [1.0, 0.0, 0.0, 0.0])
    assert float(gates((1.0, 1.0, -1.0, -1.0)).expected_number(np.zeros(4, "float32"))) == 2.0


@pytest.mark.parametrize("at_least", [1, 2, 4])
def test_so_many_stay_at_least(at_least: int) -> None:
    choice = Choice("width", WIDTH.options, keep=4, at_least=at_least)
    relaxation = gates((-4.0, -1.0, -2.0, -3.0), choice)
    kept = ops.convert_to_numpy(relaxation.harden(relaxation.logits))
    assert kept.sum() == at_least
    assert kept[1] == 1.0


def test_a_fixed_number_is_kept_where_the_choice_asks_for_one() -> None:
    relaxation = gates((0.1, 3.0, 2.0), Choice("stage", ("a", "b", "c")))
    np.testing.assert_array_equal(relaxation.harden(relaxation.logits), [0.0, 1.0, 0.0])


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def test_mixed_precision_leaves_gates_alone(mixed_precision: None) -> None:
    relaxation = gates((0.00021, 0.00023, 0.0, 0.0))
    assert relaxation(relaxation.logits).dtype == relaxation.harden(relaxation.logits).dtype == "float32"
    np.testing.assert_array_equal(relaxation.harden(relaxation.logits), [0.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize("arguments", [{"rest": 1.0}, {"rest": -0.1}, {"threshold": 1.0}, {"threshold": 0.0}])
def test_numbers_are_checked(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"Received: rest=.*, threshold=.*"):
        ScaledSigmoid(**arguments)


@pytest.mark.parametrize(("number", "kept"), [(0, 4), (5, 4), (6, 8), (8, 8), (9, 10), (10, 10)])
def test_the_nearest_multiple_of_the_best_is_kept(number: int, kept: int) -> None:
    choice = Choice("width", tuple("abcdefghij"), keep=10, at_least=1, multiple_of=4)
    order = np.random.default_rng(0).permutation(10)
    logits = np.where(order < number, 1.0, -1.0) - 0.01 * order
    relaxation = gates(logits, choice)
    np.testing.assert_array_equal(relaxation.harden(relaxation.logits), order < kept)
