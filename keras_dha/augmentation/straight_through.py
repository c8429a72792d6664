"""Gradients for what has none: steps, counts and thresholds.

Each is written as `value + slope * (x - constant(x))`, of which the last factor is 0 to the last bit. A custom gradient
would keep tensors that TensorFlow loses in a conditional.
"""

from keras import ops

from keras_dha.augmentation.transform import Tensor, per_image


def as_of_identity(output: Tensor, images: Tensor) -> Tensor:
    """`output`, with the gradient for `images` that an operation which changes nothing has.

    Args:
        output: What was made of the images by steps that have no gradient, or a wrong one; taken as a constant.
        images: Of the shape of `output`.
    """
    return ops.stop_gradient(output) + (images - ops.stop_gradient(images))


def along_secant(output: Tensor, images: Tensor, distance: Tensor) -> Tensor:
    """`output`, with a gradient for `distance` as if it had grown in proportion: `(output - images) / distance`.

    Args:
        output: What was made of the images; its own gradient, for the images, stays.
        images: Shape `(batch, height, width, channels)`.
        distance: How far from the identity each image was changed, shape `(batch,)`; where 0, the gradient is 0.
    """
    gone = ops.equal(distance, 0.0)
    slope = (output - images) / per_image(ops.where(gone, 1.0, distance))
    slope = ops.stop_gradient(ops.where(per_image(gone), 0.0, slope))
    return output + slope * per_image(distance - ops.stop_gradient(distance))
