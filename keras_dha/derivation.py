"""From decisions to a plain Keras model."""

import math
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_dha.channels import ChannelMask, new_inputs
from keras_dha.layers.branch import is_zero
from keras_dha.roles import ARCHITECTURE, role_of
from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Apply, Chooser, NodeFactory, OpFactory, Tensor, as_layer
from keras_dha.spaces.decisions import Decisions
from keras_dha.spaces.sized_layers import depthwise, squeeze_excite, squeezed_and_excited


class FixedChooser(Chooser):
    """Answers a space's questions with the layers of the kept options, and with no others.

    `y = sum_{kept o} weight_o * o(x)`, without the factors that are not given, or are 1. Every layer is a stock Keras
    layer if the space's are, but for a `ChannelMask` where the space asks for a width: `space.without_closed(model)`
    takes the closed channels out, with which masks go.

    Args:
        decisions: The kept options.
        weights: For each choice, factors of its options by name, such as the last weights of a search that scales what
            it keeps; those of options that are not kept are left unused. None: all 1.

    Attributes:
        branches: `(choice name, option name, layer)` of each branch, in the order of building. A choice asked at
            several places has its branches here as often.

    Raises:
        ValueError: If `weights` has a choice without decision, or a factor is not a finite number; while building, if
            the space asks for something that `decisions` do not answer, or `weights` names an unknown option. Extra
            decisions go unnoticed here: `decisions.validate(space.choices())` finds them.

    Example:

    >>> from keras_dha.spaces import NASBench201Space
    >>> space = NASBench201Space((8, 8, 1), 10, channels=4, cells_per_stage=1)
    >>> model = space.build(FixedChooser(space.random_decisions(seed=0)))
    """

    def __init__(
        self,
        decisions: Mapping[str, str | tuple[str, ...]],
        weights: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__()
        self.branches: list[tuple[str, str, keras.layers.Layer]] = []
        self._offered: list[Tensor] = []
        self._decisions = Decisions(decisions)
        self._weights = {name: dict(factors) for name, factors in (weights or {}).items()}
        unknown = sorted(set(self._weights) - set(self._decisions))
        if unknown:
            raise ValueError(
                f"Weights must be given for choices that have a decision. Received: weights of {unknown}, "
                f"decisions of {sorted(self._decisions)}. Remove the others."
            )
        for name, factors in self._weights.items():
            for option, factor in factors.items():
                if not _is_finite(factor):
                    raise ValueError(
                        f"The weight of an option must be a finite number. Received: {factor!r} for the option "
                        f"{option!r} of the choice {name!r}. Leave it out for a factor of 1."
                    )

    def whole(self, network: keras.Model) -> keras.Model:
        """The network that was built, with the layers whose output no kept option reads."""
        return keras.Model(network.input, [*keras.tree.flatten(network.output), *self._offered])

    def _answer_op(self, choice: Choice, options: Mapping[str, OpFactory], x: Tensor) -> Tensor:
        self._offered.append(x)
        (option,) = self._kept(choice)
        return self._branch(choice, option, options[option](), x)

    def _answer_node(self, choice: Choice, options: Mapping[str, NodeFactory], inputs: list[Tensor]) -> Tensor:
        self._offered.extend(inputs)
        outputs: list[Tensor] = []
        zeros: list[Tensor] = []
        for option in self._kept(choice):
            source, operation = option.split("/", 1)
            output = self._branch(choice, option, options[operation](int(source)), inputs[int(source)])
            (zeros if is_zero(self.branches[-1][2]) else outputs).append(output)
        added = outputs or zeros  # zeros are not added, which leaves out all that nothing else reads
        return keras.layers.Add()(added) if len(added) > 1 else added[0]

    def _answer_widths(self, choices: list[Choice], index: np.ndarray, x: Tensor) -> Tensor:
        kept = [choice.parts(map(choice.options.index, self._kept(choice))) for choice in choices]
        return ChannelMask(np.concatenate([*kept, [True]])[index])(x)

    def _answer_kernel(self, choice: Choice, sizes: tuple[int, ...], strides: int, x: Tensor) -> Tensor:
        (option,) = self._kept(choice)
        layers = depthwise(sizes[choice.options.index(option)], strides)
        self.branches.append((choice.name, option, layers[-1]))
        for layer in layers:
            x = layer(x)
        return x

    def _answer_squeeze_excite(self, choice: Choice, sizes: tuple[int, ...], x: Tensor) -> Tensor:
        (option,) = self._kept(choice)
        size = sizes[choice.options.index(option)]
        if not size:
            return x
        products = squeeze_excite(size, x.shape[-1])
        self.branches.extend((choice.name, option, product) for product in products)
        return squeezed_and_excited(products, x)

    def _kept(self, choice: Choice) -> list[str]:
        """The kept options in the order of the choice, which does not depend on how the decision was written."""
        if choice.name not in self._decisions:
            raise ValueError(
                f"Every choice of the space must have a decision. Received: none for {choice.name!r}, "
                f"decisions of {sorted(self._decisions)}. Were they made for another space?"
            )
        kept = Decisions({choice.name: self._decisions[choice.name]}).validate([choice])[choice.name]
        unknown = sorted(set(self._weights.get(choice.name, ())) - set(choice.options))
        if unknown:
            raise ValueError(
                f"Weights of the choice {choice.name!r} must be for its options. Received: {unknown}, "
                f"options={choice.options}. Correct their names."
            )
        return [option for option in choice.options if option in kept]

    def _branch(self, choice: Choice, option: str, apply: Apply, x: Tensor) -> Tensor:
        layer = as_layer(apply, x)
        self.branches.append((choice.name, option, layer))
        weight = float(self._weights.get(choice.name, {}).get(option, 1.0))
        return layer(x) if weight == 1.0 else keras.layers.Rescaling(weight)(layer(x))


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def on_raw_inputs(network: keras.Model, scaling: keras.layers.Layer | None) -> keras.Model:
    """The network behind `scaling`, if there is one, as a model of inputs like its own."""
    inputs = new_inputs(network)
    return keras.Model(inputs, network(scaling(inputs) if scaling else inputs), name="derived")


def inherit_weights(
    source: keras.Model,
    source_branches: list[tuple[str, str, keras.layers.Layer]],
    target: keras.Model,
    target_branches: list[tuple[str, str, keras.layers.Layer]],
    mixtures: list[keras.layers.Layer],
) -> None:
    """Copies the weights of a supernet to a network that `FixedChooser` built from the same space.

    Branches correspond in the order of building. The layers outside of branches correspond by name, where a number that
    Keras appended to the name counts only for the order.

    Args:
        source: The supernet's functional model.
        source_branches: The supernet's kept branches, in the order of building.
        target: The derived network, whole.
        target_branches: `FixedChooser.branches`.
        mixtures: Layers of `source` that hold branches.

    Raises:
        ValueError: If layers do not correspond.
    """
    pairs = [(old, new) for (_, _, old), (_, _, new) in zip(source_branches, target_branches, strict=True)]
    outside_source = _by_name([layer for layer in source.layers if layer not in mixtures])
    branches = [layer for _, _, layer in target_branches]
    outside_target = _by_name([layer for layer in target.layers if layer not in branches])
    if [key for key, _ in outside_source] != [key for key, _ in outside_target]:
        raise ValueError(
            "A space must build the same layers outside of its choices each time. "
            f"Received: {[layer.name for _, layer in outside_source]} in the supernet, "
            f"{[layer.name for _, layer in outside_target]} in the derived network. "
            "Do not build layers in dependence of anything but the space's own arguments."
        )
    pairs += [(old, new) for (_, old), (_, new) in zip(outside_source, outside_target)]
    for old, new in pairs:
        new.set_weights(old.get_weights())


def _by_name(layers: list[keras.layers.Layer]) -> list[tuple[str, keras.layers.Layer]]:
    """Layers with variables, sorted by name without appended number, then by that number."""
    keys = []
    for layer in layers:
        if layer.variables and not _is_choice(layer):
            name, number = re.findall(r"^(.*?)(?:_(\d+))?$", layer.name, flags=re.DOTALL)[0]
            keys.append((name, int(number or 0), layer))
    return [(name, layer) for name, _, layer in sorted(keys, key=lambda key: key[:2])]


def _is_choice(layer: keras.layers.Layer) -> bool:
    return any(role_of(variable) == ARCHITECTURE for variable in layer.trainable_variables)
