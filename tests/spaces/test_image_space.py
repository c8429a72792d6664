"""Contract of the ready-made spaces: whoever is listed is tested."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from every_option import EveryOption, leaves

from keras_dha import spaces
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Choice, ImageSpace, RestrictedSpace
from keras_dha.spaces.restricted_space import is_restrictable

SMALL = {
    "NASBench201Space": {"channels": 2, "cells_per_stage": 1, "stages": 3},
    "DARTSSpace": {
        "channels": 2,
        "cells": 3,
        "nodes": 2,
        "partial_channels": 1,
        "learned_output": False,
        "node_inputs": [2, 2],
    },
    "GatedProxylessSpace": {
        "channels": 2,
        "widths": [1.0, 2.0],
        "repeats": 1,
        "kernels": [3, 5],
        "expansions": [2],
    },
    "MobileNetSpace": {
        "channels": 2,
        "widths": [1.0, 2.0],
        "repeats": 2,
        "kernels": [3, 5],
        "expansions": [2, 3],
        "ratios": [0.0, 0.25],
    },
    "ShuffleNetSpace": {"channels": 4, "blocks": [1, 2, 1, 1], "stem_strides": 1},
}
NAMES = sorted(
    name
    for name in spaces.__all__
    if issubclass(getattr(spaces, name), ImageSpace) and getattr(spaces, name) is not ImageSpace
)
SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3), (33, 31, 3)]


def small(name: str, shape: tuple[int, ...] = (8, 8, 1), **changes: Any) -> ImageSpace:
    return getattr(spaces, name)(shape, 10, **{**SMALL[name], **changes})


def test_every_ready_made_space_is_here() -> None:
    assert sorted(SMALL) == NAMES


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_all_options_of_a_choice_give_one_shape(name: str, shape: tuple[int, ...]) -> None:
    chooser = EveryOption()
    small(name, shape).build(chooser)
    asked = set(chooser.choices) - chooser.gated
    assert len(chooser.shapes) >= len(asked)
    assert all(len(shapes) == 1 for shapes in chooser.shapes)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_random_network_gives_finite_logits(name: str, shape: tuple[int, ...]) -> None:
    space = small(name, shape)
    decisions = space.random_decisions(seed=math.prod(shape)).validate(space.choices())
    model = space.without_closed(space.build(FixedChooser(decisions)))
    logits = model(np.ones((2, *shape), "float32"), training=True)
    assert logits.shape == (2, 10)
    assert np.isfinite(logits).all()


# Keras reads variables without the copy argument that NumPy 2 wants.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_derived_model_is_stock_keras(name: str, tmp_path: Path) -> None:
    space = small(name)
    chooser = FixedChooser(space.random_decisions(seed=1), {space.choices()[0].name: {}})
    model = space.without_closed(space.build(chooser))
    assert {type(layer).__module__.split(".")[0] for layer in leaves(model)} == {"keras"}
    assert "keras_dha" not in model.to_json()
    model.save(tmp_path / "model.keras")
    x = np.linspace(0.0, 1.0, 2 * 64, dtype="float32").reshape(2, 8, 8, 1)
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), model(x))


@pytest.mark.parametrize("name", NAMES)
def test_a_derived_model_trains(name: str) -> None:
    space = small(name)
    model = space.build(FixedChooser(space.random_decisions(seed=2)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.random.default_rng(0).random((8, 8, 8, 1), "float32"), np.arange(8), epochs=2, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("name", NAMES)
def test_a_derived_model_in_mixed_precision(name: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        space = small(name)
        logits = space.build(FixedChooser(space.random_decisions(seed=3)))(np.ones((2, 8, 8, 1), "float32"))
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(logits, "float32"))).all()


@pytest.mark.parametrize("name", NAMES)
def test_names_of_choices_are_names_of_layers(name: str) -> None:
    for choice in small(name).choices():
        assert choice.name.replace("_", "").isalnum()


@pytest.mark.parametrize("name", NAMES)
def test_config_and_back(name: str) -> None:
    space = small(name, (9, 7, 3), affine=False)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert type(copy) is type(space)
    assert copy.get_config() == space.get_config()
    assert copy.get_config() == {"input_shape": [9, 7, 3], "num_classes": 10, "affine": False, **SMALL[name]}


@pytest.mark.parametrize("name", NAMES)
def test_sizes_must_be_positive_integers(name: str) -> None:
    for argument in (argument for argument, value in SMALL[name].items() if type(value) is int):
        for value in (0, 1.0, True, None):
            with pytest.raises(ValueError, match=f"{argument} must be an integer, .* Received: {argument}={value}"):
                small(name, **{argument: value})


@pytest.mark.parametrize("name", NAMES)
def test_pictures_have_three_axes(name: str) -> None:
    with pytest.raises(ValueError, match=r"\(height, width, channels\). Received: input_shape=\(28, 28\)"):
        small(name, (28, 28))


@pytest.mark.parametrize("name", NAMES)
def test_channels_come_last(name: str) -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"Received: keras.config.image_data_format\(\)='channels_first'"):
            small(name)
    finally:
        keras.config.set_image_data_format("channels_last")


def fewest(choice: Choice) -> list[str]:
    """As many of the last options as the choice keeps, of an input each, and one that is never kept if there is one."""
    order = np.arange(len(choice.options))
    return [*choice.excluded[:1], *(choice.options[i] for i in choice.top(order))]


@pytest.mark.parametrize("name", NAMES)
def test_with_options_left_out_it_is_a_space_of_some_of_its_networks(name: str) -> None:
    whole = small(name)
    alive = {choice.name: fewest(choice) for choice in whole.choices() if is_restrictable(choice)}
    space = RestrictedSpace(whole, alive)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert copy.get_config() == space.get_config()
    chooser = EveryOption()
    space.build(chooser)
    assert list(chooser.choices.values()) == list(space.choices()) == list(copy.choices())
    decisions = space.random_decisions(seed=1).validate(whole.choices())
    networks = [s.without_closed(s.build(FixedChooser(decisions))) for s in (whole, space)]
    assert [w.shape for w in networks[0].weights] == [w.shape for w in networks[1].weights]
    for choice in space.choices():
        if choice.name in alive:
            assert set(choice.options) - set(choice.excluded) == set(decisions[choice.name])  # nothing is open
