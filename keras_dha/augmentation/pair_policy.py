"""DHA's augmentation policy: a learned distribution over ordered pairs of operations."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha import roles
from keras_dha.augmentation.pair_application import apply_pairs
from keras_dha.augmentation.policy import AugmentationPolicy, Streams
from keras_dha.augmentation.policy_data import distribution, policy_to_data, read_policy
from keras_dha.augmentation.random_stream import random_signs
from keras_dha.augmentation.transform import Tensor
from keras_dha.relaxations.subsets import gumbel

DHA_OPERATIONS = (
    "AutoContrast",
    "Equalize",
    "Rotate",
    "Posterize",
    "Solarize",
    "Color",
    "Contrast",
    "Brightness",
    "Sharpness",
    "ShearX",
    "ShearY",
    "TranslateXRel",
    "TranslateYRel",
    "Identity",
)
SCORES = ("probability", "log_probability")
DIRECTIONS = ("adversarial", "cooperative", "held_out")
_FULL_MAGNITUDE = 8.0  # Magnitudes above are cut to it; it is strength 1.


@keras.saving.register_keras_serializable(package="keras_dha")
class PairPolicy(AugmentationPolicy):
    """Two operations for each image, an ordered pair drawn from a learned `P = softmax(logits)` over all `K * K` pairs.

    In each call:

    1. `q = softmax((log P + G) / temperature)` with Gumbel noise `G` of shape `(K, K)`, one for the batch; each image
       draws its pair from `q`. For `temperature=None`, `q = P`. Mind that temperature 2 flattens `P`, and that the
       noise is larger than most differences of the logits: batches differ in which pairs they favour.
    2. A strength for each image and operation: `clip(u, 0, 8) / 8`, `u ~ Uniform(0, magnitude)`. Magnitude 1 in the
       search phase is gentle; at 10 in the settle phase, a fifth of all strengths is 1. A random sign where there are
       two directions.
    3. The operations, by `mapping`.

    Only `logits` are learned, and neither strengths nor the noise have a gradient: `loss` is a score. With `l` the loss
    of each example as a constant, `a` the pairs and `B` the batch size,

    - `score="probability"`: `-(1/B) sum_i l_i P[a_i]`, DHA's released rule;
    - `score="log_probability"`: `-(1/B) sum_i (l_i - mean(l)) log P[a_i]`, REINFORCE with a baseline, without bias
      (but for the factor `1 - 1/B` of the batch's own mean) only if `temperature=None`.

    `direction="adversarial"` (DHA) makes pairs with a large loss more likely, `"cooperative"` less likely. Both ask
    what a pair does to the training loss, where one that destroys what labels mean does most. `"held_out"` (ours) asks
    what training on it does to held-out examples: in place of `l_i` stands how much the example's gradient turns that
    of the batch towards that of the held-out loss, in units of its standard deviation over the batch, and pairs of a
    large one become more likely. It is measured with each step of the hyper-parameters, and takes the search about two
    passes more; take `score="log_probability"`, and an optimizer with larger steps than DHA's, such as Adam(0.02).

    Args:
        operations: Names of registered transforms. Default: DHA's fourteen.
        mapping: `"monotone"` (default): strength 0 changes nothing. `"released"`: the arguments of the released code.
        temperature: A positive number, or None: draw from `P` itself. Default 2.
        score: `"probability"` (default) or `"log_probability"`.
        direction: `"adversarial"` (default), `"cooperative"` or `"held_out"`.
        search_magnitude: At least 0. Default 1.
        settle_magnitude: At least 0. Default 10.
        **kwargs: Of `AugmentationPolicy`. As `fill` the released code takes the mean of the data set.

    Raises:
        ValueError: As `AugmentationPolicy`.

    Example:

    >>> from keras_dha.augmentation import HorizontalFlip
    >>> policy = PairPolicy(base=(HorizontalFlip(),), seed=0)
    >>> images, draws = policy.augment(np.zeros((2, 8, 8, 1), "float32"))
    >>> images.shape, draws["pair"].shape, draws["strength"].shape
    (TensorShape([2, 8, 8, 1]), TensorShape([2]), TensorShape([2, 2]))

    Reference: "DHA", arXiv 2109.05765, and its released code, from which the rules above are. There the policy of a
    data loader's workers is renewed once per epoch only; here every call reads the current `logits`. There an image is
    resampled by each geometric operation; here once for both.
    """

    def __init__(
        self,
        operations: Sequence[str] = DHA_OPERATIONS,
        mapping: str = "monotone",
        *,
        temperature: float | None = 2.0,
        score: str = "probability",
        direction: str = "adversarial",
        search_magnitude: float = 1.0,
        settle_magnitude: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(operations, mapping, draws=("gumbel", "pair", "strength", "sign"), **kwargs)
        _validate(temperature, score, direction, (search_magnitude, settle_magnitude))
        self.temperature = temperature
        self.score = score
        self.direction = direction
        self.search_magnitude = float(search_magnitude)
        self.settle_magnitude = float(settle_magnitude)
        size = len(self.operations)
        logits = self.add_weight(
            shape=(size, size), initializer="zeros", dtype="float32", autocast=False, name="logits"
        )
        self.logits = roles.tag(logits, roles.AUGMENTATION)
        self.magnitude = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.search_magnitude),
            dtype="float32",
            autocast=False,
            trainable=False,
            name="magnitude",
        )
        self.built = True

    def set_phase(self, settled: bool) -> None:
        """Takes the magnitude of the settle phase, or of the search phase. Nothing is traced again."""
        self.magnitude.assign(self.settle_magnitude if settled else self.search_magnitude)

    def _draw(self, batch: Tensor, streams: Streams) -> dict[str, Tensor]:
        """`pair` (`(batch,)` int32, `K * first + second`), `strength` and `sign` (`(batch, 2)` float32)."""
        log_q = ops.reshape(self._sampling_log_probabilities(streams["gumbel"]), (1, -1))
        pair = keras.random.categorical(log_q, batch, dtype="int32", seed=streams["pair"])[0]
        largest = ops.convert_to_tensor(self.magnitude)
        strength = (
            keras.random.uniform((batch, 2), dtype="float32", seed=streams["strength"]) * largest / _FULL_MAGNITUDE
        )
        sign = random_signs((batch, 2), streams["sign"])
        return {"pair": pair, "strength": ops.clip(strength, 0.0, 1.0), "sign": sign}

    def _apply(self, images: Tensor, draws: Mapping[str, Tensor], seed: keras.random.SeedGenerator) -> Tensor:
        size = len(self.operations)
        return apply_pairs(
            images,
            self.transforms,
            ops.stack([draws["pair"] // size, draws["pair"] % size], axis=1),
            draws["strength"],
            draws["sign"],
            fill=self.fill,
            static_shapes=self.static_shapes,
            seed=seed,
        )

    def _sampling_log_probabilities(self, seed: keras.random.SeedGenerator) -> Tensor:
        """`log q` of one batch, shape `(K, K)`, up to a constant."""
        log_p = self._log_probabilities()
        if self.temperature is None:
            return log_p
        return (log_p + gumbel(ops.shape(log_p), seed=seed)) / self.temperature

    def loss(self, draws: Mapping[str, Tensor], signal: Tensor) -> Tensor:
        """The scalar whose gradient moves `logits`: `score` and `direction` say how.

        Args:
            draws: From `augment` in this step.
            signal: Training loss of each example, shape `(batch,)`, or how its gradient agrees with that of the
                held-out ones; taken as constants.

        Raises:
            ValueError: If `draws` are not those of a training call.
        """
        if "pair" not in draws:
            raise ValueError(
                "loss needs the draws of a call in training. "
                f"Received: draws with the keys {sorted(draws)}. Take them from augment(images, training=True)."
            )
        signal = self._scaled(signal)
        values = ops.stop_gradient(signal)
        if self.direction == "held_out":
            values = values - ops.mean(values)
        log_probability = ops.take(ops.reshape(self._log_probabilities(), (-1,)), draws["pair"], axis=0)
        if self.score == "probability":
            reward = ops.mean(values * ops.exp(log_probability))
        else:
            reward = ops.mean((values - ops.mean(values)) * log_probability)
        if self.learns_through_images:
            reward = reward + ops.mean(signal)
        return reward if self.direction == "cooperative" else -reward

    def _log_probabilities(self) -> Tensor:
        logits = ops.convert_to_tensor(self.logits)
        return logits - ops.logsumexp(logits)

    def probabilities(self) -> Tensor:
        """`P`, shape `(K, K)`: first operation by second operation."""
        return ops.exp(self._log_probabilities())

    def entropy(self) -> Tensor:
        """`-sum P log P` in nats: `log(K * K)` at the start (5.278 for 14 operations), 0 for a single pair."""
        log_p = self._log_probabilities()
        return -ops.sum(ops.exp(log_p) * log_p)

    def sentences(self, count: int = 10) -> list[str]:
        """The most probable pairs, in words."""
        probabilities = ops.convert_to_numpy(self.probabilities())
        names, size = self.operations, len(self.operations)
        largest = min(float(self.magnitude.numpy()) / _FULL_MAGNITUDE, 1.0)
        order = np.argsort(-probabilities, axis=None, kind="stable")[:count]
        return [
            f"Two of {size} operations for each image, of strengths up to {largest:.3g}; the most probable pairs:",
            *(
                f"{names[i // size]}, then {names[i % size]}: {probabilities.flat[i]:.2%} of the images, "
                f"{probabilities.flat[i] * size**2:.2f} times as many as if all pairs were alike."
                for i in order
            ),
        ]

    def policy(self) -> dict[str, Any]:
        """What was learned and what it takes to draw from it, as plain data that JSON can hold."""
        return {
            **policy_to_data(self, ("temperature", "score", "direction")),
            "probabilities": ops.convert_to_numpy(self.probabilities()).tolist(),
            "magnitudes": {
                "search": self.search_magnitude,
                "settle": self.settle_magnitude,
                "current": float(self.magnitude.numpy()),
            },
        }

    @classmethod
    def from_policy(cls, policy: Mapping[str, Any], *, seed: int | None = None) -> "PairPolicy":
        """A policy of what `policy()` returned.

        Raises:
            ValueError: If it is of another version or kind, lacks something, names unknown operations, or its
                probabilities are not a distribution over their pairs.
        """
        arguments = read_policy(policy, cls, ("temperature", "score", "direction"), ("probabilities", "magnitudes"))
        magnitudes = policy["magnitudes"]
        if not isinstance(magnitudes, Mapping) or set(magnitudes) != {"search", "settle", "current"}:
            raise ValueError(
                "A policy must have magnitudes for 'search', 'settle' and 'current'. "
                f"Received: magnitudes={magnitudes}. Give what policy() returned."
            )
        size = len(policy["operations"])
        probabilities = distribution(policy["probabilities"], (size, size))
        own = {f"{phase}_magnitude": magnitudes[phase] for phase in ("search", "settle")}
        layer = cls(**arguments, **own, seed=seed)
        layer.logits.assign(np.log(np.maximum(probabilities, np.finfo("float32").tiny)))
        layer.magnitude.assign(magnitudes["current"])
        return layer

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without what was learned."""
        names = ("temperature", "score", "direction", "search_magnitude", "settle_magnitude")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _validate(
    temperature: float | None,
    score: str,
    direction: str,
    magnitudes: tuple[float, float],
) -> None:
    checks = (
        (
            temperature is None or 0.0 < temperature < np.inf,
            "temperature",
            temperature,
            "positive, or None",
            "DHA takes 2; None draws from the policy itself.",
        ),
        (score in SCORES, "score", score, f"one of {SCORES}", "DHA takes 'probability'."),
        (direction in DIRECTIONS, "direction", direction, f"one of {DIRECTIONS}", "DHA takes 'adversarial'."),
        (
            all(0.0 <= value < np.inf for value in magnitudes),
            "search_magnitude, settle_magnitude",
            magnitudes,
            "at least 0",
            "DHA takes 1 and 10.",
        ),
    )
    for valid, name, value, must, advice in checks:
        if not valid:
            raise ValueError(f"{name} must be {must}. Received: {name}={value!r}. {advice}")
