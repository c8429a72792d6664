"""A part of the data that comes as a stream: `tf.data.Dataset`, or `keras.utils.PyDataset`."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_dha.data.array_part import as_tuples
from keras_dha.data.checks import DataError
from keras_dha.data.data_summary import SummaryBuilder
from keras_dha.data.part import Part, Progress
from keras_dha.data.split import content_hashes, held_out_by_hash


def is_stream(data: Any) -> bool:
    """Whether `data` is a dataset that yields batches, rather than arrays."""
    return isinstance(data, (tf.data.Dataset, keras.utils.PyDataset))


def as_dataset(name: str, data: Any) -> tf.data.Dataset:
    """A stream as a finite `tf.data.Dataset` of batches `(x, y)` or `(x, y, sample_weight)`.

    Args:
        name: What it is called in messages.
        data: A `tf.data.Dataset` or a `keras.utils.PyDataset`.

    Raises:
        DataError: If elements are anything else, or there is no end of them.
    """
    dataset = _from_py_dataset(name, data) if isinstance(data, keras.utils.PyDataset) else data
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError(
            f"A dataset must end, for an epoch is one pass. Received: {name} with infinite cardinality. Leave out "
            ".repeat(), or add .take(num_batches)."
        )
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise DataError(
            f"Elements must be (x, y) or (x, y, sample_weight). Received: {name} with elements {spec}. Map them to "
            "tuples."
        )
    for leaf in tf.nest.flatten(spec):
        if not isinstance(leaf, tf.TensorSpec):
            raise DataError(
                f"Elements must be made of dense tensors. Received: {name} with {leaf}. Use .to_tensor() or "
                "tf.sparse.to_dense."
            )
        if leaf.shape.rank == 0:
            raise DataError(
                f"A dataset must yield batches. Received: {name} with elements {spec}, one without a batch axis. Add "
                ".batch(batch_size)."
            )
    return dataset


def _from_py_dataset(name: str, data: keras.utils.PyDataset) -> tf.data.Dataset:
    if not data.num_batches:
        raise DataError(
            f"A PyDataset must have batches, and an end. Received: {name} with num_batches={data.num_batches}. Let "
            "__len__ return how many there are."
        )
    first = as_tuples(data[0])
    specs = [tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype) for leaf in map(np.asarray, tf.nest.flatten(first))]

    def fetch(index: np.ndarray) -> list[np.ndarray]:
        leaves = tf.nest.flatten(as_tuples(data[int(index)]))
        return [np.asarray(leaf, spec.dtype.as_numpy_dtype) for leaf, spec in zip(leaves, specs)]

    def element(index: Any) -> Any:
        leaves = tf.numpy_function(fetch, [index], [spec.dtype for spec in specs])
        for leaf, spec in zip(leaves, specs):
            leaf.set_shape(spec.shape)
        return tf.nest.pack_sequence_as(first, leaves)

    calls = data.workers if data.workers > 1 else None
    return tf.data.Dataset.range(data.num_batches).map(element, num_parallel_calls=calls)


@dataclasses.dataclass
class Reading:
    """What one pass over a dataset found.

    Args:
        dataset: What was read, with all shapes known but the batch axis.
        builder: Has summed up all batches.
        batch_size: Of the first batch.
        hashes: Of all examples' inputs, sorted; empty without a fraction.
        batches: All elements, if they took no more than the bytes that were allowed; else None.
    """

    dataset: tf.data.Dataset
    builder: SummaryBuilder
    batch_size: int
    hashes: np.ndarray
    batches: list[Any] | None


def read(
    dataset: tf.data.Dataset, builder: SummaryBuilder, *, fraction: float | None = None, seed: int = 0, keep: int = 0
) -> Reading:
    """Reads a dataset once: counts, checks, sums up.

    Args:
        dataset: Yields `(x, y)` or `(x, y, sample_weight)`.
        builder: Gets every batch.
        fraction: How much of it will be held out by hash; None if nothing is.
        seed: Of the hash.
        keep: How many bytes may be kept.
    """
    first, size = None, 0
    hashes: list[np.ndarray] = []
    batches: list[Any] | None = [] if keep else None
    for element in dataset.as_numpy_iterator():
        leaves = tf.nest.flatten(element[0])
        builder.update(*element)
        if fraction is None:
            builder.measure(element[0])
        else:
            hashes.append(content_hashes(leaves, seed))
            in_training = ~held_out_by_hash(hashes[-1], fraction)
            builder.measure(tf.nest.map_structure(lambda leaf, rows=in_training: leaf[rows], element[0]))
        size += sum(leaf.nbytes for leaf in tf.nest.flatten(element))
        first = element if first is None else first
        batches = None if batches is None or size > keep else batches
        if batches is not None:
            batches.append(element)
    builder.check()
    all_hashes = np.sort(np.concatenate(hashes)) if hashes else np.empty(0, np.uint64)
    return Reading(_with_shapes(dataset, first), builder, len(tf.nest.flatten(first)[0]), all_hashes, batches)


def _with_shapes(dataset: tf.data.Dataset, first: Any) -> tf.data.Dataset:
    """`dataset` with the shapes written on its elements that its first one has, all but the batch axis."""

    def with_shapes(*element: Any) -> Any:
        return tf.nest.map_structure(lambda leaf, like: tf.ensure_shape(leaf, [None, *like.shape[1:]]), element, first)

    return dataset.map(with_shapes)


def check_repeatable(dataset: tf.data.Dataset, hashes: np.ndarray, seed: int) -> None:
    """A second pass finds the same examples, in whatever order. It stops at the first that was not there before.

    Args:
        dataset: Yields `(x, ...)`.
        hashes: Of the examples of the first pass, sorted.
        seed: Of the hash.

    Raises:
        DataError: If it does not, for then an example can be in the training part once and held out once.
    """
    again: list[np.ndarray] = []
    new = 0
    for element in dataset.as_numpy_iterator():
        again.append(content_hashes(tf.nest.flatten(element[0]), seed))
        new = int((~np.isin(again[-1], hashes)).sum())
        if new or sum(map(len, again)) > len(hashes):
            break
    if not again or not np.array_equal(np.sort(np.concatenate(again)), hashes):
        raise DataError(
            "A dataset must yield the same examples in each pass, so that none is both trained on and held out. "
            f"Received: {len(hashes)} examples in the first pass, {sum(map(len, again))} read in the second, {new} of "
            "them new. Take random augmentation out of the dataset (the search learns one), or give a dataset of other "
            "examples as held_out=."
        )


@dataclasses.dataclass(frozen=True)
class DatasetPart(Part):
    """Full batches of some examples of a dataset, in the dataset's own order.

    Args:
        dataset: Yields batches; finite.
        fraction: How much of it is held out by hash; None if this part is all of it.
        is_held_out: Which of the two parts this is.
        seed: Of the hash.
    """

    dataset: tf.data.Dataset
    fraction: float | None = None
    is_held_out: bool = False
    seed: int = 0

    def pipeline(self, progress: Progress, batch_size: int, num_batches: int) -> tf.data.Dataset:
        """See `Part`. Begins again where the examples end."""
        batches = self.dataset.repeat() if self.fraction is None else self._of_this_part(progress)
        return batches.rebatch(batch_size, drop_remainder=True).take(num_batches)

    def _of_this_part(self, progress: Progress) -> tf.data.Dataset:
        """Batches of some size, without an end."""

        def is_mine(*leaves: np.ndarray) -> np.ndarray:
            return held_out_by_hash(content_hashes(leaves, self.seed), self.fraction or 0.0) == self.is_held_out

        def says_all(_: np.ndarray) -> np.bool_:
            return np.bool_(progress.is_settled and not self.is_held_out)

        def begin(takes_all: Any) -> tf.data.Dataset:
            def mine(*element: Any) -> Any:
                mask = tf.numpy_function(is_mine, tf.nest.flatten(element[0]), tf.bool) | takes_all
                mask.set_shape([None])
                return tf.nest.map_structure(lambda leaf: tf.boolean_mask(leaf, mask), element)

            return self.dataset.map(mine).repeat()

        # A function, asked when an epoch begins: a value that a graph has captured would never change.
        return tf.data.Dataset.range(1).map(lambda i: tf.numpy_function(says_all, [i], tf.bool)).flat_map(begin)


def concatenated(batches: list[Any]) -> Any:
    """All batches of a `Reading` as one element, in an order that is a function of the examples alone."""
    leaves = [np.concatenate(leaf) for leaf in zip(*map(tf.nest.flatten, batches))]
    order = np.argsort(content_hashes(leaves), kind="stable")
    return tf.nest.pack_sequence_as(batches[0], [leaf[order] for leaf in leaves])
