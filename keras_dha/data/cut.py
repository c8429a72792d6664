"""From what `fit` was given to a training part and a held-out part."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_dha.data import checks
from keras_dha.data.array_part import ArrayPart, as_element, chunks
from keras_dha.data.checks import DataError
from keras_dha.data.data_summary import ONE_HOT, OTHER, SummaryBuilder
from keras_dha.data.dataset_part import DatasetPart, as_dataset, check_repeatable, concatenated, is_stream, read
from keras_dha.data.part import Part
from keras_dha.data.split import content_hashes, held_out_by_hash, stratified_split

_TRAIN, _HELD_OUT = 0, 1  # the two parts' orders differ


@dataclasses.dataclass(frozen=True)
class Cut:
    """A training part and a held-out part that share no example.

    Args:
        train: The training part; all that was given, once the search has ended.
        held_out: The held-out part, or None.
        builder: Has summed up all that was given as training data.
        num_held_out: Examples of the held-out part.
        batch_size: Of the dataset; None for arrays.
        train_indices: Rows of the training part if that was arrays.
        held_out_indices: Rows of the held-out part if it was cut from arrays.
    """

    train: Part
    held_out: Part | None
    builder: SummaryBuilder
    num_held_out: int
    batch_size: int | None = None
    train_indices: np.ndarray | None = None
    held_out_indices: np.ndarray | None = None


def cut_arrays(
    element: tuple[Any, ...], fraction: float | None, seed: int, *, shuffle: bool, num_classes: int | None
) -> Cut:
    """Cuts arrays by class, equal inputs together.

    Args:
        element: `(x, y)` or `(x, y, sample_weight)`, structures of arrays.
        fraction: How much is held out; None for nothing.
        seed: Whole number from 0.
        shuffle: Whether batches are drawn in random order.
        num_classes: How many classes there shall be, if it is known.

    Raises:
        DataError: If the data cannot be trained on.
    """
    lengths = _lengths(element)
    checks.check_same_length(lengths)
    rows = np.arange(next(iter(lengths.values())))
    builder = SummaryBuilder(num_classes)
    for chunk in chunks(element, rows):
        builder.update(*chunk)
    builder.check()
    rest, cut = rows, rows[:0]
    if fraction is not None:
        hashes = np.concatenate([content_hashes(keras.tree.flatten(x)) for x in chunks(element[0], rows)])
        classes = _classes(element[1], builder)
        rest, cut = stratified_split(
            len(rows), fraction, classes=classes, hashes=hashes, seed=seed, remedy="change held_out"
        )
    for x in chunks(element[0], rest):
        builder.measure(x)
    seeds = [(seed, part) if shuffle else None for part in (_TRAIN, _HELD_OUT)]
    train = ArrayPart(element, rest, rows, seeds[0])
    if fraction is None:
        return Cut(train, None, builder, 0, train_indices=rest)
    held_out = ArrayPart(element, cut, cut, seeds[1])
    return Cut(train, held_out, builder, len(cut), train_indices=rest, held_out_indices=cut)


def _lengths(element: tuple[Any, ...]) -> dict[str, int]:
    """How many rows each array has."""
    lengths = {}
    for name, structure in zip(("x", "y", "sample_weight"), element):
        for i, array in enumerate(keras.tree.flatten(structure)):
            lengths[f"{name}[{i}]" if i else name] = len(array)
    return lengths


def _classes(labels: Any, builder: SummaryBuilder) -> np.ndarray | None:
    """Each example's class, if examples have one."""
    if builder.label_kind == OTHER:
        return None
    array = keras.tree.flatten(labels)[0]
    return array.argmax(axis=-1) if builder.label_kind == ONE_HOT else array.reshape(-1)


def cut_dataset(
    data: Any,
    fraction: float | None,
    seed: int,
    *,
    shuffle: bool,
    num_classes: int | None,
    max_bytes_in_memory: int,
) -> Cut:
    """Cuts a dataset: as arrays if it fits into memory, else by a hash of each example's inputs.

    Args:
        data: `tf.data.Dataset` or `keras.utils.PyDataset`.
        fraction: How much is held out; None for nothing, then the dataset is streamed, be it random or not.
        seed: Whole number from 0.
        shuffle: Whether batches are drawn in random order, if the dataset fits into memory.
        num_classes: How many classes there shall be, if it is known.
        max_bytes_in_memory: What fits.

    Raises:
        DataError: If the data cannot be trained on, or is not the same in each pass.
    """
    dataset = as_dataset("x", data)
    keep = max_bytes_in_memory if fraction is not None else 0
    reading = read(dataset, SummaryBuilder(num_classes), fraction=fraction, seed=seed, keep=keep)
    if fraction is None:
        return Cut(DatasetPart(reading.dataset), None, reading.builder, 0, reading.batch_size)
    check_repeatable(dataset, reading.hashes, seed)
    if reading.batches is not None:
        element = concatenated(reading.batches)
        cut = cut_arrays(element, fraction, seed, shuffle=shuffle, num_classes=num_classes)
        return dataclasses.replace(cut, batch_size=reading.batch_size, train_indices=None, held_out_indices=None)
    num_held_out = int(held_out_by_hash(reading.hashes, fraction).sum())
    if num_held_out in (0, len(reading.hashes)):
        raise DataError(
            f"Both parts of the data must have examples. Received: {len(reading.hashes)} examples, of which "
            f"held_out={fraction} leaves {num_held_out} held out. Add examples, or change the fraction."
        )
    train, held_out = (DatasetPart(reading.dataset, fraction, is_held_out, seed) for is_held_out in (False, True))
    return Cut(train, held_out, reading.builder, num_held_out, reading.batch_size)


def given_part(name: str, data: Any, seed: int, *, shuffle: bool, like: SummaryBuilder) -> tuple[Part, int]:
    """A part that was given apart from the training data, such as the held-out one.

    Args:
        name: What messages call it.
        data: `(x, y)`, `(x, y, sample_weight)`, `tf.data.Dataset` or `keras.utils.PyDataset`.
        seed: Whole number from 0.
        shuffle: Whether arrays are drawn in random order.
        like: Has summed up the training part; this part must have the same shapes and kinds of numbers.

    Returns:
        The part and how many examples it has.

    Raises:
        DataError: If it cannot be trained on together with the training part.
    """
    builder = SummaryBuilder(like.num_classes, part=f"{name} ")
    part: Part
    if is_stream(data):
        part = DatasetPart(read(as_dataset(name, data), builder).dataset)
    elif isinstance(data, (tuple, list)) and len(data) in (2, 3):
        element = as_element(f"{name} ", *data)
        lengths = _lengths(element)
        checks.check_same_length({f"{name} {array}": length for array, length in lengths.items()})
        rows = np.arange(next(iter(lengths.values())))
        for chunk in chunks(element, rows):
            builder.update(*chunk)
        builder.check()
        part = ArrayPart(element, rows, rows, (seed, _HELD_OUT) if shuffle else None)
    else:
        raise DataError(
            f"{name} must be {'a fraction, ' if name == 'held_out' else ''}(x, y), (x, y, sample_weight) or a dataset. "
            f"Received: {name} of {type(data).__name__}. Give one of these."
        )
    for what in ("inputs", "labels"):
        _check_same_specs(name, what, getattr(like, what), getattr(builder, what))
    return part, builder.num_examples


def _check_same_specs(name: str, what: str, train: Any, given: Any) -> None:
    specs = [keras.tree.flatten(train), keras.tree.flatten(given)]
    if len(specs[0]) != len(specs[1]):
        raise DataError(
            f"Training part and {name} must have the same {what}. Received: {len(specs[0])} arrays, {len(specs[1])} "
            f"in {name}. Prepare both in the same way."
        )
    names = (f"the training part's {what}", f"{name}'s {what}")
    for a, b in zip(*specs):
        # A label 1 is 1 in each dtype, and a pixel 0.5 in each float.
        same = what == "labels" or _kind(a.dtype) == _kind(b.dtype)
        checks.check_same_format(names, [a.shape, b.shape], ["any", "any"] if same else [a.dtype, b.dtype])


def _kind(dtype: str) -> str:
    return dtype.rstrip("0123456789")
