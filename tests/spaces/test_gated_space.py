from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_dha.channels import ChannelMask, calls
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Choice, Chooser, Decisions, GatedSpace, SearchSpace

X = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), "uint8")


def sequential(*parts: keras.layers.Layer) -> keras.Sequential:
    return keras.Sequential([keras.Input((3,)), *parts])


def two_layers() -> keras.Sequential:
    return sequential(layers.Dense(4, name="a"), layers.Dense(3, name="b"), layers.Dense(2, name="head"))


def residual(dtype: str = "float32") -> keras.Model:
    inputs = keras.Input((6, 6, 3), dtype=dtype, name="picture")
    x = layers.Conv2D(4, 3, name="stem")(layers.Rescaling(1 / 255)(inputs))
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, padding="same", name="branch")(x))
    y = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.Dense(3, name="hidden")(y)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, values.shape) for values in model.get_weights()])
    return model


def all_of(space: SearchSpace) -> Decisions:
    return Decisions({choice.name: choice.options for choice in space.choices()})


def test_each_width_is_a_choice_with_an_option_a_channel() -> None:
    assert GatedSpace(residual()).choices() == (
        Choice("stem", ("0", "1", "2", "3"), keep=4, at_least=1),
        Choice("hidden", ("0", "1", "2"), keep=3, at_least=1),
    )
    assert [choice.name for choice in GatedSpace(two_layers()).choices()] == ["a", "b"]


def test_masks_stand_behind_batch_normalization_and_where_channels_are_read() -> None:
    network = GatedSpace(residual()).build(FixedChooser({"stem": ["0"], "hidden": ["0"]}))
    readers = [call.layer.name for call in calls.calls(network)]
    places = [readers[i - 1] for i, name in enumerate(readers) if name.startswith("channel_mask")]
    assert places == ["stem", "norm", "hidden"]


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_networks_are_clones_with_the_models_weights_and_take_floats(dtype: str) -> None:
    model = residual(dtype)
    space = GatedSpace(model)
    network = space.build(FixedChooser(all_of(space)))
    assert network.input.dtype == "float32"
    np.testing.assert_allclose(network(X.astype("float32")), model(X), rtol=1e-6)
    network.set_weights([0 * values for values in network.get_weights()])
    assert np.abs(model(X)).max() > 0.0


def test_closed_channels_are_left_out() -> None:
    model, kept = residual(), {"stem": ["1", "2"], "hidden": ["0", "2"]}
    space = GatedSpace(model)
    network = space.build(FixedChooser(kept))
    small = space.without_closed(network)
    assert [small.get_layer(name).filters for name in ("stem", "branch")] == [2, 2]
    np.testing.assert_allclose(small(X), network(X), rtol=1e-5)
    kernel = model.get_layer("stem").get_weights()[0]
    np.testing.assert_array_equal(small.get_layer("stem").get_weights()[0], kernel[..., [1, 2]])
    np.testing.assert_array_equal(
        small.get_layer("head").get_weights()[0], model.get_layer("head").get_weights()[0][[0, 2]]
    )


def test_a_network_without_masks_is_itself() -> None:
    space, model = GatedSpace(two_layers()), two_layers()
    assert space.without_closed(model) is model


def test_a_sequential_model_of_models() -> None:
    model = sequential(sequential(layers.Dense(4, name="a"), layers.ReLU()), layers.Dense(2))
    space = GatedSpace(keras.Sequential([keras.Input((3,)), model]))
    small = space.without_closed(space.build(FixedChooser({"a": ["3"]})))
    assert [values.shape for values in small.get_weights()] == [(3, 1), (1,), (1, 2), (2,)]


def test_min_channels_are_kept() -> None:
    space = GatedSpace(two_layers(), min_channels=3)
    assert [(choice.fewest, choice.keep) for choice in space.choices()] == [(3, 4), (3, 3)]
    drawn = [space.random_decisions(seed=seed) for seed in range(20)]
    assert {len(decisions["a"]) for decisions in drawn} == {3, 4}
    assert {len(decisions["b"]) for decisions in drawn} == {3}
    with pytest.raises(ValueError, match=r"'a' must keep 3 to 4 .*Received: \['0', '1'\]"):
        space.build(FixedChooser({"a": ["0", "1"], "b": ["0", "1", "2"]}))


def test_all_numbers_of_channels_are_drawn() -> None:
    space = GatedSpace(two_layers())
    assert {len(space.random_decisions(seed=seed)["b"]) for seed in range(30)} == {1, 2, 3}


@pytest.mark.parametrize("name", ["min_channels", "multiple_of"])
@pytest.mark.parametrize("number", [0, -1, 1.5, "2"])
def test_numbers_of_channels_are_positive_integers(name: str, number: Any) -> None:
    with pytest.raises(ValueError, match=f"positive integer. Received: {name}={number}"):
        GatedSpace(two_layers(), **{name: number})


@pytest.mark.parametrize("exclude", ["^a$", ["^a$"], r"^[a]\b"])
def test_excluded_layers_keep_their_channels(exclude: Any) -> None:
    space = GatedSpace(two_layers(), exclude=exclude)
    assert [choice.name for choice in space.choices()] == ["b"]
    small = space.without_closed(space.build(FixedChooser({"b": ["0"]})))
    assert [small.get_layer(name).units for name in ("a", "b", "head")] == [4, 1, 2]


def test_layers_can_be_excluded_themselves() -> None:
    model = two_layers()
    assert [choice.name for choice in GatedSpace(model, exclude=model.get_layer("a")).choices()] == ["b"]


def test_some_width_is_free() -> None:
    with pytest.raises(ValueError, match=r"number of channels is free. Received: none in 'small', exclude=\[\]"):
        GatedSpace(keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="small"))
    with pytest.raises(ValueError, match=r"Received: none in .*, exclude=\['\[ab\]'\]"):
        GatedSpace(two_layers(), exclude="[ab]")


def test_what_model_space_refuses() -> None:
    inputs = keras.Input((3,))
    with pytest.raises(ValueError, match="one output"):
        GatedSpace(keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)]))
    with pytest.raises(TypeError, match="Received: Dense"):
        GatedSpace(layers.Dense(3))


def test_a_config_is_the_same_space_with_new_weights() -> None:
    model = residual()
    space = GatedSpace(model, min_channels=2, exclude=["^hidden$"])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert isinstance(again, GatedSpace)
    assert again.get_config() == space.get_config()
    assert again.choices() == space.choices()
    assert (again.min_channels, again.exclude) == (2, ("^hidden$",))


def test_a_config_of_excluded_layers_is_of_their_names() -> None:
    model = two_layers()
    space = GatedSpace(model, exclude=[model.get_layer("a")])
    again = GatedSpace.from_config(space.get_config())
    assert again.choices() == space.choices()


def test_decisions_of_another_space_are_refused() -> None:
    space = GatedSpace(two_layers())
    with pytest.raises(ValueError, match="Received: none for 'a'"):
        space.build(FixedChooser({"b": ["0"]}))
    with pytest.raises(ValueError, match=r"Received: \['0', '4'\]"):
        space.build(FixedChooser({"a": ["0", "4"], "b": ["0"]}))


class WidthSpace(SearchSpace):
    """Two dense layers of one width."""

    def build(self, choose: Chooser) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        x = choose.width("a", at_least=2)(layers.Dense(4, activation="relu", name="first")(inputs))
        x = choose.width("a", at_least=2)(layers.Dense(4, name="second")(x))
        return keras.Model(inputs, layers.Dense(self.num_classes)(x))


def test_a_space_of_ones_own_asks_for_widths() -> None:
    space = WidthSpace((3,), 2)
    assert space.choices() == (Choice("a", ("0", "1", "2", "3"), keep=4, at_least=2),)
    network = space.build(FixedChooser({"a": ["0", "2"]}))
    masks = [layer for layer in network.layers if isinstance(layer, ChannelMask)]
    assert [mask.open_channels().tolist() for mask in masks] == [[True, False, True, False]] * 2
    small = space.without_closed(network)
    assert [small.get_layer(name).units for name in ("first", "second")] == [2, 2]
    np.testing.assert_allclose(small(X[0, 0] / 255.0), network(X[0, 0] / 255.0), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"must keep 2 to 4 .*Received: \['0'\]"):
        space.build(FixedChooser({"a": "0"}))


def test_at_least_as_many_as_there_are() -> None:
    chooser = FixedChooser({"a": ["0", "1"]})
    chooser.width("a", at_least=5)(keras.Input((2,)))
    assert chooser.choices["a"].fewest == 2


def test_a_width_asked_twice_is_of_as_many_channels() -> None:
    chooser = FixedChooser({"a": ["0"]})
    chooser.width("a")(keras.Input((2,)))
    with pytest.raises(ValueError, match="asked twice must have the same options"):
        chooser.width("a")(keras.Input((3,)))


def test_channels_are_kept_in_multiples() -> None:
    space = GatedSpace(residual(), multiple_of=2)
    assert [choice.numbers for choice in space.choices()] == [(2, 4), (2, 3)]
    model = keras.Sequential([keras.Input((3,)), layers.Dense(5, name="a"), layers.Dense(2)])
    space = GatedSpace(model, multiple_of=2, min_channels=2)
    assert {len(space.random_decisions(seed=seed)["a"]) for seed in range(60)} == {2, 4, 5}
    with pytest.raises(ValueError, match=r"2 to 5 \(a multiple of 2, or all\) of .*Received: \['0', '1', '2'"):
        space.build(FixedChooser({"a": list("012")}))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert again.choices() == space.choices()
