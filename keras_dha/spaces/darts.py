"""The space of DARTS."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.chooser import Chooser, NodeFactory, Tensor
from keras_dha.spaces.decisions import Decisions
from keras_dha.spaces.image_space import ImageSpace
from keras_dha.spaces.operations import (
    DARTS_OPERATIONS,
    batch_norm,
    conv,
    factorized_reduce,
    relu_conv_bn,
    shuffle_channels,
    split_channels,
)

_KEPT = tuple(name for name in DARTS_OPERATIONS if name != "none")
_KINDS = ("normal", "reduce")


@keras.saving.register_keras_serializable(package="keras_dha")
class DARTSSpace(ImageSpace):
    """Networks of two cells, repeated: a normal one, and one that halves the picture.

    A cell sees the outputs of the two cells before it, inputs 0 and 1. Its nodes are inputs 2, 3, ... of the nodes
    after them, `node = op_1(input_i) + op_2(input_j)`, `i != j`, each operation one of `max_pool_3x3`, `avg_pool_3x3`,
    `skip_connect`, `sep_conv_3x3`, `sep_conv_5x5`, `dil_conv_3x3`, `dil_conv_5x5`; `none` takes part in the search and
    is never kept. The cell's output is the concatenation of its nodes. The choice of node k is named `"normal_node_k"`
    or `"reduce_node_k"`, and shared by all cells of its kind. Reduction cells stand at `cells // 3` and
    `2 * cells // 3`, and double the channels.

    With four nodes 1,037,664,180 cells of each kind. `NASBench201Space` is smaller, and faster to search.

    Args:
        input_shape: `(height, width, channels)`. The side is halved twice, rounding up.
        num_classes: Number of outputs.
        channels: Number of channels of a node of the first cell. The paper searches with 16 and evaluates with 36.
        cells: Number of cells, 3 or more. The paper searches with 8 and evaluates with 20.
        nodes: Number of nodes of a cell.
        affine: Whether batch normalizations in the cells learn a scale and a shift; the ones after pooling never do.
            As in the paper's evaluation by default; its search sets False.
        partial_channels: K; only the first `1 / K` of the channels pass the operations of a node, the others pass by
            (halved by 2x2 max-pooling where a reduction cell halves), and channels are shuffled in K groups. 4 in the
            search of PC-DARTS, which takes less memory and time so; 1, all channels, in its final network, and here.
        learned_output: Whether the cell's output leaves out nodes: a choice more for each kind, `"normal_output"` and
            `"reduce_output"`, that keeps for each node `read` or `none`. What nobody reads is not in the derived
            network; the output has all channels still, zeros for what is left out. False by default, as in the paper.
        node_inputs: The fewest and the most inputs that a node keeps, `(2, 2)` as in the paper by default. Where they
            differ, `Topology` learns how many; other relaxations keep the most, or all where there are fewer.

    Raises:
        ValueError: If a size is not a positive integer, `input_shape` has not three, `cells` is below 3, `channels`
            is not a multiple of `partial_channels`, or `node_inputs` are not in order.

    Example:

    >>> from keras_dha.spaces import DARTSSpace
    >>> space = DARTSSpace((8, 8, 1), 10, channels=4, cells=3, nodes=2)
    >>> [choice.name for choice in space.choices()]
    ['normal_node_0', 'normal_node_1', 'reduce_node_0', 'reduce_node_1']

    Reference:

    - [Liu et al., 2019](https://arxiv.org/abs/1806.09055), and its published code. We normalize after pooling in the
      searched and in the final network; there, only in the searched one. We have no auxiliary head and no drop-path.
      Sides may be odd, which theirs are not.
    - Partial channels: [Xu et al., 2020](https://arxiv.org/abs/1907.05737), and its published code. What is searched
      with them is derived with them; for all channels, train `DARTSSpace(..., partial_channels=1)` with the decisions.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        *,
        channels: int = 16,
        cells: int = 8,
        nodes: int = 4,
        affine: bool = True,
        partial_channels: int = 1,
        learned_output: bool = False,
        node_inputs: Sequence[int] = (2, 2),
    ) -> None:
        super().__init__(input_shape, num_classes, channels=channels, affine=affine)
        self.cells = self._at_least(3, "cells", cells)
        self.nodes = self._at_least(1, "nodes", nodes)
        self.partial_channels = self._at_least(1, "partial_channels", partial_channels)
        if self.channels % self.partial_channels:
            raise ValueError(
                "channels must be a multiple of partial_channels. "
                f"Received: channels={channels}, partial_channels={partial_channels}. Take 16 and 4."
            )
        self.learned_output = bool(learned_output)
        self.node_inputs = self._range("node_inputs", node_inputs)

    def build(self, choose: Chooser) -> keras.Model:
        """The network, from pictures to logits."""
        inputs = keras.Input(self.input_shape)
        x = keras.Sequential([*conv(3 * self.channels, 3), batch_norm()])(inputs)
        before, channels, reduced = x, self.channels, False
        for cell in range(self.cells):
            reduce = cell in (self.cells // 3, 2 * self.cells // 3)
            channels = 2 * channels if reduce else channels
            first = factorized_reduce(channels, self.affine) if reduced else relu_conv_bn(channels, 1, 1, self.affine)
            states = [first(before), relu_conv_bn(channels, 1, 1, self.affine)(x)]
            before, x, reduced = x, self._cell(choose, reduce, channels, states), reduce
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    def _cell(self, choose: Chooser, reduce: bool, channels: int, states: list[Tensor]) -> Tensor:
        for node in range(self.nodes):
            states = [*states, self._node(choose, f"{_KINDS[reduce]}_node_{node}", reduce, channels, states)]
        if self.learned_output:
            slots = {
                name: functools.partial(_slot, states[2].shape[1:], self.nodes, name == "read")
                for name in ("read", "none")
            }
            return choose.node(f"{_KINDS[reduce]}_output", slots, keep=self.nodes)(states[2:])
        return keras.layers.Concatenate()(states[2:]) if self.nodes > 1 else states[2]

    def _node(self, choose: Chooser, name: str, reduce: bool, channels: int, states: list[Tensor]) -> Tensor:
        chosen = channels // self.partial_channels

        def strides(source: int) -> int:
            return 2 if reduce and source < 2 else 1

        def make(operation: str, source: int) -> Any:
            return DARTS_OPERATIONS[operation](chosen, strides(source), self.affine)

        @functools.cache
        def pass_by(source: int) -> keras.layers.Layer:
            if strides(source) == 1:
                return keras.layers.Identity()
            return keras.layers.MaxPooling2D(2, strides=2, padding="same")

        def ask(options: dict[str, NodeFactory], inputs: list[Tensor]) -> Tensor:
            fewest, most = self.node_inputs
            return choose.node(name, options, keep=most, excluded=("none",), at_least=fewest)(inputs)

        options: dict[str, NodeFactory] = {op: functools.partial(make, op) for op in DARTS_OPERATIONS}
        if self.partial_channels == 1:
            return ask(options, states)
        parts = [split_channels(x, chosen) for x in states]
        # The same question, so that what passes by has the weight of its input.
        outputs = [
            ask(options, [first for first, _ in parts]),
            ask(dict.fromkeys(DARTS_OPERATIONS, pass_by), [rest for _, rest in parts]),
        ]
        return shuffle_channels(keras.layers.Concatenate()(outputs), self.partial_channels)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "cells": self.cells,
            "nodes": self.nodes,
            "partial_channels": self.partial_channels,
            "learned_output": self.learned_output,
            "node_inputs": list(self.node_inputs),
        }

    @staticmethod
    def decisions_from_genotype(*, normal: Sequence[tuple[str, int]], reduce: Sequence[tuple[str, int]]) -> Decisions:
        """The network that the literature writes as a genotype.

        Args:
            normal: For each node of the normal cell in turn, two pairs of operation and number of its input, such as
                `[("sep_conv_3x3", 0), ("skip_connect", 1), ("sep_conv_3x3", 2), ("sep_conv_3x3", 0)]`.
            reduce: The same for the reduction cell.

        Raises:
            ValueError: If a pair is not of this form, an operation is unknown, a node has not two different inputs that
                come before it, or the two cells differ in their number of nodes.
        """
        if len(normal) != len(reduce) or len(normal) % 2 or not normal:
            raise ValueError(
                "A genotype must have two pairs (operation, input) a node, and as many nodes in both cells. "
                f"Received: {len(normal)} pairs in normal, {len(reduce)} in reduce. Complete the shorter one."
            )
        kept: dict[str, list[str]] = {}
        for kind, pairs in (("normal", normal), ("reduce", reduce)):
            for node in range(len(pairs) // 2):
                kept[f"{kind}_node_{node}"] = _node_options(
                    f"{kind} node {node}", node + 2, pairs[2 * node : 2 * node + 2]
                )
        return Decisions(kept)

    @staticmethod
    def to_genotype(decisions: Mapping[str, str | Sequence[str]]) -> dict[str, list[tuple[str, int]]]:
        """`{"normal": pairs, "reduce": pairs}` of the network `decisions`, which `decisions_from_genotype` takes.

        A learned output is left out: `decisions["normal_output"]` has it.

        Raises:
            ValueError: If they are not decisions of such a space.
        """
        outputs = {f"{kind}_output" for kind in _KINDS}
        kept = {name: options for name, options in Decisions(decisions).items() if name not in outputs}
        nodes = range(len(kept) // 2)
        names = {f"{kind}_node_{node}" for kind in _KINDS for node in nodes}
        if set(kept) != names or any(len(options) != 2 for options in kept.values()):
            raise ValueError(
                "Decisions of a DARTSSpace must keep two options for each of normal_node_0, ..., reduce_node_0, ..., "
                f"as many nodes of each kind. Received: {Decisions(decisions)}. Were they made for another space?"
            )
        genotype: dict[str, list[tuple[str, int]]] = {}
        for kind in _KINDS:
            options = [option.partition("/") for node in nodes for option in kept[f"{kind}_node_{node}"]]
            genotype[kind] = [(operation, int(source) if source.isdigit() else -1) for source, _, operation in options]
        DARTSSpace.decisions_from_genotype(normal=genotype["normal"], reduce=genotype["reduce"])
        return genotype


def _slot(shape: tuple[int, int, int], nodes: int, read: bool, source: int) -> keras.layers.Layer:
    """A node's place in the output: its channels among zeros, by stock layers; nothing but zeros if it is not read."""
    height, width, channels = shape
    padding = (source * channels, (nodes - 1 - source) * channels)
    layers = [
        keras.layers.Reshape((*shape, 1)),
        keras.layers.ZeroPadding3D(((0, 0), (0, 0), padding)),
        keras.layers.Reshape((height, width, nodes * channels)),
    ]
    return keras.Sequential(layers if read else [*layers, keras.layers.Rescaling(0.0)])


def _node_options(where: str, num_inputs: int, pairs: Sequence[Any]) -> list[str]:
    well_formed = [
        isinstance(pair, (tuple, list))
        and len(pair) == 2
        and pair[0] in _KEPT
        and isinstance(pair[1], (int, np.integer))
        for pair in pairs
    ]
    sources = [pair[1] for pair in pairs] if all(well_formed) else []
    if len(set(sources)) < 2 or not set(sources) <= set(range(num_inputs)):
        raise ValueError(
            f"A node must have two pairs of an operation and an input, the operations among {_KEPT}, the inputs "
            f"different and from 0 to {num_inputs - 1}, at {where}. Received: {list(pairs)}. Correct the genotype."
        )
    return [f"{int(source)}/{operation}" for operation, source in sorted(pairs, key=lambda pair: pair[1])]
