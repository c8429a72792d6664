"""What a trial trains on: batches, augmented, with smoothed labels."""

from typing import Any

import keras
import keras_tuner
import numpy as np
from keras import ops

from keras_dha.augmentation import AugmentationPolicy
from keras_dha.data import DataError, DataSummary, PairedData

Tensor = Any


class EpochTeller(keras.callbacks.Callback):
    """Tells data which epoch begins, so that each has an order of its own.

    Args:
        data: The data of the fit.
    """

    def __init__(self, data: PairedData) -> None:
        super().__init__()
        self._data = data

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Counts epochs that another trial has trained, too."""
        self._data.set_epoch(epoch)


class TrialData:
    """The training part of a trial: all examples in each epoch, in full batches.

    Args:
        x: What Keras takes: arrays, a `tf.data.Dataset` of batches, a `PyDataset`.
        y: Labels, where `x` does not bring them.
        sample_weight: Weights of the examples, or None.
        batch_size: For arrays.
        policy: Augments images; None for none.
        smoothing: The share of all classes alike in the labels; None for labels as they are.
        num_classes: How many there are; 1 if labels are no classes.
        seed: Whole number from 0, of the order.

    Attributes:
        dataset: For `keras.Model.fit`.
        summary: What is known of the data.
        is_one_hot: Whether the dataset has one-hot labels.
        teller: The callback that the fit needs.

    Raises:
        FatalValueError: If the data cannot be trained on, which no other trial could, either.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None,
        policy: AugmentationPolicy | None,
        smoothing: float | None,
        num_classes: int,
        seed: int,
    ) -> None:
        try:
            data = PairedData(
                x, y, sample_weight, batch_size=batch_size, held_out=None, seed=seed, num_classes=num_classes
            )
        except DataError as error:
            raise keras_tuner.errors.FatalValueError(str(error)) from error
        self.summary: DataSummary = data.summary
        self.teller = EpochTeller(data)
        self._policy, self._smoothing, self._classes = policy, smoothing, num_classes
        mixes = policy is not None and policy.mixing is not None
        self.is_one_hot = self.summary.label_kind == "one_hot" or smoothing is not None or mixes
        self.dataset = data.dataset.map(self._element)

    def _element(self, batch: dict[str, Any]) -> tuple[Any, ...]:
        images, labels, *weights = batch["train"]
        if self.is_one_hot:
            labels = self.one_hot(labels)
        if self._smoothing is not None:
            labels = (1.0 - self._smoothing) * labels + self._smoothing / self._classes
        if self._policy is not None:
            low, high = self.summary.pixel_range
            unit = (ops.cast(images, "float32") - low) / ((high - low) or 1.0)
            augmented = self._policy(unit, labels if self._policy.mixing else None)
            unit, labels = augmented if self._policy.mixing else (augmented, labels)
            images = low + ((high - low) or 1.0) * unit
        return (images, labels, *weights)

    def one_hot(self, labels: Tensor) -> Tensor:
        """Classes as floats, `(batch, num_classes)`, whatever they were."""
        if self.summary.label_kind == "one_hot":
            return ops.cast(labels, "float32")
        return ops.one_hot(ops.reshape(ops.cast(labels, "int32"), (-1,)), self._classes)

    def validation(self, data: Any) -> Any:
        """Validation data with labels as the dataset has them; not smoothed, so that losses can be compared.

        Raises:
            FatalValueError: If it is neither arrays nor a `tf.data.Dataset`, and labels have to be made one-hot.
        """
        if data is None or not self.is_one_hot or self.summary.label_kind == "one_hot":
            return data
        if isinstance(data, (tuple, list)):
            x, y, *weights = data
            return (x, np.asarray(ops.convert_to_numpy(self.one_hot(y))), *weights)
        if callable(getattr(data, "map", None)):
            return data.map(lambda x, y, *weights: (x, self.one_hot(y), *weights))
        raise keras_tuner.errors.FatalValueError(
            "validation_data must be (x, y), (x, y, sample_weight) or a tf.data.Dataset where labels are smoothed or "
            f"mixed. Received: validation_data of {type(data).__name__}. Convert it, or give label_smoothing=None."
        )
