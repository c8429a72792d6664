import keras
import numpy as np
import pytest
from keras import ops

from keras_dha.layers import SizedDepthwise, SizedLayer, SizedSqueezeExcite, parts_of
from keras_dha.spaces import Choice

X = np.random.default_rng(0).normal(size=(2, 7, 8, 4)).astype("float32")
KERNEL = Choice("kernel", ("3", "5", "7"), nested=True)
EXCITE = Choice("excite", ("0", "1", "3"), nested=True)


def one_hot(position: int) -> np.ndarray:
    return np.eye(3, dtype="float32")[position]


def layers() -> list[SizedLayer]:
    made: list[SizedLayer] = [SizedDepthwise(KERNEL, (3, 5, 7)), SizedDepthwise(KERNEL, (3, 5, 7), 2)]
    made.append(SizedSqueezeExcite(EXCITE, (0, 1, 3)))
    for layer in made:
        layer.build([X.shape, (3,)])
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    return made


def test_a_part_is_there_as_far_as_its_option_or_a_later_one_is() -> None:
    np.testing.assert_allclose(parts_of(np.array([0.5, 0.3, 0.2], "float32")), [1.0, 0.5, 0.2], rtol=1e-6)
    np.testing.assert_allclose(parts_of(np.array([0.0, 0.4, 0.0], "float32")), [1.0, 1.0, 0.0])


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("layer", layers(), ids=["depthwise", "halving", "excite"])
def test_hard_weights_are_the_settled_layer(layer: SizedLayer, position: int) -> None:
    mixed = layer([X, one_hot(position)])
    layer.settle({position: 1.0})
    np.testing.assert_allclose(mixed, layer([X, one_hot(0)]), rtol=1e-5, atol=1e-6)
    layer.reopen()
    assert layer.compute_output_spec([keras.KerasTensor(X.shape), keras.KerasTensor((3,))]).shape == mixed.shape
    assert tuple(layer.part_sizes().shape) == (2,)


def test_soft_weights_of_kernels_are_the_mean_of_all_sizes() -> None:
    layer = layers()[0]
    outputs = [ops.convert_to_numpy(layer([X, one_hot(position)])) for position in range(3)]
    weights = np.array([0.5, 0.3, 0.2], "float32")
    expected = sum(weight * output for weight, output in zip(weights, outputs))
    np.testing.assert_allclose(layer([X, weights]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strides", [1, 2])
def test_what_is_kept_of_a_kernel_is_its_middle(strides: int) -> None:
    layer = layers()[strides - 1]
    (kept,) = layer.kept(1)
    stock = keras.layers.DepthwiseConv2D(5, strides, padding="same" if strides == 1 else "valid", use_bias=False)
    padded = X if strides == 1 else np.pad(X, [(0, 0), (2, 2), (2, 2), (0, 0)])
    stock.build(padded.shape)
    stock.set_weights(kept.get_weights())
    np.testing.assert_allclose(stock(padded), layer([X, one_hot(1)]), rtol=1e-4, atol=1e-5)


def test_no_excitation_leaves_the_input_as_it_is() -> None:
    layer = layers()[2]
    np.testing.assert_array_equal(layer([X, one_hot(0)]), X)
    assert layer.kept(0) == []
    assert [[w.shape for w in part.get_weights()] for part in layer.kept(1)] == [
        [(1, 1, 4, 1), (1,)],
        [(1, 1, 1, 4), (4,)],
    ]


def test_the_size_of_a_part_is_its_root_mean_square() -> None:
    layer = layers()[0]
    kernel = np.zeros((7, 7, 4, 1), "float32")
    kernel[1:6, 1:6] = 2.0
    kernel[2:5, 2:5] = 9.0
    layer.set_weights([kernel])
    np.testing.assert_allclose(layer.part_sizes(), [2.0, 0.0], atol=1e-5)
