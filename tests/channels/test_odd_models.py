"""Models that once came out wrong, or with an error from deep inside."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_dha.channels import ChannelGraph, ChannelMask, flattened, remove_closed
from keras_dha.costs import SpaceCost, multiply_adds
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import GatedSpace, SearchSpace


def on_random(model: keras.Model, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(2, *model.input_shape[1:]))
    return keras.ops.convert_to_numpy(model(x.astype("float32")))


def assert_same(model: keras.Model, other: keras.Model) -> None:
    np.testing.assert_allclose(on_random(model), on_random(other), rtol=1e-4, atol=1e-5)


def test_each_width_has_a_name_of_its_own() -> None:
    inputs = keras.Input((8, 8, 3))
    both = layers.Concatenate()([layers.Conv2D(3, 1, name="a")(inputs), layers.Conv2D(5, 1, name="b")(inputs)])
    x = layers.Conv2D(8, 1, name="c")(inputs)
    for _ in range(3):
        x = layers.ReLU()(x)
    space = GatedSpace(keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Add()([x, both])))))
    assert sorted(len(choice.options) for choice in space.choices()) == [3, 5]
    assert len({choice.name for choice in space.choices()}) == 2
    network = space.build(FixedChooser(space.random_decisions(seed=0)))
    assert_same(network, space.without_closed(network))


@keras.saving.register_keras_serializable(package="tests")
class Doubled(keras.Model):
    """What its graph says, twice."""

    def call(self, inputs: Any) -> Any:
        return 2.0 * super().call(inputs)


def test_a_model_with_a_call_of_its_own_is_no_graph() -> None:
    inputs, x = keras.Input((3,)), keras.Input((3,))
    doubled = Doubled(x, layers.Dense(4)(x), name="doubled")
    model = keras.Model(inputs, layers.Dense(2)(doubled(layers.Dense(3)(inputs))))
    with pytest.raises(ValueError, match=r"kind whose channels are not known.*exclude='doubled'"):
        GatedSpace(model)
    with pytest.raises(TypeError, match=r"without a call of its own.*Received: Doubled"):
        GatedSpace(doubled)


def test_costs_exclude_layers_of_nested_models_whatever_they_are_called_there() -> None:
    inner = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4, name="same")])
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, inner(layers.Dense(3, name="same")(inputs)))
    assert multiply_adds(model, exclude=inner.layers[0]) == 5 * 3 * 3


@keras.saving.register_keras_serializable(package="tests")
class InABranch(SearchSpace):
    def build(self, choose: Any) -> keras.Model:
        def branch(x: Any) -> Any:
            return layers.Dense(3)(choose.width("w")(layers.Dense(4)(x)))

        inputs = keras.Input(self.input_shape)
        return keras.Model(inputs, layers.Dense(2)(choose.op("o", {"a": lambda: branch})(inputs)))


def test_widths_inside_of_a_branch_are_narrowed() -> None:
    space = InABranch((3,), 2)
    network = space.build(FixedChooser({"o": "a", "w": ["1"]}))
    smaller = space.without_closed(network)
    assert (network.count_params(), smaller.count_params()) == (39, 18)
    assert_same(network, smaller)


@pytest.mark.parametrize("shape", [(1,), (4,)])
def test_a_sum_with_what_is_0_keeps_its_shape(shape: tuple[int, ...]) -> None:
    inputs = keras.Input((3,))
    closed = ChannelMask([False] * 4)(layers.Dense(4)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()([closed, layers.Dense(*shape)(inputs)])))
    assert_same(model, remove_closed(model))


def test_a_layer_without_weights_is_narrowed_for_each_call() -> None:
    inputs, reshape = keras.Input((3,)), layers.Reshape((1, 1, 6))
    first, second = (layers.Flatten()(reshape(layers.Dense(6, name=name)(inputs))) for name in "ab")
    space = GatedSpace(keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([first, second]))))
    network = space.build(FixedChooser({"a": ["0", "5"], "b": ["1", "2", "3"]}))
    assert_same(network, space.without_closed(network))


def test_one_mask_at_two_places() -> None:
    inputs, mask = keras.Input((3,)), ChannelMask([True, False, True])
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([mask(layers.Dense(3)(inputs)), mask(inputs)])))
    assert_same(model, remove_closed(model))


def inner(name: str, *made: keras.layers.Layer) -> keras.Model:
    inputs = x = keras.Input((3,))
    for layer in made:
        x = layer(x)
    return keras.Model(inputs, x, name=name)


def test_names_stay_apart_however_they_collide() -> None:
    inputs = keras.Input((3,), name="x")
    x = layers.Dense(3, name="d")(layers.Dense(3, name="one_d")(inputs))
    for name in ("one", "two"):
        x = inner(
            name, inner("block", layers.Dense(3, name="d")), layers.Dense(3, name="d"), layers.Dense(3, name="x")
        )(x)
    model = keras.Model(inputs, x)
    flat = flattened(model)
    assert_same(model, flat)
    assert len({layer.name for layer in flat.layers}) == len(flat.layers) == 9
    assert {"d", "one_d"} < {layer.name for layer in flat.layers}


def test_a_layer_that_is_excluded_is_that_layer() -> None:
    part = inner("part", layers.Dense(3, name="d"))
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(4, name="d")(part(inputs))))
    for excluded, left in ((part.get_layer("d"), "d"), (model.get_layer("d"), "part_d")):
        assert [choice.name for choice in GatedSpace(model, exclude=excluded).choices()] == [left]


def embedded() -> keras.Model:
    first, second, table = keras.Input((7,)), keras.Input((5,)), layers.Embedding(4, 3)
    pooled = [layers.GlobalAveragePooling1D()(table(x)) for x in (first, second)]
    return keras.Model([first, second], layers.Dense(2)(layers.Dense(4, name="a")(layers.Concatenate()(pooled))))


def constants_added() -> keras.Model:
    inputs = keras.Input((3,))
    x = layers.Dense(1)(inputs) + np.ones(4, "float32")
    return keras.Model(inputs, layers.Dense(2)(layers.Dense(4, name="a")(x)))


def scalars() -> keras.Model:
    inputs = keras.Input(())
    return keras.Model(inputs, layers.Dense(2)(layers.Dense(4, name="a")(layers.Reshape((1,))(inputs))))


def softmax_over_rows() -> keras.Model:
    inputs = keras.Input((4, 4, 3))
    x = layers.Softmax(axis=2)(layers.Conv2D(4, 1)(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.Dense(4, name="a")(layers.GlobalAveragePooling2D()(x))))


@pytest.mark.parametrize("make", [embedded, constants_added, scalars, softmax_over_rows])
def test_what_is_kept_whole(make: Any) -> None:
    assert [width.name for width in ChannelGraph(flattened(make())).widths()] == ["a"]


def test_a_layer_keeps_a_channel_though_all_are_closed() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(2)(ChannelMask([False] * 4)(layers.Dense(4, name="a")(inputs))))
    smaller = remove_closed(model)
    assert smaller.get_layer("a").units == 1
    assert_same(model, smaller)


def test_models_in_models_are_called_on_tensors_alone() -> None:
    inputs, part = keras.Input((3,)), inner("part", layers.Dropout(0.5))
    assert_same(keras.Model(inputs, part(inputs=inputs)), flattened(keras.Model(inputs, part(inputs=inputs))))
    with pytest.raises(ValueError, match=r"Received: .'training': True.*. for 'part'"):
        flattened(keras.Model(inputs, part(inputs, training=True)))


def test_decisions_are_checked_before_they_are_counted() -> None:
    inputs = keras.Input((3,))
    cost = SpaceCost(GatedSpace(keras.Model(inputs, layers.Dense(2)(layers.Dense(4, name="a")(inputs)))))
    with pytest.raises(ValueError, match=r"Received: \['9'\]"):
        cost.of({"a": ["9"]})
    with pytest.raises(ValueError, match=r"Received: missing=\['a'\]"):
        cost.of({})
