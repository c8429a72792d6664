"""Which examples are held out. Pure NumPy, a function of the seed and of the examples' content."""

import hashlib
from collections.abc import Sequence

import numpy as np

from keras_dha.data.checks import DataError, check_fraction


def content_hashes(arrays: Sequence[np.ndarray], seed: int = 0) -> np.ndarray:
    """A 64-bit hash of each example's bytes: equal examples have equal hashes, wherever they stand.

    Args:
        arrays: One or more arrays of the same number of rows; the `i`-th example is the `i`-th row of each.
        seed: Another seed gives other hashes.

    Returns:
        uint64, `(num_examples,)`. Two of a million different examples share a hash with probability 3e-8.
    """
    num_examples = len(arrays[0])
    salt = (seed % 2**64).to_bytes(8, "little")
    rows = [np.ascontiguousarray(array).reshape(num_examples, -1).view(np.uint8) for array in arrays]
    hashes = np.empty(num_examples, np.uint64)
    for i in range(num_examples):
        digest = hashlib.blake2b(digest_size=8, salt=salt)
        for row in rows:
            digest.update(row[i])
        hashes[i] = int.from_bytes(digest.digest(), "little")
    return hashes


def held_out_by_hash(hashes: np.ndarray, fraction: float) -> np.ndarray:
    """Whether each example is held out, known from its hash alone: true for about `fraction` of different hashes."""
    return hashes < np.uint64(fraction * 2.0**64)


def stratified_split(
    num_examples: int,
    fraction: float,
    *,
    classes: np.ndarray | None = None,
    hashes: np.ndarray | None = None,
    seed: int = 0,
    remedy: str = "change the fraction",
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts about `fraction` of the examples of each class off.

    `round(fraction * n)` of a class's `n` examples, or fewer where duplicates, which stay together, do not fit.

    Args:
        num_examples: How many examples there are.
        fraction: How much of each class is cut off, between 0 and 1.
        classes: Integers `(num_examples,)`; without them all examples are one class.
        hashes: `(num_examples,)`; examples with equal hashes fall into the same part.
        seed: Not negative. The same seed cuts the same examples.
        remedy: What the caller's user can do beside adding examples; ends the message.

    Returns:
        Indices that stay and indices that are cut off, both ascending.

    Raises:
        DataError: If one of the two parts would be empty.

    Example:

    >>> rest, cut = stratified_split(10, 0.2, classes=np.array([0] * 5 + [1] * 5))
    >>> len(rest), len(cut)
    (8, 2)
    """
    check_fraction("The part to cut off", fraction)
    if hashes is None:
        first, group_of, sizes = np.arange(num_examples), np.arange(num_examples), np.ones(num_examples, np.int64)
    else:
        _, first, group_of, sizes = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    # np.unique sorts by hash; in the order of first appearance, the split depends on hashes only where they are equal.
    shuffled = np.random.default_rng(seed).permutation(np.argsort(first))
    strata = np.zeros(num_examples, np.int64) if classes is None else np.asarray(classes)
    by_class = shuffled[np.argsort(strata[first[shuffled]], kind="stable")]
    borders = np.flatnonzero(np.diff(strata[first[by_class]])) + 1
    is_cut = np.zeros(len(first), bool)
    for groups in np.split(by_class, borders):
        filled = np.cumsum(sizes[groups])
        is_cut[groups[filled <= int(fraction * filled[-1] + 0.5)]] = True
    cut = is_cut[group_of]
    if cut.all() or not cut.any():
        raise DataError(
            f"Both parts of the data must have examples. Received: {num_examples} examples, {len(first)} of them "
            f"different, fraction={fraction}, which cuts {int(cut.sum())} off. Add examples, or {remedy}."
        )
    return np.flatnonzero(~cut), np.flatnonzero(cut)
