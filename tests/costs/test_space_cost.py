from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tiny_space import TinySpace

from keras_dha import costs
from keras_dha.costs import SpaceCost
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Chooser, GatedSpace, SearchSpace


def two_dense() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b"), layers.Dense(5)])


def residual() -> keras.Model:
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(4, 1, name="stem")(inputs)
    y = layers.DepthwiseConv2D(3, padding="same")(layers.Conv2D(6, 1, name="expand")(x))
    y = layers.BatchNormalization()(layers.Conv2D(4, 1)(y))
    y = layers.Flatten()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(2)(y))


def joined() -> keras.Model:
    inputs = keras.Input((4, 4, 3))
    parts = layers.Concatenate()([layers.Conv2D(2, 1, name="a")(inputs), layers.Conv2D(3, 1, name="b")(inputs)])
    x = layers.Add()([parts, layers.Conv2D(5, 1, name="c")(inputs)])
    return keras.Model(inputs, layers.SeparableConv2D(2, 1)(x))


@keras.saving.register_keras_serializable(package="tests")
class OwnSpace(SearchSpace):
    """One width, asked for at two places."""

    def build(self, choose: Chooser) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        x = choose.width("a")(layers.Dense(3)(inputs))
        x = choose.width("a")(layers.Dense(3)(x))
        return keras.Model(inputs, layers.Dense(self.num_classes)(x))


SPACES = {make.__name__: make for make in (two_dense, residual, joined)}
every_space = pytest.mark.parametrize("name", SPACES)
every_kind = pytest.mark.parametrize("kind", costs.COSTS)


def soft_gates(cost: SpaceCost, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 0.9, sum(cost.sizes)).astype("float32")


def test_the_choices_are_those_of_the_space() -> None:
    cost = SpaceCost(GatedSpace(joined()))
    assert cost.names == ["a", "b"]
    assert cost.sizes == [2, 3]
    assert cost.kind == "multiply_adds"


@pytest.mark.parametrize(
    ("kind", "gates", "expected"),
    [
        ("multiply_adds", [1, 1, 1, 1, 1], 4 * 3 + 3 * 2 + 2 * 5),
        ("multiply_adds", [1, 0, 1, 0, 1], 4 * 2 + 2 * 1 + 1 * 5),
        ("multiply_adds", [0.5, 0, 0, 0.5, 1], 4 * 0.5 + 0.5 * 1.5 + 1.5 * 5),
        ("parameters", [1, 0, 1, 0, 1], (8 + 2) + (2 + 1) + (5 + 5)),
        ("parameters", [0, 0, 0, 0, 0], 5),
    ],
)
def test_by_hand(kind: str, gates: list[float], expected: float) -> None:
    cost = SpaceCost(GatedSpace(two_dense()), kind)
    assert float(cost({"a": gates[:3], "b": gates[3:]})) == expected
    assert float(cost.of_soft(keras.ops.convert_to_tensor(gates, "float32"))) == expected
    assert cost.of_hard(np.array(gates)) == expected


@every_space
@every_kind
def test_most_is_the_cost_of_the_model(name: str, kind: str) -> None:
    model = SPACES[name]()
    cost = SpaceCost(GatedSpace(model), kind)
    assert cost.most == getattr(costs, kind)(model)
    assert cost.most == cost.of_hard(np.ones(sum(cost.sizes)))
    assert cost.most == cost.of({c.name: c.options for c in GatedSpace(model).choices()})


@every_space
@every_kind
def test_gates_of_0_and_1_cost_what_the_network_does(name: str, kind: str) -> None:
    space = GatedSpace(SPACES[name]())
    cost = SpaceCost(space, kind)
    decisions = space.random_decisions(seed=1)
    hard = [np.isin(choice.options, decisions[choice.name]).astype("float32") for choice in space.choices()]
    expected = getattr(costs, kind)(space.without_closed(space.build(FixedChooser(decisions))))
    assert expected < cost.most
    assert cost.of(decisions) == cost.of_hard(np.concatenate(hard)) == expected
    assert float(cost(dict(zip(cost.names, hard)))) == expected


@every_space
@every_kind
def test_prices_are_the_gradient(name: str, kind: str) -> None:
    cost = SpaceCost(GatedSpace(SPACES[name]()), kind)
    gates = tf.constant(soft_gates(cost))
    with tf.GradientTape() as tape:
        tape.watch(gates)
        value = cost.of_soft(gates)
    prices = np.asarray(cost.prices(gates))
    np.testing.assert_allclose(prices, tape.gradient(value, gates), rtol=1e-5)
    for i, direction in enumerate(np.eye(len(prices), dtype="float32") / 4):
        ahead, behind = (float(cost.of_soft(gates + sign * direction)) for sign in (1.0, -1.0))
        # The cost is quadratic in each gate, for which central differences are exact.
        assert (ahead - behind) / 0.5 == pytest.approx(prices[i], rel=1e-4)


def test_a_call_has_gradients_of_each_choice() -> None:
    cost = SpaceCost(GatedSpace(two_dense()))
    weights = {"b": tf.constant([0.5, 1.0]), "a": tf.constant([0.5, 0.0, 0.5])}
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = cost(weights)
    found = tape.gradient(value, weights)
    np.testing.assert_array_equal(found["a"], [4 + 1.5] * 3)
    np.testing.assert_array_equal(found["b"], [1.0 + 5] * 2)


def test_one_width_at_two_places_counts_in_both() -> None:
    space = OwnSpace((4,), 2)
    cost = SpaceCost(space, "parameters")
    assert cost.sizes == [3]
    for kept, expected in ((["0"], 5 + 2 + 4), (["0", "2"], 10 + 6 + 6)):
        assert cost.of({"a": kept}) == expected
        assert space.without_closed(space.build(FixedChooser({"a": kept}))).count_params() == expected


def test_of_takes_decisions_as_strings() -> None:
    cost = SpaceCost(GatedSpace(two_dense()))
    assert cost.of({"a": "1", "b": ["0"]}) == 4 + 1 + 5


def test_the_space_asks_for_widths_only() -> None:
    with pytest.raises(ValueError, match=r"widths only\. Received: the choice 'edge' of operations"):
        SpaceCost(TinySpace())


@pytest.mark.parametrize("kind", ["flops", None])
def test_kinds_are_known(kind: Any) -> None:
    with pytest.raises(ValueError, match=f"one of .*'parameters'.*Received: kind={kind!r}"):
        SpaceCost(GatedSpace(two_dense()), kind)


def test_sizes_must_be_known() -> None:
    inputs = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="a")(inputs))
    space = GatedSpace(keras.Model(inputs, layers.Dense(2)(x)))
    assert SpaceCost(space, "parameters").most == 16 + 10
    with pytest.raises(ValueError, match=r"all sizes are known.*in 'a'"):
        SpaceCost(space)
