"""What all policies have in common: transforms are drawn for each image of a batch, and applied."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_dha.augmentation.basic_augmentation import BasicAugmentation
from keras_dha.augmentation.mixing import Mixing
from keras_dha.augmentation.random_stream import ReplicaStream, fresh_seed, stream_seed
from keras_dha.augmentation.resampling import Fill, is_fill
from keras_dha.augmentation.transform import Tensor, is_known, range_outside_of_unit, transforms_named

Streams = Mapping[str, keras.random.SeedGenerator]


class AugmentationPolicy(keras.layers.Layer, abc.ABC):
    """Draws operations for each image, and applies them; inside a training step, a model, or `Dataset.map`.

    A subclass says what is drawn (`_draw`) and what is done with it (`_apply`). If it learns, it has variables of the
    role AUGMENTATION, and `loss`, whose gradient moves them; `learns_from` says what `loss` is told of each example.

    Args:
        operations: Names of registered transforms.
        mapping: As in `Transform`.
        base: `BasicAugmentation`s that come first, such as `(Crop(), HorizontalFlip())`.
        mixing: What comes last, `MixUp(...)` or `CutMix(...)`; None: nothing is mixed.
        fill: What geometric operations show outside of an image: its mirror image (`"reflect"`), a number in [0, 1], or
            one for each channel.
        static_shapes: True runs every operation on every image, in static shapes: for XLA and TPU.
        seed: Integer, or None. Each use of random numbers has a stream of its own, so that removing a `base`
            augmentation does not change what else is drawn.
        data_format: `"channels_last"` or `"channels_first"`, of the images that `call` gets; None: Keras's own.
        draws: Names of the uses of random numbers that a subclass has.

    Call arguments:
        images: Floating point in [0, 1], or uint8, shape `(batch, height, width, channels)`, or one image without
            `batch`.
        labels: Anything; handed through. With `mixing`, one-hot, floats of shape `(batch, num_classes)`; mixed, too.
        training: False: the images as they are.

    Output:
        Images of the same shape and dtype; with `labels`, the pair of both.

    Raises:
        ValueError: If an argument is not as said; or images are not, as far as that is known: numbers out of range are
            seen eagerly, and cut off in a graph.
    """

    direction: str = "adversarial"  # of what is learned, if anything is

    def __init__(
        self,
        operations: Sequence[str],
        mapping: str = "monotone",
        *,
        base: Sequence[BasicAugmentation] = (),
        mixing: Mixing | None = None,
        fill: Fill = "reflect",
        static_shapes: bool = False,
        seed: int | None = None,
        data_format: str | None = None,
        draws: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if not isinstance(base, Sequence) or not all(isinstance(a, BasicAugmentation) for a in base):
            raise ValueError(
                "base must be a sequence of BasicAugmentations. "
                f"Received: base={base!r}. For example (Crop(), HorizontalFlip())."
            )
        if not is_fill(fill):
            raise ValueError(
                "fill must be 'reflect', or in [0, 1]. "
                f"Received: fill={fill!r}. Give 'reflect', a number, or one for each channel."
            )
        if not isinstance(mixing, Mixing | None):
            raise ValueError(f"mixing must be a Mixing, or None. Received: mixing={mixing!r}. For example MixUp(0.5).")
        self.transforms = transforms_named(operations, mapping)
        self.operations = tuple(operations)
        self.mapping = mapping
        self.base = tuple(base)
        self.mixing = mixing
        self.fill: Fill = fill if isinstance(fill, str) else np.asarray(fill, "float64").tolist()
        self.static_shapes = static_shapes
        self.seed = seed
        self.data_format = keras.config.image_data_format() if data_format is None else data_format
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                "data_format must be 'channels_last' or 'channels_first'. "
                f"Received: data_format={data_format!r}. Give one of them, or None."
            )
        root = fresh_seed(seed)
        uses = [*draws, "transform", *_names_of_base(self.base), *(["mixing"] if mixing else [])]
        self.streams = {use: keras.random.SeedGenerator(stream_seed(root, use)) for use in uses}

    @property
    def learns_from(self) -> str:
        """`"training"`: the loss of each training example; `"held_out"`: how it agrees with the held-out ones."""
        return "held_out" if self.direction == "held_out" else "training"

    def _scaled(self, signal: Tensor) -> Tensor:
        """The signal as float32; of held-out examples in units of its standard deviation over the batch."""
        signal = ops.cast(signal, "float32")
        if self.direction != "held_out":
            return signal
        return signal / ops.maximum(ops.stop_gradient(ops.std(signal)), 1e-12)

    @property
    def learns_through_images(self) -> bool:
        """Whether something that is learned has a gradient through the images that `augment` gives."""
        return self.mixing is not None and self.mixing.learned

    def set_phase(self, settled: bool) -> None:
        """Told when the search begins and ends. Nothing is traced again."""

    def augment(
        self, images: Tensor, training: bool = True, *, replica: Tensor = 0, learns: Tensor | bool = True
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Augmented images, and what was drawn for them.

        Args:
            images: Floating point in [0, 1], shape `(batch, height, width, channels)`.
            training: False: the images as they are, and no draws.
            replica: The number of this replica (`tf.distribute.get_replica_context().replica_id_in_sync_group`), so
                that replicas draw different numbers.
            learns: Whether what is learned moves in this step, and so needs its gradients.

        Returns:
            Images of the same shape and dtype, and what `_draw` gave, with `learns`; empty if not training. If images
            are mixed, `partner`, the number of the other image of each, and `share`, how much of it is its own.
        """
        if not training:
            return images, {}
        images = self._checked(images)
        dtype, images = images.dtype, ops.cast(images, "float32")
        streams = {use: ReplicaStream(stream, replica) for use, stream in self.streams.items()}
        draws = {"learns": learns, **self._draw(ops.shape(images)[0], streams)}
        for use, augmentation in zip(_names_of_base(self.base), self.base, strict=True):
            images = augmentation(images, streams[use])
        images = self._apply(images, draws, streams["transform"])
        if self.mixing is not None:
            mixed = self.mixing.draw(ops.shape(images)[0], streams["mixing"])
            images, share = self.mixing.mix(images, mixed)
            draws = {**draws, "partner": mixed["partner"], "share": share}
        return ops.cast(images, dtype), draws

    @abc.abstractmethod
    def _draw(self, batch: Tensor, streams: Streams) -> dict[str, Tensor]:
        """What is drawn for each image."""

    @abc.abstractmethod
    def _apply(self, images: Tensor, draws: Mapping[str, Tensor], seed: keras.random.SeedGenerator) -> Tensor:
        """The images, float32, after what was drawn for them; `seed` for transforms that draw something."""

    def loss(self, draws: Mapping[str, Tensor], signal: Tensor) -> Tensor:
        """The scalar whose gradient moves what is learned: 0, for nothing is, unless overridden.

        Args:
            draws: From `augment` in this step.
            signal: What `learns_from` says, of each example, shape `(batch,)`; with a gradient for the images, if
                `learns_through_images`.
        """
        return ops.zeros(())

    @abc.abstractmethod
    def entropy(self) -> Tensor:
        """Of the distribution of what is drawn, in nats."""

    @abc.abstractmethod
    def policy(self) -> dict[str, Any]:
        """What was learned and what it takes to draw from it, as plain data that JSON can hold."""

    @abc.abstractmethod
    def sentences(self, count: int = 10) -> list[str]:
        """What is done to an image, in words, most frequent first.

        Args:
            count: How many of the most frequent to name.
        """

    def summary(self, count: int = 10, print_fn: Callable[[str], Any] = print) -> None:
        """Prints `sentences`, one a line, and how images are mixed."""
        for sentence in [*self.sentences(count), *([self.mixing.sentence()] if self.mixing else [])]:
            print_fn(sentence)

    @classmethod
    @abc.abstractmethod
    def from_policy(cls, policy: Mapping[str, Any], *, seed: int | None = None) -> Self:
        """A policy of what `policy()` returned."""

    def call(self, images: Tensor, labels: Any = None, training: bool | None = True) -> Any:
        """The augmented images, and the labels if there are any."""
        draws: Mapping[str, Tensor] = {}
        if training:
            images, draws = self._augmented(ops.convert_to_tensor(images))
        if "share" in draws:
            labels = _mixed_labels(labels, draws)
        return images if labels is None else (images, labels)

    def _augmented(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        dtype, alone = keras.backend.standardize_dtype(images.dtype), len(images.shape) == 3
        if dtype == "uint8":
            images = ops.cast(images, "float32") / 255.0
        elif "float" in dtype:
            images = _in_range(images)
        if alone and self.mixing is not None:
            raise ValueError(
                "Images must come in batches to be mixed. "
                f"Received: shape={tuple(images.shape)}. Map the policy over a dataset after batch()."
            )
        images = images[None] if alone else images
        first = self.data_format == "channels_first" and len(images.shape) == 4
        out, draws = self.augment(ops.transpose(images, (0, 2, 3, 1)) if first else images)
        out = ops.transpose(out, (0, 3, 1, 2)) if first else out
        out = out[0] if alone else out
        return (ops.cast(ops.round(255.0 * out), "uint8") if dtype == "uint8" else out), draws

    def _checked(self, images: Tensor) -> Tensor:
        images = ops.convert_to_tensor(images)
        if len(images.shape) != 4 or "float" not in keras.backend.standardize_dtype(images.dtype):
            raise ValueError(
                "Images must be floating point of shape (batch, height, width, channels), in [0, 1], or bytes. "
                f"Received: shape={tuple(images.shape)}, dtype={keras.backend.standardize_dtype(images.dtype)}. "
                "Scale other integers to floats in [0, 1] first."
            )
        if isinstance(self.fill, list) and len(self.fill) != images.shape[-1]:
            raise ValueError(
                f"fill must be a number for each channel, or one for all. Received: fill={self.fill}, images of shape "
                f"{tuple(images.shape)}. Give {images.shape[-1]} numbers."
            )
        return images

    def save_own_variables(self, store: Any) -> None:
        """Stores the variables, and the states of the random streams, which Keras leaves out."""
        super().save_own_variables(store)
        for use, stream in self.streams.items():
            store[use] = ops.convert_to_numpy(stream.state)

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` stored; a stream that is not there keeps its state."""
        for number, variable in enumerate([*self._trainable_variables, *self._non_trainable_variables]):
            variable.assign(store[str(number)])
        for use, stream in self.streams.items():
            if use in store:
                stream.state.assign(store[use])

    def compute_output_spec(self, images: Tensor, labels: Any = None, training: bool | None = True) -> Any:
        """That of the images, bytes or not."""
        spec = keras.KerasTensor(images.shape, dtype=images.dtype)
        return spec if labels is None else (spec, labels)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without what was learned."""
        return {
            **super().get_config(),
            "operations": list(self.operations),
            "mapping": self.mapping,
            "base": [keras.saving.serialize_keras_object(augmentation) for augmentation in self.base],
            "mixing": None if self.mixing is None else keras.saving.serialize_keras_object(self.mixing),
            "fill": self.fill,
            "static_shapes": self.static_shapes,
            "seed": self.seed,
            "data_format": self.data_format,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A new policy from what `get_config` returned."""
        base = [keras.saving.deserialize_keras_object(augmentation) for augmentation in config.get("base", ())]
        mixing = config.get("mixing")
        mixing = None if mixing is None else keras.saving.deserialize_keras_object(mixing)
        return cls(**{**config, "base": base, "mixing": mixing})


def _mixed_labels(labels: Any, draws: Mapping[str, Tensor]) -> Tensor:
    labels = None if labels is None else ops.convert_to_tensor(labels)
    if labels is None or len(labels.shape) != 2 or "float" not in keras.backend.standardize_dtype(labels.dtype):
        received = "no labels" if labels is None else f"labels of shape {labels.shape} and type {labels.dtype}"
        raise ValueError(
            "Labels must be given where images are mixed, and be one-hot: floats of shape (batch, num_classes). "
            f"Received: {received}. Give keras.ops.one_hot(labels, num_classes), or a policy without mixing."
        )
    share = ops.cast(draws["share"], labels.dtype)[:, None]
    return share * labels + (1.0 - share) * ops.take(labels, draws["partner"], axis=0)


def _in_range(images: Tensor) -> Tensor:
    """The images; an error if numbers are known to lie outside of [0, 1], which are else cut off."""
    if found := range_outside_of_unit(images):
        raise ValueError(
            f"Images of floats must lie in [0, 1]. Received: images {found}. Scale them; or give bytes, from 0 to 255."
        )
    return images if is_known(images) else ops.clip(images, 0.0, 1.0)


def _names_of_base(base: Sequence[BasicAugmentation]) -> list[str]:
    """A name for the stream of each: its class, and how many of it came before."""
    kinds = [type(augmentation).__name__ for augmentation in base]
    return [f"base_{kind}_{kinds[:i].count(kind)}" for i, kind in enumerate(kinds)]
