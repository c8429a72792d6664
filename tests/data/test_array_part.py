import numpy as np
import pytest
import tensorflow as tf

from keras_dha.data.array_part import ArrayPart, RowOrder, as_element, as_trained, as_tuples, chunks
from keras_dha.data.checks import DataError
from keras_dha.data.part import Progress


def rows(order, batch_size, num_batches):
    return [order.batch(i, batch_size).tolist() for i in range(num_batches)]


def test_order_without_a_seed():
    order = RowOrder(np.array([5, 6, 7]), None)
    assert rows(order, 2, 3) == [[5, 6], [7, 5], [6, 7]]
    assert rows(order, 7, 1) == [[5, 6, 7, 5, 6, 7, 5]]


def test_each_row_once_before_any_twice():
    order = RowOrder(np.arange(10), (0, 0))
    sequence = np.concatenate(rows(order, 4, 5))  # two permutations
    assert sorted(sequence[:10]) == sorted(sequence[10:]) == list(range(10))
    assert sequence[:10].tolist() != sequence[10:].tolist()


def test_order_is_a_function_of_the_seed_and_of_the_batch():
    first, again, other = (RowOrder(np.arange(50), seed) for seed in ((0, 1), (0, 1), (0, 2)))
    assert rows(first, 8, 9) == rows(again, 8, 9)
    assert first.batch(3, 8).tolist() == again.batch(3, 8).tolist()  # also out of turn
    assert first.batch(0, 8).tolist() != other.batch(0, 8).tolist()


def test_pipeline_gathers_rows_of_all_arrays():
    element = ({"a": np.arange(4.0)[:, None], "b": np.arange(4, dtype=np.uint8)}, np.arange(4) * 10)
    part = ArrayPart(element, np.array([1, 3]), np.arange(4), None)
    progress = Progress()
    dataset = part.pipeline(progress, 3, 2)
    assert dataset.element_spec[0]["a"] == tf.TensorSpec([3, 1], tf.float32)
    (x, y), (_, y_next) = dataset.as_numpy_iterator()
    assert x["a"].tolist() == [[1.0], [3.0], [1.0]]
    assert (x["b"].tolist(), y.tolist(), y_next.tolist()) == ([1, 3, 1], [10, 30, 10], [30, 10, 30])
    progress.is_settled = True
    assert next(dataset.as_numpy_iterator())[1].tolist() == [0, 10, 20]


def test_progress_during_an_epoch_counts_from_the_next():
    part = ArrayPart((np.arange(6.0)[:, None], np.arange(6)), np.arange(2), np.arange(6), None)
    progress = Progress()
    iterator = iter(part.pipeline(progress, 2, 3))
    next(iterator)
    progress.is_settled = True
    assert [y.numpy().tolist() for _, y in iterator] == [[0, 1], [0, 1]]


def test_chunks_cover_the_rows():
    seen = [chunk["a"] for chunk in chunks({"a": np.arange(3000)}, np.arange(0, 3000, 2))]
    assert np.array_equal(np.concatenate(seen), np.arange(0, 3000, 2))
    assert len(seen) == 2
    assert [len(chunk) for chunk in chunks(np.arange(3), np.arange(0))] == [0]


def test_floats_become_floatx_and_integers_stay():
    arrays = [np.zeros(1, dtype) for dtype in ("float64", "float16", "uint8", "bool")]
    arrays.append(tf.zeros(1, tf.bfloat16).numpy())
    assert [as_trained(array).dtype.name for array in arrays] == ["float32", "float32", "uint8", "bool", "float32"]


def test_what_keras_takes():
    x, y, weight = as_element("", [tf.ones((2, 1)), np.ones((2, 2))], [0, 1], tf.constant([1.0, 2.0]))
    assert [array.shape for array in x] == [(2, 1), (2, 2)]
    assert isinstance(x, tuple)
    assert (y.tolist(), weight.tolist()) == ([0, 1], [1.0, 2.0])
    assert as_tuples({"a": [1, (2, [3])]}) == {"a": (1, (2, (3,)))}


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(2), None, "Received: x of ndarray, y of NoneType"),
        (None, np.ones(2), "Received: x of NoneType, y of ndarray"),
        (np.ones(2), 3, "axis of examples. Received: y of int"),
        (tf.ragged.constant([[1], [1, 2]]), [0, 1], "Data must be dense. Received: x of RaggedTensor"),
        (tf.sparse.from_dense([[1, 0]]), [0], "Data must be dense. Received: x of SparseTensor"),
        ([np.ones((4, 4)), np.ones((4, 5))], [0, 1], r"one size. Received: 2 sizes, among them \(4, 4\) and \(4, 5\)"),
        ([np.ones((4, 4)), np.ones((4, 4))], [0, 1], r"several inputs.* Received: x, a list of 2 examples"),
    ],
)
def test_what_is_no_element(x, y, message):
    with pytest.raises(DataError, match=message):
        as_element("", x, y)
