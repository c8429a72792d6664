import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.data import DataError, reshuffled

X = np.arange(12, dtype="float32")


def orders(seed):
    """What a plain fit sees in each of three epochs."""
    seen = []

    class Look(keras.layers.Layer):
        def call(self, x, training=None):
            if training:
                tf.py_function(lambda v: seen.append(v.numpy().ravel().tolist()), [x], [])
            return x

    keras.utils.set_random_seed(0)  # with which fit repeats the order of arrays
    model = keras.Sequential([keras.Input((1,)), Look(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(reshuffled(X[:, None], X, batch_size=5, seed=seed), epochs=3, shuffle=False, verbose=0)
    assert [len(batch) for batch in seen] == [5, 5, 2] * 3
    return np.reshape([row for batch in seen for row in batch], (3, 12)).tolist()


def test_each_epoch_has_an_order_of_its_own():
    found = orders(seed=1)
    assert all(sorted(order) == X.tolist() for order in found)
    assert len({tuple(order) for order in found}) == 3


def test_orders_depend_on_the_seed_alone():
    assert orders(seed=1) == orders(seed=1)
    assert orders(seed=1) != orders(seed=2)


@pytest.mark.parametrize(
    ("y", "batch_size", "told"),
    [(X[:5], 4, "12, .*5"), (X, 0, "batch_size=0"), (X, 13, "batch_size=13, with 12"), (None, 4, "y of NoneType")],
)
def test_what_makes_no_batches_is_refused(y, batch_size, told):
    with pytest.raises(DataError, match=f"Received: .*{told}"):
        reshuffled(X, y, batch_size=batch_size, seed=0)


def test_inputs_may_have_names():
    x, y = next(iter(reshuffled({"a": X, "b": X + 1}, X, batch_size=4, seed=0)))
    np.testing.assert_array_equal(x["a"], y)
    np.testing.assert_array_equal(x["b"], y + 1)
