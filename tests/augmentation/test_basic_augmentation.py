import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.augmentation import Crop, HorizontalFlip

IMAGES = np.arange(1, 13, dtype="float32").reshape(1, 3, 4, 1) / 16


def seed(number=0):
    return keras.random.SeedGenerator(number)


def test_flip_mirrors_about_half():
    images = np.repeat(IMAGES, 400, 0)
    out = np.asarray(HorizontalFlip()(images, seed()))
    mirrored = (out == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (out == IMAGES).all(axis=(1, 2, 3))).all()
    assert 140 < mirrored.sum() < 260  # Six standard deviations of 10: fails once in 10**9 seeds.


def test_flip_always_and_never():
    np.testing.assert_array_equal(HorizontalFlip(1.0)(IMAGES, seed()), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(HorizontalFlip(0.0)(IMAGES, seed()), IMAGES)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize("channels", [1, 3])
def test_crop_is_a_shift_and_all_shifts_occur(channels, mode):
    image = np.repeat(IMAGES, channels, -1)
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)), mode=mode)
    shifts = [padded[y : y + 3, x : x + 4] for y in range(3) for x in range(3)]
    out = np.asarray(Crop(1, mode)(np.repeat(image, 300, 0), seed()))
    found = np.array([[np.array_equal(one, shift) for shift in shifts] for one in out])
    assert (found.sum(axis=1) == 1).all()
    assert found.any(axis=0).all()  # One of 9 is missing with a probability below 9 * (8 / 9)**300 = 4e-15.


def test_crop_by_a_fraction_is_by_each_size():
    assert Crop(0.25)._pixels(np.zeros((1, 8, 12, 1)), 1) == 2
    assert Crop(0.25)._pixels(np.zeros((1, 8, 12, 1)), 2) == 3


def test_crop_by_nothing():
    np.testing.assert_array_equal(Crop(0)(IMAGES, seed()), IMAGES)


@pytest.mark.parametrize("augmentation", [Crop(2), HorizontalFlip()])
def test_in_a_graph_of_any_batch_size(augmentation):
    generator = seed()
    graph = tf.function(lambda x: augmentation(x, generator), input_signature=[tf.TensorSpec((None, 5, 4, 3))])
    for batch in (0, 1, 3):
        assert graph(np.zeros((batch, 5, 4, 3), "float32")).shape == (batch, 5, 4, 3)


@pytest.mark.parametrize("augmentation", [Crop(2, "reflect"), Crop(0.3), HorizontalFlip(0.2)])
def test_config_round_trip(augmentation):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(augmentation))
    assert type(again) is type(augmentation)
    assert again.get_config() == augmentation.get_config()


@pytest.mark.parametrize("padding", [-1, 1.5, 0.0, True, "4"])
def test_wrong_padding(padding):
    with pytest.raises(ValueError, match=f"padding={padding!r}"):
        Crop(padding)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="mode='wrap'"):
        Crop(1, "wrap")
    with pytest.raises(ValueError, match="rate=2"):
        HorizontalFlip(2)
    with pytest.raises(ValueError, match="padding=3, images of shape"):
        Crop(3, "reflect")(IMAGES, seed())


def test_unknown_size():
    generator = seed()
    with pytest.raises(ValueError, match=r"\(None, None, None, 1\)"):
        tf.function(lambda x: Crop(1)(x, generator), autograph=False).get_concrete_function(
            tf.TensorSpec((None, None, None, 1))
        )
