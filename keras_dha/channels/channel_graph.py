"""Which channels of a model go together."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_dha.channels.atoms import Atoms
from keras_dha.channels.calls import Call, calls, flattened, functional, is_model
from keras_dha.channels.rule import Rule, Term
from keras_dha.channels.rules import is_excluded, patterns_of, rule_of

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Width:
    """Channels that can go one by one, each everywhere at once.

    Args:
        name: The name of the first layer that makes them, and that no other width is named after.
        numbers: One number of `Atoms` a channel.
        layers: Names of all layers that make them.
    """

    name: str
    numbers: np.ndarray
    layers: tuple[str, ...]


class ChannelGraph:
    """The channels of each tensor of a functional model, as numbers: the same number is the same channel.

    Residual sums, products, depthwise convolutions and layers that are called twice tie channels, concatenation and
    flattening place them. Those of inputs, of outputs, and of what looks at all channels together, stay.

    Args:
        model: A functional model without models in it; see `flattened`.
        exclude: Names of layers, regular expressions, or layers, whose channels stay. The only way past a layer of a
            kind that is not known.

    Raises:
        ValueError: If a layer is of an unknown kind, and is not excluded.
    """

    def __init__(self, model: keras.Model, exclude: Any = ()) -> None:
        self.model = model
        self.atoms = Atoms()
        self.calls = calls(model)
        self.exclude = patterns_of(exclude)
        self._ids: dict[int, np.ndarray] = {}
        self._made: dict[int, list[np.ndarray]] = {}  # by layer
        self._read: dict[int, list[np.ndarray]] = {}
        for tensor in model.inputs:
            self._ids[id(tensor)] = self.atoms.new(
                int(tensor.shape[-1] or 0) if len(tensor.shape) > 1 else 0, fixed=True
            )
        self.rules: list[Rule] = []
        for call in self.calls:
            self._follow(call)
        for tensor in keras.tree.flatten(model.output):
            self.atoms.fix(self._ids[id(tensor)])

    @classmethod
    def of(cls, model: keras.Model, exclude: Any = ()) -> "ChannelGraph":
        """The graph of a model, flattened if there are models in it; layers to exclude are those of `model`.

        Args:
            model: A functional or `Sequential` model.
            exclude: As in the constructor.
        """
        plain = functional(model)
        flat = flattened(plain) if any(map(is_model, plain.layers)) else plain  # a clone takes a while
        return cls(flat, patterns_of(exclude, model))

    def _follow(self, call: Call) -> None:
        rule = rule_of(call, self.exclude)
        self.rules.append(rule)
        ids = [self._ids[id(tensor)] for tensor in call.inputs]
        outputs = rule.follow(call, ids, self.atoms)
        if isinstance(call.layer, keras.layers.Layer) and call.layer.weights:
            # A layer that is called twice has one kernel.
            for known, now in ((self._read, ids), (self._made, outputs)):
                for before, these in zip(known.setdefault(id(call.layer), now), now, strict=True):
                    if len(before) == len(these):
                        self.atoms.tie(before, these)
                    else:  # as an embedding of sequences of different lengths
                        self.atoms.fix(np.concatenate([before, these]))
        if is_excluded(call.layer, self.exclude):
            for numbers in outputs:
                self.atoms.fix(numbers)
        self._ids |= {id(tensor): numbers for tensor, numbers in zip(call.outputs, outputs, strict=True)}

    def channels(self, tensor: Tensor) -> np.ndarray:
        """The channels of a tensor of the model: numbers, `(channels,)`, equal where they go together."""
        return self.atoms.roots(self._ids[id(tensor)])

    def free(self, tensor: Tensor) -> np.ndarray:
        """Which channels of a tensor can go: bool, `(channels,)`."""
        return ~self.atoms.fixed(self._ids[id(tensor)])

    def widths(self) -> list[Width]:
        """What can go, in the order of the layers: channels that the same layers make are one width."""
        makers: dict[int, list[str]] = {}
        for call, rule in zip(self.calls, self.rules):
            if rule.makes:
                for number in dict.fromkeys(self.channels(call.outputs[0])[self.free(call.outputs[0])].tolist()):
                    names = makers.setdefault(number, [])
                    if call.layer.name not in names:
                        names.append(call.layer.name)
        together: dict[tuple[str, ...], list[int]] = {}
        for number, names in makers.items():
            together.setdefault(tuple(names), []).append(number)
        used: set[str] = set()
        found = []
        for layers, numbers in together.items():
            free_name = next((name for name in layers if name not in used), f"{layers[0]}_{len(used)}")
            used.add(free_name)
            found.append(Width(free_name, np.array(numbers), layers))
        return found

    def terms(self, kind: str) -> list[Term]:
        """What the network costs, with channels as `channels` gives them.

        Args:
            kind: `"multiply_adds"` or `"parameters"`.
        """
        found: list[Term] = []
        seen: set[int] = set()
        for call, rule in zip(self.calls, self.rules):
            tell = rule.multiply_adds if kind == "multiply_adds" else rule.parameters
            if kind == "multiply_adds" or id(call.layer) not in seen:  # the parameters of a layer count once
                found.extend(
                    tell(call, *([self.channels(t) for t in tensors] for tensors in (call.inputs, call.outputs)))
                )
            seen.add(id(call.layer))
        return found
