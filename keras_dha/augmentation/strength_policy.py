"""What policies have in common that learn choices, and of what is chosen a probability and a strength."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops

from keras_dha import roles
from keras_dha.augmentation.pair_policy import DIRECTIONS
from keras_dha.augmentation.policy import AugmentationPolicy
from keras_dha.augmentation.policy_data import logit, policy_to_data, read_policy, shares_of
from keras_dha.augmentation.transform import Tensor

_LEARNED = ("choices", "probabilities", "strengths")


class StrengthPolicy(AugmentationPolicy, abc.ABC):
    """Has the variables `choice`, `probability` and `strength`: logits, all of the role AUGMENTATION.

    Args:
        operations: Names of registered transforms.
        mapping: As in `Transform`.
        direction: `"held_out"` (default), `"adversarial"` or `"cooperative"`.
        initial_probability: Of every operation at the start, between 0 and 1. Default 0.5.
        initial_strength: Of every operation at the start, between 0 and 1. Default 0.5.
        **kwargs: Of `AugmentationPolicy`.

    Raises:
        ValueError: As `AugmentationPolicy`, or if an argument is out of range.
    """

    _arguments: ClassVar[tuple[str, ...]] = ()  # of a subclass's own; its files have them

    def __init__(
        self,
        operations: Sequence[str],
        mapping: str = "monotone",
        *,
        direction: str = "held_out",
        initial_probability: float = 0.5,
        initial_strength: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(operations, mapping, **kwargs)
        must_hold(direction in DIRECTIONS, "direction", direction, f"one of {DIRECTIONS}")
        must_hold(0.0 < initial_probability < 1.0, "initial_probability", initial_probability, "between 0 and 1")
        must_hold(0.0 < initial_strength < 1.0, "initial_strength", initial_strength, "between 0 and 1")
        self.direction = direction
        self.initial_probability, self.initial_strength = float(initial_probability), float(initial_strength)

    def _learn(self, choices: tuple[int, ...], numbers: tuple[int, ...], start: Any = "zeros") -> None:
        """Makes the variables, of these shapes; `start` initializes the choices."""
        self.choice = self._learned("choice", choices, start)
        starts = {"probability": self.initial_probability, "strength": self.initial_strength}
        constant = {name: keras.initializers.Constant(float(logit(value))) for name, value in starts.items()}
        self.probability = self._learned("probability", numbers, constant["probability"])
        self.strength = self._learned("strength", numbers, constant["strength"])

    def _learned(self, name: str, shape: tuple[int, ...], initializer: Any) -> keras.Variable:
        variable = self.add_weight(shape=shape, initializer=initializer, dtype="float32", autocast=False, name=name)
        return roles.tag(variable, roles.AUGMENTATION)

    @property
    def learns_through_images(self) -> bool:
        """True."""
        return True

    def entropy(self) -> Tensor:
        """Of the choices, summed over all distributions that there are."""
        log_p = ops.log_softmax(ops.convert_to_tensor(self.choice), axis=-1)
        return -ops.sum(ops.exp(log_p) * log_p)

    def learned(self) -> dict[str, np.ndarray]:
        """`choices`, `probabilities` and `strengths`, as arrays."""
        values = (softmax(self.choice), ops.sigmoid(self.probability), ops.sigmoid(self.strength))
        return {name: ops.convert_to_numpy(value) for name, value in zip(_LEARNED, values)}

    def _named(self, operation: int, strength: float) -> str:
        """An operation in words."""
        fixed = self.transforms[operation].strength_gradient is None
        return self.operations[operation] + ("" if fixed else f" of strength {strength:.2f}")

    def policy(self) -> dict[str, Any]:
        """What was learned and what it takes to draw from it, as plain data that JSON can hold."""
        learned = {name: values.tolist() for name, values in self.learned().items()}
        return {**policy_to_data(self, (*self._arguments, "direction")), **learned}

    @classmethod
    def from_policy(cls, policy: Mapping[str, Any], *, seed: int | None = None) -> Self:
        """A policy of what `policy()` returned, as it is after a search.

        Raises:
            ValueError: If it is of another version or kind, or lacks something, or its numbers are out of range.
        """
        layer = cls(**read_policy(policy, cls, (*cls._arguments, "direction"), _LEARNED), seed=seed)
        variables = (layer.choice, layer.probability, layer.strength)
        choices, *others = (shares_of(policy[name], name, tuple(v.shape)) for name, v in zip(_LEARNED, variables))
        layer.choice.assign(np.log(np.maximum(choices, np.finfo("float32").tiny)))
        for variable, values in zip(variables[1:], others):
            variable.assign(logit(values))
        layer.set_phase(settled=True)
        return layer

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without what was learned."""
        names = (*self._arguments, "direction", "initial_probability", "initial_strength")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def must_hold(valid: bool, name: str, value: Any, must: str) -> None:
    """An error if not `valid`."""
    if not valid:
        raise ValueError(f"{name} must be {must}. Received: {name}={value!r}. Leave it out for the default.")


def softmax(logits: Tensor) -> Tensor:
    """Over the last axis. Keras's own warns where that has one entry, as with a single operation."""
    return ops.exp(ops.log_softmax(logits, axis=-1))
