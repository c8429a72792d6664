"""Two transforms for each image, at the price of about one."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_dha.augmentation.geometric_transforms import GeometricTransform
from keras_dha.augmentation.resampling import Fill, affine_resample
from keras_dha.augmentation.transform import Identity, Tensor, Transform, where_image

# A function of some images, and of what goes with each of them.
Branch = Callable[..., Tensor]


def apply_pairs(
    images: Tensor,
    transforms: Sequence[Transform],
    pairs: Tensor,
    strength: Tensor,
    sign: Tensor,
    *,
    fill: Fill = 0.0,
    static_shapes: bool = False,
    differentiable: bool = False,
    seed: Any = None,
) -> Tensor:
    """Applies `transforms[pairs[i, 0]]`, then `transforms[pairs[i, 1]]`, to image `i`.

    In three passes: colours by the first operation, all geometry, colours by the second. That is the order asked for,
    because a geometric operation is never between two of its image's colour operations in another order. Two geometric
    operations of one image become one map and one resampling, so that nothing is lost at the border between them.

    Args:
        images: In [0, 1], shape `(batch, height, width, channels)`.
        transforms: The operations that `pairs` counts.
        pairs: int32, shape `(batch, 2)`.
        strength: In [0, 1], shape `(batch, 2)`.
        sign: -1 or +1, shape `(batch, 2)`.
        fill: What geometry shows outside of an image.
        static_shapes: If false, each operation runs on just the images that drew it. If true, each runs on the whole
            batch and is selected: several times the work, but the static shapes that XLA asks for.
        differentiable: Whether geometry has a gradient for its strengths; it takes longer. In static shapes it has.
        seed: For transforms that draw something.

    Returns:
        Shape of `images`.
    """
    route = _select if static_shapes else _partition
    colors = [k for k, transform in enumerate(transforms) if not isinstance(transform, GeometricTransform)]
    groups = np.full(len(transforms), len(colors), "int32")  # Those without a colour operation come last.
    groups[colors] = np.arange(len(colors))

    def color(images: Tensor, slot: int) -> Tensor:
        drawn = ops.take(ops.convert_to_tensor(groups), pairs[:, slot], axis=0)
        branches = [functools.partial(transforms[k], seed=seed) for k in colors]
        return route([images, strength[:, slot], sign[:, slot]], drawn, branches)

    maps, moved = _geometry(images, transforms, pairs, strength, sign)

    def warp(images: Tensor, maps: Tensor) -> Tensor:
        return ops.clip(affine_resample(images, maps, fill, differentiable=static_shapes or differentiable), 0.0, 1.0)

    out = color(images, 0)
    if len(colors) < len(transforms):
        out = route([out, maps], ops.where(moved, 0, 1), [warp])
    return ops.reshape(color(out, 1), ops.shape(images))


def apply_in_pairs(
    images: Tensor, transforms: Sequence[Transform], operations: Tensor, strength: Tensor, sign: Tensor, **how: Any
) -> Tensor:
    """Any number of operations for each image, two by two.

    Args:
        images: In [0, 1], shape `(batch, height, width, channels)`.
        transforms: What `operations` counts; the number after the last stands for none.
        operations: int32, shape `(batch, layers)`.
        strength: In [0, 1], shape `(batch, layers)`.
        sign: -1 or +1, shape `(batch, layers)`.
        **how: As for `apply_pairs`.
    """
    transforms, layers = [*transforms, Identity()], operations.shape[1]
    odd = ((0, 0), (0, layers % 2))
    operations = ops.pad(operations, odd, constant_values=len(transforms) - 1)
    strength, sign = ops.pad(strength, odd), ops.pad(sign, odd)
    for layer in range(0, layers, 2):
        pair = slice(layer, layer + 2)
        images = apply_pairs(images, transforms, operations[:, pair], strength[:, pair], sign[:, pair], **how)
    return images


def _geometry(
    images: Tensor, transforms: Sequence[Transform], pairs: Tensor, strength: Tensor, sign: Tensor
) -> tuple[Tensor, Tensor]:
    """The map of each image, shape `(batch, 3, 3)`, and whether it is one, shape `(batch,)`."""
    height, width = ops.shape(images)[1:3]
    drawn, strength, sign = (ops.reshape(values, (-1,)) for values in (pairs, strength, sign))  # (2 * batch,)
    maps = ops.broadcast_to(ops.eye(3, dtype="float32"), (ops.shape(drawn)[0], 3, 3))
    moved = ops.zeros_like(drawn, dtype="bool")
    for k, transform in enumerate(transforms):
        if isinstance(transform, GeometricTransform):
            here = ops.equal(drawn, k)
            matrix = transform.matrix(transform.argument(strength, sign), height, width)
            maps, moved = ops.where(here[:, None, None], matrix, maps), ops.logical_or(moved, here)
    maps = ops.reshape(maps, (-1, 2, 3, 3))
    return ops.matmul(maps[:, 0], maps[:, 1]), ops.any(ops.reshape(moved, (-1, 2)), axis=1)


def _partition(inputs: Sequence[Tensor], groups: Tensor, branches: Sequence[Branch]) -> Tensor:
    """Each image through the branch of its group, only there; those of the group `len(branches)` stay.

    Args:
        inputs: The images, and what else branches take of each.
        groups: int32, shape `(batch,)`.
        branches: Functions of some rows of the inputs.
    """
    order = ops.argsort(groups)
    inputs = [ops.take(values, order, axis=0) for values in inputs]
    counts = ops.sum(ops.one_hot(groups, len(branches) + 1, dtype="int32"), axis=0)
    bounds = [0, *ops.unstack(ops.cumsum(counts), len(branches) + 1)]
    parts = [
        branch(*(values[start:end] for values in inputs))
        for branch, start, end in zip(branches, bounds[:-1], bounds[1:])
    ]
    parts.append(inputs[0][bounds[-2] :])
    return ops.take(ops.concatenate(parts, axis=0), ops.argsort(order), axis=0)


def _select(inputs: Sequence[Tensor], groups: Tensor, branches: Sequence[Branch]) -> Tensor:
    """What `_partition` does, in static shapes: every branch on every image."""
    out = inputs[0]
    for group, branch in enumerate(branches):
        out = where_image(ops.equal(groups, group), branch(*inputs), out)
    return out
