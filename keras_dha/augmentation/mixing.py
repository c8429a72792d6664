"""Images with a part of another image in them, and labels to match: MixUp, CutMix."""

import abc
import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha import roles
from keras_dha.augmentation.random_transforms import covered
from keras_dha.augmentation.transform import Tensor, per_image


class Mixing(keras.layers.Layer, abc.ABC):
    """Every image of a batch gets a part of another one, drawn uniformly; the label, as large a part of its label.

    The part is `strength * u / 2`, `u ~ Uniform(0, 1)`, so that an image stays at least half its own. It is given to a
    policy, `RelaxedPolicy(mixing=MixUp(0.5, learned=True))`, which mixes what its operations have made.

    Args:
        strength: In [0, 1]. Default 1; 0 mixes nothing.
        learned: Whether the strength is learned, through the images and the loss of both labels. Default False.

    Raises:
        ValueError: If `strength` is not in [0, 1], or is 0 or 1 and learned.
    """

    def __init__(self, strength: float = 1.0, *, learned: bool = False, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if not 0.0 <= strength <= 1.0 or (learned and strength in (0.0, 1.0)):
            raise ValueError(
                "strength must be in [0, 1], and within it if it is learned. "
                f"Received: strength={strength}, learned={learned}. For example 0.5."
            )
        self.initial_strength = float(strength)
        self.learned = bool(learned)
        if self.learned:
            logit = math.log(strength) - math.log1p(-strength)
            initializer = keras.initializers.Constant(logit)
            variable = self.add_weight(
                shape=(), initializer=initializer, dtype="float32", autocast=False, name="strength"
            )
            self.logit = roles.tag(variable, roles.AUGMENTATION)
        self.built = True

    def strength(self) -> Tensor:
        """The strength, as it is now."""
        return ops.sigmoid(self.logit) if self.learned else ops.convert_to_tensor(self.initial_strength)

    def sentence(self) -> str:
        """What it does, in words."""
        half = 50.0 * float(self.strength())
        return f"{type(self).__name__}: up to {half:.1f} % of another image in each, and of its label."

    def draw(self, batch: Tensor, seed: keras.random.SeedGenerator) -> dict[str, Tensor]:
        """`partner`, int32 `(batch,)`: which other image; `uniform`, `(batch, 3)`: how much of it, and where."""
        partner = keras.random.shuffle(ops.arange(batch, dtype="int32"), seed=seed)
        return {"partner": partner, "uniform": keras.random.uniform((batch, 3), dtype="float32", seed=seed)}

    def mix(self, images: Tensor, draws: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The mixed images, and the share of each that is its own, shape `(batch,)`, from 1/2 to 1.

        Args:
            images: Shape `(batch, height, width, channels)`.
            draws: From `draw`.
        """
        part = 0.5 * self.strength() * draws["uniform"][:, 0]
        return self._mixed(images, ops.take(images, draws["partner"], axis=0), part, draws["uniform"][:, 1:])

    @abc.abstractmethod
    def _mixed(self, images: Tensor, others: Tensor, part: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Images with that part of the others, at that place; and their own shares."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "strength": self.initial_strength, "learned": self.learned}


@keras.saving.register_keras_serializable(package="keras_dha")
class MixUp(Mixing):
    """`(1 - part) * image + part * other`.

    Reference: "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412. Strength 1 is its `Beta(1, 1)`; less keeps
    images more their own, as a smaller `alpha` does there.
    """

    def _mixed(self, images: Tensor, others: Tensor, part: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        return images + per_image(part) * (others - images), 1.0 - part


@keras.saving.register_keras_serializable(package="keras_dha")
class CutMix(Mixing):
    """A box of the other image, of `part` of the area and the image's proportions, about a random point.

    What lies outside of the image is cut off, and the share of the labels is that of the pixels. Pixels that the box
    covers in part are mixed, which gives the strength its gradient.

    Reference: "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", arXiv
    1905.04899, where boxes end at whole pixels and cover up to the whole image.
    """

    def _mixed(self, images: Tensor, others: Tensor, part: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        height, width = ops.shape(images)[1:3]
        side = ops.sqrt(ops.maximum(part, 1e-12))
        rows, columns = (
            covered(place[:, axis : axis + 1] * ops.cast(size, "float32"), side * ops.cast(size, "float32"), size)
            for axis, size in enumerate((height, width))
        )
        box = rows[:, :, None, None] * columns[:, None, :, None]
        return images + box * (others - images), 1.0 - ops.mean(box, axis=(1, 2, 3))
