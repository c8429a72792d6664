from typing import Any

import keras
import pytest
from keras import layers
from tiny_space import TinySpace

from keras_dha.costs import TrainingMemory
from keras_dha.spaces import MobileNetSpace, ModelSpace, RestrictedSpace, SearchSpace


class Alike(SearchSpace):
    """Two choices between K equal options, of which each keeps one tensor of 4 * 4 * 3 numbers and has 6 parameters."""

    def __init__(self, number: int = 4) -> None:
        super().__init__((4, 4, 3), 2)
        self.number = number

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        option = lambda: keras.Sequential([layers.Activation("tanh"), layers.BatchNormalization()])  # noqa: E731
        x = inputs
        for name in ("first", "second"):
            x = choose.op(name, {f"option_{i}": option for i in range(self.number)})(x)
        return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def counts(space: SearchSpace, **arguments: Any) -> dict[str, int]:
    return TrainingMemory(space).counts(1, **arguments)


FIXED = 3 + 4 * 48  # what the dense layer reads, and the batch, four times


def test_activations_are_the_sum_over_options_and_what_is_outside() -> None:
    assert counts(Alike(4))["activations"] == FIXED + 2 * 4 * 48 + 4 * 48  # the last: outputs that are added
    assert counts(Alike(4), alive={"first": ["option_0"]})["activations"] == FIXED + (1 + 4) * 48 + 4 * 48
    assert counts(Alike(4))["parameters"] == 2 * 4 * 6 + 3 * 2 + 2


def test_without_the_fixed_part_two_of_five_options_take_two_fifths() -> None:
    whole, left = (counts(Alike(5), alive=alive)["activations"] for alive in (None, {
        name: ["option_1", "option_3"] for name in ("first", "second")
    }))  # fmt: skip
    assert (left - FIXED) / (whole - FIXED) == 0.4


def test_one_path_of_k_equal_options_takes_a_kth_of_all() -> None:
    for number in (2, 4, 8):
        own = [counts(Alike(number), paths=paths)["activations"] - FIXED for paths in ("one", "all")]
        assert own[0] * number == own[1]
        parameters = {counts(Alike(number), paths=paths)["parameters"] for paths in ("one", "all")}
        assert len(parameters) == 1  # all weights are there


def test_a_restricted_space_takes_what_the_alive_options_of_the_whole_one_do() -> None:
    alive = {"edge": ("conv", "skip"), "node": ("0/conv", "1/skip")}
    for paths in ("all", "one"):
        whole, left = TrainingMemory(TinySpace()), TrainingMemory(RestrictedSpace(TinySpace(), alive))
        assert whole.of(32, alive=alive, paths=paths) == left.of(32, paths=paths)


def test_bytes_grow_with_the_batch_the_slots_and_the_options() -> None:
    memory = TrainingMemory(Alike(4))
    assert memory.of(64).activations == 64 * 4 * memory.counts(1)["activations"]
    assert memory.of(64, slots=2).parameters - memory.of(64, slots=1).parameters == 4 * memory.counts(1)["parameters"]
    whole, left = memory.of(64), memory.of(64, alive={"first": ["option_0"]})
    assert whole.total == whole.fit + whole.graph + whole.activations + whole.parameters
    assert all(getattr(left, part) < getattr(whole, part) for part in ("graph", "activations", "parameters"))


class Shared(SearchSpace):
    """Convolutions behind a ReLU, a skip, and nothing; two places read one tensor."""

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        parts = [layers.ReLU, lambda: layers.Conv2D(3, 1, use_bias=False), layers.BatchNormalization]
        options = {
            "conv": lambda: keras.Sequential([part() for part in parts]),
            "skip": layers.Identity,
            "none": lambda: layers.Rescaling(0.0),
        }
        x = layers.Add()([choose.op(name, options)(inputs) for name in ("first", "second")])
        return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def test_one_relu_and_one_input_serve_all_that_read_them() -> None:
    space = Shared((4, 4, 3), 3)
    conv, relu, read, passing = 2 * 48, 48, 48, 2 * 48
    assert counts(space)["activations"] == 4 * 48 + conv + relu + read + passing
    only = {name: ["conv", "none"] for name in ("first", "second")}
    assert counts(space, alive=only)["activations"] == 4 * 48 + conv + relu + 48
    assert counts(space, paths="one")["activations"] == 4 * 48 + 2 * (48 + 48) + 48  # graphs of their own


def test_a_node_counts_its_options_by_their_inputs_and_pays_for_conditional_graphs() -> None:
    memory = TrainingMemory(TinySpace())
    one, several = (memory.counts(1, paths=paths) for paths in ("one", "all"))
    assert several["conditional_layers"] == 0
    assert one["conditional_layers"] == 2 * 3  # two convolutions, normalizations, ReLUs
    assert one["layers"] + one["conditional_layers"] == several["layers"]


def test_without_choices_it_is_the_memory_of_a_network() -> None:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, activation="relu"), layers.Dense(3)])
    assert counts(ModelSpace(model)) == {
        "activations": 4 * 8 + 4,  # the input is among the four
        "parameters": 9 * 4 + 5 * 3,
        "layers": 2,
        "conditional_layers": 0,
    }


def test_sizes_count_as_their_largest() -> None:
    space = MobileNetSpace((8, 8, 1), 2, channels=2, widths=(1.0,), repeats=1, kernels=(3, 5), expansions=(2, 3))
    assert TrainingMemory(space).choices == {}
    assert counts(space)["parameters"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"batch_size": 1, "slots": -1}, "slots=-1"),
        ({"batch_size": 1, "paths": "two"}, "paths='two'"),
        ({"batch_size": 1, "alive": {"first": ["none"]}}, r"Received: \['none'\] in 'first'"),
        ({"batch_size": 1, "alive": {"third": []}}, r"Received: \['third'\] in 'third'"),
    ],
)
def test_arguments_must_be_known(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingMemory(Alike(2)).of(**arguments)
