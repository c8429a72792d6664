"""The weights of one choice's options, as a tensor of the supernet's graph."""

from typing import Any

import keras

from keras_dha.relaxations import Relaxation

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class ChoiceWeights(keras.layers.Layer):
    """`weights = relaxation(logits)`, computed once in a forward pass, wherever the decision acts.

    Args:
        relaxation: The relaxation of one choice, as `Relaxation.for_choice` returns it.

    Call arguments:
        anchor: Any tensor of the graph; only its place in it is used.
        training: Whether noise is drawn.

    Output shape:
        `(num_options,)`, float32.
    """

    def __init__(self, relaxation: Relaxation, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.relaxation = relaxation

    def build(self, input_shape: Any) -> None:
        """Makes the logits."""
        if not self.relaxation.built:
            self.relaxation.build()

    def call(self, anchor: Tensor, training: bool | None = None) -> Tensor:
        """The weights of the options."""
        return self.relaxation(self.relaxation.logits, training=bool(training))

    def compute_output_spec(self, anchor: Tensor, training: bool | None = None) -> keras.KerasTensor:
        """One number an option, without a batch axis."""
        return keras.KerasTensor((len(self.relaxation.choice.options),), dtype="float32")
