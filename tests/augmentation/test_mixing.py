import json
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.augmentation import CutMix, Mixing, MixUp, PairPolicy, RandAugment, RelaxedPolicy, load

RNG = np.random.default_rng(0)
IMAGES = RNG.random((64, 8, 6, 3), "float32")
LABELS = np.eye(5, dtype="float32")[RNG.integers(0, 5, 64)]
both = pytest.mark.parametrize("kind", [MixUp, CutMix])


def mixed(mixing: Mixing, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, shares and partners."""
    draws = mixing.draw(len(IMAGES), keras.random.SeedGenerator(seed))
    images, share = mixing.mix(IMAGES, draws)
    return np.asarray(images), np.asarray(share), np.asarray(draws["partner"])


@both
def test_at_least_half_of_an_image_stays(kind: type[Mixing]) -> None:
    images, share, partner = mixed(kind())
    assert images.shape == IMAGES.shape
    assert sorted(partner) == list(range(64))
    assert 0.5 <= share.min() < 0.6
    assert 0.9 < share.max() <= 1.0
    assert 0.0 <= images.min() <= images.max() <= 1.0


def test_mixup_is_a_weighted_sum() -> None:
    images, share, partner = mixed(MixUp(0.7))
    share = share[:, None, None, None]
    np.testing.assert_allclose(images, share * IMAGES + (1 - share) * IMAGES[partner], atol=1e-6)
    assert abs(np.mean(share) - (1 - 0.7 / 4)) < 0.03


def test_cutmix_puts_in_a_box() -> None:
    images, share, partner = mixed(CutMix(1.0))
    difference = IMAGES[partner] - IMAGES
    box = (images - IMAGES) / np.where(difference == 0.0, 1.0, difference)
    for one, other, part in zip(box, difference, share):
        if np.abs(other).min() > 1e-3:  # the same image, or nearly the same pixel
            np.testing.assert_allclose(1 - one.mean(), part, atol=1e-3)
            rows, columns = one.max(axis=(1, 2)), one.max(axis=(0, 2))
            if rows.max() == columns.max() == 1.0:
                np.testing.assert_allclose(one[..., 0], rows[:, None] * columns, atol=1e-3)
    assert (np.abs(box - 1.0) < 1e-5).mean() > 0.05


@both
def test_strength_zero_changes_nothing(kind: type[Mixing]) -> None:
    images, share, _ = mixed(kind(0.0))
    np.testing.assert_allclose(images, IMAGES, atol=1e-6)
    np.testing.assert_allclose(share, 1.0, atol=1e-6)


@both
def test_a_learned_strength_has_its_gradient(kind: type[Mixing]) -> None:
    upstream = RNG.normal(size=IMAGES.shape).astype("float32")

    def value(mixing: Mixing) -> Any:
        images, share = mixing.mix(IMAGES, mixing.draw(len(IMAGES), keras.random.SeedGenerator(0)))
        return tf.reduce_sum(images * upstream) + tf.reduce_sum(share)

    mixing = kind(0.6, learned=True)
    assert float(mixing.strength()) == pytest.approx(0.6)
    with tf.GradientTape() as tape:
        found = value(mixing)
    slope = float(tape.gradient(found, mixing.trainable_variables[0]))
    sides = []
    for move in (0.01, -0.01):
        moved = kind(0.6, learned=True)
        moved.logit.assign_add(move)
        sides.append(float(value(moved)))
    assert slope == pytest.approx((sides[0] - sides[1]) / 0.02, rel=0.1)
    assert not kind(0.6).weights


@both
def test_a_dataset_is_mixed_with_its_labels(kind: type[Mixing]) -> None:
    policy = RandAugment(("Identity",), mixing=kind(1.0), seed=0)
    dataset = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(16).map(policy)
    images, labels = (np.concatenate(parts) for parts in zip(*[(x.numpy(), y.numpy()) for x, y in dataset]))
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, rtol=1e-5)
    assert ((labels > 0).sum(axis=1) == 2).mean() > 0.5
    assert (labels * LABELS).sum(axis=1).min() >= 0.499
    assert (images != IMAGES).mean() > 0.1
    np.testing.assert_array_equal(policy(IMAGES, LABELS, training=False)[1], LABELS)


def test_channels_may_come_first_and_bytes_stay_bytes() -> None:
    policies = [
        RandAugment(("Identity",), mixing=CutMix(), seed=0, data_format=f"channels_{at}") for at in ("last", "first")
    ]
    x = np.round(255 * IMAGES).astype("uint8")
    last, labels = policies[0](x, LABELS)
    first, same = policies[1](x.transpose(0, 3, 1, 2), LABELS)
    assert np.asarray(last).dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(first).transpose(0, 2, 3, 1), last)
    np.testing.assert_array_equal(labels, same)


def test_labels_that_cannot_be_mixed() -> None:
    policy = RandAugment(mixing=MixUp())
    for labels in (None, LABELS.argmax(1), LABELS.astype("int32")):
        with pytest.raises(ValueError, match="be one-hot: floats of shape"):
            policy(IMAGES, labels)
    with pytest.raises(ValueError, match="Images must come in batches to be mixed"):
        policy(IMAGES[0], LABELS[0])


@pytest.mark.parametrize("kind", [PairPolicy, RandAugment, RelaxedPolicy])
@pytest.mark.parametrize("learned", [False, True])
def test_it_comes_back_from_files(kind: Any, learned: bool, tmp_path: Any) -> None:
    policy = kind(("Brightness", "Identity"), mixing=MixUp(0.5, learned=learned), seed=0)
    policy.set_phase(settled=True)
    if learned:
        policy.mixing.logit.assign(1.5)
    (tmp_path / "policy.json").write_text(json.dumps(policy.policy()))
    loaded = load(tmp_path / "policy.json", seed=0)
    assert type(loaded.mixing) is MixUp
    assert float(loaded.mixing.strength()) == pytest.approx(float(policy.mixing.strength()))
    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), policy])
    model.save(tmp_path / "model.keras")
    saved = keras.saving.load_model(tmp_path / "model.keras").layers[0]
    assert float(saved.mixing.strength()) == pytest.approx(float(policy.mixing.strength()))
    for one, other in zip(saved(IMAGES, LABELS), policy(IMAGES, LABELS)):
        np.testing.assert_allclose(one, other, atol=1e-6)
    policy.summary(print_fn=(said := []).append)
    assert said[-1].startswith("MixUp: up to")


def test_a_learned_strength_that_rounding_took_to_its_end_comes_back() -> None:
    policy = RandAugment(("Identity",), mixing=MixUp(0.5, learned=True))
    for end in (-200.0, 200.0):
        policy.mixing.logit.assign(end)
        assert float(load(policy.policy()).mixing.strength()) == pytest.approx(
            float(policy.mixing.strength()), abs=1e-5
        )


def test_a_file_from_before_there_was_mixing() -> None:
    data = RandAugment().policy()
    del data["mixing"]
    assert load(data).mixing is None
    with pytest.raises(ValueError, match="A policy's mixing must name registered Mixings"):
        load({**data, "mixing": {"name": "keras_dha>Crop", "config": {}}})


@pytest.mark.parametrize(
    "arguments", [{"strength": 1.5}, {"strength": float("nan")}, {"strength": 1.0, "learned": True}]
)
def test_wrong_arguments(arguments: Any) -> None:
    with pytest.raises(ValueError, match="strength must be in"):
        MixUp(**arguments)
    with pytest.raises(ValueError, match="mixing must be a Mixing, or None"):
        PairPolicy(mixing="mixup")
