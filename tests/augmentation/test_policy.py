"""What all policies do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.augmentation import (
    AugmentationPolicy,
    Crop,
    DADAPolicy,
    HorizontalFlip,
    PairPolicy,
    RandAugment,
    RelaxedPolicy,
    TrivialAugment,
)

KINDS = (DADAPolicy, PairPolicy, RandAugment, RelaxedPolicy, TrivialAugment)
BYTES = np.random.default_rng(0).integers(0, 256, (16, 6, 5, 3), "uint8")
FLOATS = BYTES.astype("float32") / 255
every_kind = pytest.mark.parametrize("kind", KINDS)


def subclasses(cls: type) -> set[type]:
    return {cls} | {below for sub in cls.__subclasses__() for below in subclasses(sub)}


def test_every_kind_is_tested_here() -> None:
    ours = {kind for kind in subclasses(AugmentationPolicy) if kind.__module__.startswith("keras_dha.")}
    assert {kind for kind in ours if not kind.__abstractmethods__ and not kind.__name__.startswith("_")} == set(KINDS)


def strong(kind: type[AugmentationPolicy], **arguments: object) -> AugmentationPolicy:
    policy = kind(**{"seed": 0, **arguments})
    policy.set_phase(settled=True)
    return policy


@every_kind
def test_bytes_come_back_as_bytes(kind: type[AugmentationPolicy]) -> None:
    out = np.asarray(strong(kind)(BYTES))
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out, np.round(255 * np.asarray(strong(kind)(FLOATS))))
    assert (out != BYTES).mean() > 0.2


@every_kind
def test_channels_may_come_first(kind: type[AugmentationPolicy]) -> None:
    first = strong(kind, data_format="channels_first")(FLOATS.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(np.asarray(first).transpose(0, 2, 3, 1), strong(kind)(FLOATS))


@every_kind
def test_an_image_may_come_alone(kind: type[AugmentationPolicy]) -> None:
    np.testing.assert_array_equal(strong(kind)(FLOATS[0]), strong(kind)(FLOATS[:1])[0])


@every_kind
def test_a_dataset_is_mapped_with_its_labels(kind: type[AugmentationPolicy]) -> None:
    dataset = tf.data.Dataset.from_tensor_slices((BYTES, np.arange(16))).batch(5)
    mapped = list(dataset.map(strong(kind)))
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in mapped]), np.arange(16))
    images = np.concatenate([images for images, _ in mapped])
    assert images.dtype == np.uint8
    assert (images != BYTES).mean() > 0.2
    alone = next(iter(tf.data.Dataset.from_tensor_slices(BYTES).map(strong(kind))))
    assert alone.shape == BYTES.shape[1:]


@every_kind
def test_in_a_model_it_augments_in_training_only(kind: type[AugmentationPolicy]) -> None:
    inputs = keras.Input((6, 5, 3), dtype="uint8")
    model = keras.Model(inputs, strong(kind)(inputs))
    assert model.output.dtype == "uint8"
    np.testing.assert_array_equal(model(BYTES, training=False), BYTES)
    np.testing.assert_array_equal(model.predict(BYTES, verbose=0), BYTES)
    assert (np.asarray(model(BYTES, training=True)) != BYTES).mean() > 0.2


@every_kind
def test_a_config_is_a_policy_again_and_draws_the_same(kind: type[AugmentationPolicy]) -> None:
    own = {"operations": ("Rotate", "Cutout", "FlipX"), "base": (Crop(2), HorizontalFlip()), "fill": 0.3}
    policy = kind(**own, seed=4, data_format="channels_first")
    again = kind.from_config(policy.get_config())
    assert again.get_config() == policy.get_config()
    np.testing.assert_array_equal(again(FLOATS.transpose(0, 3, 1, 2)), policy(FLOATS.transpose(0, 3, 1, 2)))


@every_kind
def test_a_saved_model_goes_on_drawing_where_it_was(kind: type[AugmentationPolicy], tmp_path) -> None:
    model = keras.Sequential([keras.Input((6, 5, 3)), strong(kind, operations=("Rotate", "Cutout", "FlipX"))])
    model(FLOATS, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(FLOATS, training=True), model(FLOATS, training=True))


@every_kind
def test_replicas_draw_others(kind: type[AugmentationPolicy]) -> None:
    one, other = (np.asarray(strong(kind).augment(FLOATS, replica=number)[0]) for number in (0, 1))
    assert np.abs(one - other).max() > 0.1


@every_kind
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (255 * FLOATS, r"must lie in \[0, 1\]. Received: images from 0 to 255"),
        (np.full((1, 2, 2, 1), np.nan, "float32"), "from nan to nan"),
        (FLOATS[0, 0], r"Received: shape=\(5, 3\)"),
        (BYTES.astype("int32"), "dtype=int32"),
    ],
)
def test_wrong_images(kind: type[AugmentationPolicy], images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind()(images)


@every_kind
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operations": ()}, r"operations=\(\)"),
        ({"operations": ("Twist",)}, r"unknown=\['Twist'\]"),
        ({"data_format": "NCHW"}, "data_format='NCHW'"),
        ({"base": Crop()}, "base must be a sequence"),
        ({"fill": 2.0}, r"fill must be .*Received: fill=2\.0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_wrong_arguments(kind: type[AugmentationPolicy], arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_numbers_out_of_range_are_cut_off_in_a_graph() -> None:
    out = tf.function(RandAugment(("Identity",)))(tf.constant(3.0 * FLOATS))
    np.testing.assert_allclose(out, np.minimum(3.0 * FLOATS, 1.0), rtol=1e-6)


def test_a_summary_says_in_words_what_is_done(capsys) -> None:
    policy = PairPolicy(("Rotate", "Solarize"), search_magnitude=2.0)
    policy.logits.assign(np.log([[0.1, 0.2], [0.6, 0.1]]))
    policy.summary(count=2)
    assert capsys.readouterr().out.splitlines() == [
        "Two of 2 operations for each image, of strengths up to 0.25; the most probable pairs:",
        "Solarize, then Rotate: 60.00% of the images, 2.40 times as many as if all pairs were alike.",
        "Rotate, then Solarize: 20.00% of the images, 0.80 times as many as if all pairs were alike.",
    ]
    said: list[str] = []
    RandAugment(("Rotate", "Invert"), num_layers=3, strength=0.3).summary(print_fn=said.append)
    TrivialAugment(("Rotate", "Invert")).summary(print_fn=said.append)
    assert said == [
        "3 operations for each image, of strength 0.3, drawn from 2: Rotate, Invert.",
        "1 operation for each image, of any strength, drawn from 2: Rotate, Invert.",
    ]
