"""A gate for each channel, for a model that is put together by hand."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.channels import Gate
from keras_dha.relaxations import AnnealedScale, ScaledSigmoid
from keras_dha.spaces import Choice

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class ChannelGate(Gate):
    """`y[..., c] = x[..., c] * sigmoid(scale * s[c])`, with a scale that grows from 1 to 10,000 over a training.

    For plain `keras.Model.fit`: the logits s learn along with the weights, and after `num_steps` training steps each
    gate is 0 or 1 for good. `keras_dha.channels.remove_closed` then takes the closed channels out. A `SearchModel`
    needs none of these layers: `keras_dha.spaces.GatedSpace` puts its own into a model, shares them where channels
    belong together, and can meet a bound.

    It belongs behind the batch normalization of a layer, and before its activation.

    Args:
        num_steps: Training steps until all gates are 0 or 1; a positive integer.
        weight: Of the sum of `sigmoid(s)`, which is added to the loss; at least 0. Defaults to 1e-4.
        min_channels: How many channels stay at least. Defaults to 1.
        **kwargs: Of `keras.layers.Layer`.

    Call arguments:
        inputs: Of any rank from 2 on, channels last.
        training: Whether the step counts.

    Output shape:
        That of the input. Gates are computed in float32, whatever the dtype policy is.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> gate = ChannelGate(num_steps=1000)
    >>> gate(keras.ops.ones((1, 2))).numpy()
    array([[0.5, 0.5]], dtype=float32)

    Reference: DNAL, Guo, Wu, Kittler, Feng, https://arxiv.org/abs/2103.02126, and its released code, where weights rest
    while gates learn: freeze the other layers for that, or use the recipe `dnal`.
    """

    def __init__(self, num_steps: int, *, weight: float = 1e-4, min_channels: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_steps < 1 or min_channels < 1 or not 0.0 <= weight < float("inf"):
            raise ValueError(
                "num_steps and min_channels must be positive integers, and weight at least 0. Received: "
                f"num_steps={num_steps}, min_channels={min_channels}, weight={weight}. Give 1000, 1 and 1e-4."
            )
        self.num_steps, self.min_channels, self.weight = int(num_steps), int(min_channels), float(weight)

    def build(self, input_shape: Any) -> None:
        """Makes one logit a channel."""
        options = tuple(str(i) for i in range(input_shape[-1]))
        choice = Choice("channels", options, keep=len(options), at_least=min(self.min_channels, len(options)))
        scale = AnnealedScale(1.0, 1e-4, geometric=True)
        self.relaxation = ScaledSigmoid(scale=scale, seed=0).for_choice(choice)
        self.relaxation.build()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """The gated input."""
        gates = self.relaxation
        is_over = ops.convert_to_tensor(gates.search_share) >= 1.0
        weights = ops.where(is_over, gates.harden(gates.logits), gates(gates.logits))
        if training:
            if self.weight:
                self.add_loss(self.weight * ops.sum(ops.sigmoid(ops.convert_to_tensor(gates.logits))))
            steps = ops.cast(gates.search_step, "float32") + 1.0
            gates.step(ops.minimum(steps / self.num_steps, 1.0))
        return inputs * ops.cast(weights, inputs.dtype)

    def open_channels(self) -> np.ndarray:
        """Which channels stay, as the logits are: bool, `(channels,)`."""
        return ops.convert_to_numpy(self.relaxation.harden(self.relaxation.logits)) > 0

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        own = {"num_steps": self.num_steps, "weight": self.weight, "min_channels": self.min_channels}
        return {**super().get_config(), **own}
