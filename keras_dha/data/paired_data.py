"""The adapter of `SearchModel.fit`: training and held-out batches, side by side."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from keras_dha.data import checks
from keras_dha.data.array_part import as_element
from keras_dha.data.checks import DataError
from keras_dha.data.cut import cut_arrays, cut_dataset, given_part
from keras_dha.data.data_summary import DataSummary
from keras_dha.data.dataset_part import is_stream
from keras_dha.data.part import Part, Progress


class PairedData:
    """Batches of a training part and of a held-out part, which share no example.

    Steps of an epoch: `ceil(num_examples / batch_size)`, the same in both phases. Every batch is full. During search
    the training part, a fraction `1 - held_out` of the examples, is begun again before the epoch ends; after
    `settle()` an epoch is one pass over all examples. The held-out part is its own endless stream.

    Arrays are split by class; equal inputs fall into the same part. A dataset is read once before training, to count
    and to check; with `held_out` a fraction it is read twice, to see that it yields the same examples again. If it
    fits into `max_bytes_in_memory` it is then treated as arrays. If not, it is streamed in its own order and split by
    a hash of each example's inputs, which holds whatever the order; each part reads all of it, so give a dataset as
    `held_out` where reading is slow.

    Args:
        x: What Keras takes: an array or a structure of arrays, a `tf.data.Dataset` of batches `(x, y)` or
            `(x, y, sample_weight)`, or a `keras.utils.PyDataset`.
        y: Labels, like `x`; None if `x` is a dataset.
        sample_weight: One weight an example, or None.
        batch_size: Examples in each batch. Default: 32, or all examples if there are fewer; a dataset has its own.
        held_out: A fraction of the examples; or other examples, as `(x, y)`, `(x, y, sample_weight)` or a dataset; or
            None for no held-out part.
        validation_data: Examples as `held_out` takes them, or None: checked against the training part, and not used.
        seed: Whole number from 0. The order of examples in memory is a function of `(seed, epoch)` only.
        shuffle: Whether examples in memory are drawn in random order; a streamed dataset has its own.
        num_classes: How many classes there shall be; None or 1 leaves open whether labels are classes, 0 says that they
            are none, but numbers.

    Attributes:
        summary: A `DataSummary`.
        batch_size: Examples in each batch, over all replicas.
        steps_per_epoch: Batches in each epoch.
        dataset: `tf.data.Dataset` of `{"train": element, "held_out": element}`, an element being `(x, y)` or
            `(x, y, sample_weight)`; without the key `"held_out"` if `held_out=None`. Its cardinality is
            `steps_per_epoch`; iterating it anew begins the epoch that `set_epoch` said.
        train_indices: Rows of the training part during search, ascending; None if `x` is a dataset.
        held_out_indices: Rows of the cut held-out part; None if `x` is a dataset or nothing was cut.

    Raises:
        DataError: If the data cannot be trained on. It is a `ValueError`.

    Example:

    ```python
    data = PairedData(x_train, y_train, batch_size=64, num_classes=10)
    for epoch in range(3):
        data.set_epoch(epoch)
        for batch in data.dataset:
            x, y = batch["train"]
    ```

    Reference: the split of the training data is that of [DARTS](https://arxiv.org/abs/1806.09055), which cuts it in
    halves; a fifth is ours, and so is giving it back to the training part in the end.
    """

    max_bytes_in_memory = 2**30

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None = None,
        held_out: Any = 0.2,
        validation_data: Any = None,
        seed: int = 0,
        shuffle: bool = True,
        num_classes: int | None = None,
    ) -> None:
        if seed < 0:
            raise DataError(f"The seed must be a whole number from 0. Received: seed={seed}. Give seed=0, for example.")
        fraction = float(held_out) if isinstance(held_out, (int, float)) else None
        if fraction is not None:
            checks.check_fraction("held_out", fraction)
        if is_stream(x):
            _check_nothing_beside_a_dataset(y=y, sample_weight=sample_weight, batch_size=batch_size)
            cut = cut_dataset(
                x,
                fraction,
                seed,
                shuffle=shuffle,
                num_classes=num_classes,
                max_bytes_in_memory=self.max_bytes_in_memory,
            )
        else:
            element = as_element("", x, y, sample_weight)
            cut = cut_arrays(element, fraction, seed, shuffle=shuffle, num_classes=num_classes)
        num_examples = cut.builder.num_examples
        self.batch_size: int = cut.batch_size or (min(32, num_examples) if batch_size is None else batch_size)
        checks.check_batch_size(self.batch_size, num_examples)
        if held_out is not None and fraction is None:
            part, size = given_part("held_out", held_out, seed, shuffle=shuffle, like=cut.builder)
            cut = dataclasses.replace(cut, held_out=part, num_held_out=size)
        if validation_data is not None:
            given_part("validation_data", validation_data, seed, shuffle=False, like=cut.builder)
        self.summary: DataSummary = cut.builder.summary(cut.num_held_out)
        self.steps_per_epoch: int = -(-num_examples // self.batch_size)
        self.train_indices = cut.train_indices
        self.held_out_indices = cut.held_out_indices
        self._progress = Progress()
        self._py_datasets = [data for data in (x, held_out) if isinstance(data, keras.utils.PyDataset)]
        self.dataset: tf.data.Dataset = self._dataset({"train": cut.train, "held_out": cut.held_out})

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch the next iteration of `dataset` is; call it before each.

        Args:
            epoch: Whole number from 0. The same epoch has the same batches, also in another process.
        """
        if epoch != self._progress.epoch:
            for data in self._py_datasets:
                data.on_epoch_end()
        for data in self._py_datasets:
            data.on_epoch_begin()
        self._progress.epoch = epoch

    def settle(self) -> None:
        """From the next epoch on, the training part is all examples; the held-out part stays what it was."""
        self._progress.is_settled = True

    def _dataset(self, parts: dict[str, Part | None]) -> tf.data.Dataset:
        pipelines = {
            name: part.pipeline(self._progress, self.batch_size, self.steps_per_epoch)
            for name, part in parts.items()
            if part is not None
        }
        dataset = tf.data.Dataset.zip(pipelines).apply(tf.data.experimental.assert_cardinality(self.steps_per_epoch))
        options = tf.data.Options()
        # Workers must cut the zipped batches, not the files below them: the two parts read those at different speeds.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        # Nothing is to be tuned, and an iterator that ends may wait for the tuner's thread for many seconds.
        options.autotune.enabled = False
        return dataset.with_options(options).prefetch(2)


def _check_nothing_beside_a_dataset(**arguments: Any) -> None:
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise DataError(
            f"A dataset has its own labels, weights and batch size. Received: x, a dataset, with {', '.join(given)}. "
            "Leave them out, or pass arrays."
        )
