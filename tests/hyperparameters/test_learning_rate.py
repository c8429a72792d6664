import keras
import numpy as np
import pytest

from keras_dha.hyperparameters import LearningRate, WeightStep


def descend(part, *, curvature, num_steps=200, speed=0.1):
    """Learns the rate of gradient descent on `curvature / 2 * w ** 2`, which is also the held-out loss."""
    values = [float(part.value())]
    for _ in range(num_steps):
        w, rate = 1.0, values[-1]
        new = w - rate * curvature * w
        arrays = ([np.array([value])] for value in (curvature * new, w, new))
        slope = part.hypergradient(WeightStep([keras.Variable([w])], *arrays, rate))
        part.theta.assign_sub(speed * slope)
        part.project()
        values.append(float(part.value()))
    return values


@pytest.mark.parametrize("space", ["log", "raw"])
def test_on_a_quadratic_the_rate_goes_to_one_over_the_curvature_from_both_sides(space):  # A4
    for start in (0.1, 0.9):  # best is 1 / 2; at more than 2 / 2 the weights would diverge
        values = descend(LearningRate(start, bounds=(0.01, 2.0), space=space), curvature=2.0)
        assert values[-1] == pytest.approx(0.5, rel=1e-3)
        assert (np.diff(values) * (0.5 - start) >= -1e-6).all()


def test_a_rate_above_the_edge_of_stability_falls():  # A4
    values = descend(LearningRate(1.5, bounds=(0.01, 2.0)), curvature=2.0, num_steps=1)
    assert values[1] < values[0]


def test_bounds_are_never_left():  # A4
    values = descend(LearningRate(0.1, bounds=(0.05, 0.2)), curvature=2.0, speed=100.0)
    assert max(values) <= 0.2 + 1e-7
    assert values[-1] == pytest.approx(0.2)


def test_example_by_hand():
    # <2, -0.25> = -0.5: a larger step would lower the held-out loss.
    step = WeightStep([keras.Variable([1.0])], [np.array([2.0])], [np.array([1.0])], [np.array([0.75])], 0.5)
    assert float(LearningRate(0.5).hypergradient(step)) == -0.5


@pytest.mark.parametrize(("way", "expected"), [(4.0, 0.25), (0.5, 1.0), (float("inf"), 1.0)])
def test_a_rate_with_which_weights_go_too_far_is_to_be_lowered(way, expected):
    # The norm of (3, 4) is 5, of which a fifth is allowed.
    arrays = [np.array([3.0], "float32"), np.array([4.0], "float32")]
    weights = [keras.Variable(array) for array in arrays]
    step = WeightStep(weights, [None, None], arrays, [arrays[0] + np.float32(way), arrays[1]], 0.5)
    assert float(LearningRate(0.5).restraint(step)) == expected
    assert float(LearningRate(0.5, max_move=None).restraint(step)) == 1.0


def test_max_move_is_positive():
    with pytest.raises(ValueError, match=r"Received: max_move=0"):
        LearningRate(max_move=0)
