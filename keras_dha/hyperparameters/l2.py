"""A learned penalty on the squares of weights."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.hyperparameter import Tensor
from keras_dha.hyperparameters.loss_hyperparameter import LossHyperparameter, TrainingBatch


@keras.saving.register_keras_serializable(package="keras_dha")
class L2(LossHyperparameter):
    """`value * sum(w^2)`, as `keras.regularizers.L2`, in the training loss.

    Args:
        initial: The factor at the start. Defaults to 1e-4.
        bounds: Lowest and highest factor, `0 < low < high`. Defaults to (1e-7, 1.0).
        space: `"log"` or `"raw"`. Defaults to `"log"`.
        where: The weights that are penalized, as `Hyperparameter` has it. Defaults to all kernels.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`.
    """

    def __init__(
        self,
        initial: float = 1e-4,
        bounds: Sequence[float] = (1e-7, 1.0),
        *,
        space: str = "log",
        where: Any = None,
        max_step: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, where=where, max_step=max_step, **kwargs)

    def acts_on(self, weight: keras.Variable) -> bool:
        """Whether the weight is penalized: without `where`, kernels only."""
        return super().acts_on(weight) and (bool(self.where) or len(weight.shape) > 1)

    def term(self, batch: TrainingBatch) -> Tensor:
        """`value * sum(w^2)`, of which each replica has its part."""
        squares = [ops.sum(ops.square(ops.cast(w, "float32"))) for w in batch.weights if self.acts_on(w)]
        return self.value() * sum(squares, ops.zeros(())) / batch.replicas
