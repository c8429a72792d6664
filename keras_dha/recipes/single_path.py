"""Single-Path NAS: sizes are parts of one kernel, kept while they are larger than a threshold (arXiv 1904.02877)."""

from typing import Any

import keras

from keras_dha.penalties import Budget, LogCost
from keras_dha.recipes.recipe import Recipe
from keras_dha.recipes.tune import tune
from keras_dha.relaxations import NormThreshold
from keras_dha.schedules import Schedule


def single_path(
    *,
    max_latency_ms: float | None = None,
    max_multiply_adds: float | None = None,
    max_parameters: float | None = None,
    max_model_bytes: float | None = None,
    table: Any = None,
    weight: float | None = None,
) -> Recipe:
    """Single-Path NAS: Designing Hardware-Efficient ConvNets in less than 4 Hours.

    One path holds all networks of the space; thresholds and weights descend the training loss together. At the start of
    the search, while thresholds rest, parts are left out at random.

    Args:
        max_latency_ms: A bound of the derived network's latency, in milliseconds by `table`; the search finds the
            trade-off that meets it, by `keras_dha.penalties.Budget`, which is ours.
        max_multiply_adds: Likewise of multiply-adds; a number, or a share of the largest network's.
        max_parameters: Likewise.
        max_model_bytes: Likewise, of the weights.
        table: A `keras_dha.costs.LatencyTable`.
        weight: Of `log(latency)`, or without a table of `log(multiply-adds)`, as in the paper; not with a bound.

    Where we differ: gates stand behind normalizations, and leave whole layers out, so that the searched network is the
    derived one; relative norms, bounded thresholds, decisions by majority (`NormThreshold`); the pull of the cost
    moves thresholds alone; SGD for weights and Adam for thresholds in place of one RMSProp; a part is left out at
    random one time in ten, there four times; the search takes 15 per cent of the fit, and the weights of what it keeps
    are trained for the rest, where the paper trains them anew (docs/benchmarks.md, Networks for a latency).

    Raises:
        ValueError: If a weight is given along with a bound.

    Reference: Stamoulis et al., https://arxiv.org/abs/1904.02877, and its released code.
    """
    bounds: dict[str, Any] = {
        "max_latency_ms": max_latency_ms,
        "max_multiply_adds": max_multiply_adds,
        "max_parameters": max_parameters,
        "max_model_bytes": max_model_bytes,
    }
    is_bound = any(bound is not None for bound in bounds.values())
    if is_bound and weight is not None:
        raise ValueError(
            f"A weight must not be given along with a bound. Received: weight={weight}, {bounds}. Drop one."
        )
    penalties: tuple[Any, ...] = ()
    if is_bound:
        penalties = (Budget(**bounds, table=table),)
    elif weight is not None:
        penalties = (LogCost(weight, table=table),)
    stages: dict[str, Any] = {"search_fraction": 0.15, "warmup_fraction": 0.06, "anneal_from": 0.5}
    return tune().replace(
        name="single_path",
        source="arXiv 1904.02877",
        relaxation=NormThreshold(noise=stages["warmup_fraction"] / stages["search_fraction"], keep_rate=0.9),
        penalties=penalties,
        schedule=Schedule(**stages),
        optimizer=lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
        architecture_optimizer=lambda: keras.optimizers.Adam(0.02),
    )
