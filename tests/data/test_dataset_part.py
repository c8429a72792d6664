import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.data.checks import DataError
from keras_dha.data.data_summary import SummaryBuilder
from keras_dha.data.dataset_part import DatasetPart, as_dataset, check_repeatable, concatenated, read
from keras_dha.data.part import Progress


class Squares(keras.utils.PyDataset):
    """Four batches of two: x = i, y = i % 2."""

    batches = 4

    def __len__(self):
        return self.batches

    def __getitem__(self, index):
        i = np.arange(2 * index, 2 * index + 2)
        return [i[:, None].astype("float32"), i[:, None] * 1.0], i % 2


def toy(n=40, batch_size=4):
    x = np.arange(n, dtype=np.float32)[:, None]
    return tf.data.Dataset.from_tensor_slices((x, np.arange(n) % 2)).shuffle(n).batch(batch_size)


def flat(batches):
    return [value for batch in batches for value in batch]


def values(dataset):
    return [element[0].ravel().astype(int).tolist() for element in dataset.as_numpy_iterator()]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_py_dataset(workers):
    dataset = as_dataset("x", Squares(workers=workers))
    elements = list(dataset.as_numpy_iterator())
    assert [x[0].ravel().tolist() for x, _ in elements] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert dataset.element_spec[0][1] == tf.TensorSpec([None, 1], tf.float64)


def test_reading_counts_and_keeps_what_fits():
    reading = read(toy(10), SummaryBuilder(), fraction=0.2, keep=1000)
    assert (reading.builder.num_examples, reading.batch_size, len(reading.hashes)) == (10, 4, 10)
    assert [len(x) for x, _ in reading.batches] == [4, 4, 2]
    assert read(toy(10), SummaryBuilder(), fraction=0.2, keep=100).batches is None
    assert read(toy(10), SummaryBuilder()).batches is None


def test_concatenated_forgets_the_order():
    x, y = (concatenated(read(toy(), SummaryBuilder(), fraction=0.2, keep=10_000).batches) for _ in range(2))
    assert np.array_equal(x[0], y[0])
    assert sorted(x[0].ravel()) == list(range(40))
    assert np.array_equal(x[0].ravel() % 2, x[1])


def test_the_parts_of_a_reshuffling_dataset_share_nothing():
    reading = read(toy(), SummaryBuilder(), fraction=0.3)
    train, held_out = (DatasetPart(reading.dataset, 0.3, is_held_out) for is_held_out in (False, True))
    seen = [set(), set()]
    for _ in range(3):
        for part, found in zip((train, held_out), seen):
            batches = values(part.pipeline(Progress(), 8, 12))  # 96 examples: all of a part, more than once
            assert [len(batch) for batch in batches] == [8] * 12
            found.update(flat(batches))
    assert not seen[0] & seen[1]
    assert seen[0] | seen[1] == set(range(40))


def test_settled_from_the_next_epoch_on():
    reading = read(toy(), SummaryBuilder(), fraction=0.3)
    train, held_out = (DatasetPart(reading.dataset, 0.3, flag) for flag in (False, True))
    progress = Progress()
    before = {*flat(values(held_out.pipeline(progress, 8, 5)))}
    train_batches = train.pipeline(progress, 8, 5)
    iterator = iter(train_batches)
    first = next(iterator)
    progress.is_settled = True
    rest = [*iterator]
    assert not {int(i) for element in (first, *rest) for i in element[0].numpy().ravel()} & before
    assert sorted(flat(values(train_batches))) == list(range(40))
    assert {*flat(values(held_out.pipeline(progress, 8, 5)))} == before


def test_a_whole_dataset_wraps_around():
    dataset = tf.data.Dataset.range(5).map(lambda i: (i[None], i)).batch(2)
    part = DatasetPart(read(dataset, SummaryBuilder()).dataset)
    assert values(part.pipeline(Progress(), 2, 3)) == [[0, 1], [2, 3], [4, 0]]


def test_a_repeatable_dataset_passes():
    check_repeatable(toy(), read(toy(), SummaryBuilder(), fraction=0.2).hashes, 0)


def test_random_augmentation_is_found_in_the_first_batch():
    passes = []

    def noisy(x, y):
        tf.py_function(lambda: passes.append(1), [], [])
        return x + tf.random.uniform(tf.shape(x)), y

    dataset = toy().map(noisy)
    reading = read(dataset, SummaryBuilder(), fraction=0.2)
    del passes[:]
    with pytest.raises(
        DataError, match=r"40 examples in the first pass, 4 read in the second, 4 of them new.*held_out="
    ):
        check_repeatable(dataset, reading.hashes, 0)
    assert len(passes) < 10


@pytest.mark.parametrize(("again", "number"), [(toy(36), 36), (toy().repeat(2), 44), (toy().take(0), 0)])
def test_another_number_of_examples_is_found(again, number):
    with pytest.raises(DataError, match=f"40 examples in the first pass, {number} read in the second, 0 of them new"):
        check_repeatable(again, read(toy(), SummaryBuilder(), fraction=0.2).hashes, 0)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (toy().repeat(), "must end.*Received: x with infinite cardinality"),
        (toy().map(lambda x, y: x), r"must be \(x, y\) or .*Received: x with elements TensorSpec"),
        (toy().map(lambda x, y: {"x": x, "y": y}), r"must be \(x, y\) or .*Received: x with elements {"),
        (toy().unbatch(), "must yield batches. Received: x with elements"),
        (toy().map(lambda x, y: (tf.sparse.from_dense(x), y)), "dense tensors. Received: x with SparseTensorSpec"),
    ],
)
def test_elements_that_cannot_be_trained_on(dataset, message):
    with pytest.raises(DataError, match=message):
        as_dataset("x", dataset)


def test_a_py_dataset_without_batches():
    empty = Squares()
    empty.batches = 0
    with pytest.raises(DataError, match="Received: x with num_batches=0"):
        as_dataset("x", empty)


def test_images_of_several_sizes():
    sizes = tf.data.Dataset.from_generator(
        lambda: ((np.ones((2, n, n)), np.array([0, 1])) for n in (4, 5)),
        output_signature=(tf.TensorSpec([None, None, None]), tf.TensorSpec([None], tf.int64)),
    )
    with pytest.raises(DataError, match=r"Received: 2 sizes, among them \(4, 4\) and \(5, 5\)"):
        read(as_dataset("x", sizes), SummaryBuilder())


def test_an_empty_dataset():
    with pytest.raises(DataError, match="Received: x with 0 examples"):
        read(toy().take(0), SummaryBuilder())
