import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_dha.costs import BlockCost, multiply_adds
from keras_dha.penalties import Budget, LogCost
from keras_dha.penalties.budget import best_within
from keras_dha.relaxations import NormThreshold, Softmax
from keras_dha.spaces import SearchSpace

SIZES = {str(size): size for size in (2, 4, 6, 8, 10)}


@keras.saving.register_keras_serializable(package="tests")
class Widths(SearchSpace):
    def build(self, choose: Any) -> keras.Model:
        inputs = x = keras.Input(self.input_shape)
        for i in range(4):
            branch = choose.width(f"width_{i}", sizes=SIZES)(layers.Dense(10, use_bias=False)(x))
            x = layers.Dense(5, use_bias=False)(branch)
        return keras.Model(inputs, x)


SPACE = Widths((5,), 5)
COST = BlockCost.measure(SPACE, multiply_adds)  # 10 for each channel of each width


def relaxations(logits: Any = 0.0) -> dict[str, Softmax]:
    made = {choice.name: Softmax().for_choice(choice) for choice in SPACE.choices()}
    for i, relaxation in enumerate(made.values()):
        relaxation.build()
        relaxation.logits.assign(np.zeros(5) + (logits[i] if np.ndim(logits) else logits))
    return made


def kept(parts: dict[str, Softmax]) -> dict[str, str]:
    hard = {name: int(np.argmax(ops.convert_to_numpy(part.harden(part.logits)))) for name, part in parts.items()}
    return {name: part.choice.options[hard[name]] for name, part in parts.items()}


def test_the_multiplier_grows_while_the_bound_is_passed_and_falls_below_it() -> None:
    for bound, rises in ((0.3, True), (0.9, False)):
        budget, parts = Budget(max_multiply_adds=bound, rate=0.1), relaxations()
        budget.prepare(parts, SPACE)
        budget.step(parts, np.array(False))
        assert float(budget.multipliers[0]) == pytest.approx(0.1)
        budget.step(parts, np.array(True))
        expected = 0.1 * np.exp(0.1 * (0.6 / bound - 1.0))  # the mean size is 6 of 10
        assert float(budget.multipliers[0]) == pytest.approx(expected, rel=1e-5)
        assert (expected > 0.1) == rises
        assert float(budget.value(parts, 0.0)) == pytest.approx(expected * 0.6 / bound, rel=1e-5)


@pytest.mark.parametrize("bound", [0.25, 0.5, 0.8, 120])
def test_what_is_kept_fits_and_is_near_the_bound(bound: float) -> None:
    parts = relaxations(np.random.default_rng(0).normal(size=(4, 5)))
    budget = Budget(max_multiply_adds=bound)
    budget.prepare(parts, SPACE)
    budget.finish(parts)
    share = COST.of(kept(parts)) / COST.most
    target = bound if bound <= 1 else bound / COST.most
    assert target - 0.05 <= share <= target  # options are twentieths of the whole


def test_what_is_likely_stays_where_it_fits() -> None:
    logits = np.zeros((4, 5))
    logits[0, 4] = logits[1, 0] = 9.0
    parts = relaxations(logits)
    budget = Budget(max_multiply_adds=0.5)
    budget.prepare(parts, SPACE)
    budget.finish(parts)
    assert (kept(parts)["width_0"], kept(parts)["width_1"]) == ("10", "2")


def test_two_bounds_hold() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = [3.0 * rng.normal(size=12) for _ in range(6)]
        costs = [rng.uniform(0.01, 0.4, size=(2, 12)) for _ in range(6)]
        found = best_within(values, costs, np.full(2, 0.1))
        assert np.all(0.1 + sum(cost[:, position] for cost, position in zip(costs, found)) <= 1.0)


def test_a_bound_that_can_be_filled_is_filled() -> None:
    """Networks that filled it were left for likelier, faster ones, from which single changes did not come back."""
    rng, filled = np.random.default_rng(0), 0
    for _ in range(300):
        values, costs = rng.normal(size=(5, 6)), rng.uniform(0.02, 0.4, size=(5, 6))
        found = best_within(list(values), [cost[None] for cost in costs], np.array([0.05]))
        every = functools.reduce(np.add.outer, costs, np.array(0.05))
        if np.any((every >= 0.985) & (every <= 0.998)):
            filled += 1
            assert 0.98 <= every[tuple(found)] <= 1.0
    assert filled > 250


def test_latency_is_that_of_a_table() -> None:
    table = BlockCost(SPACE, [np.arange(5.0)] * 4, constant=1.0)  # 1 to 17 ms
    budget = Budget(max_latency_ms=9.0, table=table)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(budget))
    for one in (budget, again):
        parts = relaxations(np.tile(np.arange(5.0), (4, 1)))
        one.prepare(parts, SPACE)
        one.finish(parts)
        assert table.of(kept(parts)) == 9.0


@pytest.mark.parametrize(
    "arguments", [{}, {"max_parameters": 0.0}, {"max_latency_ms": 3.0}, {"max_parameters": 0.5, "rate": 0.0}]
)
def test_bounds_are_checked(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Received:"):
        Budget(**arguments)


def test_a_bound_that_no_network_meets_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"max_multiply_adds must be within reach. Received: 40; .* 80 to 400"):
        Budget(max_multiply_adds=0.1).prepare(relaxations(), SPACE)


def test_the_pull_of_a_cost_raises_thresholds() -> None:
    parts = {choice.name: NormThreshold().for_choice(choice) for choice in SPACE.choices()}
    for part in parts.values():
        part.watch(lambda: ops.ones(4))
        part.build()
    pull = LogCost(0.5)
    pull.prepare(parts, SPACE)
    thresholds = parts["width_0"].logits.value
    with tf.GradientTape() as tape:
        value = pull.value(parts, 0.0)
    slope = np.exp(-1.0) / (1.0 + np.exp(-1.0)) ** 2  # of the sigmoid at size - threshold = 1
    lost = np.array([80.0, 60.0, 40.0, 20.0])  # without a part, and those behind it, of 400
    np.testing.assert_allclose(tape.gradient(value, thresholds), -0.5 * slope * lost / 400.0, rtol=1e-4)


def test_the_logarithm_of_a_cost() -> None:
    pull, parts = LogCost(0.5), relaxations()
    pull.prepare(parts, SPACE)
    assert float(pull.value(parts, 0.0)) == pytest.approx(0.5 * np.log(0.6 * 400), rel=1e-5)
