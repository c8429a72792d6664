import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.hypergradients import Curvature, mixed_product

MATRIX = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 1.0]], "float32")
W, V = [1.0, -2.0, 0.5], np.array([0.3, 0.1, -0.2], "float32")


def test_products_with_the_second_derivatives_of_a_cubic() -> None:
    w, a, unused = keras.Variable(W), keras.Variable([0.5, -1.0]), keras.Variable([1.0])
    curvature = Curvature(lambda: tf.reduce_sum(w**3 * tf.linalg.matvec(MATRIX, a.value)), [w, unused])
    products = curvature.times([V, np.ones(1, "float32")])
    np.testing.assert_allclose(products[0], 6 * w.numpy() * (MATRIX @ a.numpy()) * V, rtol=1e-6)
    assert np.asarray(products[1]).tolist() == [0.0]
    found, nothing = curvature.mixed([V, np.ones(1, "float32")], [a, unused])
    np.testing.assert_allclose(found, (3 * w.numpy() ** 2 * V) @ MATRIX, rtol=1e-6)
    assert np.asarray(nothing).tolist() == [0.0]


def test_a_loss_that_knows_nothing_of_the_weights() -> None:
    w, a = keras.Variable(W), keras.Variable(1.0)
    assert np.asarray(Curvature(lambda: tf.square(a.value), [w]).mixed([V], [a])[0]) == 0.0


def test_a_direction_is_needed_for_each_weight() -> None:
    w = keras.Variable(W)
    with pytest.raises(ValueError, match="Received: 1 directions, 2 weights"):
        mixed_product(lambda: tf.reduce_sum(w.value), [w, w], [V], [w])
