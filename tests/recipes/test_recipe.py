"""What every recipe must do."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TinySpace, images

from keras_dha import SearchModel, roles
from keras_dha.compiled_model import OPTIMIZERS
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.recipes import RECIPES, Recipe
from keras_dha.schedules import Schedule

X, Y = images()


@pytest.mark.parametrize("name", RECIPES)
def test_fit_derive_export_reload(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    model = SearchModel(TinySpace(), RECIPES[name](), seed=0)
    history = model.fit(X, Y, batch_size=16, epochs=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert model.settled
    expected = model.predict(X, verbose=0)
    final = model.derive()
    np.testing.assert_allclose(final.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "search.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "search.keras").predict(X, verbose=0), expected)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served").signatures["serve"](tf.constant(X))
    np.testing.assert_allclose(served["logits"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.sum(served["probabilities"], axis=-1), 1.0, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*sits at its bound")
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("moving", OPTIMIZERS)
def test_an_optimizer_moves_only_its_role(name: str, moving: str) -> None:
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1)
    learned = {"augmentation": small_policy(), "hyperparameters": (LearningRate(0.05), WeightDecay(5e-4))}
    model = SearchModel(TinySpace(normalize=False), RECIPES[name](), **learned, schedule=schedule, seed=0)
    still = {other: keras.optimizers.SGD(0.0) for other in OPTIMIZERS if other not in (moving, "optimizer")}
    model.compile(**still)
    if moving != "optimizer":  # the rate of the weights is learned: it is held where it is, nearly 0
        still_weights(model)
    before = {role: [v.numpy() for v in vs] for role, vs in roles.partition(model.trainable_variables).items()}
    model.fit(X, Y, batch_size=32, epochs=1, verbose=0)
    after = {role: [v.numpy() for v in vs] for role, vs in roles.partition(model.trainable_variables).items()}
    moved = {role for role in roles.ROLES if any(not np.array_equal(a, b) for a, b in zip(before[role], after[role]))}
    assert OPTIMIZERS[moving] in moved
    assert moved <= {OPTIMIZERS[moving], roles.WEIGHT}


def small_policy() -> Any:
    from keras_dha.augmentation import PairPolicy

    return PairPolicy(("Identity", "Brightness"))


def still_weights(model: SearchModel) -> None:
    for part in model.learned:
        part.assign(part.bounds[0])


@pytest.mark.parametrize("name", RECIPES)
def test_round_trip_of_parts(name: str) -> None:
    recipe = RECIPES[name]()
    again = recipe.with_parts(recipe.parts())
    assert again.parts() == recipe.parts()
    assert again.relaxation is not recipe.relaxation
    assert isinstance(again, Recipe)
    assert again.name == name


def test_parts_that_are_off_stay_off() -> None:
    recipe = RECIPES["dha"]().replace(augmentation=None, hyperparameters=())
    again = recipe.with_parts(recipe.parts())
    assert again.augmentation is None
    assert again.hyperparameters == ()


def test_a_part_of_a_wrong_kind() -> None:
    with pytest.raises(TypeError, match="Received: schedule='cosine'"):
        RECIPES["dha"]().replace(schedule="cosine")


def test_two_hyperparameters_of_one_name() -> None:
    """Of two, hyperparameters() and the history would have shown one."""
    with pytest.raises(ValueError, match=r"different names. Received: \['learning_rate', 'learning_rate'\]"):
        RECIPES["dha"]().replace(hyperparameters=(LearningRate(), LearningRate()))
