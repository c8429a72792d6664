import itertools
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from tiny_space import TinySpace

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Choice, Decisions, GatedSpace, MobileNetSpace, NASBench201Space, SearchSpace
from keras_dha.tuners import Points, TrialChooser, decisions_of, hyperparameters_of
from keras_dha.tuners.trial_chooser import kept_of


class AskingSpace(SearchSpace):
    """Asks one question, of any kind; it is never built."""

    def __init__(self, *choices: Choice) -> None:
        super().__init__((1,), 1)
        self._choices = choices

    def build(self, choose: Any) -> keras.Model:
        raise NotImplementedError


def points(choice: Choice) -> list[list[str]]:
    """What each point of a choice's hyper-parameters keeps."""
    hp = keras_tuner.HyperParameters()
    kept_of(hp, choice)
    space = AskingSpace(choice)
    return [list(decisions_of(space, values)[choice.name]) for values in Points(hp).every()]


def valid(choice: Choice) -> list[list[str]]:
    """All that may be kept, one by one."""
    sizes = range(choice.fewest, choice.keep + 1)
    sets = [list(kept) for size in sizes for kept in itertools.combinations(choice.options, size)]
    return [kept for kept in sets if is_valid(choice, kept)]


def is_valid(choice: Choice, kept: list[str]) -> bool:
    try:
        Decisions({choice.name: kept}).validate([choice])
    except ValueError:
        return False
    return True


NODE = Choice("node", ("0/a", "0/b", "1/a", "1/b", "2/a", "2/b"), keep=2, groups=(0, 0, 1, 1, 2, 2), excluded=("1/b",))
NODES = {
    "two of three": NODE,
    "one or two of three": Choice("node", NODE.options, keep=2, groups=NODE.groups, excluded=NODE.excluded, at_least=1),
    "one of three": Choice("node", NODE.options, keep=1, groups=NODE.groups, excluded=NODE.excluded),
    "all": Choice("node", NODE.options, keep=3, groups=NODE.groups),
    "one input without operation": Choice("node", ("0/a", "1/a", "1/b"), keep=1, groups=(0, 1, 1), excluded=("0/a",)),
    "operation": Choice("edge", ("conv", "skip", "none"), excluded=("none",)),
    "sizes": Choice("kernel", ("3", "5", "7"), nested=True),
    "any two of three": Choice("free", ("x/y", "y", "z"), keep=2),
}


@pytest.mark.parametrize("choice", NODES.values(), ids=NODES.keys())
def test_each_valid_decision_is_exactly_one_point_and_nothing_else_is(choice: Choice) -> None:
    assert sorted(points(choice)) == sorted(valid(choice))


def test_what_is_never_kept_is_not_offered() -> None:
    hp = keras_tuner.HyperParameters()
    kept_of(hp, NODES["operation"])
    assert hp.space[0].values == ["conv", "skip"]


def test_random_values_draw_each_set_of_inputs_equally_often() -> None:
    hp = keras_tuner.HyperParameters()
    kept_of(hp, NODE)
    rng = np.random.default_rng(0)
    drawn = [Points(hp).random(rng)["node/inputs"] for _ in range(300)]
    assert {text: 80 < drawn.count(text) < 120 for text in set(drawn)} == {"0+1": True, "0+2": True, "1+2": True}


def test_the_operation_of_an_input_is_asked_only_where_it_is_kept() -> None:
    hp = keras_tuner.HyperParameters()
    hp.values = {"node/inputs": "0+2", "node/0": "b", "node/2": "a"}
    assert kept_of(hp, NODE) == ["0/b", "2/a"]
    assert "node/1" not in hp.values
    assert {known.name for known in hp.space} == {
        "node/inputs",
        "node/0",
        "node/1",
        "node/2",
    }  # a tuner knows it, though


def test_a_width_is_a_number_of_first_channels() -> None:
    width = Choice("width", tuple("0123"), keep=4, at_least=2)
    assert points(width) == [["0", "1"], ["0", "1", "2"], ["0", "1", "2", "3"]]
    hp = keras_tuner.HyperParameters()
    assert kept_of(hp, width) == ["0", "1", "2", "3"]  # all, by default


def test_sizes_are_numbers_in_order() -> None:
    hp = keras_tuner.HyperParameters()
    kept_of(hp, NODES["sizes"])
    assert (hp.space[0].values, hp.space[0].ordered) == ([3, 5, 7], True)


def test_too_many_sets_are_refused() -> None:
    options = tuple(f"{i}/a" for i in range(30))
    with pytest.raises(ValueError, match=r"at most 10000 sets of inputs. Received: 155117520 for 'node'"):
        kept_of(keras_tuner.HyperParameters(), Choice("node", options, keep=15, groups=tuple(range(30))))


SPACES = {
    "tiny": TinySpace(),
    "cells": NASBench201Space((8, 8, 1), 3, channels=4, cells_per_stage=1, stages=1),
    "sizes": MobileNetSpace((8, 8, 1), 3),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
def test_there_and_back(space: SearchSpace) -> None:
    for seed in range(3):
        decisions = space.random_decisions(seed=seed)
        hp = hyperparameters_of(space, decisions)
        assert decisions_of(space, hp) == decisions_of(space, hp.values) == decisions
        assert all(hp.is_active(known.name) == (known.name in hp.values) for known in hp.space)


@pytest.mark.parametrize("name", ["tiny", "cells"])
def test_a_trial_is_the_derived_network(name: str) -> None:
    space = SPACES[name]
    decisions = space.random_decisions(seed=1)
    trial = space.build(TrialChooser(hyperparameters_of(space, decisions)))
    derived = space.build(FixedChooser(decisions))
    assert [type(layer) for layer in trial.layers] == [type(layer) for layer in derived.layers]
    trial.set_weights(derived.get_weights())
    x = np.random.default_rng(0).random((2, 8, 8, 1), dtype="float32")
    np.testing.assert_array_equal(trial(x), derived(x))


def test_gated_channels_are_taken_out() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, name="hidden"), keras.layers.Dense(2)])
    space = GatedSpace(model, min_channels=2)
    hp = keras_tuner.HyperParameters()
    hp.values = {"hidden": 3}
    network = space.without_closed(space.build(TrialChooser(hp)))
    assert [layer.units for layer in network.layers if isinstance(layer, keras.layers.Dense)] == [3, 2]
    assert decisions_of(space, hp) == {"hidden": ("0", "1", "2")}
    with pytest.raises(ValueError, match=r"first channels of a width. Received: hidden=\['1', '2'\]"):
        hyperparameters_of(space, {"hidden": ("1", "2")})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"edge": "conv"}, r"Received: none for \['node'\], values of \['edge'\]"),
        ({"edge": "tanh", "node": "0/conv"}, r"one of \['conv', 'point', 'skip'\]. Received: edge='tanh'"),
    ],
)
def test_values_of_another_space(values: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decisions_of(TinySpace(), values)


def test_a_number_of_channels_that_is_not_there() -> None:
    space = AskingSpace(Choice("width", tuple("0123"), keep=4, at_least=2))
    with pytest.raises(ValueError, match=r"between 2 and 4 channels. Received: width=1"):
        decisions_of(space, {"width": 1})


def test_multiples_of_channels_are_numbers_in_order() -> None:
    space = AskingSpace(Choice("width", tuple("0123456789"), keep=10, at_least=1, multiple_of=4))
    hp = keras_tuner.HyperParameters()
    hp.values = {"width": 8}
    assert decisions_of(space, hp) == {"width": tuple("01234567")}
    assert kept_of(hp, space.choices()[0]) == list("01234567")
    assert hp.space[0].values == [4, 8, 10]
    with pytest.raises(ValueError, match=r"between 4 and 10 channels, a multiple of 4, or all. Received: width=5"):
        decisions_of(space, {"width": 5})
