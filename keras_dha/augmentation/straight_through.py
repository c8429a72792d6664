"""Gradients for what has none: steps, counts and thresholds."""

from typing import Any

from keras import ops

from keras_dha.augmentation.transform import Tensor, per_image


def as_of_identity(output: Tensor, images: Tensor) -> Tensor:
    """`output`, with the gradient for `images` that an operation which changes nothing has.

    Args:
        output: What was made of the images by steps that have no gradient, or a wrong one; taken as a constant.
        images: Of the shape of `output`.
    """

    @ops.custom_gradient
    def identity(images: Tensor) -> tuple[Tensor, Any]:
        def grad(*args: Any, upstream: Any = None) -> Tensor:
            return args[0] if upstream is None else upstream

        return ops.stop_gradient(output), grad

    return identity(images)


def along_secant(output: Tensor, images: Tensor, distance: Tensor) -> Tensor:
    """`output`, with a gradient for `distance` as if it had grown in proportion: `(output - images) / distance`.

    Args:
        output: What was made of the images; its own gradient, for the images, stays.
        images: Shape `(batch, height, width, channels)`.
        distance: How far from the identity each image was changed, shape `(batch,)`; where 0, the gradient is 0.
    """

    @ops.custom_gradient
    def as_it_is(output: Tensor, distance: Tensor) -> tuple[Tensor, Any]:
        def grad(*args: Any, upstream: Any = None) -> tuple[Tensor, Tensor]:
            upstream = args[0] if upstream is None else upstream
            gone = ops.equal(distance, 0.0)
            slope = (output - images) / per_image(ops.where(gone, 1.0, distance))
            return upstream, ops.where(gone, 0.0, ops.sum(upstream * slope, axis=(1, 2, 3)))

        return ops.copy(output), grad

    return as_it_is(output, distance)
