"""The network of all options: a space's questions answered with soft mixtures."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.layers import (
    ChoiceWeights,
    MixedLayer,
    MixedNode,
    MixedOp,
    MixedWidth,
    SharedGraphs,
    SizedDepthwise,
    SizedLayer,
    SizedSqueezeExcite,
    with_fused_gates,
    with_fused_normalization,
)
from keras_dha.layers.branch import is_zero
from keras_dha.relaxations import Relaxation, ScaledSigmoid
from keras_dha.spaces import Choice, Chooser, Decisions, SearchSpace
from keras_dha.spaces.chooser import NodeFactory, OpFactory, as_layer

Tensor = Any


class RelaxedChooser(Chooser):
    """Answers each question with a mixture of all its options.

    Args:
        relaxation: The template; each choice gets a clone of its own.
        width_relaxation: The template for choices of channels. None: `ScaledSigmoid`.
    """

    def __init__(self, relaxation: Relaxation, width_relaxation: Relaxation | None = None) -> None:
        super().__init__()
        self._template = relaxation
        self._width_template = width_relaxation or ScaledSigmoid()
        traits = {"sparse": relaxation.sparse, "exact": relaxation.exact, "unit": relaxation.unit}
        self._runs: dict[str, Any] = {**traits, "graphs": SharedGraphs()}
        self.relaxations: dict[str, Relaxation] = {}
        self.weights: dict[str, Tensor] = {}
        self.acting: list[MixedLayer | SizedLayer] = []
        self.gates: list[MixedWidth] = []

    def _answer_op(self, choice: Choice, options: Mapping[str, OpFactory], x: Tensor) -> Tensor:
        branches = [_branch(options[option](), x) for option in choice.options]
        return self._mix(MixedOp(choice, branches, **self._runs), [x])

    def _answer_node(self, choice: Choice, options: Mapping[str, NodeFactory], inputs: list[Tensor]) -> Tensor:
        pairs = [option.split("/", 1) for option in choice.options]
        branches = [_branch(options[op](int(i)), inputs[int(i)]) for i, op in pairs]
        return self._mix(MixedNode(choice, branches, **self._runs), inputs)

    def _mix(self, mixture: MixedLayer, inputs: list[Tensor]) -> Tensor:
        name = mixture.choice.name
        if name not in self.weights:
            sizes = mixture.choice.capacities or mixture.count_parameters(inputs)
            self._relax(self._template.for_choice(self._open_to(mixture), sizes), inputs[0])
        self.acting.append(mixture)
        return mixture([*inputs, self.weights[name]])

    def _relax(self, relaxation: Relaxation, anchor: Tensor) -> None:
        name = relaxation.choice.name
        self.relaxations[name] = relaxation
        self.weights[name] = ChoiceWeights(relaxation)(anchor)

    def _answer_kernel(self, choice: Choice, sizes: tuple[int, ...], strides: int, x: Tensor) -> Tensor:
        return self._resize(SizedDepthwise(choice, sizes, strides), x)

    def _answer_squeeze_excite(self, choice: Choice, sizes: tuple[int, ...], x: Tensor) -> Tensor:
        return self._resize(SizedSqueezeExcite(choice, sizes), x)

    def _resize(self, layer: SizedLayer, x: Tensor) -> Tensor:
        choice = layer.choice
        if choice.name not in self.weights:
            self._relax(self._template.for_choice(choice), x)
            self.relaxations[choice.name].watch(layer.part_sizes)
        self.acting.append(layer)
        return layer([x, self.weights[choice.name]])

    def _answer_widths(self, choices: list[Choice], index: np.ndarray, x: Tensor) -> Tensor:
        for choice in choices:
            if choice.name not in self.weights:
                template = self._template if choice.nested else self._width_template
                self._relax(template.for_choice(choice), x)
        gate = MixedWidth(choices, index)
        for choice in choices:
            if choice.nested:
                self.relaxations[choice.name].watch(gate.sizes_of(choice, x))
        self.gates.append(gate)
        return gate([x, *(self.weights[choice.name] for choice in choices)])

    def _open_to(self, mixture: MixedLayer) -> Choice:
        """The choice, with those options excluded that the relaxation could not learn to leave."""
        choice = mixture.choice
        if self._template.keeps_zero(choice):
            return choice
        branches = zip(choice.options, mixture.branches)
        excluded = tuple(option for option, branch in branches if option in choice.excluded or is_zero(branch))
        return dataclasses.replace(choice, excluded=excluded)


def _branch(apply: Any, x: Tensor) -> keras.layers.Layer:
    return with_fused_normalization(as_layer(apply, x))


class Supernet:
    """All networks of a space at once, with the means to settle on one.

    Args:
        space: The space.
        relaxation: How its choices are made soft.
        width_relaxation: How its choices of channels are.

    Attributes:
        network: A functional model from inputs to `(outputs, {choice name: weights of options})`.
        relaxations: Choice name to relaxation.
        acting: The layers that act on choices of operations and of sizes, in the order in which `build` made them.
        gates: Those that act on choices of channels.
    """

    def __init__(self, space: SearchSpace, relaxation: Relaxation, width_relaxation: Relaxation | None = None) -> None:
        chooser = RelaxedChooser(relaxation, width_relaxation)
        model = space.build(chooser)
        network = keras.Model(model.input, (model.output, chooser.weights), name="supernet")
        network = with_fused_normalization(network)
        self.network = with_fused_gates(network) if chooser.gates else network
        self.relaxations = chooser.relaxations
        self.acting = chooser.acting
        self.mixtures = [layer for layer in chooser.acting if isinstance(layer, MixedLayer)]
        self.gates = chooser.gates
        self.choices = chooser.choices

    def decisions(self) -> Decisions:
        """What the logits would keep now."""
        kept = {name: self._hard(name) for name in self.relaxations}
        return Decisions({name: [self.choices[name].options[i] for i in np.flatnonzero(kept[name])] for name in kept})

    def settled_weights(self) -> dict[str, dict[str, float]]:
        """Choice name to kept option to the constant that its branch is multiplied with after settling."""
        weights: dict[str, dict[str, float]] = {}
        for name, relaxation in self.relaxations.items():
            values = ops.convert_to_numpy(relaxation.settled_weights(relaxation.logits))
            options = self.choices[name].options
            weights[name] = {options[i]: float(values[i]) for i in np.flatnonzero(self._hard(name))}
        return weights

    def settle(self) -> None:
        """From the next trace on, only the branches that the logits keep now are run."""
        weights = self.settled_weights()
        for layer in self.acting:
            options = layer.choice.options
            layer.settle({options.index(option): value for option, value in weights[layer.choice.name].items()})
        kept = {name: np.flatnonzero(self._hard(name)).tolist() for gate in self.gates for name in gate.names}
        for gate in self.gates:
            gate.settle(kept)

    def reopen(self) -> None:
        """Takes `settle` back."""
        for layer in self.acting:
            layer.reopen()
        for gate in self.gates:
            gate.reopen()

    def probabilities(self) -> dict[str, dict[str, float]]:
        """Choice name to option to its probability."""
        return {
            name: {
                option: float(value)
                for option, value in zip(
                    self.choices[name].options, ops.convert_to_numpy(relaxation.probabilities(relaxation.logits))
                )
            }
            for name, relaxation in self.relaxations.items()
        }

    def open_channels(self) -> float | None:
        """The share of channels that are open, by the sum of their weights; None if the space asks for no widths."""
        parts = [self.relaxations[name] for name in self.widths]
        number = sum(float(ops.convert_to_numpy(part.expected_number(part.logits))) for part in parts)
        return number / sum(len(part.choice.options) for part in parts) if parts else None

    @property
    def widths(self) -> set[str]:
        """The names of choices of single channels."""
        return {choice.name for gate in self.gates for choice in gate.choices if not choice.nested}

    def kept_branches(self, decisions: Decisions | None = None) -> list[tuple[str, str, Any]]:
        """Choice, option and layer of each branch that is kept, in the order of building.

        What is kept of a layer of several sizes stands in place of a layer, with `get_weights`.

        Args:
            decisions: What to keep; None: what the logits keep now.
        """
        kept = self.decisions() if decisions is None else decisions
        found: list[tuple[str, str, Any]] = []
        for layer in self.acting:
            name = layer.choice.name
            for position, option in enumerate(layer.choice.options):
                if option in kept[name]:
                    branches = [layer.branches[position]] if isinstance(layer, MixedLayer) else layer.kept(position)
                    found.extend((name, option, branch) for branch in branches)
        return found

    def branch_variables(self) -> list[tuple[keras.Variable, str, int]]:
        """Every variable that is trained inside a branch, with its choice's name and its option's position."""
        return [
            (variable, mixture.choice.name, position)
            for mixture in self.mixtures
            for position, branch in enumerate(mixture.branches)
            for variable in branch.trainable_variables
        ]

    def _hard(self, name: str) -> np.ndarray:
        relaxation = self.relaxations[name]
        return ops.convert_to_numpy(relaxation.harden(relaxation.logits))
