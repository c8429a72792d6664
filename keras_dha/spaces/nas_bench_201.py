"""The space of NAS-Bench-201."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Apply, Chooser, OpFactory, Tensor
from keras_dha.spaces.decisions import Decisions
from keras_dha.spaces.image_space import ImageSpace
from keras_dha.spaces.operations import NAS_BENCH_201_OPERATIONS, batch_norm, conv, relu_conv_bn

_EDGES = tuple((target, source) for target in range(1, 4) for source in range(target))
_EXAMPLE = "'|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|'"


def _name(target: int, source: int) -> str:
    return f"edge_{target}_from_{source}"


@keras.saving.register_keras_serializable(package="keras_dha")
class NASBench201Space(ImageSpace):
    """The 15,625 networks of NAS-Bench-201: one cell of four nodes, repeated.

    `node_i = sum_{j < i} op_ij(node_j)`, `op_ij` one of `none`, `skip_connect`, `nor_conv_1x1`, `nor_conv_3x3`,
    `avg_pool_3x3`; the choice of `op_ij` is named `"edge_i_from_j"`, and shared by all cells. Node 0 is the cell's
    input, node 3 its output. The network: 3x3 convolution, stages of cells with a residual block of stride 2 between
    them that doubles the channels, batch normalization, ReLU, global average pooling, dense.

    A small space whose every network has been trained: for benchmarks, and to learn. `DARTSSpace` is larger.

    Args:
        input_shape: `(height, width, channels)`. Each stage but the first halves the side, rounding up.
        num_classes: Number of outputs.
        channels: Number of channels of the first stage.
        cells_per_stage: Number of cells of each stage.
        stages: Number of stages.
        affine: Whether batch normalizations in the cells learn a scale and a shift. As in the benchmark's training by
            default; searches in the literature often set it to False.

    Raises:
        ValueError: If a size is not a positive integer, or `input_shape` has not three.

    Example:

    >>> from keras_dha.spaces import NASBench201Space
    >>> space = NASBench201Space((8, 8, 1), 10, channels=4, cells_per_stage=1)
    >>> [choice.name for choice in space.choices()][:3]
    ['edge_1_from_0', 'edge_2_from_0', 'edge_2_from_1']

    Reference:

    - [Dong and Yang, 2020](https://arxiv.org/abs/2001.00326). With `channels=16, cells_per_stage=5` networks have the
      benchmark's number of trainable parameters. Sides may be odd, which the benchmark's are not.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        *,
        channels: int = 16,
        cells_per_stage: int = 5,
        stages: int = 3,
        affine: bool = True,
    ) -> None:
        super().__init__(input_shape, num_classes, channels=channels, affine=affine)
        self.cells_per_stage = self._at_least(1, "cells_per_stage", cells_per_stage)
        self.stages = self._at_least(1, "stages", stages)

    def build(self, choose: Chooser) -> keras.Model:
        """The network, from pictures to logits."""
        inputs = keras.Input(self.input_shape)
        x = keras.Sequential([*conv(self.channels, 3), batch_norm()])(inputs)
        for stage in range(self.stages):
            channels = self.channels * 2**stage
            x = _residual_reduction(channels)(x) if stage else x
            for _ in range(self.cells_per_stage):
                x = self._cell(choose, channels, x)
        x = keras.layers.ReLU()(batch_norm()(x))
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    def _cell(self, choose: Chooser, channels: int, x: Tensor) -> Tensor:
        options: dict[str, OpFactory] = {
            name: functools.partial(operation, channels, 1, self.affine)
            for name, operation in NAS_BENCH_201_OPERATIONS.items()
        }
        nodes = [x]
        for target in range(1, 4):
            edges = [choose.op(_name(target, source), options)(nodes[source]) for source in range(target)]
            nodes.append(keras.layers.Add()(edges) if len(edges) > 1 else edges[0])
        return nodes[-1]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "cells_per_stage": self.cells_per_stage, "stages": self.stages}

    @staticmethod
    def decisions_from_string(architecture: str) -> Decisions:
        """The network that the benchmark writes as `architecture`.

        Args:
            architecture: Such as `"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"`: nodes 1
                to 3 separated by `+`, each with one `operation~input` for each earlier node.

        Raises:
            ValueError: If it is not of this form, or names an unknown operation.
        """
        nodes = str(architecture).split("+")
        parts = [re.fullmatch(r"\|((?:\w+~\d\|)+)", node) for node in nodes]
        kept = {
            _name(target, int(source)): operation
            for target, part in enumerate(parts, start=1)
            for operation, source in re.findall(r"(\w+)~(\d)", part[1] if part else "")
        }
        num_edges = sum(node.count("~") for node in nodes)
        if not all(parts) or len(nodes) != 3 or num_edges != len(_EDGES) or set(kept) != {_name(*e) for e in _EDGES}:
            raise ValueError(
                "An architecture must name one operation for each of the edges 0, then 0 1, then 0 1 2. "
                f"Received: architecture={architecture!r}. Write it like {_EXAMPLE}."
            )
        return Decisions({_name(*edge): kept[_name(*edge)] for edge in _EDGES}).validate(_choices())

    @staticmethod
    def to_string(decisions: Mapping[str, str | Sequence[str]]) -> str:
        """The benchmark's name of the network `decisions`, which `decisions_from_string` reads.

        Raises:
            ValueError: If they are not decisions of this space.
        """
        kept = Decisions(decisions).validate(_choices())
        nodes = [
            "".join(f"|{kept[_name(target, source)][0]}~{source}" for source in range(target)) for target in range(1, 4)
        ]
        return "+".join(f"{node}|" for node in nodes)


def _choices() -> tuple[Choice, ...]:
    return tuple(Choice(_name(*edge), tuple(NAS_BENCH_201_OPERATIONS)) for edge in _EDGES)


def _residual_reduction(channels: int) -> Callable[[Tensor], Tensor]:
    """Two 3x3 convolutions, the first of stride 2, and beside them 2x2 average pooling and a 1x1 convolution."""
    path: Apply = keras.Sequential([relu_conv_bn(channels, 3, 2), relu_conv_bn(channels, 3)])
    shortcut: Apply = keras.Sequential([keras.layers.AveragePooling2D(2, padding="same"), *conv(channels, 1)])
    return lambda x: keras.layers.Add()([path(x), shortcut(x)])
