"""Batches for a plain fit, in an order of their own in each epoch."""

from typing import Any

import keras
import tensorflow as tf

from keras_dha.data import checks
from keras_dha.data.array_part import as_element


def reshuffled(x: Any, y: Any, *, batch_size: int, seed: int) -> tf.data.Dataset:
    """Arrays as batches for `keras.Model.fit`, in another order in each epoch; the last batch of each may be smaller.

    For baselines of plain Keras. Given arrays, `fit` shuffles them once and then repeats these batches in all epochs,
    where `keras.utils.set_random_seed` has been called (Keras 3.15.1, TensorFlow 2.21): docs/evaluation.md says what
    that costs. `SearchModel.fit` has orders of its own.

    Args:
        x: An array, or a dict of arrays, `(num_examples, ...)`.
        y: Labels, `(num_examples,)`.
        batch_size: Examples in a batch.
        seed: Of the orders.

    Raises:
        DataError: If x and y cannot be made arrays, differ in length, or are fewer than a batch. It is a `ValueError`.

    Example:

    ```python
    batches = keras_dha.data.reshuffled(x_train, y_train, batch_size=64, seed=0)
    model.fit(batches, epochs=20, shuffle=False)
    ```
    """
    element = as_element("", x, y)
    lengths = [len(array) for array in keras.tree.flatten(element)]
    checks.check_same_length({f"array {number} of x and y": length for number, length in enumerate(lengths)})
    checks.check_batch_size(batch_size, lengths[0])
    data = tf.data.Dataset.from_tensor_slices(element)
    return data.shuffle(lengths[0], seed=seed, reshuffle_each_iteration=True).batch(batch_size)
