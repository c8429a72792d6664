"""A policy that learns through the images that it makes: which operations, how often, and how strong."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.augmentation.geometric_transforms import GeometricTransform
from keras_dha.augmentation.pair_application import apply_in_pairs
from keras_dha.augmentation.pair_policy import DHA_OPERATIONS
from keras_dha.augmentation.policy import Streams
from keras_dha.augmentation.random_stream import logistic_noise, random_signs
from keras_dha.augmentation.resampling import affine_resample
from keras_dha.augmentation.strength_policy import StrengthPolicy, must_hold, softmax
from keras_dha.augmentation.transform import Tensor, Transform, per_image
from keras_dha.relaxations.subsets import gumbel


@keras.saving.register_keras_serializable(package="keras_dha")
class RelaxedPolicy(StrengthPolicy):
    """Learned choice, probability and strength of each operation.

    `L` sub-policies of `S` stages; each image draws a sub-policy, all alike. In the search, a stage is

        x <- x + sum_k w_k r_k (O_k(x; s_k) - x)
        w = softmax((c + G) / choice_temperature),         G Gumbel noise
        r_k = sigmoid((logit p_k + Z) / probability_temperature),  Z logistic noise
        s_k = sigmoid(m_k)

    with noise, and signs where there are two directions, of its own for each image and operation. `c`, `logit p` and
    `m` have the shape `(L, S, K)` and get their gradients through the images: from the training loss
    (`direction="adversarial"` raises it, `"cooperative"` lowers it), or from how the gradient of each training example
    agrees with that of held-out ones (`"held_out"`, as for `PairPolicy`). Where an operation says that it has no
    gradient for its strength, none is learned.

    In steps of the search in which nothing of it is learned, after the search, and in a policy that was loaded, both
    temperatures are taken to 0: one operation a stage, drawn from `softmax(c)`, done with probability `p`.

    Args:
        operations: Names of registered transforms. Default: DHA's fourteen.
        mapping: As in `Transform`.
        num_sub_policies: `L`, at least 1. Default 1. If more, their choices begin a little different.
        num_operations: `S`, at least 1. Default 2.
        choice_temperature: Positive, default 0.5; or None: no noise, `w = softmax(c)`, as in Faster AutoAugment.
        probability_temperature: Positive. Default 0.1.
        **kwargs: Of `StrengthPolicy` (`direction`, `initial_probability`, `initial_strength`), and of
            `AugmentationPolicy`. `static_shapes` is for single operations; mixtures have static shapes.

    Raises:
        ValueError: As `AugmentationPolicy`, or if an argument is out of range.

    Reference: "Faster AutoAugment", arXiv 1911.06987. There `w` has a temperature of 0.05, which is in `c` here (the
    same with steps 20 times as large); all that is learned begins uniformly random; a strength is clipped to [0, 1]
    where here is a sigmoid; and the objective is a critic, which asks for images that look like those of the data set.
    """

    _arguments = ("num_sub_policies", "num_operations", "choice_temperature", "probability_temperature")

    def __init__(
        self,
        operations: Sequence[str] = DHA_OPERATIONS,
        mapping: str = "monotone",
        *,
        num_sub_policies: int = 1,
        num_operations: int = 2,
        choice_temperature: float | None = 0.5,
        probability_temperature: float = 0.1,
        **kwargs: Any,
    ) -> None:
        uses = ("initial", "sub_policy", "choice", "probability", "sign")
        super().__init__(operations, mapping, draws=uses, **kwargs)
        must_hold(num_sub_policies >= 1, "num_sub_policies", num_sub_policies, "at least 1")
        must_hold(num_operations >= 1, "num_operations", num_operations, "at least 1")
        valid = choice_temperature is None or 0.0 < choice_temperature < math.inf
        must_hold(valid, "choice_temperature", choice_temperature, "positive, or None")
        must_hold(
            0.0 < probability_temperature < math.inf, "probability_temperature", probability_temperature, "positive"
        )
        self.num_sub_policies, self.num_operations = int(num_sub_policies), int(num_operations)
        self.choice_temperature, self.probability_temperature = choice_temperature, float(probability_temperature)
        spread = keras.initializers.RandomNormal(stddev=0.5, seed=self.streams["initial"])
        shape = (self.num_sub_policies, self.num_operations, len(self.operations))
        self._learn(shape, shape, spread if num_sub_policies > 1 else "zeros")
        self.hard = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", autocast=False, trainable=False, name="hard"
        )
        self.built = True

    def set_phase(self, settled: bool) -> None:
        """Draws single operations if settled, else mixtures. Nothing is traced again."""
        self.hard.assign(float(settled))

    def _draw(self, batch: Tensor, streams: Streams) -> dict[str, Tensor]:
        """`sub_policy`, int32 `(batch,)`; `choice`, `probability` and `sign`, noise of shape `(batch, S, K)`."""
        shape = (batch, self.num_operations, len(self.operations))
        return {
            "sub_policy": keras.random.randint((batch,), 0, self.num_sub_policies, seed=streams["sub_policy"]),
            "choice": gumbel(shape, seed=streams["choice"]),
            "probability": logistic_noise(shape, streams["probability"]),
            "sign": random_signs(shape, streams["sign"]),
        }

    def _apply(self, images: Tensor, draws: Mapping[str, Tensor], seed: keras.random.SeedGenerator) -> Tensor:
        drawn = ops.one_hot(draws["sub_policy"], self.num_sub_policies, dtype="float32")
        choice, probability, strength = (
            ops.tensordot(drawn, ops.convert_to_tensor(variable), axes=1)
            for variable in (self.choice, self.probability, self.strength)
        )
        happens, strength = probability + draws["probability"], ops.sigmoid(strength)
        noisy = choice + draws["choice"]

        def mixed() -> Tensor:
            logits = choice if self.choice_temperature is None else noisy / self.choice_temperature
            parts = softmax(logits) * ops.sigmoid(happens / self.probability_temperature)
            out = images
            for stage in range(self.num_operations):
                out = self._mixture(out, parts[:, stage], strength[:, stage], draws["sign"][:, stage], seed)
            return out

        def single() -> Tensor:
            first = ops.argmax(noisy, axis=-1)
            strengths, signs, done = (_at(values, first) for values in (strength, draws["sign"], happens))
            number = ops.where(done > 0.0, ops.cast(first, "int32"), len(self.operations))
            how: dict[str, Any] = {"fill": self.fill, "static_shapes": self.static_shapes, "seed": seed}
            # Nothing learns from these. (A gradient through this branch makes TensorFlow warn of the other's types.)
            return ops.stop_gradient(apply_in_pairs(images, self.transforms, number, strengths, signs, **how))

        mixes = ops.logical_and(draws["learns"], ops.less(self.hard, 0.5))
        return ops.cond(mixes, mixed, single)

    def _mixture(self, images: Tensor, parts: Tensor, strength: Tensor, sign: Tensor, seed: Any) -> Tensor:
        out = images
        for k, transform in enumerate(self.transforms):
            changed = self._transformed(transform, images, strength[:, k], sign[:, k], seed)
            out = out + per_image(parts[:, k]) * (changed - images)
        return out

    def _transformed(self, transform: Transform, images: Tensor, strength: Tensor, sign: Tensor, seed: Any) -> Tensor:
        if not isinstance(transform, GeometricTransform):
            return transform(images, strength, sign, seed=seed)
        matrices = transform.matrix(transform.argument(strength, sign), *ops.shape(images)[1:3])
        return ops.clip(affine_resample(images, matrices, self.fill, differentiable=True), 0.0, 1.0)

    def loss(self, draws: Mapping[str, Tensor], signal: Tensor) -> Tensor:
        """The mean of the signal, whose gradient comes through the images; raised, or lowered if cooperative.

        Args:
            draws: From `augment` in this step.
            signal: Shape `(batch,)`.
        """
        gain = ops.mean(self._scaled(signal))
        return gain if self.direction == "cooperative" else -gain

    def entropy(self) -> Tensor:
        """Of the choices of a sub-policy, the mean over sub-policies: `S log K` at the start."""
        return super().entropy() / self.num_sub_policies

    def sentences(self, count: int = 10) -> list[str]:
        """The most frequent operations of all stages, in words."""
        values, several = self.learned(), self.num_sub_policies > 1
        shares = values["choices"] * values["probabilities"] / self.num_sub_policies
        found = []
        for flat in np.argsort(-shares, axis=None, kind="stable")[:count]:
            place = sub_policy, stage, k = np.unravel_index(flat, shares.shape)
            where = f"operation {stage + 1}" + (f" of sub-policy {sub_policy + 1}" if several else "")
            name = self._named(int(k), float(values["strengths"][place]))
            found.append(f"{name}: {where}, {shares[place]:.2%} of the images.")
        several_policies = f" by one of {self.num_sub_policies} sub-policies" if several else ""
        first = f"Up to {self.num_operations} of {len(self.operations)} operations for each image{several_policies}; "
        return [f"{first}the most frequent:", *found]


def _at(values: Tensor, position: Tensor) -> Tensor:
    """From `(batch, S, K)` the entries at `position`, `(batch, S)`."""
    return ops.take_along_axis(values, position[..., None], axis=-1)[..., 0]
