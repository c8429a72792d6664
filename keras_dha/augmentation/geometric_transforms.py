"""Transforms that move pixels: FlipX, FlipY, Rotate, Scale, ShearX, ShearY, TranslateXRel, TranslateYRel."""

import abc
import math
from typing import ClassVar

from keras import ops

from keras_dha.augmentation.resampling import Fill, affine_resample
from keras_dha.augmentation.transform import Tensor, Transform, register_transform


class GeometricTransform(Transform):
    """An affine map of the plane: output pixel `p` shows the input at `matrix(argument) @ p`, bilinear.

    `argument = sign * strength * limit`, under both mappings. Matrices of two transforms in a row multiply, so that a
    policy resamples once for both. The gradient for the strength is that of bilinear sampling, which Keras's own
    geometric layers have none of.

    Args:
        mapping: As in `Transform`; without effect.
        fill: What is seen outside of the image: a number in [0, 1], one for each channel, or `"reflect"`.

    Reference: as `Transform`. We turn and shear about the image's centre, and always interpolate bilinearly.
    """

    two_sided = True
    limit: ClassVar[float]

    def __init__(self, mapping: str = "monotone", fill: Fill = 0.0) -> None:
        super().__init__(mapping)
        self.fill = fill

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """An angle, slope or shift of either sign."""
        return sign * strength * self.limit

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The moved image."""
        height, width = ops.shape(images)[1:3]
        matrices = self.matrix(argument, height, width)
        return ops.clip(affine_resample(images, matrices, self.fill, differentiable=True), 0.0, 1.0)

    @abc.abstractmethod
    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """Where each output pixel comes from, in pixels from the centre: shape `(batch, 3, 3)`."""


def affine_matrices(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor, f: Tensor) -> Tensor:
    """`[[a, b, c], [d, e, f], [0, 0, 1]]` for each image, from shapes `(batch,)`."""
    zero = ops.zeros_like(a)
    return ops.reshape(ops.stack([a, b, c, d, e, f, zero, zero, ops.ones_like(a)], axis=-1), (-1, 3, 3))


@register_transform
class Rotate(GeometricTransform):
    """Turns by up to 30 degrees; positive is counter-clockwise."""

    limit = math.radians(30.0)

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """A rotation by `argument` radians."""
        cosine, sine, zero = ops.cos(argument), ops.sin(argument), ops.zeros_like(argument)
        return affine_matrices(cosine, -sine, zero, sine, cosine, zero)


@register_transform
class ShearX(GeometricTransform):
    """Shifts rows by up to 0.3 of their distance from the middle row."""

    limit = 0.3

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """`x + argument * y`."""
        zero, one = ops.zeros_like(argument), ops.ones_like(argument)
        return affine_matrices(one, argument, zero, zero, one, zero)


@register_transform
class ShearY(GeometricTransform):
    """Shifts columns by up to 0.3 of their distance from the middle column."""

    limit = 0.3

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """`y + argument * x`."""
        zero, one = ops.zeros_like(argument), ops.ones_like(argument)
        return affine_matrices(one, zero, zero, argument, one, zero)


@register_transform
class TranslateXRel(GeometricTransform):
    """Shifts by up to 0.45 of the width; positive shows what lies to the right."""

    limit = 0.45

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """`x + argument * width`."""
        zero, one = ops.zeros_like(argument), ops.ones_like(argument)
        return affine_matrices(one, zero, argument * ops.cast(width, "float32"), zero, one, zero)


@register_transform
class TranslateYRel(GeometricTransform):
    """Shifts by up to 0.45 of the height; positive shows what lies below."""

    limit = 0.45

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """`y + argument * height`."""
        zero, one = ops.zeros_like(argument), ops.ones_like(argument)
        return affine_matrices(one, zero, zero, zero, one, argument * ops.cast(height, "float32"))


@register_transform
class Scale(GeometricTransform):
    """Enlarges by up to a half (positive), or shrinks by up to a third, about the centre."""

    limit = math.log(1.5)

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """`(x, y) * exp(-argument)`."""
        factor, zero = ops.exp(-argument), ops.zeros_like(argument)
        return affine_matrices(factor, zero, zero, zero, factor, zero)


class _Flip(GeometricTransform):
    """Mirrors; a strength above 0 is enough."""

    two_sided = False
    strength_gradient = None
    limit = 1.0

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """-1 where the image is mirrored: at any strength above 0, or always under `mapping="released"`; else 1."""
        mirrored = -ops.ones_like(strength)
        return mirrored if self.mapping == "released" else ops.where(strength > 0.0, mirrored, -mirrored)


@register_transform
class FlipX(_Flip):
    """Mirrors left to right."""

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """`x * argument`."""
        zero, one = ops.zeros_like(argument), ops.ones_like(argument)
        return affine_matrices(argument, zero, zero, zero, one, zero)


@register_transform
class FlipY(_Flip):
    """Mirrors top to bottom."""

    def matrix(self, argument: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """`y * argument`."""
        zero, one = ops.zeros_like(argument), ops.ones_like(argument)
        return affine_matrices(one, zero, zero, zero, argument, zero)
