"""Transforms that mix an image with a degenerate of it: Color, Contrast, Brightness, Sharpness."""

import abc

from keras import ops

from keras_dha.augmentation.transform import Tensor, Transform, luma, per_image, register_transform


class _Enhance(Transform):
    """`factor * images + (1 - factor) * degenerate`, clipped to [0, 1].

    `"monotone"`: `factor = 1 + 0.9 * sign * strength`. `"released"`: `factor = 0.1 + 1.8 * strength`, so
    strength 0.5 is the identity.
    """

    two_sided = True

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The factor; 1 is the identity."""
        return 1.0 + 0.9 * sign * strength if self.mapping == "monotone" else 0.1 + 1.8 * strength

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The mixture, clipped."""
        return ops.clip(images + per_image(argument - 1.0) * self.difference(images), 0.0, 1.0)

    @abc.abstractmethod
    def difference(self, images: Tensor) -> Tensor:
        """`images - degenerate`."""


@register_transform
class Color(_Enhance):
    """More or less colour: the degenerate is the image in gray. An image of one channel stays."""

    def difference(self, images: Tensor) -> Tensor:
        """Each pixel without its gray."""
        return images - luma(images)


@register_transform
class Contrast(_Enhance):
    """More or less contrast: the degenerate is flat, the image's mean brightness."""

    def difference(self, images: Tensor) -> Tensor:
        """Each pixel without the image's mean brightness."""
        return images - ops.mean(luma(images), axis=(1, 2, 3), keepdims=True)


@register_transform
class Brightness(_Enhance):
    """Brighter or darker: the degenerate is black."""

    def difference(self, images: Tensor) -> Tensor:
        """The image itself, for the degenerate is 0."""
        return images


@register_transform
class Sharpness(_Enhance):
    """Sharper or smoother: the degenerate is smoothed by `[[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13`.

    The border of one pixel stays, as in PIL's `SMOOTH` filter; an image of less than three rows or columns stays whole.
    """

    def difference(self, images: Tensor) -> Tensor:
        """Each pixel without the smoothed one; 0 at the border."""
        height, width = images.shape[1], images.shape[2]
        if (height is not None and height < 3) or (width is not None and width < 3):
            return ops.zeros_like(images)
        rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
        box = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
        inner = images[:, 1:-1, 1:-1]
        return ops.pad((9.0 * inner - box) / 13.0, ((0, 0), (1, 1), (1, 1), (0, 0)))
