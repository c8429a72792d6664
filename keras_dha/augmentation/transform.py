"""One image operation with a strength, and the list of all of them."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from keras import ops

Tensor = Any
MAPPINGS = ("monotone", "released")
EXACT = "exact"  # but on a set of measure zero, such as where a value is clipped
STRAIGHT_THROUGH = "straight-through"


class Transform(abc.ABC):
    """One image operation of a strength from 0 to 1, for a whole batch at once, in the graph.

    `output = apply(images, argument(strength, sign))`. A subclass says what a strength means (`argument`) and what is
    done (`apply`); it works on the batch as a whole, without a loop over images, for every height, width and batch
    size. `keras_dha.augmentation.register_transform` puts it into `TRANSFORMS`, by its class's name.

    Args:
        mapping: `"monotone"`: strength 0 is the identity, and more strength is more change. `"released"`: the
            arguments of DHA's released code, where a low strength is severe for some operations (one-bit posterize).

    Call arguments:
        images: float32 in [0, 1], shape `(batch, height, width, channels)`.
        strength: float32 in [0, 1], shape `(batch,)`.
        sign: -1 or +1 for each image, shape `(batch,)`; without meaning where `two_sided` is false. None: all +1.
        seed: For `RandomTransform`s; others draw nothing.

    Output shape:
        That of `images`, in [0, 1].

    Raises:
        ValueError: If `mapping` is unknown; or strengths are out of range, where their values are known: eagerly.

    Attributes:
        two_sided: Whether `sign` has a meaning.
        image_gradient: `"exact"`, or `"straight-through"`: as if the transform had changed nothing.
        strength_gradient: `"exact"`, or `"straight-through"`: as if the change had grown in proportion to the strength;
            None: there is a transform or none, and any strength above 0 does it in full.

    Reference: "DHA", arXiv 2109.05765, for the choice of operations and the released arguments. Unlike there, the
    default mapping is monotone, and values are not rounded to 8 bits. Straight-through gradients: "DADA", arXiv
    2003.03780, where that for a magnitude is 1 at every pixel.
    """

    two_sided: ClassVar[bool] = False
    image_gradient: ClassVar[str] = EXACT
    strength_gradient: ClassVar[str | None] = EXACT

    def __init__(self, mapping: str = "monotone") -> None:
        if mapping not in MAPPINGS:
            raise ValueError(
                f"mapping must be one of {MAPPINGS}. Received: mapping={mapping!r}. "
                "Take 'monotone' unless you reproduce the released DHA code."
            )
        self.mapping = mapping

    def __call__(self, images: Tensor, strength: Tensor, sign: Tensor | None = None, *, seed: Any = None) -> Tensor:
        """The transformed images."""
        sign = ops.ones_like(strength) if sign is None else sign
        return self.apply(images, self.argument(checked_strength(strength), sign))

    @abc.abstractmethod
    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """What `apply` is told, by `self.mapping`: shape `(batch,)`."""

    @abc.abstractmethod
    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """The transformed images, in [0, 1]."""


def checked_strength(strength: Tensor) -> Tensor:
    """The strengths; an error if they are known to lie outside of [0, 1]."""
    if found := range_outside_of_unit(strength):
        raise ValueError(
            f"Strengths must lie in [0, 1]. Received: strengths {found}. Directions are the sign's: sign=-1."
        )
    return strength


def is_known(values: Tensor) -> bool:
    """Whether they are numbers already, and no tensor of a graph."""
    return isinstance(values, np.ndarray) or getattr(values, "numpy", None) is not None


def range_outside_of_unit(values: Tensor) -> str:
    """`"from a to b"`, if values are known not all to lie in [0, 1]; else empty."""
    known = ops.convert_to_numpy(values) if is_known(values) else np.zeros(1)
    if not known.size or (known.min() >= 0.0 and known.max() <= 1.0):
        return ""
    return f"from {known.min():g} to {known.max():g}"


TRANSFORMS: dict[str, type[Transform]] = {}
TransformType = TypeVar("TransformType", bound=type[Transform])


def register_transform(transform: TransformType) -> TransformType:
    """A class decorator: makes a `Transform` known by its class's name, so that a policy may use it.

    Raises:
        ValueError: If another class has this name already.
    """
    name = transform.__name__
    if TRANSFORMS.setdefault(name, transform) is not transform:
        raise ValueError(
            f"A transform's class name must be new. Received: name={name!r}, which is {TRANSFORMS[name].__module__}'s. "
            "Rename the class."
        )
    return transform


def transforms_named(names: Sequence[str], mapping: str = "monotone") -> list[Transform]:
    """One instance of each named transform.

    Raises:
        ValueError: If names are empty, unknown or repeated.
    """
    unknown = [name for name in names if name not in TRANSFORMS]
    if isinstance(names, str) or not names or unknown or len(set(names)) != len(names):
        raise ValueError(
            f"operations must be different names of registered transforms, {sorted(TRANSFORMS)}. "
            f"Received: operations={names!r}, unknown={unknown}. Correct the names, or register the transform."
        )
    return [TRANSFORMS[name](mapping) for name in names]


@register_transform
class Identity(Transform):
    """Leaves the images as they are: `output = images`."""

    strength_gradient = None

    def argument(self, strength: Tensor, sign: Tensor) -> Tensor:
        """The strength, which has no effect."""
        return strength

    def apply(self, images: Tensor, argument: Tensor) -> Tensor:
        """`images`."""
        return images


def per_image(values: Tensor) -> Tensor:
    """Shape `(batch,)` as `(batch, 1, 1, 1)`, to meet images."""
    return ops.reshape(values, (-1, 1, 1, 1))


def where_image(condition: Tensor, images: Tensor, others: Tensor) -> Tensor:
    """`images` where the image's `condition`, shape `(batch,)`, is true, else `others`."""
    shape = ops.shape(images)
    flat = (shape[0], shape[1] * shape[2] * shape[3])  # Broadcasting over two axes takes half the time of over four.
    return ops.reshape(ops.where(condition[:, None], ops.reshape(images, flat), ops.reshape(others, flat)), shape)


def luma(images: Tensor) -> Tensor:
    """Brightness of each pixel, ITU-R 601: `0.299 R + 0.587 G + 0.114 B`; the mean if channels are not three."""
    if images.shape[-1] == 1:
        return images
    if images.shape[-1] == 3:
        return ops.sum(
            images * ops.convert_to_tensor([0.299, 0.587, 0.114], dtype=images.dtype), axis=-1, keepdims=True
        )
    return ops.mean(images, axis=-1, keepdims=True)
