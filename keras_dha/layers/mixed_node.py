"""A node of a cell: a few candidates out of many, softly."""

from typing import Any

from keras import ops

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

    def _sparse_sum(self, inputs: list[Tensor], weights: Tensor, training: bool | None) -> Tensor:
        batch = ops.shape(inputs[0])[0]
        total = ops.zeros((batch, *self._output_shape[1:]), dtype=self.compute_dtype)
        for position in range(len(self.branches)):
            total = ops.cond(
                ops.not_equal(weights[position], 0.0),
                self._branch(position, inputs, weights, training, total),
                lambda total=total: total,
            )
        return total

    def _branch(
        self, position: int, inputs: list[Tensor], weights: Tensor, training: bool | None, total: Tensor
    ) -> Any:
        return lambda: total + self.run(position, inputs, weights[position], training)
