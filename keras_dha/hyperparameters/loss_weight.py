"""A learned weight of a term of the loss."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.hyperparameter import Tensor
from keras_dha.hyperparameters.loss_hyperparameter import LossHyperparameter, TrainingBatch


@keras.saving.register_keras_serializable(package="keras_dha")
class LossWeight(LossHyperparameter):
    """`value * loss(y, y_pred)`, added to the training loss; or `value` times what the layers add to it.

    Args:
        initial: The weight at the start. Defaults to 0.1, without a loss to 1.
        bounds: Lowest and highest weight, `0 < low < high`. Defaults to (1e-4, 100).
        loss: A Keras loss, the name of one, or a function of labels and outputs. None: what layers add with `add_loss`
            or by their regularizers, which then counts `value` times in place of once.
        space: `"log"` or `"raw"`. Defaults to `"log"`.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`, or if there is a `where`; in a fit, if there is no loss and no layer adds one.
    """

    is_one_for_all = True

    def __init__(
        self,
        initial: float | None = None,
        bounds: Sequence[float] = (1e-4, 100.0),
        *,
        loss: Any = None,
        space: str = "log",
        max_step: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        start = (1.0 if loss is None else 0.1) if initial is None else initial
        super().__init__(start, bounds, space=space, max_step=max_step, **kwargs)
        self.loss = None if loss is None else keras.losses.get(loss)

    def term(self, batch: TrainingBatch) -> Tensor:
        """What is added for its weight to be `value`."""
        if self.loss is None:
            if not batch.added:
                raise ValueError(
                    "Layers must add something to the loss for it to have a weight. Received: a network without "
                    "add_loss and regularizers. Give LossWeight a loss."
                )
            return (self.value() - 1.0) * sum(batch.added, ops.zeros(()))
        return self.value() * batch.mean(self.loss)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {
            **super().get_config(),
            "loss": None if self.loss is None else keras.saving.serialize_keras_object(self.loss),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LossWeight":
        """A weight from what `get_config` returned."""
        loss = config["loss"]
        return cls(**{**config, "loss": loss and keras.saving.deserialize_keras_object(loss)})
