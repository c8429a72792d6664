"""What the layers that act on a choice have in common."""

import abc
import math
from typing import Any

import keras
from keras import ops

from keras_dha.layers.branch import add, is_zero, run
from keras_dha.layers.shared_graphs import Apply, SharedGraph, SharedGraphs, in_plain_graph
from keras_dha.spaces import Choice

Tensor = Any


class MixedLayer(keras.layers.Layer, abc.ABC):
    """A sum of branches, one branch an option, weighted by the weights of the options.

    Before `settle`, a sparse mixture runs only the branches whose weight is not zero; a dense one runs all. After
    `settle`, only the kept branches exist for the graph, and the weights that come in are not read.

    Args:
        choice: The choice that the branches answer.
        branches: One layer an option, in the order of `choice.options`.
        sparse: Whether weights may be zero, so that their branches need not run.
        exact: Whether, of a sparse mixture, exactly `choice.keep` weights are other than zero. Defaults to True.
        unit: Whether, of a sparse mixture, these weights are exactly 1. Defaults to False.
        graphs: Where a sparse mixture may share a graph with its like. None: it has its own.
    """

    def __init__(
        self,
        choice: Choice,
        branches: list[keras.layers.Layer],
        *,
        sparse: bool,
        exact: bool = True,
        unit: bool = False,
        graphs: SharedGraphs | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.choice = choice
        self.branches = branches
        self.sparse = sparse
        self.exact = exact
        self.unit = unit
        self._graphs = graphs
        self._graph: SharedGraph | None = None
        self._kept: dict[int, float] | None = None

    def settle(self, kept: dict[int, float]) -> None:
        """Keeps the branches at these positions, with these constant weights. Graphs must be traced anew."""
        self._kept = dict(kept)

    def reopen(self) -> None:
        """Takes `settle` back. Graphs must be traced anew."""
        self._kept = None

    def count_parameters(self, inputs: list[Tensor]) -> list[int]:
        """The number of trained parameters of each branch, on inputs of these shapes."""
        specs = [keras.KerasTensor(tensor.shape, dtype=self.compute_dtype) for tensor in inputs]
        for position, branch in enumerate(self.branches):
            branch(self.source(position, specs))
        return [sum(math.prod(v.shape) for v in branch.trainable_variables) for branch in self.branches]

    @abc.abstractmethod
    def source(self, position: int, inputs: list[Tensor]) -> Tensor:
        """The input that the branch at `position` reads."""

    def _sparse_sum(self, inputs: list[Tensor], weights: Tensor, apply: Apply) -> Tensor:
        """The mixture, running by `apply(position, x, weight)` only branches of non-zero weight."""
        total = self._zeros(inputs)
        for position in range(len(self.branches)):
            total = ops.cond(
                ops.not_equal(weights[position], 0.0),
                self._added(position, inputs, weights, apply, total),
                lambda total=total: total,
            )
        return total

    def _zeros(self, inputs: list[Tensor]) -> Tensor:
        """The output of no branch."""
        return ops.zeros((ops.shape(inputs[0])[0], *self._output_shape[1:]), dtype=self.compute_dtype)

    def _added(self, position: int, inputs: list[Tensor], weights: Tensor, apply: Apply, total: Tensor) -> Any:
        return lambda: total + self._weighted(position, inputs, weights[position], apply)

    def build(self, input_shape: Any) -> None:
        """Builds every branch, and checks that their outputs fit together.

        Raises:
            ValueError: If the output shapes differ.
        """
        inputs = [keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in input_shape[:-1]]
        outputs = [branch(self.source(position, inputs)) for position, branch in enumerate(self.branches)]
        if len({output.shape for output in outputs}) > 1:
            received = {option: output.shape for option, output in zip(self.choice.options, outputs)}
            raise ValueError(
                f"All options of the choice {self.choice.name!r} must have the same output shape for inputs of shape "
                f"{[tensor.shape for tensor in inputs]}. Received: {received}. "
                "Give the odd one padding='same', the same strides and the same number of filters."
            )
        self._output_shape = outputs[0].shape
        # Under mixed precision Keras would hand out rounded values of variables here.
        if self._graphs is not None and self.sparse and self.compute_dtype == self.variable_dtype:
            shapes = [tensor.shape for tensor in inputs]
            details = (type(self).__name__, self.exact, self.unit, self.choice.keep, self.choice.groups, shapes)
            self._graph = self._graphs.of(self._sparse_sum, self.branches, *details)

    def call(self, inputs: list[Tensor], training: bool | None = None) -> Tensor:
        """The weighted sum. `inputs`: the tensors that the branches read, then the weights of the options."""
        *tensors, weights = inputs
        chooses = self.sparse and self._kept is None
        if chooses and self._graph is not None and in_plain_graph():
            return self._graph(self.branches, tensors, weights, training)
        rectified: dict[int, Tensor] | None = None if chooses else {}  # a branch that may not run has nothing to share

        def apply(position: int, x: Tensor, weight: Tensor | None) -> Tensor:
            return run(self.branches[position], x, weight, training, rectified)

        if self._kept is not None:
            return add([self._weighted(i, tensors, None if w == 1.0 else w, apply) for i, w in self._kept.items()])
        if chooses:
            return self._sparse_sum(tensors, weights, apply)
        return self._dense_sum(tensors, weights, apply)

    def _dense_sum(self, inputs: list[Tensor], weights: Tensor, apply: Apply) -> Tensor:
        """The mixture, running every branch; one that stands for several options of the same input once."""
        same: dict[tuple[int, int], list[int]] = {}
        for position, branch in enumerate(self.branches):
            same.setdefault((id(branch), id(self.source(position, inputs))), []).append(position)
        groups = [own for own in same.values() if not is_zero(self.branches[own[0]])] or list(same.values())
        return add([self._weighted(own[0], inputs, add([weights[i] for i in own]), apply) for own in groups])

    def _weighted(self, position: int, inputs: list[Tensor], weight: Tensor | None, apply: Apply) -> Tensor:
        """One branch, times its weight."""
        return apply(position, self.source(position, inputs), weight)

    def compute_output_spec(self, inputs: list[Tensor], training: bool | None = None) -> keras.KerasTensor:
        """The common shape of the branches' outputs."""
        return keras.KerasTensor((inputs[0].shape[0], *self._output_shape[1:]), dtype=self.compute_dtype)
