"""How decided a search is: pure functions of arrays and plain data."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

SKIP_WORDS = ("skip", "identity")
NONE_WORDS = ("none", "zero")


def entropy(probabilities: Sequence[float] | np.ndarray) -> float:
    """Entropy of one distribution in nats, `-sum_i p_i ln p_i`, with `0 ln 0 = 0`.

    Args:
        probabilities: At least one number >= 0, of sum 1 (a sum that differs by rounding is divided out). Any shape.

    Raises:
        ValueError: If the numbers are no distribution.

    Example:

    >>> round(entropy([0.5, 0.5]), 4)
    0.6931
    """
    p = np.asarray(probabilities, dtype=np.float64).ravel()
    if p.size == 0 or not np.all(np.isfinite(p)) or np.any(p < 0) or not np.isclose(p.sum(), 1.0, atol=1e-3):
        raise ValueError(
            "Probabilities must be at least one number >= 0, of sum 1. "
            f"Received: probabilities={p.tolist()[:8]}, sum={p.sum():.6g}. Divide them by their sum."
        )
    positive = p[p > 0] / p.sum()
    return float(max(0.0, -np.sum(positive * np.log(positive))))


def normalized_entropy(probabilities: Sequence[float] | np.ndarray) -> float:
    """Entropy divided by its largest value, `H(p) / ln n`: 1 is undecided, 0 is decided.

    Of a single option it is 0.

    Args:
        probabilities: As in `entropy`.

    Raises:
        ValueError: If the numbers are no distribution.
    """
    value, size = entropy(probabilities), np.size(probabilities)
    return value / float(np.log(size)) if size > 1 else 0.0


def mean_normalized_entropy(probabilities: Mapping[str, Mapping[str, float]]) -> float:
    """The mean over all choices of `normalized_entropy`; 0 if nothing was chosen.

    Args:
        probabilities: Choice name -> option name -> probability.
    """
    values = [normalized_entropy(list(options.values())) for options in probabilities.values()]
    return float(np.mean(values)) if values else 0.0


def operation_counts(kept: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """How often each operation is kept, most frequent first (ties in order of the names).

    The input's number in a node's option (`"0/conv"`) is left out.

    Args:
        kept: Choice name -> kept options; a `Decisions` is one.

    Example:

    >>> operation_counts({"edge": ["conv"], "node": ["0/conv", "1/skip"]})
    {'conv': 2, 'skip': 1}
    """
    names = [option.split("/", 1)[-1] for options in kept.values() for option in options]
    return dict(sorted(((name, names.count(name)) for name in set(names)), key=lambda pair: (-pair[1], pair[0])))


def share_of(kept: Mapping[str, Iterable[str]], words: Sequence[str]) -> float:
    """The share, 0 to 1, of kept operations whose name begins with one of `words`.

    Many skip connections are the known sign of a search that collapsed; `SKIP_WORDS` and `NONE_WORDS` fit the
    ready-made spaces.

    Args:
        kept: Choice name -> kept options.
        words: Beginnings of operation names, in lower case.
    """
    counts = operation_counts(kept)
    matching = sum(count for name, count in counts.items() if name.lower().startswith(tuple(words)))
    return matching / sum(counts.values()) if counts else 0.0
