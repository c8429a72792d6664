"""A learned smoothing of labels."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.hyperparameter import Tensor
from keras_dha.hyperparameters.loss_hyperparameter import LossHyperparameter, TrainingBatch

_KINDS = ("categorical", "binary")


@keras.saving.register_keras_serializable(package="keras_dha")
class LabelSmoothing(LossHyperparameter):
    """The share of all classes alike in the labels: `(1 - value) * y + value / num_classes`.

    For a cross-entropy, which is linear in its labels: the loss is `(1 - value)` of that of the labels, and `value` of
    that of all classes alike. Held-out labels stay as they are.

    Args:
        initial: The share at the start. Defaults to 0.05.
        bounds: Lowest and highest share, `0 < low < high < 1`. Defaults to (1e-3, 0.9).
        space: `"logit"`, `"log"` or `"raw"`. Defaults to `"logit"`.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`, or if there is a `where`; in a fit, if the loss is no cross-entropy.

    Reference: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", arXiv
    1512.00567.
    """

    is_one_for_all = True

    def __init__(
        self,
        initial: float = 0.05,
        bounds: Sequence[float] = (1e-3, 0.9),
        *,
        space: str = "logit",
        max_step: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, max_step=max_step, **kwargs)

    def term(self, batch: TrainingBatch) -> Tensor:
        """`value * (loss of all classes alike - loss of the labels)`."""
        return self.value() * (self._uniform(batch) - batch.mean(batch.loss))

    def _uniform(self, batch: TrainingBatch) -> Tensor:
        name = _name_of(batch.loss)
        kind = next((kind for kind in _KINDS if name in (f"{kind}crossentropy", f"sparse{kind}crossentropy")), None)
        if kind is None:
            raise ValueError(
                "The loss must be a cross-entropy for its labels to be smoothed. "
                f"Received: loss={name}. Leave LabelSmoothing out."
            )
        from_logits = batch.loss.get_config().get("from_logits", False)
        if kind == "binary":
            loss = keras.losses.BinaryCrossentropy(from_logits=from_logits)
            return loss(0.5 * ops.ones_like(batch.y_pred), batch.y_pred, batch.sample_weight)
        loss = keras.losses.CategoricalCrossentropy(from_logits=from_logits)
        alike = ops.ones_like(batch.y_pred) / batch.y_pred.shape[-1]
        return loss(alike, batch.y_pred, batch.sample_weight)


def _name_of(loss: keras.losses.Loss) -> str:
    """The name of a loss, or of the function that it was made of, in small letters and without underscores."""
    name = getattr(loss.call, "__name__", "call")
    return (type(loss).__name__ if name == "call" else name).replace("_", "").lower()
