"""What a pass over the training data says about it."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_dha.data import checks
from keras_dha.data.checks import DataError

INTEGER, ONE_HOT, OTHER = "integer", "one_hot", "other"


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """Shape and dtype of one example's array, without the batch axis."""

    shape: tuple[int, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class DataSummary:
    """What is known of the training data before the first step.

    Args:
        num_examples: Training examples, with the held-out part if it was cut from them.
        num_held_out: Held-out examples, cut or given; 0 without a held-out part.
        inputs: The structure of an example's inputs, with an `ArraySpec` for each array.
        labels: The same for its labels.
        label_kind: `"integer"`: a whole number from 0; `"one_hot"`: probabilities of the classes; `"other"`.
        num_classes: As given, or as found; None if `label_kind` is `"other"`.
        minimum: Of all values, if inputs are one array of at least one axis; else None. Like the next three, of the
            training part only, so that nothing of the held-out part leaks into a normalization.
        maximum: Of all values, or None.
        mean: One number a channel (index of the last axis), or None.
        std: Standard deviation, one number a channel, or None.
        dtype: Of the input if it is one array, else None.
    """

    num_examples: int
    num_held_out: int
    inputs: Any
    labels: Any
    label_kind: str
    num_classes: int | None
    minimum: float | None = None
    maximum: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    dtype: str | None = None

    @property
    def pixel_range(self) -> tuple[float, float]:
        """That of the inputs' type, the unit interval if all values lie in it, or the observed one."""
        if self.dtype == "uint8":
            return 0.0, 255.0
        low, high = float(self.minimum or 0.0), float(self.maximum or 0.0)
        return (0.0, 1.0) if low >= 0.0 and high <= 1.0 else (low, high)


class SummaryBuilder:
    """Checks batches and sums them up, in one pass and constant memory.

    Args:
        num_classes: How many classes there shall be; None or 1 leaves open whether labels are classes, 0 says that they
            are none, but numbers.
        part: What the data is called in messages: `""`, or `"held_out "`, which need not have all classes.

    Attributes:
        num_examples: So far.
        inputs: The structure of an example's inputs, with an `ArraySpec` for each array; None before the first batch.
        labels: The same for its labels.

    Example:

    >>> builder = SummaryBuilder(num_classes=2)
    >>> x, y = np.array([[1.0], [3.0]]), np.array([0, 1])
    >>> builder.update(x, y)
    >>> builder.measure(x)
    >>> builder.summary().mean
    (2.0,)
    """

    def __init__(self, num_classes: int | None = None, part: str = "") -> None:
        self.num_examples = 0
        self._num_classes = num_classes
        self._part = part
        self.inputs: Any = None
        self.labels: Any = None
        self._kind: str | None = None
        self._classes: set[int] = set()
        self._moments: _Moments | None = None

    def update(self, x: Any, y: Any, sample_weight: Any = None) -> None:
        """Checks and counts a batch.

        Args:
            x: A structure of arrays, `(batch, ...)` each.
            y: The same.
            sample_weight: The same, or None.

        Raises:
            DataError: If an array holds something that cannot be trained on, or differs from earlier batches.
        """
        named = {"x": keras.tree.flatten(x), "y": keras.tree.flatten(y)}
        if sample_weight is not None:
            named["sample_weight"] = keras.tree.flatten(sample_weight)
        for name, arrays in named.items():
            for array in arrays:
                checks.check_numbers(self._part + name, array)
                checks.check_finite(self._part + name, array)
        checks.check_same_length(
            {
                f"{self._part}{name}{f'[{i}]' if i else ''}": len(array)
                for name, arrays in named.items()
                for i, array in enumerate(arrays)
            }
        )
        self.inputs = self._same_specs(self._part + "x", self.inputs, _specs(x))
        self.labels = self._same_specs(self._part + "y", self.labels, _specs(y))
        if not len(named["x"][0]):
            return
        self.num_examples += len(named["x"][0])
        if len(named["y"]) == 1:
            self._update_labels(named["y"][0])

    def measure(self, x: Any) -> None:
        """Adds the values of a batch to minimum, maximum, mean and std; leave out what is held out.

        Args:
            x: Nothing is done unless it is one array of at least two axes.
        """
        if not isinstance(x, np.ndarray) or x.ndim < 2:
            return
        self._moments = self._moments or _Moments(x.shape[-1])
        self._moments.update(x)

    def check(self) -> None:
        """Checks what only all of the data can tell: emptiness, and the classes of training data.

        Raises:
            DataError: If there is nothing, or nothing to tell apart.
        """
        checks.check_not_empty(self._part + "x", self.num_examples)
        if self._kind in (INTEGER, ONE_HOT) and not self._part:
            num_classes = self.labels.shape[0] if self._kind == ONE_HOT else self._num_classes
            checks.check_classes(self._part + "y", sorted(self._classes), self.num_examples, num_classes)

    @property
    def label_kind(self) -> str:
        """`"integer"`, `"one_hot"` or `"other"`."""
        return self._kind or OTHER

    @property
    def num_classes(self) -> int | None:
        """As given, or as found; None if labels are not classes."""
        if self._kind == ONE_HOT:
            return self.labels.shape[0]
        return (self._num_classes or max(self._classes) + 1) if self._kind == INTEGER else None

    def summary(self, num_held_out: int = 0) -> DataSummary:
        """What all batches said.

        Args:
            num_held_out: Goes into the summary as it is.
        """
        return DataSummary(
            self.num_examples,
            num_held_out,
            self.inputs,
            self.labels,
            self.label_kind,
            self.num_classes,
            dtype=self.inputs.dtype if isinstance(self.inputs, ArraySpec) else None,
            **(self._moments.values() if self._moments else {}),
        )

    def _same_specs(self, name: str, known: Any, specs: Any) -> Any:
        if known is None or known == specs:
            return specs
        for a, b in zip(keras.tree.flatten(known), keras.tree.flatten(specs)):
            if a.dtype == b.dtype:
                checks.check_one_size(name, [a.shape, b.shape])
        raise DataError(
            f"All batches must have the same structure and dtypes. Received: {name} with {known}, then {specs}. Make "
            "the dataset yield one kind of element."
        )

    def _update_labels(self, labels: np.ndarray) -> None:
        kind = self._label_kind(labels)
        if kind == INTEGER:
            self._classes.update(np.unique(labels).astype(np.int64).tolist())
            checks.check_label_range(self._part + "y", sorted(self._classes), self._num_classes)
        elif kind == ONE_HOT:
            self._classes.update(np.unique(labels.argmax(axis=-1)).tolist())
        # Rows that sum to one by chance are not one-hot if others do not.
        self._kind = kind if self._kind in (None, kind) else OTHER

    def _label_kind(self, labels: np.ndarray) -> str:
        if self._num_classes == 0:
            return OTHER
        is_classification = self._num_classes is not None and self._num_classes > 1
        if labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
            if self._num_classes == 1 or (labels.dtype.kind not in "biu" and not is_classification):
                return OTHER
            checks.check_integer_labels(self._part + "y", labels.reshape(-1))
            return INTEGER
        if labels.ndim != 2:
            return OTHER
        if is_classification and labels.shape[1] != self._num_classes:
            raise DataError(
                f"Labels must be integers, or one-hot with num_classes={self._num_classes} columns. Received: "
                f"{self._part}y with shape={labels.shape}. Encode the labels anew, or change num_classes."
            )
        return ONE_HOT if (labels >= 0).all() and np.allclose(labels.sum(axis=-1), 1.0, atol=1e-3) else OTHER


class _Moments:
    """Minimum, maximum, mean and variance of channels, batch by batch: Chan et al. 1979, the pairwise update."""

    def __init__(self, num_channels: int) -> None:
        self._minimum, self._maximum = np.inf, -np.inf
        self._count = 0
        self._mean = np.zeros(num_channels)
        self._squares = np.zeros(num_channels)  # sum of squared distances from the mean

    def update(self, array: np.ndarray) -> None:
        values = array.reshape(-1, array.shape[-1]).astype(np.float64)
        if not values.size:
            return
        self._minimum = min(self._minimum, float(values.min()))
        self._maximum = max(self._maximum, float(values.max()))
        mean, count = values.mean(axis=0), len(values)
        total = self._count + count
        shift = mean - self._mean
        self._squares += ((values - mean) ** 2).sum(axis=0) + shift**2 * (self._count * count / total)
        self._mean = self._mean + shift * (count / total)
        self._count = total

    def values(self) -> dict[str, Any]:
        std = np.sqrt(self._squares / max(self._count, 1))
        return {
            "minimum": self._minimum,
            "maximum": self._maximum,
            "mean": tuple(self._mean.tolist()),
            "std": tuple(std.tolist()),
        }


def _specs(structure: Any) -> Any:
    return keras.tree.map_structure(lambda array: ArraySpec(array.shape[1:], array.dtype.name), structure)
