"""Networks from a vector of numbers to another one."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.chooser import Chooser, OpFactory
from keras_dha.spaces.search_space import SearchSpace

ACTIVATIONS = ("tanh", "relu", "silu")


@keras.saving.register_keras_serializable(package="keras_dha")
class DenseSpace(SearchSpace):
    """Dense layers from a vector of numbers to numbers, or to the logits of classes: how many, how wide, which curves.

    Chosen are

    - `"width_1"`, `"width_2"`, ...: how many units a hidden layer has;
    - `"activation_1"`, ...: its activation;
    - `"depth"`: how many hidden layers there are. Those behind the last are not in the network that is derived.

    Widths are nested: a layer has the units of the widest, of which the first ones are kept. Inputs and targets should
    be of mean 0 and deviation 1: nothing is scaled behind your back, and nothing is augmented.

    Args:
        input_shape: `(columns,)`.
        num_outputs: How many numbers, or classes, networks give.
        classifies: Whether outputs are one a class. By default they are numbers, of which a search minimizes the mean
            squared error.
        widths: Numbers of units, rising. One alone is no choice.
        depths: Numbers of hidden layers, rising, likewise.
        activations: Names of Keras activations of the hidden layers. Where widths are chosen, they must be 0 at 0, or
            units that are closed could not go.

    Raises:
        ValueError: If a size is not a positive integer, sizes do not rise, or an activation is unknown, twice there, or
            not 0 at 0.

    Example:

    >>> from keras_dha.spaces import DenseSpace
    >>> space = DenseSpace((6,), 4, widths=(32, 64), depths=(1, 2), activations=("tanh", "relu"))
    >>> [choice.name for choice in space.choices()]
    ['width_1', 'activation_1', 'width_2', 'activation_2', 'depth']

    Reference: this space is ours. With widths 128 and 64, and ReLU, it has the small network of Neural-iLQR, arXiv
    2011.10737, but for its batch normalization.
    """

    standardizes = False

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        classifies: bool = False,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (1, 2, 3),
        activations: Sequence[str] = ACTIVATIONS,
    ) -> None:
        super().__init__(input_shape, num_outputs)
        if len(self.input_shape) != 1:
            raise ValueError(
                f"input_shape must be (columns,). Received: input_shape={self.input_shape}. Flatten the examples."
            )
        self.classifies = self.from_logits = bool(classifies)
        self.widths, self.depths = _rising("widths", widths), _rising("depths", depths)
        self.activations = _known(activations, at_zero=len(self.widths) > 1)

    def build(self, choose: Chooser) -> keras.Model:
        """The network, from a vector to numbers, or to logits."""
        inputs = x = keras.Input(self.input_shape)
        curves: dict[str, OpFactory] = {
            name: lambda name=name: keras.layers.Activation(name)  # type: ignore[misc]
            for name in self.activations
        }
        hidden = []
        for layer in range(1, self.depths[-1] + 1):
            x = keras.layers.Dense(self.widths[-1])(x)
            if len(self.widths) > 1:
                x = choose.width(f"width_{layer}", sizes={str(width): width for width in self.widths})(x)
            x = choose.op(f"activation_{layer}", curves)(x) if len(curves) > 1 else curves[self.activations[0]]()(x)
            hidden.append(x)
        reached = {str(depth): hidden[depth - 1] for depth in self.depths}
        x = choose.tensor("depth", reached) if len(reached) > 1 else x
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "input_shape": list(self.input_shape),
            "num_outputs": self.num_classes,
            "classifies": self.classifies,
            "widths": list(self.widths),
            "depths": list(self.depths),
            "activations": list(self.activations),
        }


def _rising(name: str, values: Sequence[int]) -> tuple[int, ...]:
    given = tuple(values) if isinstance(values, Sequence) else ()
    whole = all(isinstance(value, (int, np.integer)) and not isinstance(value, bool) for value in given)
    if not given or not whole or given[0] < 1 or any(b <= a for a, b in itertools.pairwise(given)):
        raise ValueError(f"{name} must be positive integers that rise. Received: {name}={values!r}. Sort them.")
    return tuple(int(value) for value in given)


def _known(names: Sequence[str], *, at_zero: bool) -> tuple[str, ...]:
    if isinstance(names, str) or not names or len(set(names)) < len(names):
        raise ValueError(
            f"activations must be names, each once. Received: activations={names!r}. Give for example ('tanh', 'relu')."
        )
    for name in names:
        try:
            value = float(keras.ops.convert_to_numpy(keras.activations.get(name)(keras.ops.zeros((1, 1))))[0, 0])
        except ValueError as error:
            raise ValueError(
                f"activations must be names that Keras knows. Received: activations={tuple(names)}, with {name!r}. "
                "Correct it."
            ) from error
        if at_zero and value != 0.0:
            raise ValueError(
                "activations must be 0 at 0 where widths are chosen. "
                f"Received: {name!r}, which is {value:g} there. Give one width, or another activation."
            )
    return tuple(names)
