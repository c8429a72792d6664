"""A number of the training loss that is learned."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.hyperparameter import Hyperparameter, Tensor


@dataclasses.dataclass(frozen=True)
class TrainingBatch:
    """What a term of the training loss may be made of.

    Args:
        y: The labels.
        y_pred: The outputs.
        sample_weight: Weights of the examples, or None.
        loss: What the model was compiled with.
        mean: From a Keras loss, or a function of labels and outputs, to its mean over this batch, a scalar.
        weights: The trainable weights.
        added: What layers added to the loss, such as regularizers, a scalar each.
        replicas: In how many replicas the loss is summed up.
    """

    y: Any
    y_pred: Any
    sample_weight: Any
    loss: Any
    mean: Callable[[Any], Tensor]
    weights: Sequence[keras.Variable]
    added: Sequence[Tensor]
    replicas: int = 1


class LossHyperparameter(Hyperparameter):
    """One number on which the training loss depends, and the held-out loss does not.

    The weights' step knows of it through their gradients only: a hypergradient takes a mixed second derivative.
    """

    enters = "loss"

    def term(self, batch: TrainingBatch) -> Tensor:
        """What is added to the training loss, a scalar, differentiable in `value()`; nothing, unless overridden."""
        return ops.zeros(())
