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
def test_an_optimizer_moves_only_its_role(name: str) -> None:
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1)
    learned = {"augmentation": small_policy(), "hyperparameters": (LearningRate(0.05), WeightDecay(5e-4))}
    model = SearchModel(TinySpace(normalize=False), RECIPES[name](), **learned, schedule=schedule, seed=0)
    model.compile()
    one_at_a_time = OneAtATime()
    model.fit(X, Y, batch_size=16, epochs=len(OPTIMIZERS), callbacks=[one_at_a_time], verbose=0)
    assert set(one_at_a_time.moved) == set(OPTIMIZERS)
    for optimizer, moved in one_at_a_time.moved.items():
        assert OPTIMIZERS[optimizer] in moved
        assert moved <= {OPTIMIZERS[optimizer], roles.WEIGHT}


# Some recipes fix the architecture after an epoch or two, and with it the hyper-parameters.
ORDER = ("architecture_optimizer", "hyperparameter_optimizer", "augmentation_optimizer", "optimizer")


class OneAtATime(keras.callbacks.Callback):
    """In each epoch one optimizer has its learning rate, and the others 0 and no momentum: which roles move?

    The rate of the weights is learned, so that they move in all epochs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moved: dict[str, set[str]] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        self.optimizers = {name: getattr(self.model, name) for name in OPTIMIZERS}
        self.rates = {name: float(optimizer.learning_rate.numpy()) for name, optimizer in self.optimizers.items()}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.moving = ORDER[epoch]
        for name, optimizer in self.optimizers.items():
            if name != "optimizer":
                optimizer.learning_rate = self.rates[name] if name == self.moving else 0.0
                for slot in optimizer.variables:
                    if not slot.path.endswith(("iteration", "learning_rate")):
                        slot.assign(keras.ops.zeros_like(slot))
        if self.moving in ("architecture_optimizer", "augmentation_optimizer"):
            still_weights(self.model)
        self.before = self.values()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        after = self.values()
        pairs = {role: zip(self.before[role], after[role]) for role in roles.ROLES}
        self.moved[self.moving] = {
            role for role, values in pairs.items() if any(not np.array_equal(a, b) for a, b in values)
        }

    def values(self) -> dict[str, list[np.ndarray]]:
        parts = roles.partition(self.model.trainable_variables)
        return {role: [v.numpy() for v in variables] for role, variables in parts.items()}


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
