from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_dha.relaxations import NormThreshold
from keras_dha.spaces import Choice

KERNEL = Choice("kernel", ("3", "5", "7"), nested=True)


def built(sizes: Any = (1.0, 1.0), **arguments: Any) -> NormThreshold:
    relaxation = NormThreshold(seed=0, **arguments).for_choice(KERNEL)
    relaxation.watch(lambda: ops.convert_to_tensor(sizes, "float32"))
    relaxation.build()
    return relaxation


def numbers(tensor: Any) -> list[float]:
    return ops.convert_to_numpy(tensor).round(6).tolist()


def test_at_the_start_all_parts_are_there() -> None:
    relaxation = built()
    assert numbers(relaxation.logits) == [0.0, 0.0]
    assert numbers(relaxation(relaxation.logits)) == numbers(relaxation.harden(relaxation.logits)) == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("thresholds", "weights"),
    [((0.5, 0.5), [0, 0, 1]), ((0.5, 1.5), [0, 1, 0]), ((1.5, 0.5), [1, 0, 0]), ((1.5, 1.5), [1, 0, 0])],
)
def test_a_part_needs_those_before_it(thresholds: tuple[float, float], weights: list[int]) -> None:
    relaxation = built()
    assert numbers(relaxation(np.array(thresholds, "float32"))) == weights


def test_the_slope_is_that_of_a_sigmoid() -> None:
    relaxation = built()
    thresholds = tf.constant([0.5, 1.5])
    with tf.GradientTape() as tape:
        tape.watch(thresholds)
        weights = relaxation(thresholds)
        cost = tf.reduce_sum(weights * [1.0, 2.0, 4.0])  # 1 + d1 * (1 + d2 * 2)
    slope = 1 / (1 + np.exp(-0.5)) / (1 + np.exp(0.5))
    np.testing.assert_allclose(tape.gradient(cost, thresholds), [-slope, -2.0 * slope], rtol=1e-5)


def test_noise_leaves_parts_out_while_it_lasts_and_only_in_training() -> None:
    relaxation = built(noise=0.5)
    drawn = np.mean([numbers(relaxation(relaxation.logits, training=True))[0] for _ in range(400)])
    assert drawn == pytest.approx(0.4, abs=0.1)  # four standard deviations
    assert numbers(relaxation(relaxation.logits)) == [0, 0, 1]
    relaxation.step(0.5)
    assert all(numbers(relaxation(relaxation.logits, training=True)) == [0, 0, 1] for _ in range(20))


def test_sizes_are_in_units_of_where_they_start_and_thresholds_stay_near() -> None:
    sizes = tf.Variable([0.01, 100.0])
    relaxation = built(sizes)
    relaxation.project()
    sizes.assign([0.02, 50.0])
    relaxation.logits.assign([9.0, -9.0])
    relaxation.project()
    np.testing.assert_allclose(relaxation.logits.numpy(), [4.0, -1.5], rtol=1e-5)


def test_the_last_step_alone_decides_nothing() -> None:
    relaxation = built()
    for step in range(100):
        relaxation.logits.assign([0.0, 2.0 if step == 99 else 0.0])
        relaxation.step(step / 100)
    assert numbers(relaxation.harden(relaxation.logits)) == [0, 0, 1]
    for _ in range(20):
        relaxation.step(1.0)
    assert numbers(relaxation.harden(relaxation.logits)) == [0, 1, 0]


@pytest.mark.parametrize("position", range(3))
def test_decisions_can_be_given(position: int) -> None:
    relaxation = built()
    relaxation.decide([position])
    expected = np.eye(3)[position].tolist()
    assert numbers(relaxation.harden(relaxation.logits)) == numbers(relaxation(relaxation.logits)) == expected
    assert np.argmax(numbers(relaxation.probabilities(relaxation.logits))) == position


def test_parts_that_nobody_measures_are_an_error() -> None:
    relaxation = NormThreshold().for_choice(KERNEL)
    relaxation.build()
    with pytest.raises(ValueError, match=r"'kernel' must be known. Received: nothing to measure"):
        relaxation(relaxation.logits)


@pytest.mark.parametrize("arguments", [{"noise": 1.1}, {"keep_rate": 0.0}, {"memory": 0.0}, {"margin": 0.0}])
def test_numbers_are_checked(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Received: noise="):
        NormThreshold(**arguments)
