from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_dha.costs import BlockCost, model_bytes, multiply_adds, parameters
from keras_dha.spaces import GatedSpace, SearchSpace


@keras.saving.register_keras_serializable(package="tests")
class TwoLayers(SearchSpace):
    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        x = choose.op("first", {"none": layers.Identity, "dense": lambda: layers.Dense(2, use_bias=False)})(inputs)
        x = choose.width("wide", sizes={"3": 3, "8": 8})(layers.Dense(8, use_bias=False)(x))
        return keras.Model(inputs, layers.Dense(self.num_classes)(x))


SPACE = TwoLayers((2,), 5)
COSTS = {("none", "3"): 21, ("dense", "3"): 25, ("none", "8"): 56, ("dense", "8"): 60}  # 2 * n + 5 * n, and 2 * 2


@pytest.fixture(scope="module")
def cost() -> BlockCost:
    return BlockCost.measure(SPACE, multiply_adds)


@pytest.mark.parametrize(("options", "expected"), COSTS.items())
def test_it_is_exact_for_decisions(cost: BlockCost, options: tuple[str, str], expected: int) -> None:
    assert cost.of({"first": options[0], "wide": options[1]}) == pytest.approx(expected)


def test_it_is_the_expectation_for_weights_and_has_its_gradient(cost: BlockCost) -> None:
    weights = {"first": tf.constant([0.75, 0.25]), "wide": tf.constant([0.4, 0.6])}
    with tf.GradientTape() as tape:
        tape.watch(weights)
        expected = cost(weights)
    assert float(expected) == pytest.approx(0.4 * 21 + 0.6 * 56 + 0.25 * 4, rel=1e-6)
    slopes = tape.gradient(expected, weights)
    assert np.diff(slopes["first"])[0] == pytest.approx(4.0, rel=1e-5)
    assert np.diff(slopes["wide"])[0] == pytest.approx(35.0, rel=1e-5)
    assert (cost.least, cost.most) == (21, 60)


def test_it_knows_the_cheapest_and_the_dearest_network(cost: BlockCost) -> None:
    cheapest, dearest = cost.extremes()
    assert dict(cheapest) == {"first": ("none",), "wide": ("3",)}
    assert dict(dearest) == {"first": ("dense",), "wide": ("8",)}


def test_it_is_found_by_least_squares_from_whole_networks(cost: BlockCost) -> None:
    decisions = [{"first": first, "wide": wide} for first, wide in COSTS]
    found = BlockCost.fit(SPACE, decisions, list(COSTS.values()))
    assert [found.of(kept) for kept in decisions] == pytest.approx(list(COSTS.values()))
    with pytest.raises(ValueError, match=r"at least 4 networks. Received: 3 networks, 3 costs"):
        BlockCost.fit(SPACE, decisions[:3], [1.0, 2.0, 3.0])


def test_it_survives_its_config(cost: BlockCost) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cost))
    assert again.of({"first": "dense", "wide": "8"}) == 60


def test_choices_that_keep_several_are_refused() -> None:
    gated = GatedSpace(keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)]))
    with pytest.raises(ValueError, match=r"Received: GatedSpace, whose choices .* keep several"):
        BlockCost.measure(gated, parameters)


def test_tables_must_fit() -> None:
    with pytest.raises(ValueError, match=r"Received: shapes \[\(3,\), \(2,\)\], wanted \[\(2,\), \(2,\)\]"):
        BlockCost(SPACE, [np.zeros(3), np.zeros(2)])


def test_bytes_are_those_of_the_weights() -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.BatchNormalization()])
    assert model_bytes(model) == 4 * model.count_params() == 4 * (16 + 16)
