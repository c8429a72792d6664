"""The supernet settled on decisions is the network that FixedChooser builds of them, with the same weights."""

from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TinySpace, TwoInputSpace, images

from keras_dha.derivation import FixedChooser, inherit_weights
from keras_dha.layers import MixedWidth
from keras_dha.recipes import RECIPES
from keras_dha.relaxations import DecoupledTopology, GumbelSoftmax, OneHotSample, Relaxation, Softmax, SparseCode
from keras_dha.spaces import DARTSSpace, GatedSpace, NASBench201Space, SearchSpace
from keras_dha.supernet import Supernet

RELAXATIONS = {"softmax": Softmax, "one_hot": OneHotSample, "sparse": lambda: SparseCode(initial_weight=0.7)}


def scrambled(supernet: Supernet) -> None:
    """Weights, moving statistics and logits that are nowhere what they are at the start."""
    rng = np.random.default_rng(3)
    for variable in supernet.network.weights:
        if variable.dtype == "float32" and "relaxation" not in variable.path:
            variable.assign(rng.uniform(0.2, 1.0, variable.shape))
    for relaxation in supernet.relaxations.values():
        relaxation.logits.assign(rng.normal(size=relaxation.logits.shape))
        if isinstance(relaxation, SparseCode):
            relaxation.recovered.assign(relaxation.recover())


def derived(space: SearchSpace, supernet: Supernet) -> keras.Model:
    chooser = FixedChooser(supernet.decisions(), supernet.settled_weights())
    network = space.build(chooser)
    inherit_weights(supernet.network, supernet.kept_branches(), network, chooser.branches, supernet.mixtures)
    return network


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("relaxation", RELAXATIONS)
def test_settled_supernet_equals_the_derived_network(relaxation: str) -> None:
    space = TinySpace()
    supernet = Supernet(space, RELAXATIONS[relaxation]())
    scrambled(supernet)
    network = derived(space, supernet)
    x = images(8, dtype="float32")[0]
    if supernet.relaxations["edge"].sparse:  # without noise, the best options run before settling too
        close(supernet.network(x, training=False)[0], network(x, training=False))
    supernet.settle()
    close(supernet.network(x, training=False)[0], network(x, training=False))
    close(supernet.network(x, training=True)[0], network(x, training=True))
    assert [type(layer).__module__.split(".")[0] for layer in network.layers] == ["keras"] * len(network.layers)
    weights = {value for factors in supernet.settled_weights().values() for value in factors.values()}
    assert (weights == {1.0}) == (relaxation != "sparse")


def test_what_is_kept_follows_the_logits() -> None:
    supernet = Supernet(TinySpace(), Softmax())
    supernet.relaxations["edge"].logits.assign([0.0, 2.0, 1.0])
    supernet.relaxations["node"].logits.assign([0.0, 0.0, 0.0, 1.0])
    assert supernet.decisions() == {"edge": ("point",), "node": ("1/conv",)}
    assert [(name, option) for name, option, _ in supernet.kept_branches()] == [
        *[("edge", "point"), ("edge", "point")],  # asked twice
        ("node", "1/conv"),
    ]
    assert supernet.probabilities()["edge"]["point"] == pytest.approx(np.exp(2) / (1 + np.exp(1) + np.exp(2)))


def test_reopened_it_is_the_mixture_again() -> None:
    supernet = Supernet(TinySpace(normalize=False), Softmax())
    x = images(2, dtype="float32")[0]
    before = np.asarray(supernet.network(x)[0])
    supernet.settle()
    assert not np.allclose(supernet.network(x)[0], before)
    supernet.reopen()
    np.testing.assert_array_equal(supernet.network(x)[0], before)


def test_variables_of_branches() -> None:
    supernet = Supernet(TinySpace(normalize=False), Softmax())
    found = [(name, position) for _, name, position in supernet.branch_variables()]
    edge = [("edge", 0)] * 2 + [("edge", 1)] * 2  # kernel and bias; the third has none
    assert found == edge + edge + [("node", 1)] * 2 + [("node", 3)] * 2


def test_named_inputs() -> None:
    space = TwoInputSpace((4,), 3)
    supernet = Supernet(space, Softmax())
    network = derived(space, supernet)
    x = {"narrow": np.ones((2, 1), "float32"), "wide": np.zeros((2, 3), "float32")}
    supernet.settle()
    close(supernet.network(x)[0], network(x))


class NamedSpace(SearchSpace):
    """Layers with names of the user's own, one of them a model, some made in the reverse order."""

    extra = 0

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        second, first = (keras.layers.Dense(4, name=f"block_{i}") for i in (2, 1))
        inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
        x = inner(second(first(inputs)))
        x = choose.op("edge", {"a": lambda: keras.layers.Dense(4), "b": lambda: lambda t: keras.layers.Dense(4)(t)})(x)
        for _ in range(self.extra):
            x = keras.layers.Dense(4, name="more")(x)
        return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Dropout(0.5)(keras.layers.Dense(4)(x))))


def test_layers_outside_of_choices_correspond_by_name() -> None:
    space = NamedSpace((4,), 4)
    supernet = Supernet(space, Softmax())
    scrambled(supernet)
    network = derived(space, supernet)
    supernet.settle()
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    close(supernet.network(x)[0], network(x))


def test_a_space_that_builds_other_layers_the_second_time() -> None:
    space = NamedSpace((4,), 4)
    supernet = Supernet(space, Softmax())
    space.extra = 1
    with pytest.raises(ValueError, match=r"same layers outside of its choices.*Received: .*'more'.* in the derived"):
        derived(space, supernet)


def test_relaxations_are_clones() -> None:
    template: Relaxation = Softmax()
    supernet = Supernet(TinySpace(), template)
    assert set(supernet.relaxations) == {"edge", "node"}
    assert template not in supernet.relaxations.values()


def test_what_no_gradient_could_leave_is_never_kept() -> None:
    space = NASBench201Space((8, 8, 1), 2, channels=2, cells_per_stage=1)
    supernet = Supernet(space, SparseCode(seed=0))
    for relaxation in supernet.relaxations.values():
        position = relaxation.choice.options.index("none")
        relaxation.logits.assign(relaxation.measurements[:, position])  # what measures `none` alone
        relaxation.recovered.assign(relaxation.recover())
        assert np.argmax(np.abs(relaxation.recovered)) == position
    assert not {"none"} & {option for kept in supernet.decisions().values() for option in kept}
    supernet.decisions().validate(space.choices())


@pytest.mark.parametrize(
    ("relaxation", "excluded"),
    [(Softmax, ()), (DecoupledTopology, ()), (GumbelSoftmax, ()), (SparseCode, ("0/none", "1/none"))],
)
def test_nothing_may_be_kept_where_it_is_how_an_input_is_left_out(relaxation: Any, excluded: Any) -> None:
    space = DARTSSpace((8, 8, 1), 2, channels=2, cells=3, nodes=2, learned_output=True)
    assert Supernet(space, relaxation(seed=0)).relaxations["normal_output"].choice.excluded == excluded


@pytest.mark.parametrize("recipe", RECIPES)
def test_nothing_may_be_kept_only_where_the_loss_itself_says_what_it_is_worth(recipe: str) -> None:
    """An option that is 0 has no gradient of its own. DARTS never keeps it; short searches here kept nothing else."""
    space = NASBench201Space((8, 8, 1), 2, channels=2, cells_per_stage=1)
    excluded = {r.choice.excluded for r in Supernet(space, RECIPES[recipe]().relaxation).relaxations.values()}
    by_score = recipe in ("dha", "proxyless")
    assert excluded == ({()} if by_score else {("none",)})


def test_gates_behind_normalizations_cost_no_pass_over_memory() -> None:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(inputs))
    for _ in range(2):
        y = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(keras.layers.ReLU()(x)))
        x = keras.layers.Add()([x, y])
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    supernet = Supernet(GatedSpace(keras.Model(inputs, outputs)), Softmax())
    assert len(supernet.gates) == 3
    assert not any(isinstance(layer, MixedWidth) for layer in supernet.network.layers)
