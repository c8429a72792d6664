import keras
import numpy as np
import pytest
from keras import ops

from keras_dha.augmentation import TRANSFORMS, Cutout, Noise, PairPolicy, RandomTransform

RANDOM = sorted(name for name, transform in TRANSFORMS.items() if issubclass(transform, RandomTransform))
ONES = np.ones(64, "float32")


@pytest.mark.parametrize("name", RANDOM)
def test_images_and_calls_differ_unless_the_seed_is_a_number(name):
    images, seed = np.full((64, 9, 9, 1), 0.25, "float32"), keras.random.SeedGenerator(0)
    first, second = (np.asarray(TRANSFORMS[name]()(images, ONES, seed=seed)) for _ in range(2))
    assert np.abs(first - second).max() > 0.1
    assert len(np.unique(first.reshape(64, -1), axis=0)) == 64
    again, same = (TRANSFORMS[name]()(images, ONES, seed=5) for _ in range(2))
    np.testing.assert_array_equal(again, same)


def test_cutout_covers_a_square_of_half_the_smaller_side_somewhere_in_the_image():
    images = np.zeros((64, 20, 30, 3), "float32")
    out = np.asarray(Cutout(fill=1.0)(images, ONES, seed=0))
    assert (out == out[..., :1]).all()
    area = out[..., 0].sum((1, 2))
    assert area.max() == pytest.approx(100.0, abs=1e-3)
    assert area.min() >= 25.0 - 1e-3  # about a corner, a quarter of it is seen
    covered = out[..., 0] > 0
    assert covered.any(2).sum(1).max() <= 11
    assert covered.any(1).sum(1).max() <= 11
    assert covered.any(0).all(), "No place is left out."


def test_cutout_at_a_quarter_strength_covers_a_sixteenth_of_the_area():
    images = np.zeros((200, 16, 16, 1), "float32")
    area = np.asarray(Cutout(fill=1.0)(images, np.full(200, 0.25, "float32"), seed=0)).sum((1, 2, 3))
    assert area.max() == pytest.approx(4.0, abs=1e-3)


def test_cutout_shows_its_fill():
    out = np.asarray(Cutout(fill=0.3)(np.ones((64, 8, 8, 1), "float32"), ONES, seed=0))
    assert out.min() == pytest.approx(0.3)
    with pytest.raises(ValueError, match="fill must be in"):
        Cutout(fill=2.0)


def test_noise_has_the_deviation_of_its_strength_and_no_bias():
    images = np.full((4, 64, 64, 1), 0.5, "float32")
    out = np.asarray(Noise()(images, np.full(4, 0.4, "float32"), seed=0))
    assert out.std() == pytest.approx(0.1, rel=0.02)
    assert out.mean() == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize("static_shapes", [False, True])
def test_a_policy_draws_anew_in_each_call_and_repeats_itself_with_its_seed(static_shapes):
    def policy():
        own = {"search_magnitude": 10.0, "static_shapes": static_shapes, "seed": 3}
        return PairPolicy(("Cutout", "Noise"), **own)

    images, one, other = np.full((8, 9, 9, 3), 0.5, "float32"), policy(), policy()
    first = ops.convert_to_numpy(one(images, training=True))
    np.testing.assert_array_equal(first, other(images, training=True))
    assert np.abs(first - ops.convert_to_numpy(one(images, training=True))).max() > 0.1
