"""A learned bound of the gradients' norm."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.hyperparameter import Hyperparameter, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class GradientClip(Hyperparameter):
    """The most that the norm of the gradients of all weights together may be: longer ones are shortened to it.

    Before the optimizer sees them, and before a coupled decay. Where the gradients are shorter nothing is learned.

    Args:
        initial: The norm at the start. Defaults to 1.
        bounds: Lowest and highest norm, `0 < low < high`. Defaults to (1e-2, 1e2).
        space: `"log"` or `"raw"`. Defaults to `"log"`.
        where: The weights whose gradients are measured and shortened, as `Hyperparameter` has it. Defaults to all.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`.
    """

    def __init__(
        self,
        initial: float = 1.0,
        bounds: Sequence[float] = (1e-2, 1e2),
        *,
        space: str = "log",
        where: Any = None,
        max_step: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, where=where, max_step=max_step, **kwargs)

    def clipped(self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable]) -> list[Tensor]:
        """The gradients, those of the weights that it acts on shortened.

        Args:
            gradients: One a variable.
            variables: What they are of; or what stands for several of these.
        """
        mine = [self.acts_on(variable) for variable in variables]
        wide = [ops.cast(gradient, "float32") for gradient, acts in zip(gradients, mine) if acts]
        square = sum((ops.sum(ops.square(gradient)) for gradient in wide), ops.zeros(()))
        norm = ops.sqrt(ops.maximum(square, 1e-30))
        share = ops.minimum(1.0, self.value() / norm)
        return [g * ops.cast(share, g.dtype) if acts else g for g, acts in zip(gradients, mine, strict=True)]
