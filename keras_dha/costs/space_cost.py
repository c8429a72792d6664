"""What the networks of a space of widths cost, for hard and for soft gates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_dha.channels import Gate, Term
from keras_dha.costs.network_cost import COSTS
from keras_dha.spaces import Choice, Chooser, Decisions, SearchSpace

Tensor = Any


class SpaceCost:
    """The cost of a network as a function of what its gates are: exact for 0 and 1, and smooth in between.

    `sum over layers of factor * number of inputs * number of outputs`, where a number is the sum of the gates, and of
    those channels that have none. Channels that belong together have one gate, so this is exact where neighbouring
    widths multiply.

    Args:
        space: A space that asks for widths only, such as `GatedSpace`.
        kind: `"multiply_adds"`, of one example, or `"parameters"`.

    Attributes:
        names: The choices, in order.
        sizes: How many options each has.
        most: The cost with all gates open.

    Raises:
        ValueError: If the kind is unknown, or the space asks for something else than widths.

    Example:

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(2)])
    >>> cost = SpaceCost(GatedSpace(model), "parameters")
    >>> cost.most, cost.of({"a": ["0"]}), float(cost({"a": [0.5, 0.5, 0.5]}))
    (23.0, 9.0, 12.5)
    """

    def __init__(self, space: SearchSpace, kind: str = "multiply_adds") -> None:
        if kind not in COSTS:
            raise ValueError(f"kind must be one of {COSTS}. Received: kind={kind!r}. Choose one.")
        self.kind = kind
        chooser = _WidthChooser()
        graph = space.channel_graph(space.build(chooser))
        self._choices = list(chooser.choices.values())
        if not self._choices:
            raise ValueError(
                f"A space whose costs are to be told must ask for widths. Received: {type(space).__name__}, which asks "
                "for none. Count those of a network: keras_dha.costs.multiply_adds(model)."
            )
        self.names = list(chooser.choices)
        self.sizes = [len(choice.options) for choice in chooser.choices.values()]
        starts = dict(zip(self.names, np.cumsum([0, *self.sizes])))
        option_of: dict[int, int] = {}
        for call in graph.calls:
            if isinstance(call.layer, _WidthMark):
                own = np.concatenate([starts[c.name] + np.arange(len(c.options)) for c in call.layer.choices])
                numbers, free = graph.channels(call.outputs[0]).tolist(), graph.free(call.outputs[0]).tolist()
                for number, may_go, position in zip(numbers, free, call.layer.index.tolist()):
                    if may_go and position >= 0 and option_of.setdefault(number, int(own[position])) != own[position]:
                        raise ValueError(
                            "Costs can be told of one gate a channel only. Received: several gates for one channel, at "
                            f"{[choice.name for choice in call.layer.choices]}. Count those of a network that is built."
                        )
        terms = graph.terms(kind)
        self._factors = np.array([term.factor for term in terms])
        self._outputs = self._counts(terms, [term.outputs for term in terms], option_of)
        self._inputs = self._counts(terms, [term.inputs for term in terms], option_of)
        self.most = self._of_gates(np.ones(sum(self.sizes)))

    def _counts(
        self, terms: Sequence[Term], numbers: Sequence[np.ndarray | None], option_of: Mapping[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """How often each option is in a term's channels, `(terms, options)`, and how many channels have no gate."""
        counts, rest = np.zeros((len(terms), sum(self.sizes)), dtype="float32"), np.zeros(len(terms))
        for i, channels in enumerate(numbers):
            if channels is None:
                rest[i] = 1.0
                continue
            own = np.array([option_of.get(number, -1) for number in channels.tolist()], dtype=np.int64)
            np.add.at(counts[i], own[own >= 0], 1.0)
            rest[i] = np.sum(own < 0)
        return counts, rest

    def _of_gates(self, gates: np.ndarray) -> float:
        numbers = [counts @ gates + rest for counts, rest in (self._inputs, self._outputs)]
        return float(np.sum(self._factors * numbers[0] * numbers[1]))

    def of(self, decisions: Mapping[str, Any]) -> float:
        """The cost of the network of these decisions."""
        kept = Decisions(decisions).validate(self._choices)
        parts = [np.isin([str(i) for i in range(size)], kept[name]) for name, size in zip(self.names, self.sizes)]
        return self.of_hard(np.concatenate(parts))

    def of_hard(self, gates: np.ndarray) -> float:
        """The cost with these gates, 0 or 1, one an option, of all choices in order."""
        return self._of_gates(np.asarray(gates, dtype="float64"))

    def __call__(self, weights: Mapping[str, Any]) -> Tensor:
        """The cost with soft gates, a scalar with gradients.

        Args:
            weights: For each choice the weights of its options, in [0, 1].
        """
        return self.of_soft(ops.concatenate([ops.convert_to_tensor(weights[name], "float32") for name in self.names]))

    def of_soft(self, gates: Tensor) -> Tensor:
        """As a call, of one vector of all choices in order."""
        return ops.squeeze(self.of_columns(ops.reshape(gates, (-1, 1))))

    def of_columns(self, gates: Tensor) -> Tensor:
        """As `of_soft`, of the columns of a matrix, `(options, n)`: n costs."""
        numbers = [
            ops.matmul(ops.convert_to_tensor(counts), gates) + ops.convert_to_tensor(rest[:, None], "float32")
            for counts, rest in (self._inputs, self._outputs)
        ]
        return ops.sum(ops.convert_to_tensor(self._factors[:, None], "float32") * numbers[0] * numbers[1], axis=0)

    def prices(self, gates: Tensor) -> Tensor:
        """What the cost changes by with each gate, `(options,)`."""
        column = ops.reshape(gates, (-1, 1))
        factors, found = ops.convert_to_tensor(self._factors, "float32"), ops.zeros_like(gates)
        for mine, other in ((self._inputs, self._outputs), (self._outputs, self._inputs)):
            counts, rest = (ops.convert_to_tensor(part, "float32") for part in other)
            number = factors * (ops.squeeze(ops.matmul(counts, column), -1) + rest)
            found = found + ops.squeeze(ops.matmul(ops.reshape(number, (1, -1)), ops.convert_to_tensor(mine[0])), 0)
        return found


class _WidthMark(Gate):
    """Says which options channels belong to."""

    def __init__(self, choices: Sequence[Choice], index: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices, self.index = list(choices), np.asarray(index)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as they are: a mark is cloned, and never saved."""
        return {**super().get_config(), "choices": self.choices, "index": self.index}

    def open_channels(self) -> np.ndarray:
        """All."""
        return np.ones(len(self.index), dtype=bool)

    def call(self, inputs: Tensor) -> Tensor:
        """As they are."""
        return inputs


class _WidthChooser(Chooser):
    """Marks widths, and takes no other questions."""

    def _answer_widths(self, choices: list[Choice], index: np.ndarray, x: Tensor) -> Tensor:
        return _WidthMark(choices, index)(x)

    def _answer_op(self, choice: Choice, options: Any, x: Any) -> Any:
        raise ValueError(
            f"Costs can be told of spaces that ask for widths only. Received: the choice {choice.name!r} of "
            "operations. Count those of a network that is built: keras_dha.costs.multiply_adds(model)."
        )

    def _answer_node(self, choice: Choice, options: Any, inputs: list[Any]) -> Any:
        return self._answer_op(choice, options, inputs)
