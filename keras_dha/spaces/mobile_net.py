"""Rows of inverted residuals, each of several kernels and expansions, in one path."""

import itertools
import math
from collections.abc import Hashable, Sequence
from typing import Any

import keras

from keras_dha.spaces.chooser import Chooser, Tensor
from keras_dha.spaces.image_space import ImageSpace
from keras_dha.spaces.operations import batch_norm, conv


@keras.saving.register_keras_serializable(package="keras_dha")
class MobileNetSpace(ImageSpace):
    """MobileNetV2-like networks whose layers have a kernel, an expansion, a squeeze-and-excitation, or are left out.

    A layer is `BN(project(excite(relu6(BN(depthwise(relu6(BN(expand(x)))))))))`, and all but the first of each stage
    are added to their input, or left out: the choices `"layer_k_kernel"`, `"layer_k_expansion"`, `"layer_k_excitation"`
    (channels that are squeezed to) and `"layer_k_repeat"`. All options are parts of one path (`choose.kernel` and
    others), so that a step of the search costs about as much as one of the largest network.

    The picture is halved until it has 4 to 7 rows: by the stem, and by the first layers of all stages but the fourth;
    small pictures by the last ones of these alone.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: Number of outputs.
        channels: Number of channels of the first block, whose kernel is 3 and which is not expanded; the stem has twice
            as many. Defaults to 16.
        widths: Channels of each stage, as multiples of `channels`. Defaults to (1.5, 2.5, 5.0, 6.0, 12.0).
        repeats: Most layers of a stage. Defaults to 4.
        kernels: Odd sizes of depthwise kernels, rising. Defaults to (3, 5, 7).
        expansions: How many times wider than its input a layer is inside, rising. Defaults to (3, 6).
        ratios: Squeezed channels, as shares of a layer's largest inside, rising; 0 is none at all. Defaults to
            (0.0, 0.25).
        affine: Whether batch normalizations learn a scale and a shift. Defaults to True.

    Raises:
        ValueError: If a size is not as it must be.

    Example:

    >>> from keras_dha.spaces import MobileNetSpace
    >>> space = MobileNetSpace((32, 32, 3), 10, channels=8, widths=(1.5, 2.5), repeats=2)
    >>> space.cost_blocks()[1]
    ('layer_1_repeat', 'layer_1_kernel', 'layer_1_expansion', 'layer_1_excitation')

    Reference: Stamoulis et al., Single-Path NAS, https://arxiv.org/abs/1904.02877, and its released code: there the
    stages are these, kernels 3 and 5, expansions 3 and 6, no excitation, and a last fixed layer behind the stages.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        *,
        channels: int = 16,
        widths: Sequence[float] = (1.5, 2.5, 5.0, 6.0, 12.0),
        repeats: int = 4,
        kernels: Sequence[int] = (3, 5, 7),
        expansions: Sequence[int] = (3, 6),
        ratios: Sequence[float] = (0.0, 0.25),
        affine: bool = True,
    ) -> None:
        super().__init__(input_shape, num_classes, channels=channels, affine=affine)
        self.repeats = self._at_least(1, "repeats", repeats)
        self.widths, self.ratios = tuple(map(float, widths)), tuple(map(float, ratios))
        if not self.widths or not all(width * self.channels >= 1 for width in self.widths):
            raise ValueError(
                "widths must be positive multiples of channels, with at least one channel each. "
                f"Received: widths={widths}, channels={channels}. For example (1.5, 2.5)."
            )
        self.kernels = tuple(self._at_least(1, "kernels", size) for size in kernels)
        self.expansions = tuple(self._at_least(1, "expansions", factor) for factor in expansions)
        if not all(map(_rises, (self.kernels, self.expansions))) or not all(size % 2 for size in self.kernels):
            raise ValueError(
                "kernels must be rising odd numbers, and expansions rising ones. "
                f"Received: kernels={kernels}, expansions={expansions}. For example (3, 5) and (3, 6)."
            )
        if not _rises(self.ratios) or not all(0.0 <= ratio <= 1.0 for ratio in self.ratios):
            raise ValueError(
                f"ratios must be rising numbers in [0, 1]. Received: ratios={ratios}. Give (0.0,) for none."
            )

    def _layers(self) -> list[tuple[int, int]]:
        """Output channels and stride of each layer."""
        halved = self._halved()
        return [
            (round(width * self.channels), 2 if stage in halved and not repeat else 1)
            for stage, width in enumerate(self.widths)
            for repeat in range(self.repeats)
        ]

    def _halved(self) -> list[int]:
        """The stages that begin with a halving; -1 is the stem."""
        may = [stage for stage in range(-1, len(self.widths)) if stage != 3]
        number = round(math.log2(min(self.input_shape[:2]) / 5.0))
        return may[max(0, len(may) - max(0, number)) :]

    def _stem_strides(self) -> int:
        return 2 if -1 in self._halved() else 1

    def build(self, choose: Chooser) -> keras.Model:
        """The network, from pictures to logits."""
        inputs = keras.Input(self.input_shape)
        x = self._normalized(conv(2 * self.channels, 3, self._stem_strides()), inputs, active=True)
        x = self._normalized([keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)], x, active=True)
        x = self._normalized(conv(self.channels, 1), x)
        for number, (channels, strides) in enumerate(self._layers()):
            x = self._layer(choose, number, channels, strides, x)
        x = self._normalized(conv(4 * x.shape[-1], 1), x, active=True)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    def _layer(self, choose: Chooser, number: int, channels: int, strides: int, x: Tensor) -> Tensor:
        if number % self.repeats:
            return choose.repeat(
                f"layer_{number}_repeat", lambda _: lambda y: self._inside(choose, number, channels, 1, y)
            )(x)
        y = self._inside(choose, number, channels, strides, x)
        return keras.layers.Add()([x, y]) if strides == 1 and x.shape[-1] == channels else y

    def _inside(self, choose: Chooser, number: int, channels: int, strides: int, x: Tensor) -> Tensor:
        """What a layer adds to its input."""
        name, wide = f"layer_{number}", self.expansions[-1] * x.shape[-1]
        y = self._normalized(conv(wide, 1), x, active=True)
        y = batch_norm(self.affine)(choose.kernel(f"{name}_kernel", self.kernels, strides=strides)(y))
        y = keras.layers.ReLU(6.0)(y)
        sizes = {str(factor): factor * x.shape[-1] for factor in self.expansions}
        y = choose.width(f"{name}_expansion", sizes=sizes)(y)  # behind the ReLU, which has no slope at 0
        if self.ratios != (0.0,):
            squeezed = sorted({round(ratio * wide) for ratio in self.ratios})
            y = choose.squeeze_excite(f"{name}_excitation", squeezed)(y)
        return self._normalized(conv(channels, 1), y)

    def _normalized(self, layers: list[keras.layers.Layer], x: Tensor, *, active: bool = False) -> Tensor:
        for layer in [*layers, batch_norm(self.affine), *([keras.layers.ReLU(6.0)] if active else [])]:
            x = layer(x)
        return x

    def cost_blocks(self) -> tuple[tuple[str, ...], ...]:
        """The choices of each layer."""
        names = [choice.name for choice in self.choices()]
        parts = ("repeat", "kernel", "expansion", "excitation")
        layers = [[f"layer_{number}_{part}" for part in parts] for number in range(len(self.widths) * self.repeats)]
        return tuple(tuple(name for name in layer if name in names) for layer in layers)

    def block_key(self, block: Sequence[str]) -> Hashable:
        """Layers of a stage behind the first two are like the second."""
        number = int(block[0].split("_")[1])
        return number - max(0, number % self.repeats - 1)

    def block_model(self, block: Sequence[str], choose: Chooser) -> keras.Model:
        """A layer alone."""
        number = int(block[0].split("_")[1])
        layers = self._layers()
        side = [-(-size // self._stem_strides()) for size in self.input_shape[:2]]
        for _, strides in layers[:number]:
            side = [-(-size // strides) for size in side]
        inputs = keras.Input((*side, layers[number - 1][0] if number else self.channels))
        return keras.Model(inputs, self._layer(choose, number, *layers[number], inputs))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: list(getattr(self, name)) for name in ("widths", "kernels", "expansions", "ratios")}
        return {**super().get_config(), **own, "repeats": self.repeats}


def _rises(sizes: Sequence[float]) -> bool:
    return len(sizes) > 0 and all(low < high for low, high in itertools.pairwise(sizes))
