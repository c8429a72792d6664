"""The alternating direction method of multipliers, towards what would be kept."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.penalties.penalty import Penalty, Tensor, norm
from keras_dha.relaxations import Relaxation
from keras_dha.spaces import SearchSpace


@keras.saving.register_keras_serializable(package="keras_dha")
class ADMM(Penalty):
    """`weight / 2 * ||(w - Z + U) * M||` over all choices, w the weights of options, M where they are not 0.

    Z, the copy that is discrete, and U, the scaled dual variable, move after every `every` updates of the architecture:
    `Z <- D(logits + U)`, what would be kept, then `U <- (U + w - Z) * M`. At the start `Z = w` and `U = 0`.

    Args:
        weight: rho, at least 0. Defaults to 0.1.
        every: Updates of the architecture between two of Z and U. Defaults to 9, what the released code does; its
            option says 10.
        squared: Whether the norm is squared, as a textbook would; the released code does not. Defaults to False.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If `every` is below 1.

    Reference: the released code of version 1 of Maile et al., "DARTS-PRIME", https://arxiv.org/abs/2106.11655. There U
    moves by the raw logits and the penalty by the activated ones; here both by the weights (ours).
    """

    def __init__(self, weight: float = 0.1, *, every: int = 9, squared: bool = False, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)
        if every < 1:
            raise ValueError(f"every must be at least 1. Received: every={every}. DARTS-PRIME: 9.")
        self.every = every
        self.squared = squared

    def prepare(self, relaxations: Mapping[str, Relaxation], space: SearchSpace | None = None) -> None:
        """Makes Z, U, and the count of updates."""
        self.updates = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, autocast=False, name="updates"
        )
        self.copies: dict[str, keras.Variable] = {}
        self.duals: dict[str, keras.Variable] = {}
        for name, relaxation in relaxations.items():
            start = ops.convert_to_numpy(relaxation(relaxation.logits))
            self.copies[name] = self._state(name, "copy", start)
            self.duals[name] = self._state(name, "dual", 0.0 * start)
        super().prepare(relaxations, space)

    def _state(self, choice: str, kind: str, value: Any) -> keras.Variable:
        return self.add_weight(
            shape=value.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(value, dtype=dtype),
            trainable=False,
            autocast=False,
            name=f"{kind}_{choice.replace('/', '.')}",
        )

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        residuals = []
        for name, relaxation in relaxations.items():
            weights = relaxation(ops.convert_to_tensor(relaxation.logits))
            residuals.append((weights - self.copies[name] + self.duals[name]) * _mask(weights))
        return self.weight / 2 * norm(residuals, squared=self.squared)

    def step(self, relaxations: Mapping[str, Relaxation], moved: Tensor) -> None:
        """Moves Z and U if it is time."""
        self.updates.assign_add(ops.cast(moved, "int64"))
        due = ops.logical_and(moved, ops.equal(self.updates % self.every, 0))
        for name, relaxation in relaxations.items():
            logits = ops.convert_to_tensor(relaxation.logits)
            weights, dual = relaxation(logits), ops.convert_to_tensor(self.duals[name])
            shifted = logits + dual if logits.shape == dual.shape else logits  # a code has no place for U
            kept = relaxation.harden(shifted)
            self.copies[name].assign(ops.where(due, kept, self.copies[name]))
            self.duals[name].assign(ops.where(due, (dual + weights - kept) * _mask(weights), dual))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "every": self.every, "squared": self.squared}


def _mask(weights: Tensor) -> Tensor:
    return ops.cast(ops.not_equal(weights, 0.0), "float32")
