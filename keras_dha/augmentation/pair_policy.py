"""DHA's augmentation policy: a learned distribution over ordered pairs of operations."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha import roles
from keras_dha.augmentation.basic_augmentation import BasicAugmentation
from keras_dha.augmentation.pair_application import apply_pairs
from keras_dha.augmentation.policy_data import policy_to_data, read_policy
from keras_dha.augmentation.random_stream import ReplicaStream, fresh_seed, stream_seed
from keras_dha.augmentation.resampling import Fill, is_fill
from keras_dha.augmentation.transform import Tensor, transforms_named

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
DIRECTIONS = ("adversarial", "cooperative")
_FULL_MAGNITUDE = 8.0  # Magnitudes above are cut to it; it is strength 1.


@keras.saving.register_keras_serializable(package="keras_dha")
class PairPolicy(keras.layers.Layer):
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

    `direction="adversarial"` (DHA) makes pairs with a large loss more likely, `"cooperative"` less likely.

    Args:
        operations: Names of registered transforms. Default: DHA's fourteen.
        mapping: `"monotone"` (default): strength 0 changes nothing. `"released"`: the arguments of the released code.
        base: `BasicAugmentation`s that come first, such as `(Crop(), HorizontalFlip())`.
        fill: What geometric operations show outside of an image: its mirror image (`"reflect"`, the default), a number
            in [0, 1], or one for each channel (the released code takes the mean of the data set).
        temperature: A positive number, or None: draw from `P` itself. Default 2.
        score: `"probability"` (default) or `"log_probability"`.
        direction: `"adversarial"` (default) or `"cooperative"`.
        search_magnitude: At least 0. Default 1.
        settle_magnitude: At least 0. Default 10.
        static_shapes: True runs every operation on every image, in static shapes: for XLA and TPU. Default False, which
            is faster on a CPU.
        seed: Integer, or None. Each use of random numbers has a stream of its own, so that removing a `base`
            augmentation does not change which pairs are drawn.

    Call arguments:
        images: Floating point in [0, 1], shape `(batch, height, width, channels)`.
        training: False or None (default): the images as they are.

    Output shape:
        That of `images`, in [0, 1].

    Raises:
        ValueError: If an argument is not as said, or images are not floating point of rank 4.

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
        base: Sequence[BasicAugmentation] = (),
        fill: Fill = "reflect",
        temperature: float | None = 2.0,
        score: str = "probability",
        direction: str = "adversarial",
        search_magnitude: float = 1.0,
        settle_magnitude: float = 10.0,
        static_shapes: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        _validate(base, fill, temperature, score, direction, (search_magnitude, settle_magnitude))
        self.transforms = transforms_named(operations, mapping)
        self.operations = tuple(operations)
        self.mapping = mapping
        self.base = tuple(base)
        self.fill: Fill = fill if isinstance(fill, str) else np.asarray(fill, "float64").tolist()
        self.temperature = temperature
        self.score = score
        self.direction = direction
        self.search_magnitude = float(search_magnitude)
        self.settle_magnitude = float(settle_magnitude)
        self.static_shapes = static_shapes
        self.seed = seed
        root = fresh_seed(seed)
        uses = ["gumbel", "pair", "strength", "sign", "transform", *_names_of_base(self.base)]
        self.streams = {use: keras.random.SeedGenerator(stream_seed(root, use)) for use in uses}
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

    def augment(
        self, images: Tensor, training: bool = True, *, replica: Tensor = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Augmented images, and what was drawn for them.

        Args:
            images: Floating point in [0, 1], shape `(batch, height, width, channels)`.
            training: False: the images as they are, and no draws.
            replica: The number of this replica (`tf.distribute.get_replica_context().replica_id_in_sync_group`), so
                that replicas draw different numbers.

        Returns:
            Images of the same shape and dtype, and a dict of `pair` (`(batch,)` int32, `K * first + second`),
            `strength` and `sign` (`(batch, 2)` float32); empty if not training.
        """
        if not training:
            return images, {}
        images = self._checked(images)
        dtype, images = images.dtype, ops.cast(images, "float32")
        streams = {use: ReplicaStream(stream, replica) for use, stream in self.streams.items()}
        draws = self._draw(ops.shape(images)[0], streams)
        for use, augmentation in zip(_names_of_base(self.base), self.base, strict=True):
            images = augmentation(images, streams[use])
        size = len(self.operations)
        images = apply_pairs(
            images,
            self.transforms,
            ops.stack([draws["pair"] // size, draws["pair"] % size], axis=1),
            draws["strength"],
            draws["sign"],
            fill=self.fill,
            static_shapes=self.static_shapes,
            seed=streams["transform"],
        )
        return ops.cast(images, dtype), draws

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """The images of `augment`."""
        return self.augment(images, bool(training))[0]

    def _checked(self, images: Tensor) -> Tensor:
        images = ops.convert_to_tensor(images)
        if len(images.shape) != 4 or "float" not in keras.backend.standardize_dtype(images.dtype):
            raise ValueError(
                "Images must be floating point of shape (batch, height, width, channels), in [0, 1]. "
                f"Received: shape={tuple(images.shape)}, dtype={keras.backend.standardize_dtype(images.dtype)}. "
                "Scale bytes by 1 / 255 first."
            )
        if isinstance(self.fill, list) and len(self.fill) != images.shape[-1]:
            raise ValueError(
                f"fill must be a number for each channel, or one for all. Received: fill={self.fill}, images of shape "
                f"{tuple(images.shape)}. Give {images.shape[-1]} numbers."
            )
        return images

    def _draw(self, batch: Tensor, streams: Mapping[str, keras.random.SeedGenerator]) -> dict[str, Tensor]:
        log_q = ops.reshape(self._sampling_log_probabilities(streams["gumbel"]), (1, -1))
        pair = keras.random.categorical(log_q, batch, dtype="int32", seed=streams["pair"])[0]
        largest = ops.convert_to_tensor(self.magnitude)
        strength = (
            keras.random.uniform((batch, 2), dtype="float32", seed=streams["strength"]) * largest / _FULL_MAGNITUDE
        )
        sign = ops.where(keras.random.uniform((batch, 2), dtype="float32", seed=streams["sign"]) < 0.5, -1.0, 1.0)
        return {"pair": pair, "strength": ops.clip(strength, 0.0, 1.0), "sign": sign}

    def _sampling_log_probabilities(self, seed: keras.random.SeedGenerator) -> Tensor:
        """`log q` of one batch, shape `(K, K)`, up to a constant."""
        log_p = self._log_probabilities()
        if self.temperature is None:
            return log_p
        tiny = 1e-7  # keras.random.uniform may return 0.
        uniform = keras.random.uniform(ops.shape(log_p), tiny, 1.0 - tiny, dtype="float32", seed=seed)
        gumbel = -ops.log(-ops.log(uniform))
        return (log_p + gumbel) / self.temperature

    def loss(self, draws: Mapping[str, Tensor], per_example_loss: Tensor) -> Tensor:
        """The scalar whose gradient moves `logits`: `score` and `direction` say how.

        Args:
            draws: From `augment` in this step.
            per_example_loss: Training loss of each example, shape `(batch,)`; taken as constants.

        Raises:
            ValueError: If `draws` are not those of a training call.
        """
        if "pair" not in draws:
            raise ValueError(
                "loss needs the draws of a call in training. "
                f"Received: draws with the keys {sorted(draws)}. Take them from augment(images, training=True)."
            )
        losses = ops.stop_gradient(ops.cast(per_example_loss, "float32"))
        log_probability = ops.take(ops.reshape(self._log_probabilities(), (-1,)), draws["pair"], axis=0)
        if self.score == "probability":
            reward = ops.mean(losses * ops.exp(log_probability))
        else:
            reward = ops.mean((losses - ops.mean(losses)) * log_probability)
        return -reward if self.direction == "adversarial" else reward

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

    def policy(self) -> dict[str, Any]:
        """What was learned and what it takes to draw from it, as plain data that JSON can hold."""
        return policy_to_data(
            self.get_config(), self.base, ops.convert_to_numpy(self.probabilities()), float(self.magnitude)
        )

    @classmethod
    def from_policy(cls, policy: Mapping[str, Any], *, seed: int | None = None) -> "PairPolicy":
        """A policy of what `policy()` returned.

        Raises:
            ValueError: If it is of another version, lacks something, names unknown operations, or its probabilities are
                not a distribution over their pairs.
        """
        arguments, probabilities, magnitude = read_policy(policy)
        layer = cls(**arguments, seed=seed)
        layer.logits.assign(np.log(np.maximum(probabilities, np.finfo("float32").tiny)))
        layer.magnitude.assign(magnitude)
        return layer

    def save_own_variables(self, store: Any) -> None:
        """Stores the variables, and the states of the random streams, which Keras leaves out."""
        super().save_own_variables(store)
        for use, stream in self.streams.items():
            store[use] = ops.convert_to_numpy(stream.state)

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` stored; a stream that is not there keeps its state."""
        self.logits.assign(store["0"])
        self.magnitude.assign(store["1"])
        for use, stream in self.streams.items():
            if use in store:
                stream.state.assign(store[use])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the images."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without what was learned."""
        return {
            **super().get_config(),
            "operations": list(self.operations),
            "mapping": self.mapping,
            "base": [keras.saving.serialize_keras_object(augmentation) for augmentation in self.base],
            "fill": self.fill,
            "temperature": self.temperature,
            "score": self.score,
            "direction": self.direction,
            "search_magnitude": self.search_magnitude,
            "settle_magnitude": self.settle_magnitude,
            "static_shapes": self.static_shapes,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PairPolicy":
        """A new policy from what `get_config` returned."""
        base = [keras.saving.deserialize_keras_object(augmentation) for augmentation in config.get("base", ())]
        return cls(**{**config, "base": base})


def _names_of_base(base: Sequence[BasicAugmentation]) -> list[str]:
    """A name for the stream of each: its class, and how many of it came before."""
    kinds = [type(augmentation).__name__ for augmentation in base]
    return [f"base_{kind}_{kinds[:i].count(kind)}" for i, kind in enumerate(kinds)]


def _validate(
    base: Sequence[BasicAugmentation],
    fill: Fill,
    temperature: float | None,
    score: str,
    direction: str,
    magnitudes: tuple[float, float],
) -> None:
    checks = (
        (
            isinstance(base, Sequence) and all(isinstance(a, BasicAugmentation) for a in base),
            "base",
            base,
            "a sequence of BasicAugmentations",
            "For example (Crop(), HorizontalFlip()).",
        ),
        (
            is_fill(fill),
            "fill",
            fill,
            "'reflect', or in [0, 1]",
            "Give 'reflect', a number, or one for each channel.",
        ),
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
