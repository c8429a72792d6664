"""What is done to every training image before a policy: random crops and flips."""

import abc
from typing import Any

import keras
from keras import ops

from keras_dha.augmentation.transform import Tensor, where_image


class BasicAugmentation(abc.ABC):
    """A random change of each image of a batch that nothing is learned about.

    Give instances to a policy's `base=`. A subclass that others should load is registered with
    `keras.saving.register_keras_serializable`.

    Call arguments:
        images: float32 in [0, 1], shape `(batch, height, width, channels)`.
        seed: A `keras.random.SeedGenerator`.

    Output shape:
        That of `images`, in [0, 1].
    """

    @abc.abstractmethod
    def __call__(self, images: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """The changed images."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BasicAugmentation":
        """An instance from what `get_config` returned."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_dha")
class HorizontalFlip(BasicAugmentation):
    """Mirrors each image, left to right, with a probability of `rate`.

    Args:
        rate: In [0, 1]. Default 0.5.

    Raises:
        ValueError: If `rate` is out of range.
    """

    def __init__(self, rate: float = 0.5) -> None:
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"rate must be a probability. Received: rate={rate}. Give a number from 0 to 1.")
        self.rate = float(rate)

    def __call__(self, images: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Each image, or its mirror image."""
        mirrored = keras.random.uniform((ops.shape(images)[0],), seed=seed) < self.rate
        return where_image(mirrored, ops.flip(images, axis=2), images)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"rate": self.rate}


@keras.saving.register_keras_serializable(package="keras_dha")
class Crop(BasicAugmentation):
    """Pads each image and crops it back to its size at a random place: a shift of up to `padding` on both axes.

    Args:
        padding: Whole pixels (an integer, at least 0), or a fraction in (0, 1) of the height and of the width (a
            float). Default 0.125: 4 pixels of 32.
        mode: What is seen outside of the image: its mirror image (`"reflect"`, the default), or black (`"constant"`, as
            in the paper).

    Raises:
        ValueError: If an argument is out of range, or `"reflect"` is asked for more pixels than an image has.

    Reference: "Deep Residual Learning", arXiv 1512.03385, section 4.2 (4 pixels of padding for CIFAR).
    """

    def __init__(self, padding: float = 0.125, mode: str = "reflect") -> None:
        whole = isinstance(padding, int) and not isinstance(padding, bool) and padding >= 0
        if not whole and not (isinstance(padding, float) and 0.0 < padding < 1.0):
            raise ValueError(
                "padding must be a number of pixels (an integer, at least 0) or a fraction of the size (a float "
                f"between 0 and 1). Received: padding={padding!r}. For example 4, or 0.125."
            )
        if mode not in ("constant", "reflect"):
            raise ValueError(f"mode must be 'constant' or 'reflect'. Received: mode={mode!r}. Choose one of them.")
        self.padding = padding
        self.mode = mode

    def __call__(self, images: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Each image, shifted."""
        batch, height, width, channels = ops.shape(images)
        top, left = self._pixels(images, 1), self._pixels(images, 2)
        if top == left == 0:
            return images
        place = keras.random.uniform((2, batch), seed=seed)
        rows = ops.cast(ops.floor(place[0] * (2 * top + 1)), "int32")[:, None] + ops.arange(height, dtype="int32")
        columns = ops.cast(ops.floor(place[1] * (2 * left + 1)), "int32")[:, None] + ops.arange(width, dtype="int32")
        if self.mode == "reflect":  # not by padding, which TensorFlow refuses where a batch is empty
            rows, columns = _reflected(rows - top, height), _reflected(columns - left, width)
        else:
            images = ops.pad(images, ((0, 0), (top, top), (left, left), (0, 0)))
            height, width = height + 2 * top, width + 2 * left
        # Every pixel by its number in the batch: one gather for both axes.
        first = (ops.arange(batch, dtype="int32")[:, None] * height + rows) * width
        return ops.take(ops.reshape(images, (-1, channels)), first[:, :, None] + columns[:, None, :], axis=0)

    def _pixels(self, images: Tensor, axis: int) -> int:
        size = images.shape[axis]
        if size is None:
            raise ValueError(
                "Crop must know the height and width of images. "
                f"Received: images of shape {tuple(images.shape)}. Batch images of one size."
            )
        pixels = self.padding if isinstance(self.padding, int) else round(self.padding * size)
        if self.mode == "reflect" and pixels >= size:
            raise ValueError(
                f"Reflected padding must be less than the image. Received: padding={self.padding}, images of shape "
                f"{tuple(images.shape)}. Lower it, or take mode='constant'."
            )
        return pixels

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"padding": self.padding, "mode": self.mode}


def _reflected(places: Tensor, size: Tensor) -> Tensor:
    """Where mirrors on the first and the last of `size` pixels show places up to `size - 1` outside of them."""
    places = ops.abs(places)
    return ops.minimum(places, 2 * (size - 1) - places)
