import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.spaces.chooser import as_layer
from keras_dha.spaces.operations import DARTS_OPERATIONS, NAS_BENCH_201_OPERATIONS, factorized_reduce, pool, sep_conv

OPERATIONS = [
    pytest.param(operation, id=f"{space}-{name}")
    for space, operations in (("darts", DARTS_OPERATIONS), ("nas_bench_201", NAS_BENCH_201_OPERATIONS))
    for name, operation in operations.items()
]


def layer_of(operation, strides, shape, affine=True):
    return as_layer(operation(shape[-1], strides, affine), keras.Input(shape))


def test_names_of_the_field() -> None:
    assert list(NAS_BENCH_201_OPERATIONS) == ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    assert set(DARTS_OPERATIONS) == {
        *("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect"),
        *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
    }


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("shape", "half"), [((8, 8, 4), (4, 4, 4)), ((33, 31, 3), (17, 16, 3)), ((1, 2, 2), (1, 1, 2))]
)
def test_stride_2_halves_rounding_up(operation, shape, half) -> None:
    for strides, expected in ((1, shape), (2, half)):
        layer = layer_of(operation, strides, shape)
        outputs = layer(np.ones((2, *shape), "float32"))
        assert outputs.shape == (2, *expected)
        assert np.isfinite(outputs).all()
        assert layer.compute_output_shape((None, *shape)) == (None, *expected)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_stride_2_is_centred_on_even_pixels(operation) -> None:
    # Output 2 of 4 is centred on pixel 4 of 8, so that outputs 1 and 3 see a point there alike.
    layer = layer_of(operation, 2, (8, 8, 2))
    point = np.zeros((1, 8, 8, 2), "float32")
    point[0, 4, 4] = 1.0
    layer(point)
    for variable in layer.trainable_variables:
        variable.assign(keras.ops.zeros_like(variable) if "beta" in variable.path else keras.ops.ones_like(variable))
    outputs = keras.ops.convert_to_numpy(layer(point))[0, :, :, 0]
    np.testing.assert_allclose(outputs[1:, 1:], outputs[:0:-1, :0:-1])
    assert outputs[2, 2] == outputs.max()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("strides", [1, 2])
def test_gradients_are_finite_even_at_zero(operation, strides) -> None:
    layer = layer_of(operation, strides, (5, 5, 2))
    x = tf.zeros((2, 5, 5, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.square(layer(x, training=True) + 1.0))
    gradients = tape.gradient(loss, [x, *layer.trainable_variables])
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("strides", [1, 2])
def test_none_passes_nothing_and_no_gradient(strides) -> None:
    layer = layer_of(DARTS_OPERATIONS["none"], strides, (4, 4, 1))
    x = tf.ones((1, 4, 4, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
    assert not np.any(outputs)
    assert not np.any(tape.gradient(outputs, x))


def test_skip_connect_is_the_input() -> None:
    x = np.arange(8.0, dtype="float32").reshape(1, 2, 2, 2)
    np.testing.assert_array_equal(layer_of(DARTS_OPERATIONS["skip_connect"], 1, (2, 2, 2))(x), x)


@pytest.mark.parametrize(
    ("side", "even", "odd"),
    [
        (4, [[0, 2], [8, 10]], [[5, 7], [13, 15]]),
        (3, [[0, 2], [6, 8]], [[4, 0], [0, 0]]),  # where the second convolution leaves the picture it reads zeros
    ],
)
def test_factorized_reduce_reads_even_and_odd_pixels(side, even, odd) -> None:
    x = np.arange(side**2, dtype="float32").reshape(1, side, side, 1)
    layer = as_layer(factorized_reduce(2), keras.Input((side, side, 1)))
    for variable in layer.trainable_variables:
        if "kernel" in variable.path:
            variable.assign(keras.ops.ones_like(variable))
    outputs = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(outputs[0, :, :, 0], even, rtol=1e-4)
    np.testing.assert_allclose(outputs[0, :, :, 1], odd, rtol=1e-4)


def test_factorized_reduce_of_an_unknown_side() -> None:
    layer = as_layer(factorized_reduce(2), keras.Input((None, None, 1)))
    assert layer(np.ones((1, 4, 3, 1), "float32")).shape == (1, 2, 2, 2)


def test_factorized_reduce_of_odd_channels_gives_the_first_one_more() -> None:
    layer = as_layer(factorized_reduce(3), keras.Input((4, 4, 1)))
    assert [v.shape for v in layer.trainable_variables if "kernel" in v.path] == [(1, 1, 1, 2), (1, 1, 1, 1)]


def test_mean_leaves_padding_out() -> None:
    outputs = pool(keras.layers.AveragePooling2D)(np.ones((1, 3, 3, 1), "float32"))
    np.testing.assert_allclose(outputs, np.ones((1, 3, 3, 1)))


def test_without_affine_only_kernels_are_trained() -> None:
    for operation in (*DARTS_OPERATIONS.values(), *NAS_BENCH_201_OPERATIONS.values()):
        variables = layer_of(operation, 2, (4, 4, 2), affine=False).trainable_variables
        assert not [v.path for v in variables if "gamma" in v.path or "beta" in v.path]


def test_pools_of_darts_are_normalized_without_affine() -> None:
    normalization = layer_of(DARTS_OPERATIONS["max_pool_3x3"], 1, (4, 4, 2)).layers[-1]
    assert isinstance(normalization, keras.layers.BatchNormalization)
    assert (normalization.momentum, normalization.epsilon) == (0.9, 1e-5)
    assert not normalization.trainable_variables


def test_depthwise_kernels_keep_the_second_moment() -> None:
    # He: variance 2 / (3 * 3), whatever the number of channels. 9 * 512 draws: the variance is good to 10 % (5 sigma).
    layer = sep_conv(512, 3)
    layer.build((None, 4, 4, 512))
    kernel = next(v for v in layer.trainable_variables if v.shape == (3, 3, 512, 1))
    assert np.var(kernel) == pytest.approx(2 / 9, rel=0.1)
