from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_dha.costs import parts
from keras_dha.costs.network_parts import with_random_weights


def names(model: keras.Model) -> list[str]:
    return [part.name.split(" on ")[0] for part in parts(model)]


def chain(*parts: Any, shape: tuple[int, ...] = (4, 4, 3)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *parts])


def test_a_chain_is_one_part_where_nothing_else_reads_what_is_between() -> None:
    block = [layers.ZeroPadding2D(1), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.ReLU()]
    assert names(chain(*block)) == ["ZeroPadding2D + Conv2D + BatchNormalization + ReLU"]
    assert names(chain(layers.BatchNormalization(), layers.ReLU())) == ["BatchNormalization + ReLU"]
    assert names(chain(layers.ReLU(), layers.Conv2D(3, 3))) == ["ReLU", "Conv2D"]
    assert names(chain(layers.Conv2D(3, 3), layers.ReLU(), layers.BatchNormalization())) == [
        "Conv2D + ReLU",
        "BatchNormalization",
    ]


def test_models_in_a_model_are_taken_apart() -> None:
    inner = keras.Sequential([layers.Conv2D(3, 1), layers.Dropout(0.5)])
    model = chain(inner, layers.ReLU())
    assert names(model) == ["Conv2D + ReLU"]
    assert parts(model)[0].model().output_shape == (None, 4, 4, 3)


def test_two_readers_split_a_part() -> None:
    x = keras.Input((4, 4, 3))
    y = layers.Conv2D(3, 1)(x)
    assert sorted(names(keras.Model(x, layers.Add()([layers.ReLU()(y), y])))) == ["Add", "Conv2D", "ReLU"]
    outputs = [y, layers.ReLU()(y)]
    assert names(keras.Model(x, outputs)) == ["Conv2D", "ReLU"]


def test_what_is_computed_twice_counts_once() -> None:
    x = keras.Input((4, 4, 3))
    once = [layers.Conv2D(2, 1)(layers.ReLU()(x)) for _ in range(2)]
    assert sorted(names(keras.Model(x, layers.Add()(once)))) == ["Add", "Conv2D", "Conv2D", "ReLU"]
    same = [layers.Identity()(x), x]
    assert names(keras.Model(x, layers.Add()([layers.ReLU()(y) for y in same]))) == ["ReLU", "Add"]


def test_a_sum_of_n_is_n_minus_1_sums_of_two() -> None:
    x = keras.Input((4, 4, 3))
    y = layers.ReLU()(layers.Add()([layers.MaxPooling2D(1)(x), layers.AveragePooling2D(1)(x), x, layers.ELU()(x)]))
    found = [part for part in parts(keras.Model(x, y)) if "Add" in part.name]
    assert [part.name.split(" on ")[0] for part in found] == ["Add", "Add", "Add + ReLU"]
    assert found[0].key == found[1].key
    assert [len(part.inputs) for part in found] == [2, 2, 2]
    assert [part.model().output_shape for part in found] == [(None, 4, 4, 3)] * 3


@pytest.mark.parametrize(
    "layer", [layers.Identity(), layers.Dropout(0.5), layers.Flatten(), layers.Reshape((48,))], ids=lambda x: x.name
)
def test_what_costs_nothing_is_no_part(layer: keras.layers.Layer) -> None:
    assert names(chain(layer, layers.Softmax())) == ["Softmax"]


def test_keys_are_equal_where_costs_are() -> None:
    def key(layer: keras.layers.Layer, shape: tuple[int, ...] = (4, 4, 3)) -> str:
        (part,) = parts(chain(layer, shape=shape))
        return part.key

    one = layers.Conv2D(3, 1, name="a", kernel_initializer="zeros", kernel_regularizer="l2")
    assert key(one) == key(layers.Conv2D(3, 1))
    assert key(one) != key(layers.Conv2D(3, 1, use_bias=False))
    assert key(one) != key(layers.Conv2D(3, 1), (5, 4, 3))
    assert key(layers.Rescaling(0.3)) == key(layers.Rescaling(0.2))
    assert key(layers.Rescaling(0.3)) != key(layers.Rescaling(0.0))
    assert key(layers.Rescaling(0.3)) != key(layers.Rescaling([0.3, 1.0, 0.0]))
    assert key(layers.ReLU()) != key(layers.ReLU(6.0))
    assert key(layers.Conv2D(3, 1, dtype="mixed_float16")) != key(one)


@keras.saving.register_keras_serializable(package="tests")
class Doubled(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return 2.0 * inputs


def test_any_layer_and_operation_is_a_part() -> None:
    x = keras.Input((4,))
    y = keras.ops.multiply(keras.ops.clip(Doubled()(x), -1.0, 1.0), 3.0)
    found = parts(keras.Model(x, y))
    assert [part.name for part in found] == ["Doubled on (4,)", "Clip on (4,)", "Multiply on (4,)"]
    ones = np.ones((1, 4), "float32")
    assert [float(part.model().predict(ones, verbose=0)[0, 0]) for part in found] == [2.0, 1.0, 3.0]
    other = keras.Model(x, keras.ops.clip(x, -2.0, 1.0))
    assert parts(other)[0].key != found[1].key


def test_a_tensor_read_twice_is_one_input() -> None:
    x = keras.Input((4,))
    (part,) = parts(keras.Model(x, layers.Multiply()([x, x])))
    assert len(part.inputs) == 1
    assert part.model()(np.full((1, 4), 3.0, "float32")).numpy()[0, 0] == 9.0


def test_the_model_of_a_part_computes_what_the_network_does_there() -> None:
    network = with_random_weights(chain(layers.Conv2D(2, 3), layers.BatchNormalization(), layers.ReLU()))
    (part,) = parts(network)
    alone = part.model()
    alone.set_weights(network.get_weights())
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(alone(x), network(x), rtol=1e-5)


def test_random_weights_leave_nothing_to_leave_out() -> None:
    model = with_random_weights(chain(layers.Conv2D(2, 3), layers.BatchNormalization()))
    kernel, *others = model.get_weights()
    assert all(np.ptp(values) > 0 for values in others)
    assert np.all(np.isfinite(model(np.ones((1, 4, 4, 3), "float32"))))
    again = with_random_weights(model)
    np.testing.assert_array_equal(again.get_weights()[0], kernel)


def test_a_part_splits_before_its_activation() -> None:
    (part,) = parts(chain(layers.Conv2D(2, 3), layers.BatchNormalization(), layers.ReLU()))
    pieces = part.split()
    assert [piece.name for piece in pieces] == ["Conv2D + BatchNormalization on (4, 4, 3)", "ReLU on (2, 2, 2)"]
    assert pieces[0].split() == (pieces[0],)
    assert pieces[1].model().input_shape == (None, 2, 2, 2)
