"""Transforms that give each pixel a new value by a curve: AutoContrast, Equalize, Invert, Posterize, Solarize."""

import abc

from keras import ops

from keras_dha.augmentation.straight_through import along_secant, as_of_identity
from keras_dha.augmentation.transform import STRAIGHT_THROUGH, Tensor, Transform, per_image, register_transform

_TOP = 255.0  # The largest of the 256 levels in which PIL, and with it the papers, counts.


class _Blend(Transform):
    """A curve without a magnitude: `images + strength * (curve(images) - images)`; at once in full as released."""

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The share of the curve in the result."""
        return strength if self.mapping == "monotone" else ops.ones_like(strength)

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The image, blended with its curve."""
        return ops.clip(images + per_image(argument) * (self.curve(images) - images), 0.0, 1.0)

    @abc.abstractmethod
    def curve(self, images: Tensor) -> Tensor:
        """The images after the operation in full."""


@register_transform
class AutoContrast(_Blend):
    """Stretches each channel to the full range: `(x - min) / (max - min)`; a constant channel stays.

    Blended with the image by the strength, or in full under `mapping="released"`.
    """

    def curve(self, images: Tensor) -> Tensor:
        """Each channel from its minimum to its maximum."""
        # `initial`, because Keras has no extremum of an empty batch, and nobody may have drawn this operation.
        low = ops.min(images, axis=(1, 2), keepdims=True, initial=1.0)  # (batch, 1, 1, channels)
        spread = ops.max(images, axis=(1, 2), keepdims=True, initial=0.0) - low
        flat = spread <= 0.0
        return ops.where(flat, images, (images - low) / ops.where(flat, 1.0, spread))


@register_transform
class Equalize(_Blend):
    """Flattens each channel's histogram: `below(x) / (pixels - ties)`; a constant channel stays.

    `below(x)` counts the pixels darker than `x` on 256 levels, `ties` those as bright as the brightest: the rule of
    `PIL.ImageOps.equalize` without its integer division, so that it also acts on images of less than 256 pixels.
    Blended with the image by the strength, or in full under `mapping="released"`.
    """

    image_gradient = STRAIGHT_THROUGH

    def curve(self, images: Tensor) -> Tensor:
        """Each pixel's share of darker pixels."""
        shape = ops.shape(images)
        planes = shape[0] * shape[3]
        plane = ops.reshape(ops.arange(planes, dtype="int32"), (shape[0], 1, 1, shape[3]))
        bins = ops.reshape(ops.cast(ops.round(images * _TOP), "int32") + 256 * plane, (-1,))
        counts = ops.segment_sum(ops.ones_like(bins, dtype="float32"), bins, num_segments=256 * planes)
        counts = ops.reshape(counts, (planes, 256))
        darker = ops.reshape(ops.cumsum(counts, axis=1) - counts, (-1,))
        below = ops.reshape(ops.take(darker, bins), shape)
        most = ops.max(below, axis=(1, 2), keepdims=True, initial=0.0)
        flat = most <= 0.0
        return as_of_identity(ops.where(flat, images, below / ops.where(flat, 1.0, most)), images)


@register_transform
class Invert(Transform):
    """The negative, `1 - x`."""

    strength_gradient = None

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """1 where the image is inverted: at any strength above 0, or always under `mapping="released"`."""
        return ops.ones_like(strength) if self.mapping == "released" else ops.cast(strength > 0.0, strength.dtype)

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The negative, or the image."""
        return ops.where(per_image(argument) > 0.0, 1.0 - images, images)


@register_transform
class Posterize(Transform):
    """Drops some of a pixel's eight bits: `floor(v / s) * s` with `v = round(255 x)`, `s = 2**dropped`.

    `"monotone"`: dropped bits rise from 0 at strength 0 to 4, and need not be whole: `s = 16**strength`. `"released"`:
    `8 - int(3 strength + 1)`, so one bit is left at a low strength.
    """

    image_gradient = strength_gradient = STRAIGHT_THROUGH

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """How many bits are dropped."""
        return 4.0 * strength if self.mapping == "monotone" else 8.0 - ops.floor(3.0 * strength + 1.0)

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """Values rounded down to multiples of `s`."""
        step = per_image(ops.power(2.0, argument))
        kept = ops.floor(ops.round(images * _TOP) / step) * step / _TOP
        return along_secant(as_of_identity(ops.where(step > 1.0, kept, images), images), images, argument)


@register_transform
class Solarize(Transform):
    """Inverts what is bright: `1 - x` where `round(255 x) >= 256 - depth`, else `x`.

    `"monotone"`: the depth grows from 0 (nothing) at strength 0 to 256 (everything). `"released"`: the threshold
    `256 - depth` is `int(256 strength)`, the other way round.
    """

    strength_gradient = STRAIGHT_THROUGH

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The depth, of 256."""
        return 256.0 * strength if self.mapping == "monotone" else 256.0 - ops.floor(256.0 * strength)

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The image, inverted from the threshold on."""
        bright = ops.round(images * _TOP) >= 256.0 - per_image(argument)
        return along_secant(ops.where(bright, 1.0 - images, images), images, argument)
