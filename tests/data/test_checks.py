import numpy as np
import pytest
import tensorflow as tf

from keras_dha.data import checks
from keras_dha.data.checks import DataError


def test_a_data_error_is_a_value_error():
    assert issubclass(DataError, ValueError)


def test_good_data_passes_all_checks():
    checks.check_not_empty("x", 1)
    checks.check_same_length({"x": 2, "y": 2})
    checks.check_one_size("x", [(2, 2), (2, 2)])
    checks.check_numbers("x", np.ones(2, np.float16))
    checks.check_finite("x", np.ones((2, 2)))
    checks.check_integer_labels("y", np.array([0.0, 1.0]))
    checks.check_classes("y", [0, 1], 2)
    checks.check_classes("y", [0, 7], 8, num_classes=8)
    checks.check_batch_size(2, 2)
    checks.check_fraction("held_out", 0.5)
    checks.check_same_format(("a", "b"), [(2,), (2,)], ["int32", np.dtype("int32")])


def test_no_examples():
    with pytest.raises(DataError, match="Received: x with 0 examples"):
        checks.check_not_empty("x", 0)


def test_different_lengths():
    with pytest.raises(DataError, match=r"Received: \{'x': 3, 'y': 2\}"):
        checks.check_same_length({"x": 3, "y": 2})


def test_several_sizes():
    with pytest.raises(DataError, match=r"Received: 2 sizes, among them \(8, 8\) and \(8, 9\)"):
        checks.check_one_size("x", [(8, 9), (8, 8), (8, 8)])


@pytest.mark.parametrize("array", [np.array(["cat"]), np.array([b"cat"]), np.array(["2020-01-01"], "M8[D]")])
def test_no_numbers(array):
    with pytest.raises(DataError, match=r"Received: y with dtype=.*Encode it as numbers before"):
        checks.check_numbers("y", array)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "longdouble"])
def test_numbers_that_keras_cannot_train_on(dtype):
    array = np.zeros(2, dtype)
    with pytest.raises(DataError, match=rf"Received: x with dtype={array.dtype}. .*x.astype\(np.float32\)"):
        checks.check_numbers("x", array)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "uint64", "float16", "float64", ">f8", ">i2"])
def test_numbers_that_keras_can_train_on(dtype):
    checks.check_numbers("x", np.zeros(2, dtype))


def test_numbers_of_bfloat16_which_numpy_counts_as_no_kind():
    """They were refused as "no numbers Keras can train on"."""
    array = np.asarray([0.5, np.nan], tf.bfloat16.as_numpy_dtype)
    checks.check_numbers("x", array)
    with pytest.raises(DataError, match="Received: x with nan in example 1"):
        checks.check_finite("x", array)


def test_an_object_array_of_images_of_several_sizes():
    images = np.empty(2, object)
    images[:] = [np.zeros((2, 2)), np.zeros((2, 3))]
    with pytest.raises(DataError, match=r"Received: 2 sizes, among them \(2, 2\) and \(2, 3\)"):
        checks.check_numbers("x", images)


def test_an_object_array_of_images_of_one_size():
    images = np.empty(2, object)
    for i in range(2):
        images[i] = np.zeros((2, 2))
    with pytest.raises(DataError, match=r"Received: x with dtype=object, arrays of one size. Use np.stack\(x\)"):
        checks.check_numbers("x", images)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite(value):
    array = np.zeros((3000, 2), np.float32)  # more than are looked at together
    array[2500, 1] = value
    with pytest.raises(DataError, match=f"Received: x with {value} in example 2500"):
        checks.check_finite("x", array)


def test_labels_of_several_columns():
    with pytest.raises(DataError, match=r"Received: y with shape=\(2, 3\).*np.argmax"):
        checks.check_integer_labels("y", np.zeros((2, 3)))


def test_labels_between_whole_numbers():
    with pytest.raises(DataError, match=r"Received: y with the label 0\.5\..*a space with num_classes=1, or one"):
        checks.check_integer_labels("y", np.array([0.0, 0.5]))


def test_negative_labels():
    with pytest.raises(DataError, match="Received: y with the label -1"):
        checks.check_integer_labels("y", np.array([0, -1]))


def test_a_gap_in_the_labels():
    with pytest.raises(DataError, match=r"to 3, but none is 1\. .*by class_names in an .npz file"):
        checks.check_classes("y", [0, 2, 3], 9)


def test_labels_from_one():
    with pytest.raises(DataError, match="Received: y with labels up to 2, but none is 0"):
        checks.check_classes("y", [1, 2], 9)


def test_one_class():
    with pytest.raises(DataError, match="Received: y with only the label 0"):
        checks.check_classes("y", [0], 9)


def test_a_label_out_of_range():
    with pytest.raises(DataError, match=r"to num_classes - 1 = 2. Received: y with the label 3"):
        checks.check_classes("y", [0, 3], 9, num_classes=3)


def test_fewer_examples_than_classes():
    with pytest.raises(DataError, match="Received: y with 4 examples, num_classes=5"):
        checks.check_classes("y", [0, 1], 4, num_classes=5)


@pytest.mark.parametrize("batch_size", [0, -1, 5])
def test_a_batch_that_cannot_be(batch_size):
    with pytest.raises(DataError, match=f"Received: batch_size={batch_size}"):
        checks.check_batch_size(batch_size, 4)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan"), True])
def test_a_fraction_that_leaves_nothing(fraction):
    with pytest.raises(DataError, match=f"Received: held_out={fraction}"):
        checks.check_fraction("held_out", fraction)


def test_parts_of_different_shapes():
    with pytest.raises(DataError, match=r"must have the same shape. Received: a: shape=\(2,\), dtype=int32; b: shape"):
        checks.check_same_format(("a", "b"), [(2,), (3,)], ["int32", "int32"])


def test_parts_of_different_dtypes():
    with pytest.raises(DataError, match=r"must have the same dtype. Received: a: .*uint8; b: .*float32"):
        checks.check_same_format(("a", "b"), [(2,), (2,)], ["uint8", "float32"])


def test_what_does_not_exist(tmp_path):
    with pytest.raises(DataError, match=r"must be a file that exists. Received: .*nothing"):
        checks.check_exists(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"must be a folder that exists. Received: .*nothing"):
        checks.check_exists(tmp_path / "nothing", folder=True)
