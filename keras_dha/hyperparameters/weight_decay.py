"""A learned weight decay."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.one_step import weight_decay_gradient
from keras_dha.hyperparameters.hyperparameter import Hyperparameter, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class WeightDecay(Hyperparameter):
    """The weight decay, `d(held-out loss)/d(log(value)) = -learning_rate * value * <g, w>` over the weights that decay.

    A trainer calls `apply` before its optimizer's step. Decoupled, kernels shrink by `learning_rate * value` of
    themselves, whatever the optimizer makes of the gradients; variables of one dimension (biases, scales) do not.
    Coupled, `value * w` is added to the gradients of all weights. Then clip gradients before `apply`, as the released
    code does: if the optimizer clips the sum, the hypergradient is not exact. Turn the optimizer's own `weight_decay`
    off.

    Args:
        initial: The weight decay at the start, as a fraction per unit of learning rate. Defaults to 5e-4.
        bounds: Lowest and highest weight decay, `0 < low < high`. Defaults to (1e-6, 1e-2).
        coupled: Whether the decay goes through the gradient (an L2 penalty). Defaults to False.
        space: `"log"` or `"raw"`. Defaults to `"log"`.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`.

    Example:

    >>> decay = WeightDecay(0.5, bounds=(0.1, 1.0))
    >>> kernel = keras.Variable([[2.0]])
    >>> gradients = decay.apply([kernel], [[[1.0]]], learning_rate=0.5)
    >>> kernel.numpy()  # 2 - 0.5 * 0.5 * 2
    array([[1.5]], dtype=float32)

    Reference: the released code of DHA (https://arxiv.org/abs/2109.05765) is coupled and learns the raw value, within
    (1e-4, 5e-4) for CIFAR-100. Decoupled decay: https://arxiv.org/abs/1711.05101.
    """

    def __init__(
        self,
        initial: float = 5e-4,
        bounds: Sequence[float] = (1e-6, 1e-2),
        *,
        coupled: bool = False,
        space: str = "log",
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, **kwargs)
        self.coupled = coupled

    def acts_on(self, weight: keras.Variable) -> bool:
        """Whether the weight decays: if decoupled, kernels only."""
        return self.coupled or len(weight.shape) > 1

    def apply(
        self,
        variables: Sequence[keras.Variable],
        gradients: Sequence[Tensor | None],
        learning_rate: Tensor,
        active: Sequence[Tensor | bool] | None = None,
    ) -> list[Tensor | None]:
        """Decays the variables, or adds the decay to their gradients; a variable whose gradient is None is left alone.

        Args:
            variables: The weights.
            gradients: Of the training loss, one for each variable.
            learning_rate: Of the step that follows.
            active: For each variable whether it decays in this step, a boolean or a scalar tensor; None: all do.

        Returns:
            The gradients for the optimizer.
        """
        if self.coupled:
            return [
                gradient if gradient is None else gradient + ops.cast(self.value(), variable.dtype) * variable
                for variable, gradient in zip(variables, gradients)
            ]
        rate = self.value() * ops.convert_to_tensor(learning_rate, dtype=self.dtype)
        active = active or [True] * len(variables)
        gated = {id(moves): rate if moves is True else rate * ops.cast(moves, rate.dtype) for moves in active}
        for variable, gradient, moves in zip(variables, gradients, active):
            if gradient is not None and self.acts_on(variable):
                variable.assign_sub(ops.cast(gated[id(moves)], variable.dtype) * variable)
        return list(gradients)

    def log_gradient(
        self,
        held_out_gradients: Sequence[Tensor | None],
        displacement: Sequence[Tensor],
        weights: Sequence[Tensor],
        learning_rate: Tensor,
    ) -> Tensor:
        """`-learning_rate * value * <g, w>`."""
        return weight_decay_gradient(held_out_gradients, weights, learning_rate, self.value())

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "coupled": self.coupled}
