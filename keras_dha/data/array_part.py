"""A part of the data that lies in arrays."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_dha.data.checks import DataError, check_one_size
from keras_dha.data.part import Part, Progress

_ROWS_AT_ONCE = 1024  # bounds the memory of a pass over large arrays


def as_element(name: str, x: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
    """What `fit` was given, as `(x, y)` or `(x, y, sample_weight)` of NumPy arrays.

    Args:
        name: Stands before x and y in messages: `""` or `"held_out "`.
        x: An array, a tensor, or a structure of them.
        y: The same.
        sample_weight: The same, or None.

    Raises:
        DataError: If something cannot be made an array.
    """
    if x is None or y is None:
        raise DataError(
            f"Inputs and labels must both be given. Received: {name}x of {type(x).__name__}, {name}y of "
            f"{type(y).__name__}. Pass x and y, or a dataset of (x, y)."
        )
    labels = _as_arrays(f"{name}y", y)
    num_labels = len(keras.tree.flatten(labels)[0])
    if isinstance(x, list) and len(x) == num_labels and any(np.shape(item)[:1] != (num_labels,) for item in x):
        check_one_size(f"{name}x", [np.shape(item) for item in x])
        raise DataError(
            f"A list of arrays means several inputs, as in Keras. Received: {name}x, a list of {len(x)} examples. Use "
            "np.stack(x)."
        )
    element = (_as_arrays(f"{name}x", x), labels)
    return element if sample_weight is None else (*element, _as_arrays(f"{name}sample_weight", sample_weight))


def as_tuples(structure: Any) -> Any:
    """`structure` with tuples for lists, which tf.data would take for tensors."""
    if isinstance(structure, dict):
        return {key: as_tuples(value) for key, value in structure.items()}
    return tuple(as_tuples(value) for value in structure) if isinstance(structure, (list, tuple)) else structure


def _as_arrays(name: str, structure: Any) -> Any:
    leaves = keras.tree.flatten(structure)
    if isinstance(structure, (list, tuple)) and all(np.isscalar(leaf) for leaf in leaves):
        return _as_array(name, structure)
    return keras.tree.map_structure(lambda leaf: _as_array(name, leaf), as_tuples(structure))


def _as_array(name: str, value: Any) -> np.ndarray:
    if isinstance(value, (tf.RaggedTensor, tf.SparseTensor)):
        raise DataError(
            f"Data must be dense. Received: {name} of {type(value).__name__}. Use .to_tensor() or tf.sparse.to_dense."
        )
    try:
        array = keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else np.asarray(value)
    except ValueError as error:
        raise DataError(
            f"All examples of {name} must have one size. Received: {type(value).__name__} ({error}). Resize or pad "
            "them before."
        ) from error
    if array.ndim == 0:
        raise DataError(
            f"Data must have an axis of examples. Received: {name} of {type(value).__name__}, without axes. Give "
            "arrays, tensors or structures of them."
        )
    return array


class RowOrder:
    """Which rows are in which batch: one permutation after the other, each row once in each.

    Batch `i` is rows `i * batch_size ... (i + 1) * batch_size - 1` of that endless sequence, so it is always full.

    Args:
        indices: The rows; at least one.
        seed: Whole numbers from 0, which alone say the order; None keeps the order of `indices`.

    Example:

    >>> order = RowOrder(np.array([5, 6, 7]), seed=None)
    >>> order.batch(0, batch_size=2).tolist(), order.batch(1, batch_size=2).tolist()
    ([5, 6], [7, 5])
    """

    def __init__(self, indices: np.ndarray, seed: Sequence[int] | None) -> None:
        self._indices = indices
        self._seed = seed
        self._permutations: dict[int, np.ndarray] = {}

    def batch(self, number: int, batch_size: int) -> np.ndarray:
        """The rows of a batch.

        Args:
            number: Which batch, from 0.
            batch_size: May be larger than the number of rows.
        """
        positions = number * batch_size + np.arange(batch_size)
        repetitions, places = np.divmod(positions, len(self._indices))
        needed = range(int(repetitions[0]), int(repetitions[-1]) + 1)
        known = self._permutations
        self._permutations = {i: known[i] if i in known else self._permutation(i) for i in needed}
        return np.concatenate([self._permutations[i][places[repetitions == i]] for i in needed])

    def _permutation(self, repetition: int) -> np.ndarray:
        if self._seed is None:
            return self._indices
        return np.random.default_rng([*self._seed, repetition]).permutation(self._indices)


@dataclasses.dataclass(frozen=True)
class ArrayPart(Part):
    """Batches of some rows of arrays, in an order that is a function of `(seed, epoch)`.

    Args:
        element: `(x, y)` or `(x, y, sample_weight)`, structures of arrays of the same number of rows.
        indices: The rows of this part.
        settled_indices: Its rows once the search has ended.
        seed: Whole numbers from 0; parts with different seeds have independent orders. None keeps the rows' order.
    """

    element: tuple[Any, ...]
    indices: np.ndarray
    settled_indices: np.ndarray
    seed: tuple[int, ...] | None

    def order(self, progress: Progress) -> RowOrder:
        """The order of the epoch that `progress` stands at."""
        indices = self.settled_indices if progress.is_settled else self.indices
        return RowOrder(indices, None if self.seed is None else (*self.seed, progress.epoch))

    def pipeline(self, progress: Progress, batch_size: int, num_batches: int) -> tf.data.Dataset:
        """See `Part`. Rows are gathered by NumPy, so the arrays are neither copied nor written into a graph."""
        arrays = keras.tree.flatten(self.element)
        dtypes = [as_trained(array[:0]).dtype for array in arrays]
        order = self.order(progress)

        def gather(number: np.ndarray) -> list[np.ndarray]:
            nonlocal order
            if number == 0:  # an epoch begins; what is said during it counts from the next one
                order = self.order(progress)
            rows = order.batch(int(number), batch_size)
            return [as_trained(array[rows]) for array in arrays]

        def batch(number: Any) -> Any:
            leaves = tf.numpy_function(gather, [number], dtypes)
            for leaf, array in zip(leaves, arrays):
                leaf.set_shape([batch_size, *array.shape[1:]])
            return keras.tree.pack_sequence_as(self.element, leaves)

        # One at a time: they come in order, and beside the function's call the gathering costs little.
        return tf.data.Dataset.range(num_batches).map(batch)


def chunks(structure: Any, indices: np.ndarray) -> Iterator[Any]:
    """Some rows of a structure of arrays, a bounded number at a time, as they will be trained on.

    Args:
        structure: Arrays of the same number of rows.
        indices: The rows; if there are none, one chunk without rows.
    """
    for start in range(0, max(len(indices), 1), _ROWS_AT_ONCE):
        rows = indices[start : start + _ROWS_AT_ONCE]
        yield keras.tree.map_structure(lambda array, rows=rows: as_trained(array[rows]), structure)


def as_trained(array: np.ndarray) -> np.ndarray:
    """`array` with floats in `keras.config.floatx()`, as Keras makes them; integers stay what they are."""
    is_float = array.dtype.kind == "f" or array.dtype.name == "bfloat16"  # which NumPy counts as no float
    return array.astype(keras.config.floatx(), copy=False) if is_float else array
