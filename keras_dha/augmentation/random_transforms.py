"""Transforms that draw something for each image besides their strength: Cutout, Noise."""

import abc
from typing import Any

import keras
from keras import ops

from keras_dha.augmentation.transform import Tensor, Transform, checked_strength, per_image, register_transform


class RandomTransform(Transform):
    """A transform whose `apply` draws random numbers.

    Its gradients are those of the transform with these numbers.

    Call arguments:
        images, strength, sign: As for `Transform`.
        seed: A `keras.random.SeedGenerator`, an integer for the same numbers in each call, or None for Keras's own.
    """

    def __call__(self, images: Tensor, strength: Tensor, sign: Tensor | None = None, *, seed: Any = None) -> Tensor:
        """The transformed images."""
        sign = ops.ones_like(strength) if sign is None else sign
        return self.apply(images, self.argument(checked_strength(strength), sign), seed)

    @abc.abstractmethod
    def apply(self, images: Tensor, argument: Tensor, seed: Any = None) -> Tensor:
        """The transformed images, in [0, 1]."""


@register_transform
class Cutout(RandomTransform):
    """Covers a square about a random point of the image, of up to half the smaller side, under both mappings.

    A pixel that the square covers in part is covered in part, which gives the strength its gradient.

    Args:
        mapping: As in `Transform`; without effect.
        fill: What the square shows, in [0, 1]. Defaults to 0.5, gray.

    Reference: "Improved Regularization of Convolutional Neural Networks with Cutout", arXiv 1708.04552.
    """

    def __init__(self, mapping: str = "monotone", fill: float = 0.5) -> None:
        super().__init__(mapping)
        if not 0.0 <= fill <= 1.0:
            raise ValueError(f"fill must be in [0, 1]. Received: fill={fill}. 0.5 is gray.")
        self.fill = float(fill)

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The side of the square, of the smaller side of the image."""
        return 0.5 * strength

    def apply(self, images: Tensor, argument: Tensor, seed: Any = None) -> Tensor:
        """The image with the square in it."""
        batch, height, width = ops.shape(images)[:3]
        size = ops.cast(ops.stack([height, width]), "float32")
        center = keras.random.uniform((batch, 2), seed=seed) * size
        return self.cover(images, center, argument * ops.min(size))

    def cover(self, images: Tensor, center: Tensor, side: Tensor) -> Tensor:
        """Images with a square in each.

        Args:
            images: Shape `(batch, height, width, channels)`.
            center: Row and column of each square's middle, in pixels from the upper left corner, `(batch, 2)`.
            side: Of each square, in pixels, `(batch,)`.
        """
        height, width = ops.shape(images)[1:3]
        rows, columns = covered(center[:, :1], side, height), covered(center[:, 1:], side, width)
        return images + rows[:, :, None, None] * columns[:, None, :, None] * (self.fill - images)


def covered(center: Tensor, length: Tensor, size: Tensor) -> Tensor:
    """The part of each pixel of a line that a segment covers, `(batch, size)`, from its center `(batch, 1)`."""
    first, half = ops.arange(size, dtype="float32")[None], 0.5 * length[:, None]
    low, high = ops.maximum(first, center - half), ops.minimum(first + 1.0, center + half)
    return ops.maximum(high - low, 0.0)


@register_transform
class Noise(RandomTransform):
    """Adds normal noise to each number, of a standard deviation of up to 0.25, under both mappings."""

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The standard deviation."""
        return 0.25 * strength

    def apply(self, images: Tensor, argument: Tensor, seed: Any = None) -> Tensor:
        """The noisy image, clipped."""
        noise = keras.random.normal(ops.shape(images), dtype=images.dtype, seed=seed)
        return ops.clip(images + per_image(argument) * noise, 0.0, 1.0)
