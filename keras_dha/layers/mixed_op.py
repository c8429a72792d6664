"""One of several operations, softly."""

from typing import Any

from keras import ops

from keras_dha.layers.branch import is_zero, with_credit
from keras_dha.layers.mixed_layer import MixedLayer
from keras_dha.layers.shared_graphs import Apply

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

    def call(self, inputs: list[Tensor], training: bool | None = None) -> Tensor:
        """The weighted sum. `inputs`: what the branches read, and the weights of the options."""
        output = super().call(inputs, training=training)
        runs_one = self.sparse and self._kept is None and self._is_one_unit
        return with_credit(output, inputs[-1]) if runs_one else output

    @property
    def _is_one_unit(self) -> bool:
        """Whether the output is that of one branch, times exactly 1."""
        return self.unit and self.exact and self.choice.keep == 1

    def _sparse_sum(self, inputs: list[Tensor], weights: Tensor, apply: Apply) -> Tensor:
        if not self.exact:
            return super()._sparse_sum(inputs, weights, apply)
        active = ops.top_k(ops.abs(weights), 1)[1][0]  # argmax takes Keras a dozen more operations
        return ops.switch(active, [self._branch(i, inputs, weights, apply) for i in range(len(self.branches))])

    def _branch(self, position: int, inputs: list[Tensor], weights: Tensor, apply: Apply) -> Any:
        if is_zero(self.branches[position]):
            return lambda: self._zeros(inputs)
        return lambda: self._weighted(position, inputs, None if self._is_one_unit else weights[position], apply)
