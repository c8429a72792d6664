"""One of several operations, softly."""

from typing import Any

from keras import ops

from keras_dha.layers.mixed_layer import MixedLayer

Tensor = Any


class MixedOp(MixedLayer):
    """`y = sum_k weights[k] * branch_k(x)`: the answer to `choose.op` in a supernet.

    Call arguments:
        inputs: `[x, weights]`, `weights` of shape `(num_options,)`.

    Output shape:
        That of every branch.
    """

    def source(self, position: int, inputs: list[Tensor]) -> Tensor:
        """Every branch reads the one input."""
        return inputs[0]

    def _sparse_sum(self, inputs: list[Tensor], weights: Tensor, training: bool | None) -> Tensor:
        if not self.exact:
            return super()._sparse_sum(inputs, weights, training)
        active = ops.cast(ops.argmax(ops.abs(weights)), "int32")
        branches = [self._branch(position, inputs, weights, training) for position in range(len(self.branches))]
        return ops.switch(active, branches)

    def _branch(self, position: int, inputs: list[Tensor], weights: Tensor, training: bool | None) -> Any:
        return lambda: self.run(position, inputs, weights[position], training)
