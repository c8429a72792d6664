"""DARTS-PRIME: constraints, pulls and timing for DARTS (arXiv 2106.11655)."""

from typing import Any

from keras_dha.penalties import ADMM, Penalty, Proximity
from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import Clipped, Relaxation, Softmax
from keras_dha.schedules import DynamicSchedule, Schedule

_REGULARIZERS: dict[Any, tuple[type[Penalty], ...]] = {"proximity": (Proximity,), "admm": (ADMM,), None: ()}
_ACTIVATIONS: dict[Any, type[Relaxation]] = {"softmax": Softmax, "clipped": Clipped}


def darts_prime(
    *, regularizer: str | None = "proximity", activation: str = "softmax", schedule: str = "dynamic"
) -> Recipe:
    """DARTS-PRIME: Regularization and Scheduling Improve Constrained Optimization in Differentiable NAS.

    DARTS, first order, with three separate changes: the architecture moves when the weights are nearly at rest; its
    loss holds a pull towards what would be kept; options that do not compete, and die when they reach 0.

    Args:
        regularizer: `"proximity"`, whose pull grows over the search; `"admm"`, of the paper's first version; or None.
        activation: `"softmax"`, as in the paper's command for it; or `"clipped"`, of its first version.
        schedule: `"dynamic"`, or `"fixed"`: the architecture moves at every tenth step.

    Where we differ: one norm over all choices, not one for each kind of cell; no normalisation of a node's sum under
    `"clipped"`; otherwise as `darts()`. The released code holds out 1/11 of the data under the dynamic schedule.

    Raises:
        ValueError: If an argument is none of these.

    Reference: Maile et al., https://arxiv.org/abs/2106.11655, its released code.
    """
    known: dict[str, dict[Any, Any]] = {"regularizer": _REGULARIZERS, "activation": _ACTIVATIONS}
    known["schedule"] = {"dynamic": None, "fixed": None}
    for name, value in (("regularizer", regularizer), ("activation", activation), ("schedule", schedule)):
        if value not in known[name]:
            raise ValueError(f"{name} must be one of {list(known[name])}. Received: {name}={value!r}. Choose one.")
    times: dict[str, Any] = {"search_fraction": 0.5, "warmup_fraction": 0.0}
    return darts().replace(
        name="darts_prime",
        source="arXiv 2106.11655",
        relaxation=_ACTIVATIONS[activation](),
        penalties=tuple(penalty(weight=0.1) for penalty in _REGULARIZERS[regularizer]),
        schedule=DynamicSchedule(**times) if schedule == "dynamic" else Schedule(**times, architecture_every=10),
    )
