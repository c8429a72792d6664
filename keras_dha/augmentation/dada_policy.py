"""A policy of single draws, learned by an estimator without bias: which pairs, how often, how strong."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.augmentation.pair_application import apply_in_pairs
from keras_dha.augmentation.policy import Streams
from keras_dha.augmentation.random_stream import logistic_noise, random_signs, uniform_noise
from keras_dha.augmentation.relax import choice_given, event_given, relax_surrogate, relaxed_choice, relaxed_event
from keras_dha.augmentation.strength_policy import StrengthPolicy, must_hold, softmax
from keras_dha.augmentation.transform import Tensor
from keras_dha.relaxations.subsets import gumbel

DADA_OPERATIONS = (
    "ShearX",
    "ShearY",
    "TranslateXRel",
    "TranslateYRel",
    "Rotate",
    "AutoContrast",
    "Invert",
    "Equalize",
    "Solarize",
    "Posterize",
    "Contrast",
    "Color",
    "Brightness",
    "Sharpness",
    "Cutout",
)


@keras.saving.register_keras_serializable(package="keras_dha")
class DADAPolicy(StrengthPolicy):
    """A distribution over all pairs of two operations; each of the two with a learned probability and strength.

    Each image draws a pair from `softmax(c)`, and whether each of its operations happens. What it draws is what it
    gets, in the search, too: of choices and probabilities the gradient is RELAX's, with a control variate for each, a
    network of one hidden layer, that is fitted to the signal; of strengths it comes through the images, for the
    operations that happened. The signal is as for `RelaxedPolicy`.

    Args:
        operations: Names of at least two registered transforms. Default: DADA's fifteen.
        mapping: As in `Transform`.
        temperature: Of the relaxed draws that the control variates see, positive. Default 0.5.
        units: Of the hidden layers of the control variates, at least 1. Default 100.
        **kwargs: Of `StrengthPolicy` (`direction`, `initial_probability`, `initial_strength`), and of
            `AugmentationPolicy`.

    Raises:
        ValueError: As `AugmentationPolicy`, or if an argument is out of range.

    Reference: "DADA: Differentiable Automatic Data Augmentation", arXiv 2003.03780, and its released code. There a
    batch draws one pair for all of its images; the score of a pair is counted once for each of all probabilities, and
    probabilities of pairs that were not drawn get a score, too: here only what was drawn, so that the estimate is
    without bias. The control variate is fitted by least squares, there to the variance of the estimate. A strength of
    0.5 is the identity there for what has two directions; here directions are drawn, and it is half. There the 25 most
    probable pairs are used in the end.
    """

    _arguments = ("temperature",)

    def __init__(
        self,
        operations: Sequence[str] = DADA_OPERATIONS,
        mapping: str = "monotone",
        *,
        temperature: float = 0.5,
        units: int = 100,
        **kwargs: Any,
    ) -> None:
        uses = ("pair", "pair_given", "happens", "happens_given", "sign", "control")
        super().__init__(operations, mapping, draws=uses, **kwargs)
        must_hold(len(self.operations) >= 2, "operations", self.operations, "at least two")
        must_hold(0.0 < temperature < math.inf, "temperature", temperature, "positive")
        must_hold(units >= 1, "units", units, "at least 1")
        self.temperature, self.units = float(temperature), int(units)
        self.pairs = np.array(list(itertools.combinations(range(len(self.operations)), 2)), "int32")
        count = len(self.pairs)
        self._learn((count,), (count, 2))
        self._controls = [self._control("choice", count), self._control("probability", count + 2)]
        self.built = True

    def _control(self, name: str, size: int) -> list[keras.Variable]:
        start = keras.initializers.GlorotUniform(seed=self.streams["control"])
        shapes = {"kernel": (size, self.units), "bias": (self.units,), "out": (self.units, 1), "offset": (1,)}
        return [
            self._learned(f"control_{name}_{part}", shape, start if len(shape) == 2 else "zeros")
            for part, shape in shapes.items()
        ]

    def _draw(self, batch: Tensor, streams: Streams) -> dict[str, Tensor]:
        """`pair`, one-hot `(batch, pairs)`, `happens` and `sign`, `(batch, 2)`; and the noise that `loss` reads."""
        count = len(self.pairs)
        noise = {
            "gumbel": gumbel((batch, count), seed=streams["pair"]),
            "pair_given": uniform_noise((batch, count), streams["pair_given"]),
            "logistic": logistic_noise((batch, 2), streams["happens"]),
            "happens_given": uniform_noise((batch, 2), streams["happens_given"]),
        }
        pair = ops.one_hot(ops.argmax(self.choice + noise["gumbel"], axis=-1), count, dtype="float32")
        happens = ops.cast(relaxed_event(ops.matmul(pair, self.probability), noise["logistic"]) > 0.0, "float32")
        return {**noise, "pair": pair, "happens": happens, "sign": random_signs((batch, 2), streams["sign"])}

    def _apply(self, images: Tensor, draws: Mapping[str, Tensor], seed: keras.random.SeedGenerator) -> Tensor:
        operations = ops.take(ops.convert_to_tensor(self.pairs), ops.argmax(draws["pair"], axis=-1), axis=0)
        return apply_in_pairs(
            images,
            self.transforms,
            ops.where(draws["happens"] > 0.5, operations, len(self.operations)),
            ops.sigmoid(ops.matmul(draws["pair"], self.strength)),
            draws["sign"],
            fill=self.fill,
            static_shapes=self.static_shapes,
            differentiable=True,
            seed=seed,
        )

    def loss(self, draws: Mapping[str, Tensor], signal: Tensor) -> Tensor:
        """Has the gradients of what is learned, and those that fit the control variates.

        Args:
            draws: From `augment` in this step.
            signal: Shape `(batch,)`.
        """
        signal = self._scaled(signal)
        values, pair = ops.stop_gradient(signal), draws["pair"]
        logits = ops.broadcast_to(self.choice, ops.shape(pair))
        chance = ops.matmul(pair, self.probability)
        log_choice = ops.sum(pair * ops.log_softmax(logits, axis=-1), axis=-1)
        log_events = -ops.sum(ops.softplus(ops.where(draws["happens"] > 0.5, -chance, chance)), axis=-1)
        relaxed = {
            "choice": (relaxed_choice(logits, draws["gumbel"]), choice_given(logits, pair, draws["pair_given"])),
            "events": (
                relaxed_event(chance, draws["logistic"]),
                event_given(chance, draws["happens"], draws["happens_given"]),
            ),
        }
        gain, misfit = ops.mean(signal), 0.0
        for (kind, both), log_probability, control in zip(
            relaxed.items(), (log_choice, log_events), self._controls, strict=True
        ):
            seen = [self._features(kind, z, pair) for z in both]
            constant = [ops.stop_gradient(ops.convert_to_tensor(part)) for part in control]
            of_z, of_given = (_network(constant, features) for features in seen)
            gain = gain + ops.mean(relax_surrogate(values, log_probability, of_z, of_given))
            misfit = misfit + ops.mean((values - _network(control, ops.stop_gradient(seen[1]))) ** 2)
        return misfit + (gain if self.direction == "cooperative" else -gain)

    def _features(self, kind: str, z: Tensor, pair: Tensor) -> Tensor:
        """What a control variate sees: a relaxed pair; or two relaxed events, of a given pair."""
        if kind == "choice":
            return softmax(z / self.temperature)
        return ops.concatenate([ops.sigmoid(z / self.temperature), pair], axis=-1)

    def sentences(self, count: int = 10) -> list[str]:
        """The most probable pairs, in words."""
        values = self.learned()
        found = []
        for i in np.argsort(-values["choices"], kind="stable")[:count]:
            numbers = zip(self.pairs[i], values["probabilities"][i], values["strengths"][i])
            parts = [f"{self._named(k, strength)} ({chance:.0%})" for k, chance, strength in numbers]
            found.append(f"{parts[0]}, then {parts[1]}: {values['choices'][i]:.2%} of the images.")
        return [f"One of {len(self.pairs)} pairs for each image; the most probable, and how often they happen:", *found]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without what was learned."""
        return {**super().get_config(), "units": self.units}


def _network(parts: Sequence[Tensor], features: Tensor) -> Tensor:
    """One hidden layer, to a number for each row."""
    kernel, bias, out, offset = parts
    return (ops.matmul(ops.tanh(ops.matmul(features, kernel) + bias), out) + offset)[:, 0]
