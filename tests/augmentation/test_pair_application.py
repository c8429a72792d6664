import numpy as np
import pytest
import tensorflow as tf

from keras_dha.augmentation import (
    DHA_OPERATIONS,
    TRANSFORMS,
    Crop,
    HorizontalFlip,
    PairPolicy,
    Rotate,
    TranslateXRel,
)
from keras_dha.augmentation.pair_application import apply_pairs

TWO = [TranslateXRel(), Rotate()]


def one_after_the_other(images, transforms, pairs, strength, sign):
    out = []
    for image, pair, s, g in zip(images, pairs, strength, sign):
        image = image[None]
        for slot in range(2):
            image = transforms[pair[slot]](image, s[slot : slot + 1], g[slot : slot + 1])
        out.append(np.asarray(image)[0])
    return np.stack(out)


@pytest.mark.parametrize("static_shapes", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_pair_is_its_two_operations_in_order(channels, static_shapes):
    rng, transforms = np.random.default_rng(0), [TRANSFORMS[name]() for name in DHA_OPERATIONS]
    geometric = {k for k, transform in enumerate(transforms) if hasattr(transform, "matrix")}
    pairs = np.array([(i, j) for i in range(14) for j in range(14) if not {i, j} <= geometric], "int32")
    images = rng.random((len(pairs), 6, 5, channels), "float32")
    strength = rng.random((len(pairs), 2), "float32")
    sign = rng.choice([-1.0, 1.0], (len(pairs), 2)).astype("float32")
    out = apply_pairs(images, transforms, pairs, strength, sign, static_shapes=static_shapes)
    expected = one_after_the_other(images, transforms, pairs, strength, sign)
    # A pixel next to a threshold or to a step may fall to the other side by rounding.
    assert np.mean(np.abs(out - expected) > 1e-3) < 0.002


def test_two_geometric_operations_are_one_map_in_their_order():
    image = np.random.default_rng(0).random((1, 8, 8, 1), "float32")
    images, ones = np.repeat(image, 2, 0), np.ones((2, 2), "float32")
    out = apply_pairs(images, TWO, np.array([[0, 1], [1, 0]], "int32"), ones, ones)
    assert np.abs(out[0] - out[1]).max() > 0.1
    # The centre of the output turns to itself, and the translation is then read 0.45 * 8 = 3.6 to the right.
    spot = np.zeros((1, 9, 9, 1), "float32")
    spot[0, 4, 8, 0] = 1.0
    shift = np.array([[4 / (0.45 * 9), 1.0]], "float32")
    turned = apply_pairs(spot, TWO, np.array([[0, 1]], "int32"), shift, np.ones((1, 2), "float32"))
    np.testing.assert_allclose(turned[0, 4, 4, 0], 1.0, atol=1e-5)


def test_nothing_is_lost_at_the_border_between_two_geometric_operations():
    images = np.random.default_rng(0).random((1, 4, 4, 1), "float32")
    there_and_back = apply_pairs(
        images, TWO, np.array([[0, 0]], "int32"), np.ones((1, 2), "float32"), np.array([[1.0, -1.0]], "float32")
    )
    np.testing.assert_allclose(there_and_back, images, atol=1e-6)


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_any_batch_size_in_a_graph_without_new_traces(batch):
    policy = PairPolicy(seed=0)
    augment = tf.function(policy.augment, input_signature=[tf.TensorSpec((None, 5, 5, 1))])
    assert augment(np.zeros((batch, 5, 5, 1), "float32"))[0].shape == (batch, 5, 5, 1)


def test_static_shapes_compile_with_xla():
    transforms = [TRANSFORMS[name]() for name in ("Equalize", "Rotate", "Sharpness")]
    pairs = np.array([(i, j) for i in range(3) for j in range(3)], "int32")
    images, sign = np.random.default_rng(0).random((9, 5, 5, 1), "float32"), np.ones((9, 2), "float32")
    strength = np.full((9, 2), 0.6, "float32")

    @tf.function(jit_compile=True, autograph=False)
    def compiled(images):
        return apply_pairs(images, transforms, pairs, strength, sign, static_shapes=True)

    np.testing.assert_allclose(compiled(images), apply_pairs(images, transforms, pairs, strength, sign), atol=1e-4)


def test_a_policy_in_static_shapes_compiles_with_xla():
    policy = PairPolicy(("Brightness", "Rotate"), static_shapes=True, base=(Crop(1), HorizontalFlip()), seed=0)
    images = np.random.default_rng(0).random((4, 5, 5, 1), "float32")
    out = tf.function(lambda x: policy.augment(x)[0], jit_compile=True, autograph=False)(images)
    assert out.shape == images.shape
    assert np.abs(out - images).max() > 0.0


def test_only_geometry_and_only_colours():
    images, ones = np.full((1, 2, 2, 1), 0.5, "float32"), np.ones((1, 2), "float32")
    zeros = np.zeros((1, 2), "int32")
    np.testing.assert_allclose(apply_pairs(images, [TRANSFORMS["Solarize"]()], zeros, ones, ones), images, atol=1e-6)
    np.testing.assert_allclose(apply_pairs(images, [Rotate()], zeros, 0 * ones, ones), images, atol=1e-6)
