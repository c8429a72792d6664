"""Policies about which nothing is learned: RandAugment, TrivialAugment."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
from keras import ops

from keras_dha.augmentation.pair_application import apply_in_pairs
from keras_dha.augmentation.pair_policy import DHA_OPERATIONS
from keras_dha.augmentation.policy import AugmentationPolicy, Streams
from keras_dha.augmentation.policy_data import policy_to_data, read_policy
from keras_dha.augmentation.random_stream import random_signs
from keras_dha.augmentation.transform import Tensor


class _RandomPolicy(AugmentationPolicy):
    """Operations drawn uniformly, with replacement, for each image."""

    _arguments: ClassVar[tuple[str, ...]] = ()
    _strengths = "of any strength"
    num_layers: int

    def __init__(self, operations: Sequence[str] = DHA_OPERATIONS, mapping: str = "monotone", **kwargs: Any) -> None:
        super().__init__(operations, mapping, draws=("operation", "strength", "sign"), **kwargs)
        self.built = True

    def _strength(self, shape: tuple[Any, ...], seed: keras.random.SeedGenerator) -> Tensor:
        """The strength of each operation."""
        return keras.random.uniform(shape, dtype="float32", seed=seed)

    def _draw(self, batch: Tensor, streams: Streams) -> dict[str, Tensor]:
        """`operation` (int32), `strength` and `sign` (float32), each `(batch, num_layers)`."""
        shape = (batch, self.num_layers)
        operation = keras.random.uniform(shape, dtype="float32", seed=streams["operation"]) * len(self.operations)
        sign = random_signs(shape, streams["sign"])
        strength = self._strength(shape, streams["strength"])
        return {"operation": ops.cast(ops.floor(operation), "int32"), "strength": strength, "sign": sign}

    def _apply(self, images: Tensor, draws: Mapping[str, Tensor], seed: keras.random.SeedGenerator) -> Tensor:
        return apply_in_pairs(
            images,
            self.transforms,
            draws["operation"],
            draws["strength"],
            draws["sign"],
            fill=self.fill,
            static_shapes=self.static_shapes,
            seed=seed,
        )

    def entropy(self) -> Tensor:
        """`num_layers * log(K)`."""
        return ops.convert_to_tensor(self.num_layers * math.log(len(self.operations)))

    def sentences(self, count: int = 10) -> list[str]:
        """What is done to an image, in words."""
        operations = "operation" if self.num_layers == 1 else "operations"
        return [
            f"{self.num_layers} {operations} for each image, {self._strengths}, drawn from {len(self.operations)}: "
            f"{', '.join(self.operations)}."
        ]

    def policy(self) -> dict[str, Any]:
        """What it takes to draw from it, as plain data that JSON can hold."""
        return policy_to_data(self, self._arguments)

    @classmethod
    def from_policy(cls, policy: Mapping[str, Any], *, seed: int | None = None) -> Self:
        """A policy of what `policy()` returned.

        Raises:
            ValueError: If it is of another version or kind, or lacks something.
        """
        return cls(**read_policy(policy, cls, cls._arguments), seed=seed)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self._arguments}}


@keras.saving.register_keras_serializable(package="keras_dha")
class RandAugment(_RandomPolicy):
    """`num_layers` operations for each image, drawn uniformly, all of one strength.

    Args:
        operations: Names of registered transforms. Default: the paper's fourteen, which are DHA's, too.
        mapping: As in `Transform`.
        num_layers: How many operations an image gets, at least 1. Default 2.
        strength: In [0, 1]; the paper's magnitude is ten times that. Default 0.5.
        **kwargs: Of `AugmentationPolicy`.

    Raises:
        ValueError: As `AugmentationPolicy`, or if `num_layers` or `strength` is out of range.

    Reference: "RandAugment: Practical automated data augmentation with a reduced search space", arXiv 1909.13719. What
    strength 1 is differs: docs/augmentation.md.
    """

    _arguments = ("num_layers", "strength")

    def __init__(
        self,
        operations: Sequence[str] = DHA_OPERATIONS,
        mapping: str = "monotone",
        *,
        num_layers: int = 2,
        strength: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(operations, mapping, **kwargs)
        if num_layers < 1 or not 0.0 <= strength <= 1.0:
            raise ValueError(
                "num_layers must be at least 1, and strength in [0, 1]. "
                f"Received: num_layers={num_layers}, strength={strength}. For example 2 and 0.5."
            )
        self.num_layers = int(num_layers)
        self.strength = float(strength)
        self._strengths = f"of strength {self.strength:g}"

    def _strength(self, shape: tuple[Any, ...], seed: keras.random.SeedGenerator) -> Tensor:
        return ops.full(shape, self.strength, dtype="float32")


@keras.saving.register_keras_serializable(package="keras_dha")
class TrivialAugment(_RandomPolicy):
    """One operation for each image, drawn uniformly, and its strength, uniform in [0, 1].

    Args:
        operations: Names of registered transforms. Default: the paper's fourteen, which are DHA's, too.
        mapping: As in `Transform`.
        **kwargs: Of `AugmentationPolicy`.

    Raises:
        ValueError: As `AugmentationPolicy`.

    Reference: "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", arXiv 2103.10158, where strengths
    are 31 steps, and what strength 1 is differs: docs/augmentation.md.
    """

    num_layers = 1
