import numpy as np
import pytest
import tensorflow as tf

from keras_dha.hypergradients import inner_product


def test_inner_product_sums_over_tensors_and_skips_none():
    a, b = [np.array([1.0, 2.0]), None, np.array([[3.0]])], [np.array([4.0, 5.0]), np.array(9.0), np.array([[6.0]])]
    assert float(inner_product(a, b)) == 4 + 10 + 18
    assert float(inner_product([None], [np.array(1.0)])) == 0.0
    assert float(inner_product([], [])) == 0.0


def test_half_precision_is_summed_in_float32():
    ones = [tf.fill([300], tf.constant(300.0, tf.float16))]
    product = inner_product(ones, ones)  # 2.7e7 does not fit into float16
    assert product.dtype == "float32"
    assert float(product) == 2.7e7


def test_lists_of_different_lengths():
    with pytest.raises(ValueError, match=r"Received: len\(a\)=1, len\(b\)=2"):
        inner_product([1.0], [1.0, 2.0])
