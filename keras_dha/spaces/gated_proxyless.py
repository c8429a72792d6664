"""DNAL's supernet: ProxylessNAS's blocks, all of whose branches are added, each with gates."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Chooser, Tensor
from keras_dha.spaces.image_space import ImageSpace
from keras_dha.spaces.operations import batch_norm, conv
from keras_dha.spaces.sized_layers import depthwise


@keras.saving.register_keras_serializable(package="keras_dha")
class GatedProxylessSpace(ImageSpace):
    """Rows of layers that add up inverted residuals `y = sum_i op_i(x) (+ x)`, of several kernels and expansions.

    Each branch has a width, `"layer_k_kernel_expansion"`, that of its depthwise convolution, and a gate for the whole,
    an option of the choice `"layer_k"`; branches whose gate is closed are left out of the derived network. For the
    recipe `dnal`, which learns how many of either stay.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: Number of outputs.
        channels: Number of channels of the stem. Defaults to 16.
        widths: Channels of each stage, as multiples of `channels`. Defaults to (1.0, 1.5, 2.5).
        repeats: Layers of each stage; the first one of all but the first stage halves the picture, rounding up.
            Defaults to 2.
        kernels: Sizes of the depthwise kernels. Defaults to (3, 5, 7).
        expansions: How many times wider than its input a branch is inside. Defaults to (3, 6).
        affine: Whether batch normalizations learn a scale and a shift. Defaults to True.

    Raises:
        ValueError: If a size is not a positive number.

    Example:

    >>> from keras_dha.spaces import GatedProxylessSpace
    >>> space = GatedProxylessSpace((32, 32, 3), 10, repeats=1)
    >>> len(space.choices()) == 3 * (1 + 6)
    True

    Reference: Guo et al., DNAL, https://arxiv.org/abs/2103.02126, and its released code, whose supernet for ImageNet
    has widths of 24 to 320, and gates on the single channels that a branch adds; here a branch is added, or not. The
    blocks: Cai, Zhu, Han, ProxylessNAS, https://arxiv.org/abs/1812.00332.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        *,
        channels: int = 16,
        widths: Sequence[float] = (1.0, 1.5, 2.5),
        repeats: int = 2,
        kernels: Sequence[int] = (3, 5, 7),
        expansions: Sequence[int] = (3, 6),
        affine: bool = True,
    ) -> None:
        super().__init__(input_shape, num_classes, channels=channels, affine=affine)
        self.repeats = self._at_least(1, "repeats", repeats)
        if not widths or not all(width * self.channels >= 1 for width in widths):
            raise ValueError(
                "widths must be positive multiples of channels, with at least one channel each. "
                f"Received: widths={widths}, channels={channels}. For example (1.0, 1.5, 2.5)."
            )
        self.widths = tuple(float(width) for width in widths)
        self.kernels = tuple(self._at_least(1, "kernels", size) for size in kernels)
        self.expansions = tuple(self._at_least(1, "expansions", factor) for factor in expansions)
        if not self.kernels or not self.expansions:
            raise ValueError(
                "There must be a kernel and an expansion. "
                f"Received: kernels={kernels}, expansions={expansions}. For example (3, 5) and (3, 6)."
            )

    def build(self, choose: Chooser) -> keras.Model:
        """The network, from pictures to logits."""
        inputs = keras.Input(self.input_shape)
        x = self._normalized(conv(self.channels, 3), inputs, active=True)
        number = 0
        for stage, width in enumerate(self.widths):
            for repeat in range(self.repeats):
                strides = 2 if stage and not repeat else 1
                x = self._layer(choose, f"layer_{number}", round(width * self.channels), x, strides)
                number += 1
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    def _layer(self, choose: Chooser, name: str, channels: int, x: Tensor, strides: int) -> Tensor:
        options = tuple(f"{kernel}_{factor}" for factor in self.expansions for kernel in self.kernels)
        branches = Choice(name, options, keep=len(options), at_least=1)
        outputs = [x] if strides == 1 and x.shape[-1] == channels else []
        for position, option in enumerate(options):
            kernel, factor = map(int, option.split("_"))
            y = self._normalized(conv(factor * x.shape[-1], 1), x, active=True)
            y = choose.width(f"{name}_{option}")(self._normalized(depthwise(kernel, strides), y))
            y = self._normalized(conv(channels, 1), keras.layers.ReLU(6.0)(y))
            outputs.append(choose.widths([branches], np.full(channels, position), y))
        return keras.layers.Add()(outputs) if len(outputs) > 1 else outputs[0]

    def _normalized(self, layers: list[keras.layers.Layer], x: Tensor, *, active: bool = False) -> Tensor:
        for layer in [*layers, batch_norm(self.affine), *([keras.layers.ReLU(6.0)] if active else [])]:
            x = layer(x)
        return x

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: list(getattr(self, name)) for name in ("widths", "kernels", "expansions")}
        return {**super().get_config(), **own, "repeats": self.repeats}
