"""What kinds of input a network of several inputs may have, and the blocks that suit each."""

import abc
from collections.abc import Mapping, Sequence

import keras

from keras_dha.spaces.chooser import Apply, OpFactory, Tensor
from keras_dha.spaces.operations import batch_norm

Shape = tuple[int, ...]


class Modality(abc.ABC):
    """One kind of input: the operations of its tower, and how its tensors come to the shape of another kind's.

    A tensor of a tower has the shape `(batch, *positions, channels)`. Blocks keep the positions, pools halve them.
    """

    num_positions: int
    ranks: tuple[int, ...]

    def start(self, x: Tensor) -> Tensor:
        """The input with an axis of channels, each channel with zero mean and unit variance in a batch."""
        shape = tuple(x.shape[1:])
        x = x if len(shape) > self.num_positions else keras.layers.Reshape((*shape, 1))(x)
        return batch_norm(affine=False)(x)

    @abc.abstractmethod
    def blocks(self, channels: int) -> dict[str, OpFactory]:
        """Blocks that give this number of channels, named by what they are and how wide they are inside."""

    def residuals(self, channels: int) -> dict[str, OpFactory]:
        """`skip`, and each of the blocks added to its input."""
        added = {name: _residual(make) for name, make in self.blocks(channels).items()}
        return {"skip": keras.layers.Identity, **added}

    def pools(self) -> dict[str, OpFactory]:
        """Ways to halve the positions, rounding up; none if there are no positions."""
        return {}

    def features(self, units: int) -> dict[str, OpFactory]:
        """Ways to a vector of `units` numbers, batch normalized."""
        return {"dense": lambda: keras.Sequential(_projection(units))}

    def to_table(self, x: Tensor, size: Shape) -> Tensor:
        """A table stays what it is; nothing else becomes one, for a joint network has the richest kind there is."""
        return x

    @abc.abstractmethod
    def to_sequence(self, x: Tensor, size: Shape) -> Tensor:
        """The tensor as a sequence with `size` steps."""

    @abc.abstractmethod
    def to_image(self, x: Tensor, size: Shape) -> Tensor:
        """The tensor as an image of this height and width."""


class _Spatial(Modality):
    """Convolutions of two sizes and two inner widths."""

    convolution: type[keras.layers.Layer]
    pooling: Mapping[str, type[keras.layers.Layer]]
    global_pooling: Mapping[str, type[keras.layers.Layer]]

    def blocks(self, channels: int) -> dict[str, OpFactory]:
        """`conv3_8` is a convolution of size 3 with 8 channels inside, then one of size 1."""

        def block(kernel: int, width: int) -> keras.Sequential:
            options = {"use_bias": False, "kernel_initializer": "he_normal", "padding": "same"}
            first, second = self.convolution(width, kernel, **options), self.convolution(channels, 1, **options)
            return keras.Sequential([first, batch_norm(), keras.layers.ReLU(), second, batch_norm()])

        sizes = [(kernel, width) for kernel in (3, 5) for width in (channels, 2 * channels)]
        return {f"conv{kernel}_{width}": lambda k=kernel, w=width: block(k, w) for kernel, width in sizes}  # type: ignore[misc]

    def pools(self) -> dict[str, OpFactory]:
        """The largest, or the mean, of two positions along each axis."""
        return {name: lambda layer=layer: layer(2, padding="same") for name, layer in self.pooling.items()}  # type: ignore[misc]

    def features(self, units: int) -> dict[str, OpFactory]:
        """Of the mean or the largest of all positions, or of each position by itself."""
        ways = {**self.global_pooling, "flatten": keras.layers.Flatten}
        return {name: lambda way=way: keras.Sequential([way(), *_projection(units)]) for name, way in ways.items()}  # type: ignore[misc]


class Image(_Spatial):
    """A picture, a spectrogram, or the like: `(height, width, channels)`, or `(height, width)` of one channel."""

    num_positions = 2
    ranks = (2, 3)
    convolution = keras.layers.Conv2D
    pooling = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}  # noqa: RUF012
    global_pooling = {"average": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}  # noqa: RUF012

    def to_sequence(self, x: Tensor, size: Shape) -> Tensor:
        """Never asked for: where there is an image, the joint network is one of images."""
        raise NotImplementedError("Images are not made sequences.")

    def to_image(self, x: Tensor, size: Shape) -> Tensor:
        """Resized, bilinearly."""
        return x if tuple(x.shape[1:3]) == size else keras.layers.Resizing(*size)(x)


class Sequence1D(_Spatial):
    """A row of steps: `(steps, channels)`."""

    num_positions = 1
    ranks = (2,)
    convolution = keras.layers.Conv1D
    pooling = {"max": keras.layers.MaxPooling1D, "average": keras.layers.AveragePooling1D}  # noqa: RUF012
    global_pooling = {"average": keras.layers.GlobalAveragePooling1D, "max": keras.layers.GlobalMaxPooling1D}  # noqa: RUF012

    def to_sequence(self, x: Tensor, size: Shape) -> Tensor:
        """Resized, linearly."""
        if tuple(x.shape[1:2]) == size:
            return x
        return keras.layers.Reshape((*size, x.shape[-1]))(self.to_image(x, (*size, 1)))

    def to_image(self, x: Tensor, size: Shape) -> Tensor:
        """An image of one column, resized: steps along the height, the same at each width."""
        return keras.layers.Resizing(*size)(keras.layers.Reshape((x.shape[1], 1, x.shape[-1]))(x))


class Table(Modality):
    """A vector of numbers: `(columns,)`."""

    num_positions = 0
    ranks = (1,)

    def blocks(self, channels: int) -> dict[str, OpFactory]:
        """`dense_16` is a dense layer of 16 units, then one of `channels`."""

        def block(width: int) -> keras.Sequential:
            return keras.Sequential([*_projection(width), keras.layers.ReLU(), *_projection(channels)])

        return {f"dense_{width}": lambda w=width: block(w) for width in (channels, 2 * channels)}  # type: ignore[misc]

    def to_sequence(self, x: Tensor, size: Shape) -> Tensor:
        """The same vector at each step."""
        return keras.layers.RepeatVector(size[0])(x)

    def to_image(self, x: Tensor, size: Shape) -> Tensor:
        """The same vector at each pixel."""
        return keras.layers.UpSampling2D(size)(keras.layers.Reshape((1, 1, x.shape[-1]))(x))


MODALITIES: dict[str, Modality] = {"image": Image(), "sequence": Sequence1D(), "table": Table()}  # the richest first


def joint_kind(kinds: Sequence[str]) -> str:
    """The kind of a network that reads tensors of all these: the richest of them."""
    return next(kind for kind in MODALITIES if kind in kinds)


def largest_size(tensors: Sequence[Tensor]) -> Shape:
    """The largest height and width, or number of steps; of tables nothing."""
    return tuple(max(sides) for sides in zip(*(x.shape[1:-1] for x in tensors)))


def joined(tensors: Sequence[Tensor], kinds: Sequence[str], kind: str, size: Shape, channels: int) -> Tensor:
    """Tensors of several kinds with `channels` channels each, side by side at the same positions.

    Each is projected by a dense layer on its channels, and batch normalized. Then images and sequences are resized to
    `size`; a sequence becomes an image of equal columns, and a table is repeated at each position.

    Args:
        tensors: Of towers.
        kinds: Their kinds.
        kind: What they become; the richest of the kinds.
        size: Its positions.
        channels: Of each part.
    """
    projected = [keras.Sequential(_projection(channels))(x) for x in tensors]
    parts = [getattr(MODALITIES[own], f"to_{kind}")(x, size) for x, own in zip(projected, kinds)]
    return keras.layers.Concatenate()(parts)


def fusions(number: int) -> dict[str, OpFactory]:
    """Ways to make one of `number` equal parts along the last axis, `x_1` to `x_n`, of the same number of channels.

    - `concat`: a dense layer on all of them;
    - `sum`: `x_1 + ... + x_n`;
    - `product`: `x_1 * ... * x_n`;
    - `gated`: `g_1 x_1 + ... + g_n x_n`, with gates `g = sigmoid(dense(x))`, one a channel.

    Args:
        number: How many parts there are, at least 2.
    """

    def concat(x: Tensor) -> Tensor:
        return keras.layers.Dense(x.shape[-1] // number, use_bias=False)(x)

    def gated(x: Tensor) -> Tensor:
        gates = keras.layers.Dense(x.shape[-1], activation="sigmoid")(x)
        return keras.layers.Add()(_parts(keras.layers.Multiply()([x, gates]), number))

    return {
        "concat": lambda: concat,
        "sum": lambda: lambda x: keras.layers.Add()(_parts(x, number)),
        "product": lambda: lambda x: keras.layers.Multiply()(_parts(x, number)),
        "gated": lambda: gated,
    }


def _projection(channels: int) -> list[keras.layers.Layer]:
    """A matrix on the channels, and batch normalization."""
    return [keras.layers.Dense(channels, use_bias=False, kernel_initializer="he_normal"), batch_norm()]


def _parts(x: Tensor, number: int) -> list[Tensor]:
    """Equal parts along the last axis, by stock layers."""
    *positions, channels = x.shape[1:]
    rows = keras.layers.Reshape((-1, number, channels // number))(x)
    crops = [keras.layers.Cropping2D(((0, 0), (i, number - 1 - i)))(rows) for i in range(number)]
    return [keras.layers.Reshape((*positions, channels // number))(crop) for crop in crops]


def _residual(make: OpFactory) -> OpFactory:
    def added() -> Apply:
        block = make()
        return lambda x: keras.layers.Add()([x, block(keras.layers.ReLU()(x))])

    return added
