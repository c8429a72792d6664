import inspect

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from source_files import ROOT

from keras_dha.augmentation import DHA_OPERATIONS, TRANSFORMS, Identity, RandomTransform, Transform, register_transform
from keras_dha.augmentation.transform import MAPPINGS, luma, transforms_named, where_image

SHAPES = [(5, 7, 3), (4, 3, 1), (1, 1, 1), (2, 6, 3), (6, 6, 2)]
ALL = [(name, mapping) for name in TRANSFORMS for mapping in MAPPINGS]


def pictures(height, width, channels):
    """A bright corner, a dark corner, another curve for each channel; in 256 levels."""
    ramp = np.add.outer(np.arange(height), np.arange(width)) / max(height + width - 2, 1)
    powers = [ramp ** (1.0 + 0.5 * c) for c in range(channels)]
    one = np.round((0.2 + 0.6 * np.stack(powers, -1)) * 255) / 255
    return np.stack([one, one[::-1]]).astype("float32")


def subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_every_transform_of_the_package_is_registered():
    ours = {c for c in subclasses(Transform) if c.__module__.startswith("keras_dha.") and not inspect.isabstract(c)}
    assert ours == {c for c in TRANSFORMS.values() if c.__module__.startswith("keras_dha.")}, "Use @register_transform."


def test_the_fourteen_operations_of_dha_are_there():
    assert len(DHA_OPERATIONS) == 14
    assert set(DHA_OPERATIONS) <= set(TRANSFORMS)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "mapping"), ALL)
def test_range_shape_and_type_are_kept(name, mapping, shape):
    images = pictures(*shape)
    for strength in (0.0, 0.4, 1.0):
        out = TRANSFORMS[name](mapping)(images, np.full(2, strength, "float32"), np.array([-1.0, 1.0], "float32"))
        out = ops.convert_to_numpy(out)
        assert out.shape == images.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert out.min() >= 0.0
        assert out.max() <= 1.0


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("strength", [[0.5, 1.5], [-0.1, 0.5], [float("nan"), 0.0]])
def test_strengths_out_of_range(name, strength):
    strength = np.array(strength, "float32")
    for given in (strength, tf.constant(strength)):
        with pytest.raises(ValueError, match=r"Strengths must lie in \[0, 1\]. Received: strengths from"):
            TRANSFORMS[name]()(pictures(4, 4, 1), given)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_images_stay_finite(name, value):
    images = np.full((2, 6, 5, 3), value, "float32")
    out = ops.convert_to_numpy(TRANSFORMS[name]()(images, np.array([1.0, 0.3], "float32")))
    assert np.isfinite(out).all()
    if name in ("AutoContrast", "Equalize", "Contrast", "Sharpness", "GaussianBlur"):
        np.testing.assert_allclose(out, images, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_strength_0_is_the_identity(name, shape):
    images = np.random.default_rng(0).random((2, *shape), "float32")  # Not only 256 levels.
    out = TRANSFORMS[name]()(images, np.zeros(2, "float32"), np.array([-1.0, 1.0], "float32"))
    np.testing.assert_array_equal(out, images)


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if TRANSFORMS[name].strength_gradient])
def test_more_strength_is_more_change(name):
    images = np.repeat(pictures(9, 9, 3)[:1], 4, 0)
    for sign in (-1.0, 1.0):
        strength = np.array([0.0, 0.3, 0.6, 1.0], "float32")
        out = TRANSFORMS[name]()(images, strength, np.full(4, sign, "float32"), seed=0)
        change = np.abs(ops.convert_to_numpy(out) - images).mean(axis=(1, 2, 3))
        assert (np.diff(change) > 0.0).all(), change


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"Identity"}))
def test_released_operations_change_pixels(name):
    images = np.random.default_rng(0).random((2, 9, 9, 3), "float32")
    out = TRANSFORMS[name]("released")(images, np.full(2, 0.25, "float32"))
    assert np.abs(ops.convert_to_numpy(out) - images).max() > 0.01


@pytest.mark.parametrize(("name", "mapping"), ALL)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_images_do_not_divide_by_zero(name, mapping, value):
    images = np.full((1, 4, 4, 3), value, "float32")
    out = TRANSFORMS[name](mapping)(images, np.ones(1, "float32"))
    assert np.isfinite(ops.convert_to_numpy(out)).all()


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if not issubclass(TRANSFORMS[name], RandomTransform)])
def test_an_image_does_not_see_its_batch(name):
    images, strength = np.random.default_rng(0).random((3, 5, 6, 3), "float32"), np.array([0.2, 0.9, 0.5], "float32")
    sign, transform = np.array([1.0, -1.0, 1.0], "float32"), TRANSFORMS[name]()
    alone = [transform(images[i : i + 1], strength[i : i + 1], sign[i : i + 1]) for i in range(3)]
    np.testing.assert_allclose(transform(images, strength, sign), np.concatenate(alone), atol=1e-6)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_in_a_graph_any_batch_size_is_one_trace_even_none(name):
    transform, traces = TRANSFORMS[name](), []

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 5, 3)), tf.TensorSpec((None,))])
    def graph(images, strength):
        traces.append(1)
        return transform(images, strength, seed=3)

    for batch in (0, 1, 3):
        images = np.random.default_rng(0).random((batch, 4, 5, 3), "float32")
        strength = np.full(batch, 0.7, "float32")
        np.testing.assert_allclose(graph(images, strength), transform(images, strength, seed=3), atol=1e-6)
    assert len(traces) == 1


def test_without_a_sign_it_is_plus():
    images, strength = pictures(4, 4, 1), np.ones(2, "float32")
    np.testing.assert_array_equal(
        TRANSFORMS["Brightness"]()(images, strength),
        TRANSFORMS["Brightness"]()(images, strength, np.ones(2, "float32")),
    )


def test_luma():
    np.testing.assert_allclose(luma(np.array([[[[1.0, 0.0, 0.0]]]], "float32")), [[[[0.299]]]])
    np.testing.assert_allclose(luma(np.array([[[[0.2, 0.4]]]], "float32")), [[[[0.3]]]])


def test_where_image():
    ones, zeros = np.ones((2, 1, 2, 1), "float32"), np.zeros((2, 1, 2, 1), "float32")
    np.testing.assert_array_equal(where_image(np.array([True, False]), ones, zeros), np.stack([ones[0], zeros[0]]))


def test_unknown_mapping():
    with pytest.raises(ValueError, match="mapping='hard'"):
        Identity("hard")


def test_a_name_is_registered_once():
    class Identity(TRANSFORMS["Identity"]):
        pass

    with pytest.raises(ValueError, match="name='Identity'"):
        register_transform(Identity)
    assert TRANSFORMS["Identity"] is not Identity


@pytest.mark.parametrize("names", [["Rotat"], [], ["Rotate", "Rotate"], "Rotate"])
def test_wrong_names(names):
    with pytest.raises(ValueError, match="Received: operations="):
        transforms_named(names)


def test_the_table_of_the_documentation_is_that_of_the_code():
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "docs" / "augmentation.md").read_text().splitlines()]
    said = {row[0].strip("`"): (row[2], row[3], row[4]) for row in rows if len(row) == 5 and row[0].startswith("`")}
    ours = {name: t for name, t in TRANSFORMS.items() if t.__module__.startswith("keras_dha.")}
    assert said == {
        name: ("yes" if t.two_sided else "no", t.image_gradient, t.strength_gradient or "none")
        for name, t in ours.items()
    }
    assert list(said) == sorted(said)
