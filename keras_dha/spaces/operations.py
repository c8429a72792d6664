"""The operations of the cell spaces, made of stock Keras layers.

Each is a factory `(channels, strides, affine) -> layer, or function of a tensor`:

- `channels`: number of output channels; the pools, and `skip_connect` with stride 1, need as many in the input.
- `strides`: 1 or 2. With stride 2 a picture of side n becomes one of side ceil(n / 2), whichever the operation, and
  output pixel i is centred on input pixel 2 * i: the options of a choice can be summed, and look at the same place.
  (`padding="same"` would centre on 2 * i + 1 if n is even, and PyTorch, where these spaces come from, does not.)
- `affine`: whether batch normalization learns a scale and a shift.

Convolutions have no bias, for a batch normalization follows. Their kernels start `he_normal`: a ReLU stands before
each, and halves the second moment. A depthwise kernel starts from the same law, written out: Keras counts all channels
as its fan-in, and each of its filters sees one.
"""

from collections.abc import Callable

import keras

from keras_dha.spaces.chooser import Apply, Tensor
from keras_dha.spaces.sized_layers import depthwise

Operation = Callable[[int, int, bool], Apply]


def batch_norm(affine: bool = True) -> keras.layers.Layer:
    """Batch normalization with PyTorch's numbers: it keeps 0.9 of the moving statistics, epsilon 1e-5."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=affine, scale=affine)


def conv(channels: int, kernel: int, strides: int = 1) -> list[keras.layers.Layer]:
    """A convolution without bias, padded alike on both sides."""
    options = {"use_bias": False, "kernel_initializer": "he_normal"}
    if strides == 1 or kernel == 1:
        return [keras.layers.Conv2D(channels, kernel, strides, padding="same", **options)]
    return [keras.layers.ZeroPadding2D(kernel // 2), keras.layers.Conv2D(channels, kernel, strides, **options)]


def relu_conv_bn(channels: int, kernel: int, strides: int = 1, affine: bool = True) -> keras.Sequential:
    """ReLU, convolution, batch normalization."""
    return keras.Sequential([keras.layers.ReLU(), *conv(channels, kernel, strides), batch_norm(affine)])


def sep_conv(channels: int, kernel: int, strides: int = 1, affine: bool = True) -> keras.Sequential:
    """Twice ReLU, depthwise, pointwise, batch normalization; the stride in the first depthwise convolution."""
    layers: list[keras.layers.Layer] = []
    for stride in (strides, 1):
        layers += [keras.layers.ReLU(), *depthwise(kernel, stride), *conv(channels, 1), batch_norm(affine)]
    return keras.Sequential(layers)


def dil_conv(channels: int, kernel: int, strides: int = 1, affine: bool = True) -> keras.Sequential:
    """ReLU, depthwise with dilation 2, pointwise, batch normalization.

    The stride is the pointwise convolution's, which gives the same numbers: a stride together with a dilation is not
    supported by every backend.
    """
    dilated = depthwise(kernel, dilation=2)
    return keras.Sequential([keras.layers.ReLU(), *dilated, *conv(channels, 1, strides), batch_norm(affine)])


def _subsample(strides: int) -> list[keras.layers.Layer]:
    """Every `strides`-th pixel, the first one included."""
    return [] if strides == 1 else [keras.layers.AveragePooling2D(1, strides)]


def pool(layer: type[keras.layers.Layer], strides: int = 1, *, batch_normalized: bool = False) -> keras.Sequential:
    """3x3 pooling that leaves padding out of the mean; then, if wanted, batch normalization without scale and shift."""
    normalization = [batch_norm(affine=False)] if batch_normalized else []
    return keras.Sequential([layer(3, strides=1, padding="same"), *_subsample(strides), *normalization])


def none(strides: int = 1) -> keras.Sequential:
    """Zero: no value passes, and no gradient."""
    return keras.Sequential([*_subsample(strides), keras.layers.Rescaling(0.0)])


def skip_connect(channels: int, strides: int = 1, affine: bool = True) -> Apply:
    """The input; with stride 2 `factorized_reduce`."""
    return keras.layers.Identity() if strides == 1 else factorized_reduce(channels, affine)


def factorized_reduce(channels: int, affine: bool = True) -> Apply:
    """ReLU, two 1x1 convolutions of stride 2, one on even and one on odd pixels, concatenated; batch normalization.

    At the last row and column of an odd side the second convolution reads zeros. DARTS needs even sides.
    """

    def apply(x: Tensor) -> Tensor:
        x = keras.layers.ReLU()(x)
        missing = tuple((0, 1 if size is None else size % 2) for size in x.shape[1:3])
        shifted = keras.layers.ZeroPadding2D(missing)(x) if any(last for _, last in missing) else x
        shifted = keras.layers.Cropping2D(((1, 0), (1, 0)))(shifted)
        (even,), (odd,) = conv(channels - channels // 2, 1, 2), conv(channels // 2, 1, 2)
        return batch_norm(affine)(keras.layers.Concatenate()([even(x), odd(shifted)]))

    return apply


def split_channels(x: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """The first channels, and the others, by stock layers."""
    height, width, channels = x.shape[1:]
    columns = keras.layers.Reshape((height, width, channels, 1))(x)
    parts = [
        keras.layers.Reshape((height, width, size))(keras.layers.Cropping3D(((0, 0), (0, 0), crop))(columns))
        for size, crop in ((first, (0, channels - first)), (channels - first, (first, 0)))
    ]
    return parts[0], parts[1]


def shuffle_channels(x: Tensor, groups: int) -> Tensor:
    """The first channel of each group, then the second of each, and so on, by stock layers."""
    height, width, channels = x.shape[1:]
    grouped = keras.layers.Reshape((height, width, groups, channels // groups))(x)
    return keras.layers.Reshape((height, width, channels))(keras.layers.Permute((1, 2, 4, 3))(grouped))


NAS_BENCH_201_OPERATIONS: dict[str, Operation] = {
    "none": lambda channels, strides, affine: none(strides),
    "skip_connect": skip_connect,
    "nor_conv_1x1": lambda channels, strides, affine: relu_conv_bn(channels, 1, strides, affine),
    "nor_conv_3x3": lambda channels, strides, affine: relu_conv_bn(channels, 3, strides, affine),
    "avg_pool_3x3": lambda channels, strides, affine: pool(keras.layers.AveragePooling2D, strides),
}

DARTS_OPERATIONS: dict[str, Operation] = {
    "none": lambda channels, strides, affine: none(strides),
    "max_pool_3x3": lambda channels, strides, affine: pool(keras.layers.MaxPooling2D, strides, batch_normalized=True),
    "avg_pool_3x3": lambda channels, strides, affine: pool(
        keras.layers.AveragePooling2D, strides, batch_normalized=True
    ),
    "skip_connect": skip_connect,
    "sep_conv_3x3": lambda channels, strides, affine: sep_conv(channels, 3, strides, affine),
    "sep_conv_5x5": lambda channels, strides, affine: sep_conv(channels, 5, strides, affine),
    "dil_conv_3x3": lambda channels, strides, affine: dil_conv(channels, 3, strides, affine),
    "dil_conv_5x5": lambda channels, strides, affine: dil_conv(channels, 5, strides, affine),
}
