import numpy as np

from keras_dha.augmentation import GaussianBlur

ONE = np.ones(1, "float32")


def test_a_point_becomes_a_gaussian_of_a_sixteenth_of_the_side():
    image = np.zeros((1, 49, 33, 1), "float32")
    image[0, 24, 16] = 1.0
    out = np.asarray(GaussianBlur()(image, ONE))[0, :, :, 0]
    y, x = np.indices((49, 33))
    assert abs(out.sum() - 1.0) < 1e-5
    for distance in (y - 24, x - 16):
        assert abs(np.sqrt((out * distance**2).sum()) - 33 / 16) < 0.01


def test_the_deviation_of_small_images_is_one_pixel_and_half_of_it_at_a_quarter_of_the_strength():
    image = np.zeros((2, 9, 9, 1), "float32")
    image[:, 4, 4] = 1.0
    out = np.asarray(GaussianBlur()(image, np.array([1.0, 0.25], "float32")))[..., 0]
    np.testing.assert_allclose(out[:, 4, 5] / out[:, 4, 4], [np.exp(-0.5), np.exp(-2.0)], rtol=1e-3)


def test_a_flat_image_stays_up_to_the_border():
    image = np.full((1, 7, 5, 3), 0.4, "float32")
    np.testing.assert_allclose(GaussianBlur()(image, ONE), image, rtol=1e-5)
