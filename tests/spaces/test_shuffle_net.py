import keras
import numpy as np
import pytest

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import ShuffleNetSpace
from keras_dha.spaces.shuffle_net import SHUFFLE_NET_BLOCKS, _halves

DSNAS = [0, 0, 3, 0, 3, 2, 0, 0, 3, 3, 2, 3, 3, 3, 2, 0, 0, 3, 3, 0]
SPOS = [0, 1, 2, 2, 1, 1, 2, 1, 3, 3, 0, 3, 0, 3, 0, 0, 2, 2, 2, 1]
SMALL = {"channels": 8, "blocks": (1, 2, 1, 1), "stem_strides": 1}


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    nested = [layers_of(layer) if isinstance(layer, keras.Model) else [layer] for layer in model.layers]
    return [layer for group in nested for layer in group]


def multiply_adds(model: keras.Model) -> float:
    """Of convolutions and the classifier, in millions."""
    total = 0.0
    for layer in layers_of(model):
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            total += float(np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            total += float(np.prod(layer.kernel.shape))
    return total / 1e6


@pytest.mark.parametrize(("numbers", "millions"), [(DSNAS, 324.35), (SPOS, 322.86)])
def test_published_networks_have_their_multiply_adds(numbers: list[int], millions: float) -> None:  # DSNAS C7
    space = ShuffleNetSpace((224, 224, 3), 1000)
    decisions = space.decisions_from_numbers(numbers).validate(space.choices())
    # The published 39.58 million of stem and head, here 38.55, hold the classifier's 1,024 * 1,000 twice.
    assert multiply_adds(space.build(FixedChooser(decisions))) + 1.024 == pytest.approx(millions, abs=0.01)


def test_a_choice_a_block() -> None:
    space = ShuffleNetSpace((16, 16, 1), 3, **SMALL)
    assert [choice.name for choice in space.choices()] == [f"block_{i}" for i in range(5)]
    assert space.choices()[0].options == SHUFFLE_NET_BLOCKS


@pytest.mark.parametrize("number", range(4))
def test_every_block_fits_everywhere(number: int) -> None:
    space = ShuffleNetSpace((15, 17, 1), 3, **SMALL)
    model = space.build(FixedChooser(space.decisions_from_numbers([number] * 5)))
    assert model.output_shape == (None, 3)
    assert np.isfinite(model(np.random.default_rng(0).random((2, 15, 17, 1), "float32"))).all()


def test_half_of_the_channels_pass() -> None:
    inputs = keras.Input((2, 2, 4))
    first, second = keras.Model(inputs, _halves(inputs))(np.arange(16.0).reshape(1, 2, 2, 4))
    np.testing.assert_array_equal(first[0, 0], [[0, 2], [4, 6]])
    np.testing.assert_array_equal(second[0, 0], [[1, 3], [5, 7]])


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"Received: channels=6, blocks=\(4, 4, 8, 4\)"):
        ShuffleNetSpace((16, 16, 1), 3, channels=6)
    with pytest.raises(ValueError, match=r"Received: channels=64, blocks=4"):
        ShuffleNetSpace((16, 16, 1), 3, blocks=4)
    with pytest.raises(ValueError, match=r"Received: numbers=\[4\]"):
        ShuffleNetSpace.decisions_from_numbers([4])
