"""A chooser that builds all there is, for the contracts of the ready-made spaces."""

from typing import Any

import keras
import numpy as np

from keras_dha.spaces import Choice, Chooser
from keras_dha.spaces.chooser import as_layer


class EveryOption(Chooser):
    """Builds every option of every question, and goes on with the first."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[set[tuple]] = []
        self.gated: set[str] = set()  # choices of gates, which change no shape

    def _answer_op(self, choice: Choice, options: Any, x: Any) -> Any:
        outputs = [as_layer(make(), x)(x) for make in options.values()]
        self.shapes.append({output.shape for output in outputs})
        return outputs[0]

    def _answer_node(self, choice: Choice, options: Any, inputs: list[Any]) -> Any:
        outputs = [as_layer(make(i), x)(x) for i, x in enumerate(inputs) for make in options.values()]
        self.shapes.append({output.shape for output in outputs})
        return outputs[0]

    def _answer_widths(self, choices: list[Choice], index: np.ndarray, x: Any) -> Any:
        self.gated.update(choice.name for choice in choices)
        return x

    def _answer_kernel(self, choice: Choice, sizes: tuple[int, ...], strides: int, x: Any) -> Any:
        outputs = [super(EveryOption, self)._answer_kernel(choice, (size,), strides, x) for size in sizes]
        self.shapes.append({output.shape for output in outputs})
        return outputs[0]

    def _answer_squeeze_excite(self, choice: Choice, sizes: tuple[int, ...], x: Any) -> Any:
        outputs = [super(EveryOption, self)._answer_squeeze_excite(choice, (size,), x) for size in sizes]
        self.shapes.append({output.shape for output in outputs})
        return outputs[0]


def leaves(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers inside, containers included."""
    return [layer, *(leaf for inner in getattr(layer, "layers", []) for leaf in leaves(inner))]
