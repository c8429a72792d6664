"""A node of a cell: a few candidates out of many, softly."""

from typing import Any

from keras_dha.layers.mixed_layer import MixedLayer

Tensor = Any


class MixedNode(MixedLayer):
    """`y = sum_k weights[k] * branch_k(x_{input(k)})`: the answer to `choose.node` in a supernet.

    Call arguments:
        inputs: `[x_0, ..., x_{n-1}, weights]`, `weights` of shape `(num_options,)`.

    Output shape:
        That of every branch.
    """

    def source(self, position: int, inputs: list[Tensor]) -> Tensor:
        """The input whose number stands in front of the option's name."""
        return inputs[self.choice.group_numbers[position]]
