"""What must hold of data before anything is trained on it. Pure NumPy: nothing here loads Keras or TensorFlow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_ROWS_AT_ONCE = 1024  # bounds the memory of a check over a large array
_TRAINABLE = {"bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))}
_TRAINABLE |= {"bfloat16", "float16", "float32", "float64"}


class DataError(ValueError):
    """Something is wrong with the data, not with the code that received it.

    The message says what must hold, what was received, and what to do. The command line exits with code 2 on it.
    """


def check_not_empty(name: str, num_examples: int) -> None:
    """There is at least one example.

    Raises:
        DataError: If `num_examples` is 0.
    """
    if num_examples == 0:
        raise DataError(f"There must be at least one example. Received: {name} with 0 examples. Give it some.")


def check_same_length(lengths: Mapping[str, int]) -> None:
    """All arrays hold the same number of examples.

    Raises:
        DataError: If they do not.
    """
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"Inputs, labels and weights must have the same number of examples. Received: {dict(lengths)}. "
            "Check how they were cut or filtered."
        )


def check_one_size(name: str, shapes: Sequence[tuple[int, ...]]) -> None:
    """All examples have one shape.

    Raises:
        DataError: If there are several shapes.
    """
    different = sorted(set(shapes))
    if len(different) > 1:
        raise DataError(
            f"All examples of {name} must have one size. Received: {len(different)} sizes, among them "
            f"{different[0]} and {different[1]}. Resize or crop them before."
        )


def check_numbers(name: str, array: np.ndarray) -> None:
    """An array holds real numbers of up to 64 bits, and is not a bag of arrays of several sizes.

    Raises:
        DataError: If it holds strings, dates, Python objects, or numbers that Keras cannot train on.
    """
    if array.dtype == object:
        items = array.ravel()
        if items.size and all(isinstance(item, np.ndarray) for item in items):
            check_one_size(name, [item.shape for item in items])
            raise DataError(
                f"The examples must lie in one array. Received: {name} with dtype=object, arrays of one size. "
                f"Use np.stack({name})."
            )
    if array.dtype.kind in "OSUMmT" or array.dtype.name.startswith("void"):
        raise DataError(
            f"Data must be numbers. Received: {name} with dtype={array.dtype}. Encode it as numbers before; labels as "
            "integers from 0, for example with np.unique(labels, return_inverse=True)."
        )
    if array.dtype.name not in _TRAINABLE:  # a dtype's name is the same in both byte orders
        raise DataError(
            "Data must be bool, int8 to int64, uint8 to uint64, or bfloat16, float16, float32 or float64. Received: "
            f"{name} with dtype={array.dtype}. Convert it before, for example with {name}.astype(np.float32)."
        )


def check_finite(name: str, array: np.ndarray) -> None:
    """No value is NaN or infinite.

    Raises:
        DataError: If one is; names the first example that has one.
    """
    if array.dtype.kind in "biu":
        return
    for start in range(0, len(array), _ROWS_AT_ONCE):
        rows = array[start : start + _ROWS_AT_ONCE]
        bad = ~np.isfinite(rows)
        if bad.any():
            first = int(np.argmax(bad.reshape(len(rows), -1).any(axis=1)))
            example = np.asarray(rows[first])
            value = float(example[~np.isfinite(example)].ravel()[0])
            raise DataError(
                f"All values must be finite. Received: {name} with {value} in example {start + first}. "
                "Remove such examples or repair their values."
            )


def check_integer_labels(name: str, labels: np.ndarray) -> None:
    """Labels are one whole number an example, not negative.

    Raises:
        DataError: If they are not.
    """
    check_numbers(name, labels)
    if labels.ndim != 1:
        raise DataError(
            f"There must be one label an example. Received: {name} with shape={labels.shape}. For one-hot labels take "
            "np.argmax(labels, axis=-1)."
        )
    if labels.dtype.kind not in "biu" and not np.array_equal(labels, np.round(labels)):
        first = float(labels[labels != np.round(labels)][0])
        raise DataError(
            f"Labels must be whole numbers. Received: {name} with the label {first}. Encode classes as integers from "
            "0; to predict numbers, use a space with num_classes=1, or one whose classifies is False."
        )
    if labels.size and labels.min() < 0:
        raise DataError(
            f"Labels must not be negative. Received: {name} with the label {int(labels.min())}. Encode classes as "
            "integers from 0."
        )


def check_classes(name: str, classes: Sequence[int], num_examples: int, num_classes: int | None = None) -> None:
    """The classes that occur are at least two, in range, and not more than there are examples.

    Args:
        name: What the labels are called in the message.
        classes: The classes that occur, ascending.
        num_examples: How many examples there are.
        num_classes: How many classes there shall be. Without it, the classes must be `0 ... len(classes) - 1`.

    Raises:
        DataError: If one of this does not hold.
    """
    check_label_range(name, classes, num_classes)
    if num_classes is None and classes[-1] != len(classes) - 1:
        missing = next(i for i, label in enumerate(classes) if i != label)
        raise DataError(
            f"Labels must be 0 to the number of classes - 1, without gaps. Received: {name} with labels up to "
            f"{classes[-1]}, but none is {missing}. Encode them with np.unique(labels, return_inverse=True), or say "
            "which classes there are: by class_names in an .npz file, by num_classes elsewhere."
        )
    if len(classes) < 2:
        raise DataError(
            f"There must be at least two classes. Received: {name} with only the label {classes[0]}. Check how the "
            "labels were made."
        )
    check_enough_examples(name, num_examples, len(classes) if num_classes is None else num_classes)


def check_label_range(name: str, classes: Sequence[int], num_classes: int | None) -> None:
    """No label is `num_classes` or more.

    Raises:
        DataError: If one is.
    """
    if num_classes is not None and classes[-1] >= num_classes:
        raise DataError(
            f"Labels must be from 0 to num_classes - 1 = {num_classes - 1}. Received: {name} with the label "
            f"{classes[-1]}. Encode labels from 0, or say that there are more classes: by class_names in an .npz file, "
            "by num_classes elsewhere."
        )


def check_enough_examples(name: str, num_examples: int, num_classes: int) -> None:
    """There are at least as many examples as classes.

    Raises:
        DataError: If there are fewer.
    """
    if num_examples < num_classes:
        raise DataError(
            f"There must be at least one example a class. Received: {name} with {num_examples} examples, "
            f"num_classes={num_classes}. Add examples, or leave out classes that have none."
        )


def check_batch_size(batch_size: int, num_examples: int) -> None:
    """A batch is not empty and not larger than the data.

    Raises:
        DataError: If it is.
    """
    if batch_size < 1:
        raise DataError(f"A batch must hold at least one example. Received: batch_size={batch_size}. Raise it.")
    if batch_size > num_examples:
        raise DataError(
            f"A batch must not be larger than the data. Received: batch_size={batch_size}, with {num_examples} "
            f"examples. Give batch_size={num_examples} or less."
        )


def check_fraction(name: str, fraction: float) -> None:
    """A fraction leaves something on both sides.

    Raises:
        DataError: If it is not between 0 and 1.
    """
    if isinstance(fraction, bool) or not 0.0 < fraction < 1.0:
        raise DataError(
            f"{name} must be a fraction between 0 and 1. Received: {name}={fraction}. Give for example {name}=0.2."
        )


def check_same_format(names: tuple[str, str], shapes: Sequence[tuple[int, ...]], dtypes: Sequence[Any]) -> None:
    """Two parts of the data have examples of one shape and dtype.

    Args:
        names: What the two are called in the message.
        shapes: Two shapes, of one example each.
        dtypes: Two dtypes.

    Raises:
        DataError: If they differ.
    """
    received = [f"{name}: shape={shape}, dtype={dtype}" for name, shape, dtype in zip(names, shapes, dtypes)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"Examples of {names[0]} and {names[1]} must have the same shape. Received: {'; '.join(received)}. Prepare "
            "both in the same way."
        )
    if str(dtypes[0]) != str(dtypes[1]):
        raise DataError(
            f"{names[0]} and {names[1]} must have the same dtype. Received: {'; '.join(received)}. Convert one of "
            "them, and scale its values to the other's range."
        )


def check_exists(path: Path, *, folder: bool = False) -> None:
    """There is such a file, or such a folder.

    Raises:
        DataError: If there is not.
    """
    if not (path.is_dir() if folder else path.is_file()):
        what = "folder" if folder else "file"
        raise DataError(f"The data must be a {what} that exists. Received: {path}. Check how it is spelled.")
