import numpy as np
import pytest

from keras_dha.augmentation import RandAugment, TrivialAugment

IMAGES = np.random.default_rng(0).random((3000, 2, 2, 1), "float32")
THREE = ("Brightness", "Invert", "Identity")


def test_rand_augment_draws_so_many_operations_uniformly_of_one_strength() -> None:
    _, draws = RandAugment(THREE, num_layers=3, strength=0.3, seed=0).augment(IMAGES)
    operation = np.asarray(draws["operation"])
    assert operation.shape == (3000, 3)
    counts = np.bincount((operation * [9, 3, 1]).sum(1), minlength=27)
    assert abs(counts - 3000 / 27).max() < 50
    np.testing.assert_allclose(draws["strength"], 0.3)
    assert abs(np.mean(draws["sign"])) < 0.05


@pytest.mark.parametrize("num_layers", [1, 2, 3, 4])
def test_rand_augment_applies_them_all(num_layers: int) -> None:
    out = RandAugment(("Invert",), num_layers=num_layers, seed=0)(IMAGES[:8])
    np.testing.assert_allclose(out, 1 - IMAGES[:8] if num_layers % 2 else IMAGES[:8], atol=1e-6)


def test_trivial_augment_draws_one_operation_and_any_strength() -> None:
    _, draws = TrivialAugment(THREE, seed=0).augment(IMAGES)
    assert np.asarray(draws["operation"]).shape == (3000, 1)
    assert abs(np.bincount(np.asarray(draws["operation"])[:, 0]) - 1000).max() < 120
    assert abs(np.histogram(draws["strength"], 10, (0, 1))[0] - 300).max() < 80


def test_entropy_is_that_of_uniform_draws() -> None:
    assert float(RandAugment(THREE, num_layers=3).entropy()) == pytest.approx(3 * np.log(3))
    assert float(TrivialAugment().entropy()) == pytest.approx(np.log(14))


def test_nothing_is_learned() -> None:
    assert not RandAugment().trainable_variables
    assert float(RandAugment().loss({}, np.ones(3))) == 0.0


@pytest.mark.parametrize("arguments", [{"num_layers": 0}, {"strength": 1.5}, {"strength": float("nan")}])
def test_wrong_arguments(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="num_layers must be at least 1, and strength in"):
        RandAugment(**arguments)
