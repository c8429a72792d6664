"""A policy of single draws, learned by an estimator without bias: which pairs, how often, how strong."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha import roles
from keras_dha.augmentation.pair_application import apply_in_pairs
from keras_dha.augmentation.pair_policy import DIRECTIONS
from keras_dha.augmentation.policy import AugmentationPolicy, Streams
from keras_dha.augmentation.policy_data import logit, policy_to_data, read_policy, shares_of
from keras_dha.augmentation.random_stream import gumbel_noise, logistic_noise, uniform_noise
from keras_dha.augmentation.relax import choice_given, event_given, relax_surrogate, relaxed_choice, relaxed_event
from keras_dha.augmentation.transform import Tensor

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
_ARGUMENTS = ("temperature", "direction")
_LEARNED = ("choices", "probabilities", "strengths")


@keras.saving.register_keras_serializable(package="keras_dha")
class DADAPolicy(AugmentationPolicy):
    """A distribution over all pairs of two operations; each of the two with a learned probability and strength.

    Each image draws a pair from `softmax(c)`, and whether each of its operations happens. What it draws is what it
    gets, in the search, too: of choices and probabilities the gradient is RELAX's, with a control variate for each, a
    network of one hidden layer, that is fitted to the signal; of strengths it comes through the images, for the
    operations that happened. The signal is as for `RelaxedPolicy`.

    Args:
        operations: Names of at least two registered transforms. Default: DADA's fifteen.
        mapping: As in `Transform`.
        temperature: Of the relaxed draws that the control variates see, positive. Default 0.5.
        direction: `"held_out"` (default), `"adversarial"` or `"cooperative"`.
        initial_probability: Of every operation at the start, between 0 and 1. Default 0.5.
        initial_strength: Of every operation at the start, between 0 and 1. Default 0.5.
        units: Of the hidden layers of the control variates, at least 1. Default 100.
        **kwargs: Of `AugmentationPolicy`.

    Raises:
        ValueError: As `AugmentationPolicy`, or if an argument is out of range.

    Reference: "DADA: Differentiable Automatic Data Augmentation", arXiv 2003.03780, and its released code. There a
    batch draws one pair for all of its images; the score of a pair is counted once for each of all probabilities, and
    probabilities of pairs that were not drawn get a score, too: here only what was drawn, so that the estimate is
    without bias. The control variate is fitted by least squares, there to the variance of the estimate. A strength of
    0.5 is the identity there for what has two directions; here directions are drawn, and it is half. There the 25 most
    probable pairs are used in the end.
    """

    def __init__(
        self,
        operations: Sequence[str] = DADA_OPERATIONS,
        mapping: str = "monotone",
        *,
        temperature: float = 0.5,
        direction: str = "held_out",
        initial_probability: float = 0.5,
        initial_strength: float = 0.5,
        units: int = 100,
        **kwargs: Any,
    ) -> None:
        uses = ("pair", "pair_given", "happens", "happens_given", "sign", "control")
        super().__init__(operations, mapping, draws=uses, **kwargs)
        checks = (
            (len(self.operations) >= 2, "operations", self.operations, "at least two"),
            (0.0 < temperature < np.inf, "temperature", temperature, "positive"),
            (direction in DIRECTIONS, "direction", direction, f"one of {DIRECTIONS}"),
            (0.0 < initial_probability < 1.0, "initial_probability", initial_probability, "between 0 and 1"),
            (0.0 < initial_strength < 1.0, "initial_strength", initial_strength, "between 0 and 1"),
            (units >= 1, "units", units, "at least 1"),
        )
        for valid, name, value, must in checks:
            if not valid:
                raise ValueError(f"{name} must be {must}. Received: {name}={value!r}. Leave it out for the default.")
        self.temperature, self.direction, self.units = float(temperature), direction, int(units)
        self.initial_probability, self.initial_strength = float(initial_probability), float(initial_strength)
        self.pairs = np.array(list(itertools.combinations(range(len(self.operations)), 2)), "int32")
        count = len(self.pairs)
        self.choice = self._learned("choice", (count,), "zeros")
        self.probability = self._learned("probability", (count, 2), _constant(logit(initial_probability)))
        self.strength = self._learned("strength", (count, 2), _constant(logit(initial_strength)))
        self._controls = [self._control("choice", count), self._control("probability", count + 2)]
        self.built = True

    def _learned(self, name: str, shape: tuple[int, ...], initializer: Any) -> keras.Variable:
        variable = self.add_weight(shape=shape, initializer=initializer, dtype="float32", autocast=False, name=name)
        return roles.tag(variable, roles.AUGMENTATION)

    def _control(self, name: str, size: int) -> list[keras.Variable]:
        start = keras.initializers.GlorotUniform(seed=self.streams["control"])
        shapes = {"kernel": (size, self.units), "bias": (self.units,), "out": (self.units, 1), "offset": (1,)}
        return [
            self._learned(f"control_{name}_{part}", shape, start if len(shape) == 2 else "zeros")
            for part, shape in shapes.items()
        ]

    @property
    def learns_from(self) -> str:
        """As `direction` says."""
        return "held_out" if self.direction == "held_out" else "training"

    @property
    def learns_through_images(self) -> bool:
        """True."""
        return True

    def _draw(self, batch: Tensor, streams: Streams) -> dict[str, Tensor]:
        """`pair`, one-hot `(batch, pairs)`, `happens` and `sign`, `(batch, 2)`; and the noise that `loss` reads."""
        count = len(self.pairs)
        noise = {
            "gumbel": gumbel_noise((batch, count), streams["pair"]),
            "pair_given": uniform_noise((batch, count), streams["pair_given"]),
            "logistic": logistic_noise((batch, 2), streams["happens"]),
            "happens_given": uniform_noise((batch, 2), streams["happens_given"]),
        }
        pair = ops.one_hot(ops.argmax(self.choice + noise["gumbel"], axis=-1), count, dtype="float32")
        happens = ops.cast(relaxed_event(ops.matmul(pair, self.probability), noise["logistic"]) > 0.0, "float32")
        sign = ops.where(keras.random.uniform((batch, 2), dtype="float32", seed=streams["sign"]) < 0.5, -1.0, 1.0)
        return {**noise, "pair": pair, "happens": happens, "sign": sign}

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
        signal = ops.cast(signal, "float32")
        if self.direction == "held_out":
            signal = signal / ops.maximum(ops.stop_gradient(ops.std(signal)), 1e-12)
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
            return ops.softmax(z / self.temperature, axis=-1) if len(self.pairs) > 1 else ops.ones_like(z)
        return ops.concatenate([ops.sigmoid(z / self.temperature), pair], axis=-1)

    def entropy(self) -> Tensor:
        """Of the distribution over pairs."""
        log_p = ops.log_softmax(ops.convert_to_tensor(self.choice))
        return -ops.sum(ops.exp(log_p) * log_p)

    def _values(self) -> dict[str, np.ndarray]:
        choice = ops.exp(ops.log_softmax(ops.convert_to_tensor(self.choice)))
        learned = (choice, ops.sigmoid(self.probability), ops.sigmoid(self.strength))
        return {name: ops.convert_to_numpy(value) for name, value in zip(_LEARNED, learned)}

    def sentences(self, count: int = 10) -> list[str]:
        """The most probable pairs, in words."""
        values = self._values()
        found = []
        for i in np.argsort(-values["choices"], kind="stable")[:count]:
            parts = []
            for k, chance, strength in zip(self.pairs[i], values["probabilities"][i], values["strengths"][i]):
                fixed = self.transforms[k].strength_gradient is None
                parts.append(f"{self.operations[k]}{'' if fixed else f' of strength {strength:.2f}'} ({chance:.0%})")
            found.append(f"{parts[0]}, then {parts[1]}: {values['choices'][i]:.2%} of the images.")
        return [f"One of {len(self.pairs)} pairs for each image; the most probable, and how often they happen:", *found]

    def policy(self) -> dict[str, Any]:
        """What was learned and what it takes to draw from it, as plain data that JSON can hold."""
        learned = {name: values.tolist() for name, values in self._values().items()}
        return {**policy_to_data(self, _ARGUMENTS), **learned}

    @classmethod
    def from_policy(cls, policy: Mapping[str, Any], *, seed: int | None = None) -> "DADAPolicy":
        """A policy of what `policy()` returned; control variates begin anew.

        Raises:
            ValueError: If it is of another version or kind, or lacks something, or its numbers are out of range.
        """
        layer = cls(**read_policy(policy, cls, _ARGUMENTS, _LEARNED), seed=seed)
        variables = (layer.choice, layer.probability, layer.strength)
        values = [shares_of(policy[name], name, tuple(v.shape)) for name, v in zip(_LEARNED, variables)]
        layer.choice.assign(np.log(np.maximum(values[0], np.finfo("float32").tiny)))
        for variable, value in zip(variables[1:], values[1:]):
            variable.assign(logit(value))
        return layer

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without what was learned."""
        names = (*_ARGUMENTS, "initial_probability", "initial_strength", "units")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _constant(value: Any) -> keras.initializers.Initializer:
    return keras.initializers.Constant(float(value))


def _network(parts: Sequence[Tensor], features: Tensor) -> Tensor:
    """One hidden layer, to a number for each row."""
    kernel, bias, out, offset = parts
    return (ops.matmul(ops.tanh(ops.matmul(features, kernel) + bias), out) + offset)[:, 0]
