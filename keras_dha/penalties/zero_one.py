"""Weights of options away from the middle."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.penalties.penalty import Penalty, Tensor, soft_and_kept
from keras_dha.relaxations import Relaxation


@keras.saving.register_keras_serializable(package="keras_dha")
class ZeroOne(Penalty):
    """`-weight * mean (w - 1/2)^2` over the weights of all options, in `[-weight / 4, 0]`: lowest at 0 and 1.

    Made for `Sigmoid`, whose weights nothing else moves to the ends.

    Args:
        weight: At least 0. Defaults to 10.0.
        **kwargs: Of `keras.layers.Layer`.

    Example:

    >>> relaxation = Sigmoid().for_choice(Choice("edge", ("conv", "skip")))
    >>> relaxation.build()
    >>> _ = relaxation.logits.assign([100.0, -100.0])
    >>> float(ZeroOne(1.0).value({"edge": relaxation}, 0.5))
    -0.25

    Reference: the squared form of the zero-one loss of Chu et al., "Fair DARTS: Eliminating Unfair Advantages in
    Differentiable Architecture Search", https://arxiv.org/abs/1911.12126.
    """

    def __init__(self, weight: float = 10.0, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        weights = ops.concatenate([soft_and_kept(relaxation)[0] for relaxation in relaxations.values()])
        return -self.weight * ops.mean(ops.square(weights - 0.5))
