"""What the networks of a space cost, as a sum over blocks of choices."""

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.costs.covering import network, with_block
from keras_dha.spaces import Choice, Decisions, SearchSpace

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class BlockCost:
    """`constant + sum over blocks of the sum over options a, b, ... of w_a * w_b * ... * table[a, b, ...]`.

    Exact for decisions where the space's blocks do not depend on each other, and smooth in the weights of options.

    Args:
        space: A space whose choices keep one option each.
        tables: For each of `space.cost_blocks()` an array with an axis a choice, and what each combination costs.
        constant: What every network costs beside it.

    Attributes:
        names: The choices, block by block.
        least, most: The smallest and the largest cost of a network.

    Raises:
        ValueError: If a choice keeps several options, or tables do not fit the blocks.

    Example:

    >>> cost = BlockCost.measure(space, keras_dha.costs.multiply_adds)  # doctest: +SKIP
    """

    def __init__(self, space: SearchSpace, tables: Sequence[Any], constant: float = 0.0) -> None:
        self._space = space
        self.blocks = blocks_of(space)
        self.tables = [np.asarray(table, dtype="float64") for table in tables]
        self.constant = float(constant)
        wanted = [tuple(len(choice.options) for choice in block) for block in self.blocks]
        if [table.shape for table in self.tables] != wanted:
            raise ValueError(
                f"Tables must have an axis a choice, and a number an option. Received: shapes "
                f"{[table.shape for table in self.tables]}, wanted {wanted}. Were they made for another space?"
            )
        self.names = [choice.name for block in self.blocks for choice in block]
        self.least = self.constant + sum(float(table.min()) for table in self.tables)
        self.most = self.constant + sum(float(table.max()) for table in self.tables)

    @classmethod
    def measure(cls, space: SearchSpace, cost: Callable[[keras.Model], float]) -> "BlockCost":
        """The tables of a cost that is told of a network, from blocks alone, or from differences of whole networks.

        Args:
            space: The space.
            cost: From a plain Keras model to a number.
        """
        blocks = blocks_of(space)
        base = {choice.name: choice.options[0] for block in blocks for choice in block}
        whole = float(cost(network(space, base)))
        known: dict[Hashable, np.ndarray] = {}
        tables = []
        for block in blocks:
            names, shape = [choice.name for choice in block], tuple(len(choice.options) for choice in block)
            key = space.block_key(names)
            if key not in known:
                values = [
                    float(cost(with_block(space, base, dict(zip(names, combination)))))
                    for combination in itertools.product(*(choice.options for choice in block))
                ]
                known[key] = np.array(values).reshape(shape)
            tables.append(known[key])
        return cls(space, tables, whole - sum(table.flat[0] for table in tables))

    @classmethod
    def fit(cls, space: SearchSpace, decisions: Sequence[Mapping[str, Any]], costs: Sequence[float]) -> "BlockCost":
        """The tables that agree best, by least squares, with costs of whole networks, such as published latencies.

        Args:
            space: The space.
            decisions: Networks, at least as many as there are combinations of options.
            costs: What each of them costs.

        Raises:
            ValueError: If there are too few, or numbers are not finite.
        """
        blocks, values = blocks_of(space), np.asarray(costs, dtype="float64")
        shapes = [tuple(len(choice.options) for choice in block) for block in blocks]
        starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
        if len(decisions) != len(values) or len(values) < starts[-1] or not np.isfinite(values).all():
            raise ValueError(
                f"Costs must be finite numbers, one a network, of at least {starts[-1]} networks. "
                f"Received: {len(decisions)} networks, {len(values)} costs. Give more."
            )
        features = np.zeros((len(values), starts[-1] + 1))
        features[:, -1] = 1.0
        for row, kept in zip(features, decisions):
            for block, shape, start in zip(blocks, shapes, starts):
                row[start + np.ravel_multi_index(_positions(block, Decisions(kept)), shape)] = 1.0
        found = np.linalg.lstsq(features, values, rcond=None)[0]
        tables = [found[start:end].reshape(shape) for start, end, shape in zip(starts, starts[1:], shapes)]
        return cls(space, tables, found[-1])

    def of(self, decisions: Mapping[str, Any]) -> float:
        """The cost of the network of these decisions."""
        kept = Decisions(decisions).validate([choice for block in self.blocks for choice in block])
        return self.constant + sum(float(t[_positions(block, kept)]) for t, block in zip(self.tables, self.blocks))

    def extremes(self) -> tuple[Decisions, Decisions]:
        """The networks of least and of largest cost."""
        found: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for block, table in zip(self.blocks, self.tables):
            for kept, position in zip(found, (table.argmin(), table.argmax())):
                options = np.unravel_index(position, table.shape)
                kept.update({choice.name: choice.options[int(i)] for choice, i in zip(block, options)})
        return Decisions(found[0]), Decisions(found[1])

    def __call__(self, weights: Mapping[str, Tensor]) -> Tensor:
        """The expected cost, a scalar with gradients.

        Args:
            weights: For each choice the weights of its options, `(num_options,)`.
        """
        total = ops.full((), self.constant)
        for block, table in zip(self.blocks, self.tables):
            part = ops.convert_to_tensor(table, "float32")
            for choice in block:
                own = ops.cast(weights[choice.name], "float32")
                part = ops.sum(part * ops.reshape(own, (-1, *[1] * (len(part.shape) - 1))), axis=0)
            total = total + part
        return total

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        space = keras.saving.serialize_keras_object(self._space)
        return {"space": space, "tables": [table.tolist() for table in self.tables], "constant": self.constant}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "BlockCost":
        """A cost from what `get_config` returned."""
        return cls(**{**config, "space": keras.saving.deserialize_keras_object(config["space"])})


def blocks_of(space: SearchSpace) -> list[list[Choice]]:
    """The choices of each block of a space.

    Raises:
        ValueError: If one of them keeps several options.
    """
    by_name = {choice.name: choice for choice in space.choices()}
    several = [choice.name for choice in by_name.values() if choice.keep > 1]
    if several or not by_name:
        raise ValueError(
            "Costs of blocks can be told of choices that keep one option. "
            f"Received: {type(space).__name__}, whose choices {several[:3]} keep several. For widths, use CostTarget."
        )
    return [[by_name[name] for name in block] for block in space.cost_blocks()]


def _positions(block: Sequence[Choice], kept: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(choice.options.index(kept[choice.name][0]) for choice in block)
