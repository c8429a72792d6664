from typing import Any

import keras
import numpy as np
import pytest

from keras_dha import SearchModel, roles
from keras_dha.hypergradients import WholePath
from keras_dha.hyperparameters import LearningRate, WeightDecay, WeightStep
from keras_dha.schedules import Schedule

KERNEL, BIAS = keras.Variable([[4.0]]), keras.Variable([0.0])


def made(kernel: tuple[float, float], bias: tuple[float, float], rate: float = 0.5) -> WeightStep:
    """A step of both, from the first number to the second."""
    before, after = ([np.array([[kernel[i]]], "float32"), np.array([bias[i]], "float32")] for i in (0, 1))
    return WeightStep([KERNEL, BIAS], [None, None], before, after, rate)


def prepared(*parts: Any) -> WholePath:
    estimator = WholePath()
    estimator.prepare(parts, [KERNEL, BIAS], num_slots=1)
    return estimator


def test_of_a_rate_it_is_the_way_since_the_start() -> None:
    estimator, parts = prepared(LearningRate()), [LearningRate()]
    for step in (made((4.0, 3.0), (0.0, 1.0)), made((3.0, 1.0), (1.0, 1.5))):
        estimator.after_step(parts, step)
    assert [float(way.numpy().squeeze()) for way in estimator.ways[0]] == [-3.0, 1.5]


def test_what_decay_takes_is_forgotten() -> None:
    parts = [LearningRate(), WeightDecay(0.5, bounds=(0.1, 1.0))]
    estimator = prepared(*parts)  # a quarter of the kernel goes in each step: 0.5 * 0.5
    estimator.after_step(parts, made((4.0, 2.0), (0.0, 1.0)))
    estimator.after_step(parts, made((2.0, 1.0), (1.0, 2.0)))
    rate, decay = ([float(way.numpy().squeeze()) for way in ways] for ways in estimator.ways)
    assert rate == [0.75 * -2.0 - 1.0, 2.0]
    assert decay == [0.75 * -1.0 - 0.5, 0.0]


def test_what_rested_neither_moves_nor_forgets() -> None:
    parts = [LearningRate(), WeightDecay(0.5, bounds=(0.1, 1.0))]
    estimator = prepared(*parts)
    estimator.after_step(parts, made((4.0, 2.0), (0.0, 1.0)))
    estimator.after_step(parts, made((2.0, 2.0), (1.0, 1.0)))
    assert float(estimator.ways[0][0].numpy().squeeze()) == -2.0


def test_weights_follow_a_rate() -> None:
    estimator, parts = prepared(LearningRate()), [LearningRate()]
    estimator.after_step(parts, made((4.0, 2.0), (0.0, 1.0)))
    reached = estimator.follow(parts, [0.5], [np.array([[2.0]], "float32"), np.array([1.0], "float32")])
    assert [float(np.squeeze(value)) for value in reached] == [3.0, 0.5]  # half of the way
    assert [float(way.numpy().squeeze()) for way in estimator.ways[0]] == [-1.0, 0.5]


def test_a_coupled_decay_is_left_to_others() -> None:
    assert WholePath().sees(WeightDecay(), has_rule=False)
    assert not WholePath().sees(WeightDecay(coupled=True), has_rule=True)


# Plain gradient descent on `w ** 2 / 2`, from 1.

ONE, ZERO = np.ones((1, 1), "float32"), np.zeros((1, 1), "float32")


def half(true: Any, found: Any) -> Any:
    return 0.5 * keras.ops.sum((true - found) ** 2, axis=-1)


def line(rate: float, hyperparameter_optimizer: Any, **given: Any) -> SearchModel:
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    network.set_weights([ONE])
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1, anneal=None)
    part = LearningRate(rate, bounds=(1e-6, 1e3), **given)
    model = SearchModel(network, hyperparameters=[part], hypergradients=WholePath(), schedule=schedule, seed=0)

    optimizers = {"hyperparameter_optimizer": hyperparameter_optimizer}
    model.compile(keras.optimizers.SGD(rate), half, metrics=[], run_eagerly=True, **optimizers)
    return model


def steps(model: SearchModel, number: int) -> float:
    """Where some steps bring the weight."""
    for _ in range(number):
        model.train_step({"train": (ONE, ZERO), "held_out": (ONE, ZERO)})
    (weight,) = roles.partition(model.trainable_variables)[roles.WEIGHT]
    return float(weight.numpy().item())


def test_the_slope_is_that_along_the_way() -> None:
    model = line(0.5, keras.optimizers.SGD(0.0), max_move=None)
    assert steps(model, 1) == 0.5
    model.hyperparameter_optimizer.learning_rate.assign(1.0)
    (part,) = model.learned
    part.max_step = None
    part.usual.assign(0.0)
    # The second step ends at 0.25, the way is -0.75: the slope is 0.25 * -0.75. The weight follows.
    weight, ratio = steps(model, 1), np.exp(0.25 * 0.75)
    assert model.hyperparameters()["learning_rate"] == pytest.approx(0.5 * ratio, rel=1e-6)
    assert weight == pytest.approx(1.0 - 0.75 * ratio, rel=1e-6)


def test_a_step_that_goes_too_far_is_made_with_a_lower_rate() -> None:
    model = line(50.0, keras.optimizers.SGD(0.0))
    assert steps(model, 1) == pytest.approx(0.8)  # a fifth of the norm of the weights
    assert model.hyperparameters()["learning_rate"] == pytest.approx(0.2)
    assert steps(model, 1) == pytest.approx(0.64)  # which needs no lower one
    assert model.hyperparameters()["learning_rate"] == pytest.approx(0.2)
    assert steps(line(50.0, keras.optimizers.SGD(0.0), max_move=None), 1) == pytest.approx(-49.0)


@pytest.mark.parametrize("rate", [1e-3, 50.0])
def test_a_rate_is_found_from_below_and_from_above(rate: float) -> None:
    assert abs(steps(line(rate, keras.optimizers.Adam(0.3)), 60)) < 0.05
