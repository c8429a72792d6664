"""What a transform says of its gradients is so."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dha.augmentation import TRANSFORMS, Transform
from keras_dha.augmentation.straight_through import along_secant, as_of_identity

BOTH_SIGNS = np.array([1.0, -1.0, 1.0, -1.0], "float32")
STRENGTH = np.array([0.13, 0.37, 0.52, 0.81], "float32")
# Of float32 differences over 2e-4 of smooth pictures; where bilinear sampling has its kinks, they average over them.
TOLERANCE = {"rtol": 0.03, "atol": 0.01}


def smooth_pictures(seed: int = 0) -> np.ndarray:
    """Waves of different lengths, one set a picture; inside of [0.35, 0.65], so that little is clipped."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((9, 11))[:, None, :, :, None]
    phase, turn = rng.uniform(0, 6, (2, 4, 1, 1, 3))
    wave = np.sin(0.5 * x * np.cos(turn) + 0.5 * y * np.sin(turn) + phase)
    return (0.5 + 0.15 * wave).astype("float32")


def value(transform: Transform, images: np.ndarray, strength: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    out = transform(images, strength, BOTH_SIGNS, seed=7)
    return np.sum(np.asarray(out, "float64") * cotangent, axis=(1, 2, 3))


def gradients(
    transform: Transform, images: np.ndarray, strength: np.ndarray, cotangent: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    images, strength = tf.constant(images), tf.constant(strength)
    with tf.GradientTape() as tape:
        tape.watch([images, strength])
        out = tf.reduce_sum(transform(images, strength, BOTH_SIGNS, seed=7) * cotangent)
    return tuple(None if g is None else g.numpy() for g in tape.gradient(out, [images, strength]))


def named(attribute: str, kind: str | None) -> list[str]:
    return sorted(name for name, transform in TRANSFORMS.items() if getattr(transform, attribute) == kind)


@pytest.mark.parametrize("name", named("strength_gradient", "exact"))
def test_an_exact_gradient_for_the_strength_is_that_of_central_differences(name: str) -> None:
    transform, images = TRANSFORMS[name](), smooth_pictures()
    cotangent = np.random.default_rng(1).normal(size=images.shape).astype("float32")
    step = np.float32(2e-4)
    above, below = (value(transform, images, STRENGTH + d, cotangent) for d in (step, -step))
    slope = gradients(transform, images, STRENGTH, cotangent)[1]
    np.testing.assert_allclose(slope, (above - below) / (2 * step), **TOLERANCE)
    assert np.abs(slope).max() > 0.1


@pytest.mark.parametrize("name", named("image_gradient", "exact"))
def test_an_exact_gradient_for_the_image_is_that_of_central_differences(name: str) -> None:
    transform, images = TRANSFORMS[name](), np.round(smooth_pictures() * 255) / 255  # far from thresholds
    images[:, 0, 0], images[:, 1, 1] = 0.05, 0.95  # the extrema stay where they are
    cotangent, direction = np.random.default_rng(1).uniform(-1.0, 1.0, (2, *images.shape)).astype("float32")
    step = np.float32(2e-4)
    above, below = (value(transform, images + d * direction, STRENGTH, cotangent) for d in (step, -step))
    slope = np.sum(gradients(transform, images, STRENGTH, cotangent)[0] * direction, axis=(1, 2, 3))
    np.testing.assert_allclose(slope, (above - below) / (2 * step), **TOLERANCE)


@pytest.mark.parametrize("name", named("image_gradient", "straight-through"))
def test_a_straight_through_gradient_for_the_image_is_that_of_the_identity(name: str) -> None:
    images = smooth_pictures()
    cotangent = np.random.default_rng(1).normal(size=images.shape).astype("float32")
    np.testing.assert_allclose(
        gradients(TRANSFORMS[name](), images, STRENGTH, cotangent)[0], cotangent, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", named("strength_gradient", "straight-through"))
def test_a_straight_through_gradient_for_the_strength_is_that_of_the_secant(name: str) -> None:
    transform, images = TRANSFORMS[name](), smooth_pictures()
    cotangent = np.random.default_rng(1).normal(size=images.shape).astype("float32")
    changed = value(transform, images, STRENGTH, cotangent) - np.sum(images * cotangent, axis=(1, 2, 3))
    slope = gradients(transform, images, STRENGTH, cotangent)[1]
    np.testing.assert_allclose(slope, changed / STRENGTH, rtol=1e-3, atol=1e-3)
    assert np.abs(slope).max() > 0.1
    assert (gradients(transform, images, np.zeros(4, "float32"), cotangent)[1] == 0.0).all()


@pytest.mark.parametrize("name", named("strength_gradient", None))
def test_without_a_gradient_for_the_strength_it_is_all_or_nothing(name: str) -> None:
    transform, images = TRANSFORMS[name](), smooth_pictures()
    slope = gradients(transform, images, STRENGTH, np.ones_like(images))[1]
    assert slope is None or (slope == 0.0).all()
    little, much = (transform(images, np.full(4, s, "float32"), seed=7) for s in (1e-3, 1.0))
    np.testing.assert_array_equal(little, much)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_gradients_are_finite_at_both_ends_and_on_constant_images(name: str) -> None:
    for images in (smooth_pictures(), np.zeros((4, 3, 3, 3), "float32"), np.ones((4, 3, 3, 3), "float32")):
        for strength in (0.0, 1.0):
            found = gradients(TRANSFORMS[name](), images, np.full(4, strength, "float32"), np.ones_like(images))
            assert all(np.isfinite(gradient).all() for gradient in found if gradient is not None)


def test_helpers_change_no_value_in_a_graph() -> None:
    images = smooth_pictures()

    @tf.function
    def graph(images: tf.Tensor, distance: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch([images, distance])
            out = along_secant(as_of_identity(tf.floor(4.0 * images) / 4.0, images), images, distance)
        return out, *tape.gradient(out, [images, distance])

    out, image, distance = graph(tf.constant(images), tf.constant([0.0, 0.5, 1.0, 2.0]))
    np.testing.assert_array_equal(out, np.floor(4 * images) / 4)
    np.testing.assert_array_equal(image, np.ones_like(images))
    changed = np.sum(np.floor(4 * images) / 4 - images, axis=(1, 2, 3))
    np.testing.assert_allclose(distance, [0.0, changed[1] / 0.5, changed[2], changed[3] / 2.0], rtol=1e-4)
