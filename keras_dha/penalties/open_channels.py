"""How many channels are open."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.penalties.penalty import Penalty, Tensor
from keras_dha.relaxations import Relaxation


@keras.saving.register_keras_serializable(package="keras_dha")
class OpenChannels(Penalty):
    """`weight * sum sigmoid(logits)` over all options of all choices whose number of options is learned.

    Without the scale of the gates: its gradient does not vanish as they become 0 or 1.

    Args:
        weight: At least 0. Defaults to 1e-4.
        **kwargs: Of `keras.layers.Layer`.

    Example:

    >>> gates = ScaledSigmoid().for_choice(Choice("width", ("0", "1"), keep=2, at_least=1))
    >>> gates.build()
    >>> float(OpenChannels(1.0).value({"width": gates}, 0.5))
    1.0

    Reference: the released code of DNAL, https://arxiv.org/abs/2103.02126.
    """

    def __init__(self, weight: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        gates = [part for part in relaxations.values() if part.choice.fewest < part.choice.keep]
        sums = [ops.sum(ops.sigmoid(ops.convert_to_tensor(part.logits))) for part in gates]
        return self.weight * sum(sums, start=ops.zeros(()))
