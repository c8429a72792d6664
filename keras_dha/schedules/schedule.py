"""When each role is updated, and when the search ends."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class Schedule:
    """A fit of two phases: search, then settle.

    All fractions are of the whole fit, measured in epochs, or in seconds where a time budget is given and further gone.

    Args:
        search_fraction: Part of the fit in which the architecture is open, in `(0, 1]`; the search also ends when every
            relaxation has settled.
        warmup_fraction: Part of the fit, at its start, in which the architecture rests and only the others move.
        rest: Two fractions between which the architecture rests once more; None: it does not.
        architecture_every: Weight steps between two steps of the architecture, at least 1.
        hyperparameters_every: Weight steps between two steps of the hyper-parameters, at least 1.
        hyperparameter_steps: What the steps of the hyper-parameters have shrunk to at the end of the search, of what
            they were at its start, in `(0, 1]`; in between geometrically.
        weights_rest: Whether the weights rest where the architecture moves, so that each moves alone.
        anneal: `"cosine"` lowers the learning rate from the learned one to 0 over the settle phase; None leaves it.
        anneal_from: Where that begins, between `search_fraction` and 1. None: at `search_fraction`.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        *,
        search_fraction: float = 0.25,
        warmup_fraction: float = 0.05,
        rest: Sequence[float] | None = None,
        architecture_every: int = 1,
        hyperparameters_every: int = 10,
        hyperparameter_steps: float = 1.0,
        weights_rest: bool = False,
        anneal: str | None = "cosine",
        anneal_from: float | None = None,
    ) -> None:
        if not 0.0 < search_fraction <= 1.0 or not 0.0 <= warmup_fraction <= search_fraction:
            raise ValueError(
                "search_fraction must lie in (0, 1], and warmup_fraction between 0 and search_fraction. "
                f"Received: search_fraction={search_fraction}, warmup_fraction={warmup_fraction}. Correct them."
            )
        if min(architecture_every, hyperparameters_every) < 1 or anneal not in ("cosine", None):
            raise ValueError(
                "architecture_every and hyperparameters_every must be at least 1, and anneal 'cosine' or None. "
                f"Received: architecture_every={architecture_every}, hyperparameters_every={hyperparameters_every}, "
                f"anneal={anneal!r}. Correct them."
            )
        if rest is not None and (len(rest) != 2 or not warmup_fraction <= rest[0] <= rest[1] <= search_fraction):
            raise ValueError(
                "rest must be two fractions in order, between warmup_fraction and search_fraction, or None. "
                f"Received: rest={rest}, warmup_fraction={warmup_fraction}, search_fraction={search_fraction}. "
                "Leave it out."
            )
        if not 0.0 < hyperparameter_steps <= 1.0:
            raise ValueError(
                f"hyperparameter_steps must lie in (0, 1]. Received: hyperparameter_steps={hyperparameter_steps}. "
                "Give 1.0, with which they do not shrink."
            )
        if anneal_from is not None and not (anneal and search_fraction <= anneal_from < 1.0):
            raise ValueError(
                "anneal_from must be at least search_fraction, and below 1, and goes with anneal='cosine'. Received: "
                f"anneal_from={anneal_from}, search_fraction={search_fraction}, anneal={anneal!r}. Leave it out."
            )
        self.rest = None if rest is None else (float(rest[0]), float(rest[1]))
        self.search_fraction = float(search_fraction)
        self.warmup_fraction = float(warmup_fraction)
        self.architecture_every = int(architecture_every)
        self.hyperparameters_every = int(hyperparameters_every)
        self.hyperparameter_steps = float(hyperparameter_steps)
        self.weights_rest = bool(weights_rest)
        self.anneal = anneal
        self.anneal_from = None if anneal_from is None else float(anneal_from)

    def searching(self, progress: float) -> bool:
        """Whether the architecture is open at `progress`, in `[0, 1]`."""
        return progress < self.search_fraction

    def search_share(self, progress: Tensor) -> Tensor:
        """How much of the search is done at `progress`, in `[0, 1]`."""
        return ops.clip(progress / self.search_fraction, 0.0, 1.0)

    def architecture_moves(self, progress: Tensor) -> Tensor:
        """Whether the architecture is open at `progress`: a boolean tensor."""
        moves = ops.convert_to_tensor(progress) >= self.warmup_fraction
        if self.rest is None:
            return moves
        return ops.logical_and(moves, ops.logical_or(progress < self.rest[0], progress >= self.rest[1]))

    def weights_move(self, progress: Tensor) -> Tensor:
        """Whether the weights move at `progress`, while the search lasts: a boolean tensor."""
        return ops.logical_not(ops.logical_and(self.weights_rest, self.architecture_moves(progress)))

    def initial_state(self) -> dict[str, float]:
        """What the schedule remembers from step to step, by name: nothing, unless overridden."""
        return {}

    def next_state(
        self, state: Mapping[str, Tensor], gradients: Sequence[Tensor], architecture_moved: Tensor
    ) -> dict[str, Tensor]:
        """What it remembers after a step of the search.

        Args:
            state: What it remembered before.
            gradients: Of the training loss, with respect to the weights, before they are clipped.
            architecture_moved: Whether the architecture was updated in this step.
        """
        return dict(state)

    def architecture_due(self, progress: Tensor, steps: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        """Whether this step, the one after `steps` others, updates the architecture: a boolean tensor."""
        return ops.logical_and(self.architecture_moves(progress), ops.equal(steps % self.architecture_every, 0))

    def hyperparameter_factor(self, progress: Tensor) -> Tensor:
        """What a step of the hyper-parameters is multiplied with at `progress`."""
        return ops.power(self.hyperparameter_steps, self.search_share(progress))

    def learning_rate_factor(self, progress: Tensor) -> Tensor:
        """What the learning rate is multiplied with at `progress`: 1 in the search phase, and until it is annealed."""
        if self.anneal is None:
            return ops.ones_like(progress)
        start = min(self.search_fraction if self.anneal_from is None else self.anneal_from, 1.0 - 1e-6)
        done = ops.clip((progress - start) / (1.0 - start), 0.0, 1.0)
        return 0.5 * (1.0 + ops.cos(math.pi * done))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "search_fraction": self.search_fraction,
            "warmup_fraction": self.warmup_fraction,
            "rest": self.rest and list(self.rest),
            "architecture_every": self.architecture_every,
            "hyperparameters_every": self.hyperparameters_every,
            "hyperparameter_steps": self.hyperparameter_steps,
            "weights_rest": self.weights_rest,
            "anneal": self.anneal,
            "anneal_from": self.anneal_from,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Schedule":
        """A schedule from what `get_config` returned."""
        return cls(**config)
