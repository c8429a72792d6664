"""A learned weight decay."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.hyperparameter import Hyperparameter, Tensor
from keras_dha.hyperparameters.weight_step import WeightStep


@keras.saving.register_keras_serializable(package="keras_dha")
class WeightDecay(Hyperparameter):
    """The weight decay, `d(held-out loss)/d(log(value)) = -learning_rate * value * <g, w>` over the weights that decay.

    Decoupled, kernels lose `shrinkage`, which is `learning_rate * value` of themselves, before the optimizer's step,
    whatever it makes of the gradients; variables of one dimension (biases, scales) do not. Coupled, `value * w` is
    `added` to the gradients of all weights; the hypergradient is then exact with SGD in either form. Clip gradients
    before that, as the released code does: if the optimizer clips the sum, it is not exact. Turn the optimizer's own
    `weight_decay` off.

    Args:
        initial: The weight decay at the start, as a fraction per unit of learning rate. Defaults to 5e-4.
        bounds: Lowest and highest weight decay, `0 < low < high`. Defaults to (1e-6, 1e-2).
        coupled: Whether the decay goes through the gradient (an L2 penalty). Defaults to False.
        space: `"log"` or `"raw"`. Defaults to `"log"`.
        where: The weights that decay, as `Hyperparameter` has it. Defaults to all kernels.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        max_shrinkage: The most that `shrinkage` may be: a decay that would take more of the weights is lowered to that
            at once, or they were gone before anything is learned. Defaults to 0.05. None: any.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`, or if `max_shrinkage` is not in (0, 1].

    Example:

    >>> float(WeightDecay(0.5, bounds=(0.1, 1.0)).shrinkage(learning_rate=0.5))
    0.25

    Reference: the released code of DHA (https://arxiv.org/abs/2109.05765) is coupled and learns the raw value, within
    (1e-4, 5e-4) for CIFAR-100. Decoupled decay: https://arxiv.org/abs/1711.05101.
    """

    has_closed_form = True

    @property
    def shrinks_weights(self) -> bool:
        """Whether weights lose a share of themselves."""
        return not self.coupled

    def __init__(
        self,
        initial: float = 5e-4,
        bounds: Sequence[float] = (1e-6, 1e-2),
        *,
        coupled: bool = False,
        space: str = "log",
        where: Any = None,
        max_step: float | None = 0.5,
        max_shrinkage: float | None = 0.05,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, where=where, max_step=max_step, **kwargs)
        if max_shrinkage is not None and not 0 < max_shrinkage <= 1:
            raise ValueError(
                f"max_shrinkage must be in (0, 1], or None. Received: max_shrinkage={max_shrinkage}. Give 0.05."
            )
        self.coupled = coupled
        self.max_shrinkage = None if max_shrinkage is None else float(max_shrinkage)

    def acts_on(self, weight: keras.Variable) -> bool:
        """Whether the weight decays: if decoupled, and without `where`, kernels only."""
        return super().acts_on(weight) and (self.coupled or bool(self.where) or len(weight.shape) > 1)

    def shrinkage(self, learning_rate: Tensor) -> Tensor:
        """The share of itself that a weight loses in a step, a scalar: decoupled decay."""
        return self.value() * ops.convert_to_tensor(learning_rate, dtype=self.dtype)

    def restrain(self, learning_rate: Tensor) -> None:
        """Lowers the value to what `max_shrinkage` allows, before a step is made with it."""
        if self.max_shrinkage is not None and not self.coupled:
            share = self.shrinkage(learning_rate)
            is_much = share > self.max_shrinkage
            self.multiply(ops.where(is_much, self.max_shrinkage / ops.where(is_much, share, 1.0), 1.0))

    def added(
        self,
        variables: Sequence[keras.Variable],
        gradients: Sequence[Tensor],
        values: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """The gradients with `value * w` in them: coupled decay.

        Args:
            variables: Weights, or what stands for several of them.
            gradients: One a variable.
            values: w, where this is not what the variables hold.
        """
        return [
            gradient + ops.cast(self.value(), gradient.dtype) * w if self.acts_on(variable) else gradient
            for variable, gradient, w in zip(variables, gradients, values or variables, strict=True)
        ]

    def along(self, step: WeightStep) -> list[Tensor]:
        """`-learning_rate * value * w`."""
        return [-ops.cast(self.shrinkage(step.learning_rate), w.dtype) * w for w in step.decayed]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "coupled": self.coupled, "max_shrinkage": self.max_shrinkage}
