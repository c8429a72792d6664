"""The architecture moves when the weights are nearly at rest."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.schedules.schedule import Schedule, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class DynamicSchedule(Schedule):
    """A step updates the architecture if `0 < E < theta`, with a threshold that calibrates itself.

    E is a moving mean of `FI = sum ||g||^2`, the trace of the minibatch empirical Fisher information of the weights:
    `E <- rate * FI + (1 - rate) * E`. After a step that moved the architecture
    `theta <- theta / factor ** weight_steps`, after another one `theta <- theta * factor`; so in the long run one step
    in `1 + weight_steps` moves it. The very first step never does.

    Args:
        weight_steps: Steps of the weights alone, for each with the architecture; positive. Defaults to 10.
        factor: How fast the threshold moves, above 1. Defaults to 1.05.
        rate: Of the moving mean, in (0, 1]. Defaults to 0.2.
        **kwargs: Of `Schedule`; `architecture_every` is not used.

    Raises:
        ValueError: If a number is out of range.

    Reference: the released code of Maile et al., "DARTS-PRIME: Regularization and Scheduling Improve Constrained
    Optimization in Differentiable NAS", https://arxiv.org/abs/2106.11655.
    """

    def __init__(self, *, weight_steps: float = 10.0, factor: float = 1.05, rate: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not (weight_steps > 0 and factor > 1 and 0 < rate <= 1):
            raise ValueError(
                "weight_steps must be positive, factor above 1, and rate in (0, 1]. "
                f"Received: weight_steps={weight_steps}, factor={factor}, rate={rate}. DARTS-PRIME: 10, 1.05, 0.2."
            )
        self.weight_steps, self.factor, self.rate = float(weight_steps), float(factor), float(rate)

    def initial_state(self) -> dict[str, float]:
        """E, negative before it is known, and theta."""
        return {"fisher_trace": -1.0, "threshold": 1.0}

    def architecture_due(self, progress: Tensor, steps: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        """Whether the weights are nearly at rest, and the architecture is open."""
        known = ops.logical_and(state["fisher_trace"] > 0, state["fisher_trace"] < state["threshold"])
        return ops.logical_and(self.architecture_moves(progress), known)

    def next_state(
        self, state: Mapping[str, Tensor], gradients: Sequence[Tensor], architecture_moved: Tensor
    ) -> dict[str, Tensor]:
        """Moves E and theta."""
        trace = sum(ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in gradients)
        before, threshold = state["fisher_trace"], state["threshold"]
        mean = ops.where(before < 0, trace, self.rate * trace + (1 - self.rate) * before)
        factor = ops.where(architecture_moved, self.factor**-self.weight_steps, self.factor)
        return {"fisher_trace": mean, "threshold": threshold * factor}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("weight_steps", "factor", "rate")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
