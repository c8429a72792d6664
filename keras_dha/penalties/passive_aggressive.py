"""Nodes that are read without inputs, or have inputs and are not read."""

import re
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.penalties.penalty import Penalty, Tensor
from keras_dha.relaxations import Relaxation

NUM_INPUTS = 2  # of a cell, in front of its nodes


@keras.saving.register_keras_serializable(package="keras_dha")
class PassiveAggressive(Penalty):
    """`weight * r`, with r = 0 while the topology that would be kept is valid, and a gradient while it is not.

    It acts on cells of `DARTSSpace(learned_output=True)`: choices `K_node_0`, `K_node_1`, ..., and `K_output` for each
    kind K of cell. With q the probability that a node reads another, and for node n
    `out_n = 1 - prod_k (1 - q_{n,k})` over the nodes behind it and the output,

        r = sum_n [n has inputs, and is not read] * (1 - out_n, or in_n) + sum_n [n is read, and has no input] * out_n

    where the brackets are of what would be kept now, and in_n, the probability of an input, stands where a node may
    keep none. Elsewhere, where every node is read by its cell's output, r is 0.

    Args:
        weight: At least 0. Defaults to 0.1.
        **kwargs: Of `keras.layers.Layer`.

    Reference: a reconstruction. The abstract of Huang et al., "Explicitly Learning Topology for Differentiable Neural
    Architecture Search" (TopoNAS), https://arxiv.org/abs/2011.09300, names a "passive-aggressive regularization to
    suppress invalid topology"; its formula was not at hand.
    """

    def __init__(self, weight: float = 0.1, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        kinds = [name.removesuffix("_output") for name in relaxations if name.endswith("_output")]
        total = ops.zeros(())
        for kind in kinds:
            total = total + _invalid(_nodes(kind, relaxations), relaxations[f"{kind}_output"])
        return self.weight * total


def _nodes(kind: str, relaxations: Mapping[str, Relaxation]) -> list[Relaxation]:
    """The relaxations of a cell's nodes, in their order."""
    found = {
        int(m[1]): r for name, r in relaxations.items() if (m := re.fullmatch(rf"{re.escape(kind)}_node_(\d+)", name))
    }
    return [found[number] for number in sorted(found)]


def _invalid(nodes: list[Relaxation], output: Relaxation) -> Tensor:
    total = ops.zeros(())
    for number, node in enumerate(nodes):
        readers = [(reader, number + NUM_INPUTS) for reader in nodes[number + 1 :]] + [(output, number)]
        read = [_reads(reader, source) for reader, source in readers]
        unread, kept_unread = ops.ones(()), ops.ones(())
        for soft, hard in read:
            unread, kept_unread = unread * (1.0 - soft), kept_unread * (1.0 - hard)
        inputs = [_reads(node, source) for source in range(number + NUM_INPUTS)]
        empty, kept_empty = ops.ones(()), ops.ones(())
        for soft, hard in inputs:
            empty, kept_empty = empty * (1.0 - soft), kept_empty * (1.0 - hard)
        may_be_empty = any(
            ok for option, ok in zip(node.choice.options, node.choice.allowed, strict=True) if option.endswith("/none")
        )
        aggressive = (1.0 - empty) if may_be_empty else unread
        total = (
            total + (1.0 - kept_empty) * kept_unread * aggressive + kept_empty * (1.0 - kept_unread) * (1.0 - unread)
        )
    return total


def _reads(reader: Relaxation, source: int) -> tuple[Tensor, Tensor]:
    """The probability that an input is read, and as a constant whether it would be: scalars."""
    reads = [option.startswith(f"{source}/") and not option.endswith("/none") for option in reader.choice.options]
    mask = ops.cast(reads, "float32")
    logits = ops.convert_to_tensor(reader.logits)
    soft = ops.sum(reader.probabilities(logits) * mask) * reader.expected_number(logits)
    return ops.clip(soft, 0.0, 1.0), ops.stop_gradient(ops.sum(reader.harden(logits) * mask))
