"""Transforms that give each pixel a new value by a curve: AutoContrast, Equalize, Posterize, Solarize."""

import abc

from keras import ops

from keras_dha.augmentation.transform import Tensor, Transform, per_image, register_transform

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
        return ops.where(flat, images, below / ops.where(flat, 1.0, most))


@register_transform
class Posterize(Transform):
    """Keeps `bits` bits of a pixel's eight: `floor(v / s) * s` with `v = round(255 x)`, `s = 2**(8 - bits)`.

    `"monotone"`: bits fall from 8 at strength 0 to 4, and need not be whole: `s = 16**strength`. `"released"`:
    `bits = int(3 strength + 1)`, so one bit is left at a low strength.
    """

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The distance `s` of neighbouring values, of 255."""
        bits = 8.0 - 4.0 * strength if self.mapping == "monotone" else ops.floor(3.0 * strength + 1.0)
        return ops.power(2.0, 8.0 - bits)

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """Values rounded down to multiples of `s`."""
        step = per_image(argument)
        kept = ops.floor(ops.round(images * _TOP) / step) * step / _TOP
        return ops.where(step > 1.0, kept, images)


@register_transform
class Solarize(Transform):
    """Inverts what is bright: `1 - x` where `round(255 x) >= threshold`, else `x`.

    `"monotone"`: the threshold falls from 256 (nothing) at strength 0 to 0 (everything). `"released"`:
    `threshold = int(256 strength)`, the other way round.
    """

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The threshold, of 256."""
        return 256.0 * (1.0 - strength) if self.mapping == "monotone" else ops.floor(256.0 * strength)

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The image, inverted from the threshold on."""
        return ops.where(ops.round(images * _TOP) >= per_image(argument), 1.0 - images, images)
