import numpy as np
import pytest
from keras import ops

from keras_dha.augmentation import FlipX, FlipY, Rotate, Scale, ShearX, ShearY, TranslateXRel, TranslateYRel
from keras_dha.augmentation.resampling import affine_resample


def run(transform, image, strength, sign=1.0):
    image = np.asarray(image, "float32")
    out = transform(image[None, :, :, None], np.array([strength], "float32"), np.array([sign], "float32"))
    return ops.convert_to_numpy(out)[0, :, :, 0]


def test_translation_by_whole_pixels():
    row = np.array([[0.1, 0.2, 0.3, 0.4]])
    strength = 0.25 / 0.45  # One pixel of four.
    np.testing.assert_allclose(run(TranslateXRel(), row, strength), [[0.2, 0.3, 0.4, 0.0]], atol=1e-6)
    np.testing.assert_allclose(run(TranslateXRel(), row, strength, -1.0), [[0.0, 0.1, 0.2, 0.3]], atol=1e-6)
    np.testing.assert_allclose(run(TranslateYRel(), row.T, strength).T, [[0.2, 0.3, 0.4, 0.0]], atol=1e-6)


def test_translation_between_pixels_is_their_mean():
    np.testing.assert_allclose(run(TranslateXRel(), [[0.2, 0.4]], 0.25 / 0.45), [[0.3, 0.2]], atol=1e-6)


def test_shear_leaves_the_middle_and_moves_the_ends_the_other_way():
    image = np.tile([0.0, 0.0, 1.0, 0.0, 0.0], (3, 1))
    out = run(ShearX(), image, 1.0)
    np.testing.assert_allclose(out[0], [0.0, 0.0, 0.7, 0.3, 0.0], atol=1e-6)
    np.testing.assert_allclose(out[1], image[1], atol=1e-6)
    np.testing.assert_allclose(out[2], [0.0, 0.3, 0.7, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(run(ShearY(), image.T, 1.0), out.T, atol=1e-6)


def test_rotation_is_counter_clockwise_about_the_centre():
    image = np.zeros((21, 21))
    image[0:3, 9:12] = 1.0  # At 12 o'clock; 30 degrees on, at 11.
    out = run(Rotate(), image, 1.0)
    y, x = np.indices((21, 21))
    center = np.array([(out * x).sum(), (out * y).sum()]) / out.sum() - 10.0
    np.testing.assert_allclose(center, [-9.0 * np.sin(np.pi / 6), -9.0 * np.cos(np.pi / 6)], atol=0.15)


def test_flips_mirror_at_any_strength_above_0():
    image = np.random.default_rng(0).random((4, 5))
    for strength in (0.01, 1.0):
        np.testing.assert_allclose(run(FlipX(), image, strength), image[:, ::-1], atol=1e-6)
        np.testing.assert_allclose(run(FlipY(), image, strength), image[::-1], atol=1e-6)
    np.testing.assert_allclose(run(FlipX("released"), image, 0.0), image[:, ::-1], atol=1e-6)


def test_scale_enlarges_by_a_half_and_shrinks_by_a_third():
    x = np.arange(-10, 11) / 20 + 0.5
    image = np.tile(x, (3, 1))
    np.testing.assert_allclose(run(Scale(), image, 1.0)[1], (x - 0.5) / 1.5 + 0.5, atol=1e-6)
    small = run(Scale(), image, 1.0, -1.0)[1]
    np.testing.assert_allclose(small[4:17], ((x - 0.5) * 1.5 + 0.5)[4:17], atol=1e-6)
    np.testing.assert_allclose(small[[0, 20]], 0.0)


@pytest.mark.parametrize("transform", [Rotate, Scale, ShearX, ShearY, TranslateXRel, TranslateYRel])
def test_the_other_sign_is_the_other_way(transform):
    matrices = transform().matrix(np.array([0.2, -0.2], "float32"), 5, 5)
    np.testing.assert_allclose(ops.matmul(matrices[0], matrices[1]), np.eye(3), atol=1e-6)


def test_fill_is_seen_outside():
    out = TranslateXRel(fill=0.5)(np.zeros((1, 1, 4, 1), "float32"), np.array([0.25 / 0.45], "float32"))
    np.testing.assert_allclose(out[0, 0, :, 0], [0.0, 0.0, 0.0, 0.5], atol=1e-6)
    out = TranslateXRel(fill=(0.1, 0.2))(np.zeros((1, 1, 4, 2), "float32"), np.array([0.25 / 0.45], "float32"))
    np.testing.assert_allclose(out[0, 0, 3], [0.1, 0.2], atol=1e-6)
    row = np.array([0.1, 0.2, 0.3, 0.4], "float32").reshape(1, 1, 4, 1)
    out = TranslateXRel(fill="reflect").apply(row, np.array([0.5 - 1e-7], "float32"))
    np.testing.assert_allclose(out[0, 0, :, 0], [0.3, 0.4, 0.4, 0.3], atol=1e-5)


@pytest.mark.parametrize("fill", [0.0, 0.5, (0.1, 0.5, 0.9), "reflect"])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 4)])
def test_both_ways_to_resample_agree(size, fill):
    rng = np.random.default_rng(0)
    images = rng.random((6, *size, 3), "float32")
    maps = np.tile(np.eye(3, dtype="float32"), (6, 1, 1))
    maps[1:, :2] += 0.5 * rng.normal(size=(5, 2, 3)).astype("float32")
    maps[5, 0, 2] = 100.0  # All outside.
    one = affine_resample(images, maps, fill)
    other = affine_resample(images, maps, fill, differentiable=True)
    np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(one[0], images[0], atol=1e-6)
    if fill != "reflect":
        np.testing.assert_allclose(one[5], np.broadcast_to(fill, images[5].shape), atol=1e-6)
