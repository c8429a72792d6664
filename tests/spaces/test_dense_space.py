"""Contract of the space of dense networks: every option builds, under every chooser, for numbers and for classes."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from every_option import EveryOption, leaves

from keras_dha.derivation import FixedChooser, inherit_weights
from keras_dha.relaxations import OneHotSample, Softmax
from keras_dha.spaces import Decisions, DenseSpace
from keras_dha.supernet import Supernet

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def small(**changes: Any) -> DenseSpace:
    return DenseSpace((3,), 2, **{"widths": (2, 4), "depths": (1, 2), "activations": ("tanh", "relu"), **changes})


def decided(space: DenseSpace, **kept: str) -> Decisions:
    """The first option of each choice, but for those named."""
    return Decisions({c.name: kept.get(c.name, c.options[0]) for c in space.choices()}).validate(space.choices())


def test_choices_and_their_options() -> None:
    assert {choice.name: choice.options for choice in small().choices()} == {
        "width_1": ("2", "4"),
        "activation_1": ("tanh", "relu"),
        "width_2": ("2", "4"),
        "activation_2": ("tanh", "relu"),
        "depth": ("0/1", "1/2"),
    }


def test_what_has_one_option_is_no_choice() -> None:
    space = small(widths=(4,), depths=(2,), activations=("sigmoid",))
    assert space.choices() == ()
    assert space.build(FixedChooser({})).count_params() == (3 + 1) * 4 + (4 + 1) * 4 + (4 + 1) * 2


def test_all_options_of_a_choice_give_one_shape() -> None:
    chooser = EveryOption()
    DenseSpace((3,), 2).build(chooser)
    assert all(len(found) == 1 for found in chooser.shapes)
    assert chooser.gated == {"width_1", "width_2", "width_3"}


@pytest.mark.parametrize(
    ("kept", "parameters"),
    [
        ({}, (3 + 1) * 2 + (2 + 1) * 2),
        ({"width_1": "4"}, (3 + 1) * 4 + (4 + 1) * 2),
        ({"width_1": "4", "width_2": "2", "depth": "1/2"}, (3 + 1) * 4 + (4 + 1) * 2 + (2 + 1) * 2),
    ],
    ids=str,
)
def test_a_network_has_the_units_and_layers_that_are_kept(kept: dict[str, str], parameters: int) -> None:
    space = small()
    wide = space.build(FixedChooser(decided(space, **kept)))
    model = space.without_closed(wide)
    assert model.count_params() == parameters
    np.testing.assert_allclose(model(X), wide(X), atol=1e-6)


def test_a_derived_model_is_stock_keras_and_can_be_saved(tmp_path: Path) -> None:
    space = small()
    model = space.without_closed(space.build(FixedChooser(space.random_decisions(seed=1))))
    assert {type(layer).__module__.split(".")[0] for layer in leaves(model)} == {"keras"}
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(X), model(X))


@pytest.mark.parametrize("relaxation", [Softmax, OneHotSample])
def test_settled_supernet_equals_the_derived_network(relaxation: Any) -> None:
    space = small()
    supernet = Supernet(space, relaxation())
    for depth in range(2):
        supernet.relaxations["depth"].logits.assign(5.0 * np.eye(2)[depth])
        chooser = FixedChooser(supernet.decisions(), supernet.settled_weights())
        network = space.build(chooser)
        whole = chooser.whole(network)
        inherit_weights(supernet.network, supernet.kept_branches(), whole, chooser.branches, supernet.acting)
        supernet.settle()
        np.testing.assert_allclose(supernet.network(X)[0], space.without_closed(network)(X), rtol=1e-5, atol=1e-5)
        supernet.reopen()


def test_a_network_in_mixed_precision() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        space = small()
        outputs = space.build(FixedChooser(space.random_decisions(seed=3)))(X)
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))).all()


@pytest.mark.parametrize("classifies", [True, False])
def test_config_and_back(classifies: bool) -> None:
    space = small(classifies=classifies)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert copy.get_config() == space.get_config()
    assert copy.classifies == copy.from_logits == classifies


@pytest.mark.parametrize("values", [(), (0, 2), (4, 2), (2, 2), (2.0,), (True,), 8, None], ids=str)
@pytest.mark.parametrize("name", ["widths", "depths"])
def test_sizes_must_rise(name: str, values: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive integers that rise") as error:
        small(**{name: values})
    assert f"Received: {name}={values!r}" in str(error.value)


def test_inputs_are_vectors() -> None:
    with pytest.raises(ValueError, match=r"Received: input_shape=\(2, 3\)"):
        DenseSpace((2, 3), 2)


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        (("tanh", "thanh"), "with 'thanh'"),
        (("tanh", "tanh"), "each once"),
        ("tanh", "must be names"),
        ((), "must be names"),
        (("softplus",), r"'softplus', which is 0\.69\d* there"),
    ],
    ids=str,
)
def test_activations_must_be_known_and_zero_at_zero(activations: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(activations=activations)
