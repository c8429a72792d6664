"""Images at new places: one affine map an image, bilinear."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_dha.augmentation.transform import Tensor

Fill = float | Sequence[float] | str  # a string: "reflect"


def is_fill(value: Any) -> bool:
    """Whether it is `"reflect"`, or a number in [0, 1], or a sequence of them."""
    if isinstance(value, str):
        return value == "reflect"
    values = np.asarray(value)
    is_numbers = values.dtype.kind in "fiu" and values.ndim < 2 and values.size > 0
    return is_numbers and bool(np.all((values >= 0.0) & (values <= 1.0)))


def affine_resample(images: Tensor, maps: Tensor, fill: Fill = 0.0, *, differentiable: bool = False) -> Tensor:
    """Every output pixel `p` gets the input at `maps @ p`, bilinear, `fill` outside.

    Args:
        images: Shape `(batch, height, width, channels)`.
        maps: Shape `(batch, 3, 3)`, last row (0, 0, 1). Points are `(x, y, 1)` in pixels from the image's centre.
        fill: What is seen outside of an image: a number, one for each channel, or `"reflect"`: its mirror image.
        differentiable: Gathers pixels, which has a gradient for the maps and which XLA compiles, instead of Keras's
            `affine_transform`, which has neither, but a kernel of its own that takes half the time on a CPU.

    Returns:
        Shape of `images`.
    """
    coefficients = _from_corner(maps, *_size(images))
    if not isinstance(fill, (int, float, str)):
        offset = ops.convert_to_tensor(list(fill), dtype=images.dtype)
        return offset + _resample(images - offset, coefficients, 0.0, differentiable)
    return _resample(images, coefficients, fill, differentiable)


def _size(images: Tensor) -> tuple[Tensor, Tensor]:
    height, width = ops.shape(images)[1:3]
    return ops.cast(height, "float32"), ops.cast(width, "float32")


def _from_corner(maps: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """The first six coefficients of the maps, for pixels counted from the upper left one: shape `(batch, 6)`."""
    x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    linear, shift = maps[:, :2, :2], maps[:, :2, 2]
    center = ops.stack([x, y])
    shift = shift + center - ops.sum(linear * center, axis=-1)
    return ops.reshape(ops.concatenate([linear, shift[:, :, None]], axis=-1), (-1, 6))


def _resample(images: Tensor, coefficients: Tensor, fill: float | str, differentiable: bool) -> Tensor:
    if differentiable:
        return _gather_bilinear(images, coefficients, fill)
    projective = ops.pad(coefficients, ((0, 0), (0, 2)))
    return ops.image.affine_transform(
        images,
        projective,
        interpolation="bilinear",
        fill_mode="reflect" if fill == "reflect" else "constant",
        fill_value=0.0 if fill == "reflect" else float(fill),
        data_format="channels_last",
    )


def _gather_bilinear(images: Tensor, coefficients: Tensor, fill: float | str) -> Tensor:
    shape = ops.shape(images)
    height, width = _size(images)
    a, b, c, d, e, f = (ops.reshape(coefficients[:, i], (-1, 1, 1)) for i in range(6))
    columns = ops.arange(width, dtype="float32")[None, None, :]
    rows = ops.arange(height, dtype="float32")[None, :, None]
    # A frame of one pixel (two behind) holds `fill`, so that the four neighbours of a clipped point always exist.
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    if fill == "reflect":
        x, y, fill = _mirrored(x, width), _mirrored(y, height), 0.0
    x, y = ops.clip(x, -1.0, width), ops.clip(y, -1.0, height)
    left, upper = ops.floor(x), ops.floor(y)
    framed = ops.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)), constant_values=fill)
    pixels = ops.reshape(framed, (-1, images.shape[-1]))
    stride = shape[2] + 3
    first = ops.arange(shape[0], dtype="int32")[:, None, None] * (shape[1] + 3) * stride
    corner = first + (ops.cast(upper, "int32") + 1) * stride + ops.cast(left, "int32") + 1
    right, lower = (x - left)[..., None], (y - upper)[..., None]
    top = (1.0 - right) * ops.take(pixels, corner, axis=0) + right * ops.take(pixels, corner + 1, axis=0)
    corner = corner + stride
    bottom = (1.0 - right) * ops.take(pixels, corner, axis=0) + right * ops.take(pixels, corner + 1, axis=0)
    return (1.0 - lower) * top + lower * bottom


def _mirrored(x: Tensor, size: Tensor) -> Tensor:
    """The places in `[0, size - 1]` that mirrors at both edges show at `x`; the pixels at the edges are shown twice."""
    x = ops.mod(x + 0.5, 2.0 * size)
    return ops.clip(ops.minimum(x, 2.0 * size - x) - 0.5, 0.0, size - 1.0)
