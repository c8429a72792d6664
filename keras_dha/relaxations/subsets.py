"""The sets of options that a choice can keep: the best, a random one, and the probability of a random one.

Options are drawn one after another without replacement, in proportion to `p` (the Plackett-Luce model). After each draw
all options of its group leave: what is left is drawn in proportion to `p` again. Excluded options are never drawn.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.spaces.choice import Choice

Tensor = Any

MAX_DRAWN = 6
_NEVER = -1e9  # finite, so that no gradient is 0 * inf


def check_drawable(choice: Choice) -> None:
    """Checks that the probability of a draw can be computed, which takes `2 ** keep` terms.

    Raises:
        ValueError: If the choice keeps more than `MAX_DRAWN` options.
    """
    if choice.keep > MAX_DRAWN:
        raise ValueError(
            f"A choice whose options are drawn must keep at most {MAX_DRAWN} of them. "
            f"Received: keep={choice.keep} in {choice.name!r}. Lower keep, or use Softmax."
        )


def log_distribution(scores: Tensor, choice: Choice, *, exploration: float = 0.0) -> Tensor:
    """`log((1 - exploration) * softmax(scores) + exploration * uniform)` over the options that can be kept.

    Args:
        scores: `(num_options,)`.
        choice: What may be kept.
        exploration: The share of the uniform distribution, in [0, 1).

    Returns:
        `(num_options,)`; at excluded options a very negative number.
    """
    log_p = ops.log_softmax(_only_allowed(scores, choice))
    if exploration:
        uniform = math.log(exploration / choice.allowed.sum())
        log_p = ops.logaddexp(log_p + math.log1p(-exploration), ops.full_like(log_p, uniform))
    return _only_allowed(log_p, choice)


def softmax(scores: Tensor, choice: Choice) -> Tensor:
    """A softmax over the options of each group, `(num_options,)`; over all options if the choice has no groups."""
    others = ops.where(_rivals(choice), scores[None, :], -np.inf)  # (num_options, num_options)
    return ops.exp(scores - ops.logsumexp(others, axis=1))


def log_odds(scores: Tensor, choice: Choice) -> Tensor:
    """`log(p / (1 - p))` of `softmax(scores, choice)`, `(num_options,)`: never rounds to a tie at p = 1."""
    rivals = _rivals(choice) & (np.eye(len(choice.options)) == 0)
    others = ops.where(rivals, scores[None, :], -1e30)  # finite: alone in its group, an option is sure to win it
    return scores - ops.logsumexp(others, axis=1)


def gumbel(shape: Any, *, dtype: Any = "float32", seed: keras.random.SeedGenerator) -> Tensor:
    """Standard Gumbel noise: the largest of `logits + noise` is drawn from `softmax(logits)`."""
    uniform = keras.random.uniform(shape, minval=1e-7, maxval=1.0, dtype=dtype, seed=seed)
    return -ops.log(-ops.log(uniform))


def top(scores: Tensor, choice: Choice) -> Tensor:
    """`choice.top` inside a graph, as 0/1 weights `(num_options,)` of the scores' dtype; of equal scores the first."""
    positions, groups = np.arange(len(choice.options), dtype="int32"), np.array(choice.group_numbers, "int32")
    available: Tensor = choice.allowed
    best, kept = None, list[Tensor]()
    while len(kept) < choice.keep:
        if best is not None:
            available = ops.logical_and(available, ops.not_equal(groups, ops.take(groups, best)))
        best = _best(scores, available)
        kept.append(ops.equal(positions, best))
    return ops.cast(functools.reduce(ops.logical_or, kept), scores.dtype)


def draw(log_p: Tensor, choice: Choice, *, seed: keras.random.SeedGenerator) -> Tensor:
    """A random set as 0/1 weights `(num_options,)`, by the Gumbel-top-k trick.

    One Gumbel number per option serves all `keep` draws: which of some Gumbel variables is largest does not depend on
    how large it is, so the largest of those left is drawn in proportion to `p` again, also when whole groups left.
    """
    return top(log_p + gumbel(ops.shape(log_p), dtype=log_p.dtype, seed=seed), choice)


def log_probability(log_p: Tensor, kept: Tensor, choice: Choice) -> Tensor:
    """The exact log-probability that `draw` returns the set `kept`, whatever the order; a differentiable scalar.

    With `f(T)` the probability that the first draws are the set `T`, and `p(left | T)` that of all options whose group
    is not in `T`: `f({}) = 1`, `f(T) = sum_{i in T} f(T - i) * p_i / p(left | T - i)`.

    Args:
        log_p: From `log_distribution`.
        kept: `(num_options,)`, non-zero at the `choice.keep` options drawn.
        choice: What may be kept.
    """
    if choice.keep == 1:
        return ops.sum(ops.where(ops.not_equal(kept, 0.0), log_p, 0.0))
    _, positions = ops.top_k(ops.abs(kept), choice.keep)
    drawn = ops.take(log_p, positions)  # (keep,)
    leaves = ops.take(_same_group(choice), positions, axis=0)  # (keep, num_options)
    log_f: dict[tuple[int, ...], Tensor] = {(): ops.zeros((), dtype=log_p.dtype)}
    log_next: dict[tuple[int, ...], Tensor] = {(): log_f[()]}  # log f(T) - log p(left | T)
    for size in range(1, choice.keep + 1):
        for subset in itertools.combinations(range(choice.keep), size):
            last = [log_next[tuple(j for j in subset if j != i)] + drawn[i] for i in subset]
            log_f[subset] = ops.logsumexp(ops.stack(last))
            if size < choice.keep:
                gone = ops.any(ops.take(leaves, list(subset), axis=0), axis=0)
                log_next[subset] = log_f[subset] - ops.logsumexp(ops.where(gone, _NEVER, log_p))
    return log_f[tuple(range(choice.keep))]


def num_groups(choice: Choice) -> int:
    """How many softmaxes `softmax` takes: one, if the choice has no groups."""
    return len(set(choice.groups or [0]))


def _only_allowed(log_p: Tensor, choice: Choice) -> Tensor:
    """A very negative number in place of those of excluded options; no operation where there are none."""
    return ops.where(choice.allowed, log_p, _NEVER) if choice.excluded else log_p


def _best(scores: Tensor, available: Tensor) -> Tensor:
    """Where the largest available score stands, the first of equal ones, `(1,)`."""
    if not (isinstance(available, np.ndarray) and available.all()):
        # One of -inf that is available must still win against those that are not.
        scores = ops.where(available, ops.maximum(scores, -1e30), -np.inf)
    return ops.top_k(scores, 1)[1]  # argmax takes Keras a dozen more operations


def _rivals(choice: Choice) -> np.ndarray:
    """Which options share a softmax: bool, `(num_options, num_options)`."""
    return _equal(choice.groups or [0] * len(choice.options))


def _same_group(choice: Choice) -> np.ndarray:
    """Which options exclude each other: bool, `(num_options, num_options)`."""
    return _equal(choice.group_numbers)


def _equal(numbers: Sequence[int]) -> np.ndarray:
    return np.equal.outer(numbers, numbers)
