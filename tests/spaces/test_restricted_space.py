from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TinySpace

from keras_dha.costs import BlockCost, parameters
from keras_dha.derivation import FixedChooser
from keras_dha.relaxations import Softmax
from keras_dha.spaces import Choice, GatedSpace, MobileNetSpace, NASBench201Space, RestrictedSpace
from keras_dha.spaces.restricted_space import is_restrictable, restrict
from keras_dha.supernet import Supernet

ALIVE = {"edge": ["skip", "conv"], "node": ["0/skip", "1/conv"]}


@pytest.fixture
def space() -> RestrictedSpace:
    return RestrictedSpace(TinySpace(), ALIVE)


def test_choices_offer_what_is_alive_in_the_order_of_the_space(space: RestrictedSpace) -> None:
    edge, node = space.choices()
    assert edge.options == ("conv", "skip")
    assert (node.options, node.groups) == (("0/skip", "1/conv"), (0, 1))
    assert space.alive == {"edge": ("conv", "skip"), "node": ("0/skip", "1/conv")}


def test_the_supernet_has_the_layers_of_what_is_alive_only(space: RestrictedSpace) -> None:
    supernet = Supernet(space, Softmax())
    assert [len(mixture.branches) for mixture in supernet.mixtures] == [2, 2, 2]
    whole = Supernet(TinySpace(), Softmax())
    # A convolution of 4 channels has 4 * 4 * size * size + 4 numbers, its normalization 4 * 4.
    edge, node = (16 + 4) + 16, 2 * 36 - 36  # one 1x1 convolution at each of two places; one of two at the node
    logits = (3 - 2) + (4 - 2)
    clones = whole.network.count_params() - supernet.network.count_params()
    assert clones == 2 * edge + node + logits


def test_it_is_a_space_like_the_whole_one(space: RestrictedSpace) -> None:
    assert (space.input_shape, space.num_classes) == ((8, 8, 1), 3)
    gated = GatedSpace(keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="a"), keras.layers.Dense(2)]))
    from_model = RestrictedSpace(gated, {})
    assert not from_model.standardizes
    assert from_model.choices() == gated.choices()
    kept = from_model.without_closed(from_model.build(FixedChooser({"a": ["0", "2"]})))
    assert kept.count_params() == (3 + 1) * 2 + (2 + 1) * 2
    assert from_model.channel_graph(from_model.build(FixedChooser({"a": ["0"]}))).widths()


def test_capacities_are_those_of_what_is_alive() -> None:
    whole = Choice("place", ("0/all", "1/left", "2/right"), capacities=(2.0, 1.0, 1.5))
    assert restrict(whole, ["0/all", "2/right"]).capacities == (2.0, 1.5)


def test_spaces_can_be_restricted_twice(space: RestrictedSpace) -> None:
    again = RestrictedSpace(space, {"edge": "skip"})
    assert again.choices()[0].options == ("skip",)
    assert again.random_decisions(seed=0)["edge"] == ("skip",)


def test_costs_are_those_of_the_whole_space() -> None:
    whole = NASBench201Space((8, 8, 1), 2, channels=2, cells_per_stage=1, stages=1)
    space = RestrictedSpace(whole, {"edge_1_from_0": ["none", "nor_conv_3x3"]})
    decisions = space.random_decisions(seed=3)
    cost = BlockCost.measure(space, lambda model: model.count_params())
    assert cost.of(decisions) == whole.build(FixedChooser(decisions)).count_params()
    assert space.compile_arguments() == {}


def test_blocks_are_alike_only_where_the_same_is_alive() -> None:
    class Twins(TinySpace):
        def block_key(self, block: Any) -> str:
            return "alike"

    space = RestrictedSpace(Twins(), {"edge": ["conv"]})
    assert space.block_key(("edge",)) != space.block_key(("node",))
    assert space.block_key(("edge",)) == space.block_key(("edge",))


def test_sizes_are_left_alone() -> None:
    whole = MobileNetSpace((8, 8, 1), 2, channels=2, widths=(1.0,), repeats=2, kernels=(3, 5), expansions=(2, 3))
    space = RestrictedSpace(whole, {})
    assert space.choices() == whole.choices()
    assert not any(map(is_restrictable, space.choices()))
    decisions = space.random_decisions(seed=0)
    assert parameters(space.without_closed(space.build(FixedChooser(decisions)))) > 0
    block = space.block_model(space.cost_blocks()[0], FixedChooser(decisions))
    assert block is not None
    with pytest.raises(ValueError, match=r"Received: 'layer_0_kernel', a choice of sizes.* with \['3'\] alive"):
        RestrictedSpace(whole, {"layer_0_kernel": ["3"]})


@pytest.mark.parametrize(
    ("alive", "message"),
    [
        ({"egde": ["conv"]}, r"must be choices of the space. Received: \['egde'\]"),
        ({"edge": ["convolution"]}, r"must be its options. Received: \['convolution'\]"),
        ({"edge": []}, r"must have 1 options left.* Received: alive=\[\]"),
    ],
)
def test_what_is_left_must_be_there(alive: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RestrictedSpace(TinySpace(), alive)


def test_the_whole_must_be_a_space() -> None:
    with pytest.raises(TypeError, match=r"must be a SearchSpace. Received: space='tiny'"):
        RestrictedSpace("tiny", {})


def test_a_node_needs_an_option_of_as_many_inputs_as_it_keeps() -> None:
    choice = Choice("node", ("0/none", "0/conv", "1/none", "1/conv"), 2, (0, 0, 1, 1), excluded=("0/none", "1/none"))
    assert restrict(choice, ["0/conv", "1/none", "1/conv"]).excluded == ("1/none",)
    with pytest.raises(ValueError, match=r"must have 2 options left that can be kept.*of which 1 can be kept together"):
        restrict(choice, ["0/conv", "1/none"])


def test_the_networks_compute_what_those_of_the_whole_space_do(space: RestrictedSpace) -> None:
    decisions = {"edge": "skip", "node": "1/conv"}
    networks = [each.build(FixedChooser(decisions)) for each in (space, TinySpace())]
    networks[0].set_weights(networks[1].get_weights())
    x = np.linspace(0.0, 1.0, 64, dtype="float32").reshape(1, 8, 8, 1)
    np.testing.assert_array_equal(networks[0](x), networks[1](x))
