import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.data import DataError, PairedData

N = 50
X = np.arange(N, dtype=np.float32)[:, None]
Y = np.repeat([0, 1], [30, 20])


def stream(x=X, y=Y, batch_size=8):
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).batch(batch_size)


class Batches(keras.utils.PyDataset):
    """X and Y in batches of 10, backwards in every other epoch."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.order = np.arange(N)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rows = self.order[10 * index : 10 * index + 10]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.order = self.order[::-1]


def epoch_of(data, part="train"):
    """All x of an epoch, in order."""
    return np.concatenate([element[part][0] for element in data.dataset.as_numpy_iterator()]).ravel().astype(int)


@pytest.fixture(params=["arrays", "dataset", "big dataset", "unknown size", "PyDataset", "big PyDataset"])
def data(request, monkeypatch):
    """50 examples as everything that fit takes."""
    if "big" in request.param:
        monkeypatch.setattr(PairedData, "max_bytes_in_memory", 0)
    if request.param == "arrays":
        return PairedData(X, Y, batch_size=8)
    if "PyDataset" in request.param:
        return PairedData(Batches())
    dataset = stream()
    if request.param == "unknown size":
        dataset = dataset.filter(lambda x, y: True)
        assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY
    return PairedData(dataset)


def test_an_epoch_is_full_batches_of_known_number(data):
    assert (data.batch_size, data.steps_per_epoch) in {(8, 7), (10, 5)}
    assert data.dataset.cardinality() == data.steps_per_epoch
    elements = list(data.dataset)
    assert len(elements) == data.steps_per_epoch
    assert set(elements[0]) == {"train", "held_out"}
    for spec in tf.nest.flatten(data.dataset.element_spec):
        assert spec.shape[0] == data.batch_size
    assert data.summary.num_examples == N


def test_the_parts_share_no_example_and_lose_none(data):
    seen = {"train": set(), "held_out": set()}
    for epoch in range(4):
        data.set_epoch(epoch)
        for part, found in seen.items():
            found.update(epoch_of(data, part))
    assert not seen["train"] & seen["held_out"]
    assert seen["train"] | seen["held_out"] == set(range(N))
    assert len(seen["held_out"]) == data.summary.num_held_out


def test_labels_stay_with_their_inputs(data):
    for element in data.dataset.as_numpy_iterator():
        for x, y in element.values():
            assert np.array_equal(Y[x.ravel().astype(int)], y)


def test_a_settled_epoch_is_one_pass_over_all(data):
    held_out = set(epoch_of(data, "held_out"))
    data.settle()
    data.set_epoch(1)
    assert sorted(epoch_of(data)[:N]) == list(range(N))
    assert set(epoch_of(data, "held_out")) <= held_out


def test_mean_and_std_are_of_the_training_part_only(data):
    train = np.array(sorted(set(epoch_of(data))), float)
    np.testing.assert_allclose([data.summary.mean, data.summary.std], [[train.mean()], [train.std()]], rtol=1e-6)
    assert (data.summary.minimum, data.summary.maximum) == (train[0], train[-1])


@pytest.mark.parametrize("kind", ["arrays", "dataset"])
def test_the_order_is_a_function_of_seed_and_epoch(kind):
    def order(seed, epoch):
        data = PairedData(X, Y, seed=seed) if kind == "arrays" else PairedData(stream(), seed=seed)
        data.set_epoch(epoch)
        return [*epoch_of(data), *epoch_of(data, "held_out")]

    assert order(0, 3) == order(0, 3)
    assert order(0, 3) != order(0, 4)
    assert order(0, 3) != order(1, 3)


def test_every_class_is_held_out():
    data = PairedData(X, Y)
    assert np.bincount(Y[data.held_out_indices]).tolist() == [6, 4]
    assert np.array_equal(np.sort(np.concatenate([data.train_indices, data.held_out_indices])), np.arange(N))
    one_hot = PairedData(X, np.eye(2)[Y])
    assert np.array_equal(one_hot.held_out_indices, data.held_out_indices)
    assert one_hot.summary.label_kind == "one_hot"


@pytest.mark.parametrize("limit", [0, 2**30])
def test_duplicates_fall_into_the_same_part(monkeypatch, limit):
    monkeypatch.setattr(PairedData, "max_bytes_in_memory", limit)
    x, y = np.concatenate([X, X, X]), np.concatenate([Y, Y, Y])
    for data in (PairedData(x, y), PairedData(stream(x, y))):
        assert not set(epoch_of(data)) & set(epoch_of(data, "held_out"))


def test_without_shuffle_rows_keep_their_order():
    data = PairedData(X, Y, batch_size=10, held_out=None, shuffle=False)
    assert set(data.dataset.element_spec) == {"train"}
    assert epoch_of(data).tolist() == list(range(N))
    assert (data.held_out_indices, data.summary.num_held_out) == (None, 0)


@pytest.mark.parametrize("make", [lambda: (X, Y, X[:, 0]), lambda: (stream(X, Y).map(lambda x, y: (x, y, x[:, 0])),)])
def test_weights_are_carried(make):
    for element in PairedData(*make()).dataset.as_numpy_iterator():
        for x, _, weight in element.values():
            assert np.array_equal(x[:, 0], weight)


def test_structures_are_carried():
    x = {"image": X[:, None], "more": [X, X.astype(np.uint8)]}
    data = PairedData(x, {"a": Y, "b": X}, batch_size=5)
    for element in data.dataset.as_numpy_iterator():
        inputs, labels = element["train"]
        assert np.array_equal(inputs["image"][:, 0], inputs["more"][0])
        assert np.array_equal(inputs["more"][1], labels["b"])
    assert (data.summary.label_kind, data.summary.dtype) == ("other", None)


def test_float64_arrays_become_float32_and_bytes_stay():
    for dtype, expected in ((np.float64, "float32"), (np.uint8, "uint8")):
        data = PairedData(tf.constant(X.astype(dtype)), Y)
        assert (data.summary.dtype, data.dataset.element_spec["train"][0].dtype.name) == (expected, expected)


@pytest.mark.parametrize("held_out", [(X[:4] + 100, Y[:4]), stream(X[:4] + 100, Y[:4], 3)], ids=["arrays", "dataset"])
@pytest.mark.parametrize("train", [(X, Y), (stream(),)], ids=["arrays", "dataset"])
def test_a_held_out_part_given_apart(train, held_out):
    data = PairedData(*train, held_out=held_out)
    for epoch in range(2):
        data.set_epoch(epoch)
        data.settle()
        assert set(epoch_of(data, "held_out")) == {100, 101, 102, 103}
        assert set(epoch_of(data)) == set(range(N))
    assert (data.summary.num_examples, data.summary.num_held_out) == (N, 4)


def test_random_augmentation_needs_a_held_out_dataset():
    noisy = stream().map(lambda x, y: (x + tf.random.uniform(tf.shape(x)), y))
    with pytest.raises(DataError, match=r"Take random augmentation out of the dataset.*held_out="):
        PairedData(noisy)
    data = PairedData(noisy, held_out=(X, Y))
    first, second = ([x for e in data.dataset.as_numpy_iterator() for x in e["train"][0].ravel()] for _ in range(2))
    assert sorted(np.floor(first[:N])) == list(range(N))
    assert not set(first) & set(second)  # drawn anew in each pass


def test_a_py_dataset_hears_of_epochs():
    dataset = Batches()
    data = PairedData(dataset, held_out=None)
    data.set_epoch(0)
    assert epoch_of(data).tolist() == list(range(N))
    data.set_epoch(1)
    assert epoch_of(data).tolist() == list(range(N))[::-1]


def test_two_replicas_share_each_batch():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    data = PairedData(X, Y, batch_size=8)
    alone = list(data.dataset.as_numpy_iterator())
    shared = list(strategy.experimental_distribute_dataset(data.dataset))
    assert len(shared) == data.steps_per_epoch
    for one, two in zip(alone, shared):
        for part in ("train", "held_out"):
            halves = [half.numpy() for half in strategy.experimental_local_results(two[part][0])]
            assert [len(half) for half in halves] == [4, 4]
            assert np.array_equal(np.concatenate(halves), one[part][0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X, "y": None}, "x and y, or a dataset"),
        ({"x": X, "y": Y[:9]}, r"Received: \{'x': 50, 'y': 9\}"),
        ({"x": X, "y": Y, "sample_weight": X[:9, 0]}, r"Received: \{'x': 50, 'y': 50, 'sample_weight': 9\}"),
        ({"x": X[:0], "y": Y[:0]}, "Received: x with 0 examples"),
        ({"x": X, "y": Y * 0}, "only the label 0"),
        ({"x": X, "y": Y - 1}, "the label -1"),
        ({"x": X, "y": Y * 2}, "labels up to 2, but none is 1"),
        ({"x": X, "y": Y + 2, "num_classes": 3}, "the label 3"),
        ({"x": X, "y": Y, "num_classes": 51}, "50 examples, num_classes=51"),
        ({"x": X, "y": Y + 0.5, "num_classes": 2}, r"the label 0\.5"),
        ({"x": X, "y": Y.astype(str)}, "y with dtype=<U"),
        ({"x": np.where(X == 3, np.inf, X), "y": Y}, "x with inf in example 3"),
        ({"x": X, "y": Y, "batch_size": 51}, "batch_size=51, with 50"),
        ({"x": X, "y": Y, "batch_size": 0}, "batch_size=0"),
        ({"x": X, "y": Y, "held_out": 1.0}, r"held_out=1\.0"),
        ({"x": X, "y": Y, "held_out": 0.001}, "which cuts 0 off"),
        ({"x": X, "y": Y, "held_out": "some"}, "Received: held_out of str"),
        ({"x": X, "y": Y, "held_out": (X[:, :0], Y)}, r"held_out's inputs: shape=\(0,\)"),
        ({"x": X, "y": Y, "held_out": (X.astype(int), Y)}, "must have the same dtype.*int64"),
        ({"x": X, "y": Y, "held_out": ([X, X], Y)}, "Received: 1 arrays, 2 in held_out"),
        ({"x": X, "y": Y, "held_out": (X, Y + 1)}, "held_out y with the label 2"),
        ({"x": X, "y": Y, "held_out": (X, Y[:9])}, "'held_out x': 50, 'held_out y': 9"),
        ({"x": X, "y": Y, "held_out": (X[:0], Y[:0])}, "held_out x with 0 examples"),
        ({"x": X, "y": Y, "seed": -1}, "seed=-1"),
        ({"x": stream(), "y": Y, "batch_size": 4}, "Received: x, a dataset, with y, batch_size"),
        ({"x": stream().repeat()}, "Received: x with infinite cardinality"),
        ({"x": stream(np.where(X == 3, np.inf, X))}, "x with inf in example"),
        ({"x": stream(y=Y * 0)}, "only the label 0"),
        ({"x": stream(), "held_out": stream().repeat()}, "Received: held_out with infinite cardinality"),
    ],
)
def test_what_cannot_be_trained_on(arguments, message):
    with pytest.raises(DataError, match=message):
        PairedData(**arguments)


def test_too_few_examples_to_cut_by_hash(monkeypatch):
    monkeypatch.setattr(PairedData, "max_bytes_in_memory", 0)
    with pytest.raises(DataError, match=r"Received: 2 examples, of which held_out=0\.001 leaves 0 held out"):
        PairedData(stream(X[:2], np.array([0, 1]), 2), held_out=0.001)


def test_no_epoch_waits_for_a_tuner_of_the_pipeline() -> None:
    # With it, an iterator that ends may wait for the tuner's thread: up to 20 seconds were seen.
    assert PairedData(X, Y, batch_size=8).dataset.options().autotune.enabled is False
