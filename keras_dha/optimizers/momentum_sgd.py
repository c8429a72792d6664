"""Gradient descent with a momentum that knows nothing of the learning rate."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class MomentumSGD(keras.optimizers.Optimizer):
    """`v' = momentum * v + g`, `w' = w - learning_rate * v'`; with Nesterov the last `v'` is `g + momentum * v'`.

    PyTorch's form, for a learning rate that is learned: the whole step is in proportion to it, so that
    `d(loss)/d(learning_rate) = -<d(loss)/dw', v'>` is exact. `keras.optimizers.SGD`, `v' = momentum * v -
    learning_rate * g`, `w' = w + v'`, takes the same steps as long as the learning rate is constant, and after a change
    still moves with the old one for some steps.

    Args:
        learning_rate: A number, or a schedule. Defaults to 0.05.
        momentum: Share of the velocity that is kept, in [0, 1). Defaults to 0.9.
        nesterov: Whether to look ahead. Defaults to False.
        name: Name of the optimizer.
        **kwargs: Of `keras.optimizers.Optimizer`, such as `global_clipnorm`.

    Attributes:
        learned_momentum: Gives the momentum in place of `momentum`, a scalar, each step; or None. Part of no config.

    Raises:
        ValueError: If the momentum is not in [0, 1).

    Example:

    >>> weight = keras.Variable(1.0)
    >>> optimizer = MomentumSGD(learning_rate=0.5, momentum=0.5)
    >>> for _ in range(2):  # v = 1, w = 0.5; v = 1.5, w = -0.25
    ...     optimizer.apply([1.0], [weight])
    >>> float(weight)
    -0.25

    Reference: the weight step of the released code of DHA, https://arxiv.org/abs/2109.05765.
    """

    def __init__(
        self,
        learning_rate: Any = 0.05,
        momentum: float = 0.9,
        *,
        nesterov: bool = False,
        name: str = "momentum_sgd",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1). Received: momentum={momentum}. Give 0.9, or 0.0 for none.")
        self.momentum = momentum
        self.nesterov = nesterov
        self.learned_momentum: Callable[[], Tensor] | None = None

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes a velocity of zero for each variable."""
        if self.built:
            return
        super().build(variables)
        self.velocities = [self.add_variable_from_reference(v, name="velocity") for v in variables]

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """Moves one variable and its velocity."""
        rate, gradient = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        velocity = self.velocities[self._get_variable_index(variable)]
        momentum = self.momentum if self.learned_momentum is None else self.learned_momentum()
        momentum = ops.cast(momentum, variable.dtype)
        new_velocity = momentum * velocity + gradient
        self.assign(velocity, new_velocity)
        step = gradient + momentum * new_velocity if self.nesterov else new_velocity
        self.assign_sub(variable, rate * step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
