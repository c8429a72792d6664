"""The one-shot space of DSNAS and of Single Path One-Shot: ShuffleNet blocks in a row."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.chooser import Chooser, OpFactory, Tensor
from keras_dha.spaces.decisions import Decisions
from keras_dha.spaces.image_space import ImageSpace
from keras_dha.spaces.operations import batch_norm, conv, shuffle_channels, split_channels
from keras_dha.spaces.sized_layers import depthwise

SHUFFLE_NET_BLOCKS = ("shuffle_3x3", "shuffle_5x5", "shuffle_7x7", "shuffle_xception")
_WIDTHS = (1.0, 2.5, 5.0, 10.0)


@keras.saving.register_keras_serializable(package="keras_dha")
class ShuffleNetSpace(ImageSpace):
    """Rows of ShuffleNet V2 blocks, each one of `shuffle_3x3`, `shuffle_5x5`, `shuffle_7x7`, `shuffle_xception`.

    A block passes one half of its channels through and works on the other; the first of a stage halves the picture and
    works on all. The choice of block k is named `"block_k"`, from 0. With the defaults 4^20 networks.

    Args:
        input_shape: `(height, width, channels)`. Side lengths are halved in the stem (see `stem_strides`) and in each
            stage, rounding up.
        num_classes: Number of outputs.
        channels: Number of channels of the first stage, a multiple of 4; the others have 2.5, 5 and 10 times as many,
            the stem a quarter, the head 16 times. Defaults to 64.
        blocks: Number of blocks of each of the four stages. Defaults to (4, 4, 8, 4).
        stem_strides: 2, the default, for pictures of about 224; 1 for small ones.
        affine: Whether batch normalizations learn a scale and a shift. Defaults to True.

    Raises:
        ValueError: If a size is not a positive integer, `channels` no multiple of 4, or there are not four stages.

    Example:

    >>> from keras_dha.spaces import ShuffleNetSpace
    >>> space = ShuffleNetSpace((32, 32, 3), 10, channels=8, blocks=(1, 1, 2, 1), stem_strides=1)
    >>> len(space.choices())
    5

    Reference: Hu et al., "DSNAS", https://arxiv.org/abs/2002.09128; Guo et al., "Single Path One-Shot Neural
    Architecture Search with Uniform Sampling", https://arxiv.org/abs/1904.00420. We have no dropout before the
    classifier, and give it a bias.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        *,
        channels: int = 64,
        blocks: Sequence[int] = (4, 4, 8, 4),
        stem_strides: int = 2,
        affine: bool = True,
    ) -> None:
        super().__init__(input_shape, num_classes, channels=channels, affine=affine)
        if self.channels % 4 or not isinstance(blocks, Sequence) or len(blocks) != len(_WIDTHS):
            raise ValueError(
                "channels must be a multiple of 4, and blocks four numbers. "
                f"Received: channels={channels}, blocks={blocks}. The papers: 64 and (4, 4, 8, 4)."
            )
        self.blocks = tuple(self._at_least(1, "blocks", number) for number in blocks)
        self.stem_strides = self._at_least(1, "stem_strides", stem_strides)

    def build(self, choose: Chooser) -> keras.Model:
        """The network, from pictures to logits."""
        inputs = keras.Input(self.input_shape)
        x = keras.Sequential([*conv(self.channels // 4, 3, self.stem_strides), self._norm(), _relu()])(inputs)
        number = 0
        for width, repeats in zip(_WIDTHS, self.blocks):
            channels = int(width * self.channels)
            for repeat in range(repeats):
                x = self._block(choose, f"block_{number}", channels, x, strides=1 if repeat else 2)
                number += 1
        x = keras.Sequential([*conv(16 * self.channels, 1), self._norm(), _relu()])(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    def _block(self, choose: Chooser, name: str, channels: int, x: Tensor, *, strides: int) -> Tensor:
        if strides == 1:
            kept, x = _halves(x)
            options = self._options(channels // 2, channels // 2, channels // 2, 1)
            return keras.layers.Concatenate()([kept, choose.op(name, options)(x)])
        into = x.shape[-1]
        options = self._options(into, channels // 2, channels - into, 2)
        # The kernel of the path beside a block that halves the picture goes with the block.
        return choose.op(name, {option: self._beside(option, into, make) for option, make in options.items()})(x)

    def _beside(self, option: str, into: int, make: OpFactory) -> OpFactory:
        kernel = {"shuffle_5x5": 5, "shuffle_7x7": 7}.get(option, 3)

        def apply(x: Tensor) -> Tensor:
            path = keras.Sequential([*depthwise(kernel, 2), self._norm(), *conv(into, 1), self._norm(), _relu()])
            return keras.layers.Concatenate()([path(x), make()(x)])

        return lambda: apply

    def _options(self, into: int, middle: int, out: int, strides: int) -> Mapping[str, OpFactory]:
        """The four branches, from `into` channels over `middle` to `out`."""

        def shuffle(kernel: int) -> keras.Sequential:
            spatial = [*depthwise(kernel, strides), self._norm()]
            return keras.Sequential([*self._pointwise(middle), *spatial, *self._pointwise(out)])

        def xception() -> keras.Sequential:
            layers: list[keras.layers.Layer] = []
            for step, width in zip((strides, 1, 1), (middle, middle, out)):
                layers += [*depthwise(3, step), self._norm(), *self._pointwise(width)]
            return keras.Sequential(layers)

        kernels = dict(zip(SHUFFLE_NET_BLOCKS, (3, 5, 7)))
        options: dict[str, OpFactory] = {name: lambda k=k: shuffle(k) for name, k in kernels.items()}  # type: ignore[misc]
        return {**options, SHUFFLE_NET_BLOCKS[3]: xception}

    def _pointwise(self, channels: int) -> list[keras.layers.Layer]:
        return [*conv(channels, 1), self._norm(), _relu()]

    def _norm(self) -> keras.layers.Layer:
        return batch_norm(self.affine)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "blocks": list(self.blocks), "stem_strides": self.stem_strides}

    @staticmethod
    def decisions_from_numbers(numbers: Sequence[int]) -> Decisions:
        """The network that the literature writes as a list of numbers from 0 to 3, one a block.

        Raises:
            ValueError: If a number is not one of these.
        """
        if not numbers or not all(isinstance(n, (int, np.integer)) and 0 <= n <= 3 for n in numbers):
            raise ValueError(f"Each block must be a number from 0 to 3. Received: numbers={list(numbers)}. Correct it.")
        return Decisions({f"block_{i}": SHUFFLE_NET_BLOCKS[n] for i, n in enumerate(numbers)})


def _relu() -> keras.layers.Layer:
    return keras.layers.ReLU()


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Even and odd channels."""
    half = x.shape[-1] // 2
    return split_channels(shuffle_channels(x, half), half)
