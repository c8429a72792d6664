"""Transforms that spread each pixel over its neighbours: GaussianBlur."""

from keras import ops

from keras_dha.augmentation.transform import Tensor, Transform, register_transform


@register_transform
class GaussianBlur(Transform):
    """Smooths by a Gaussian; its variance grows with the strength, under both mappings.

    The standard deviation is at most a sixteenth of the smaller side, or one pixel if that is more. What would come
    from outside of the image has no weight.
    """

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The variance, of the largest."""
        return strength

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The smooth image."""
        height, width = ops.shape(images)[1:3]
        largest = ops.maximum(ops.cast(ops.minimum(height, width), images.dtype) / 16.0, 1.0)
        variance = argument * ops.square(largest)
        images = ops.einsum("bij,bjwc->biwc", _weights(variance, height), images)
        return ops.clip(ops.einsum("bij,bhjc->bhic", _weights(variance, width), images), 0.0, 1.0)


def _weights(variance: Tensor, size: Tensor) -> Tensor:
    """How much each pixel of a line gets of each other: `(batch, size, size)`, rows sum to 1."""
    place = ops.arange(size, dtype="float32")
    distance = ops.square(place[:, None] - place[None, :])
    weights = ops.exp(-distance / (2.0 * variance[:, None, None] + 1e-6))
    return weights / ops.sum(weights, axis=-1, keepdims=True)
