"""One fit: both phases, what it leaves, and what each step moves."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TinySpace, assert_same, images, recipe, search_model, weights_of

import keras_dha
from keras_dha import SearchModel, roles
from keras_dha.hyperparameters import LearningRate
from keras_dha.relaxations import OneHotSample, Softmax
from keras_dha.schedules import Schedule

X, Y = images()
PROGRAM = """
import sys, json, warnings
sys.modules["keras_dha"] = None  # cannot be imported
import keras, numpy as np, tensorflow as tf
x = np.load(sys.argv[1])
warnings.simplefilter("error", UserWarning)  # such as: an optimizer has other variables than the model says
model = keras.models.load_model(sys.argv[2])
served = tf.saved_model.load(sys.argv[3]).signatures["serve"](tf.constant(x))
print(json.dumps([model.predict(x, verbose=0).tolist(), served["logits"].numpy().tolist(), model.compiled]))
"""


@pytest.fixture(scope="module")
def fitted() -> tuple[SearchModel, dict[str, list[float]]]:
    """DHA with all its parts, after two epochs of search and two of settling; nobody trains it any further."""
    keras.utils.set_random_seed(0)
    model = search_model()
    history = model.fit(X, Y, batch_size=16, epochs=4, validation_data=(X[:20], Y[:20]), verbose=0)
    return model, history.history


def test_history(fitted: Any) -> None:
    _, history = fitted
    assert history["phase"] == [0.0, 0.0, 1.0, 1.0]
    shown = {"loss", "accuracy", "held_out_loss", "val_loss", "val_accuracy", "phase", "entropy", "policy_entropy"}
    assert set(history) == shown | {"learning_rate", "weight_decay"}
    assert len(history["held_out_loss"]) == 2  # epochs of search: the settle phase holds nothing out
    assert min(history["held_out_loss"]) > 0.0
    assert all(len(values) == 4 for name, values in history.items() if name != "held_out_loss")
    assert all(np.isfinite(values).all() for values in history.values())
    assert history["learning_rate"][1] > history["learning_rate"][2] > history["learning_rate"][3] > 0.0
    assert history["entropy"][0] != history["entropy"][1]


def test_results_are_plain_data(fitted: Any) -> None:
    model, _ = fitted
    assert model.settled
    model.decisions().validate(model.space.choices())
    data = [dict(model.decisions()), model.policy(), model.hyperparameters(), model.probabilities(), model.get_config()]
    assert len(json.loads(json.dumps(data))) == len(data)
    assert set(model.hyperparameters()) == {part.name for part in model.learned}
    for options in model.probabilities().values():
        assert sum(options.values()) == pytest.approx(1.0, abs=1e-5)


def test_scaling_was_adapted_to_the_pixels(fitted: Any) -> None:
    model, _ = fitted
    assert model.scaling.range.numpy().tolist() == [0.0, 255.0]
    assert abs(float(np.mean(model.scaling(X)))) < 0.1


def test_derived_model_equals_the_search_model(fitted: Any) -> None:
    model, _ = fitted
    final = model.derive()
    np.testing.assert_allclose(final.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-5)
    assert final.compiled
    found, expected = (m.evaluate(X, Y, verbose=0, return_dict=True) for m in (final, model))
    assert found == pytest.approx(expected, abs=1e-5)
    layers = final._flatten_layers(include_self=False)
    assert all(type(layer).__module__.startswith("keras.") for layer in layers)
    final.fit(X, Y, verbose=0)
    assert float(final.optimizer.learning_rate) == pytest.approx(0.1)  # the annealed one would be 0


def test_files_load_without_this_package(fitted: Any, tmp_path: Path) -> None:
    model, _ = fitted
    np.save(tmp_path / "x.npy", X[:5])
    model.derive().save(tmp_path / "model.keras")
    model.export(tmp_path / "served", verbose=False)
    paths = [str(tmp_path / name) for name in ("x.npy", "model.keras", "served")]
    out = subprocess.run([sys.executable, "-c", PROGRAM, *paths], capture_output=True, text=True, check=True)
    loaded, served, compiled = json.loads(out.stdout.splitlines()[-1])
    expected = model.predict(X[:5], verbose=0)
    np.testing.assert_allclose(loaded, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(served, expected, rtol=1e-5, atol=1e-5)
    assert compiled


def test_saving_a_settled_model(fitted: Any, tmp_path: Path) -> None:
    model, _ = fitted
    model.save(tmp_path / "search.keras")
    loaded = keras.models.load_model(tmp_path / "search.keras")
    assert loaded.compiled
    assert loaded.settled
    assert_same(weights_of(model), weights_of(loaded))
    for name in ("optimizer", "architecture_optimizer", "augmentation_optimizer", "hyperparameter_optimizer"):
        mine, theirs = (getattr(m, name).variables for m in (model, loaded))
        assert [v.numpy().tolist() for v in mine] == [v.numpy().tolist() for v in theirs]
    np.testing.assert_array_equal(np.asarray(loaded(X)), np.asarray(model(X)))
    assert loaded.decisions() == model.decisions()
    assert loaded.policy() == model.policy()
    assert loaded.get_config() == model.get_config()


def test_loading_with_nothing_but_the_import(tmp_path: Path) -> None:
    model = SearchModel(keras_dha.spaces.NASBench201Space((8, 8, 1), 3, channels=2, cells_per_stage=1), seed=0)
    model.save(tmp_path / "search.keras")
    program = "import sys, keras, keras_dha; m = keras.models.load_model(sys.argv[1]); print(len(m.decisions()))"
    out = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "search.keras")], capture_output=True, text=True, check=True
    )
    assert out.stdout.split()[-1] == "6"


@pytest.fixture(scope="module")
def stepped() -> tuple[dict[str, list[np.ndarray]], dict[str, list[np.ndarray]], SearchModel]:
    """Variables by role before and after three steps of a full search."""
    keras.utils.set_random_seed(0)
    model = search_model(schedule=Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1))
    before = by_role(model)
    model.fit(X, Y, batch_size=22, epochs=1, verbose=0)  # three steps
    return before, by_role(model), model


def by_role(model: SearchModel) -> dict[str, list[np.ndarray]]:
    return {role: [v.numpy() for v in vs] for role, vs in roles.partition(model.trainable_variables).items()}


@pytest.mark.parametrize("role", roles.ROLES)
def test_a_step_moves_every_role(stepped: Any, role: str) -> None:  # A5 of DHA
    before, after, _ = stepped
    moved = [not np.array_equal(a, b) for a, b in zip(before[role], after[role])]
    assert moved
    assert any(moved) if role == roles.WEIGHT else all(moved)


def test_every_trainable_variable_has_its_optimizer(stepped: Any) -> None:
    _, _, model = stepped
    for name, role in keras_dha.compiled_model.OPTIMIZERS.items():
        assert int(getattr(model, name).iterations) == 3, role


def fresh_steps(model: SearchModel, steps: int = 2) -> SearchModel:
    """A compiled model after some steps on the same batch."""
    model.compile()
    for _ in range(steps):
        model.train_on_batch(X[:16], Y[:16])
    return model


def test_branches_that_did_not_run_do_not_drift() -> None:  # D9 of DHA
    model = search_model(
        space=TinySpace(normalize=False), relaxation=OneHotSample(), augmentation=None, hyperparameters=None
    )
    fresh_steps(model, 3)  # all branches have momentum, probably
    edge = model.supernet.relaxations["edge"]
    edge.logits.assign([0.0, 1e6, 0.0])  # from now on "point" alone is drawn
    branches = {
        name: [v for m in model.supernet.mixtures if m.choice.name == "edge" for v in m.branches[i].weights]
        for i, name in enumerate(("conv", "point"))
    }
    before = {name: [v.numpy() for v in variables] for name, variables in branches.items()}
    for _ in range(3):
        model.train_on_batch(X[:16], Y[:16])
    for old, new in zip(before["conv"], branches["conv"]):
        np.testing.assert_array_equal(old, new.numpy())
    assert not np.array_equal(before["point"][0], branches["point"][0].numpy())


def test_a_frozen_choice_does_not_move_by_a_bit() -> None:  # A5, D8 of DHA
    model = search_model(
        space=TinySpace(normalize=False),
        relaxation=Softmax(),
        augmentation=None,
        hyperparameters=None,
    )
    fresh_steps(model, 2)
    edge, node = (model.supernet.relaxations[name] for name in ("edge", "node"))
    edge.freeze()
    before = [edge.logits.numpy(), node.logits.numpy()]
    for _ in range(2):
        model.train_on_batch(X[:16], Y[:16])
    np.testing.assert_array_equal(edge.logits.numpy(), before[0])
    assert not np.array_equal(node.logits.numpy(), before[1])


def test_the_architecture_rests_in_the_warmup() -> None:
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.5)
    model = search_model(
        space=TinySpace(normalize=False),
        relaxation=Softmax(),
        augmentation=None,
        hyperparameters=None,
        schedule=schedule,
    )
    history: list[np.ndarray] = [model.supernet.relaxations["edge"].logits.numpy()]
    remember = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: history.append(model.supernet.relaxations["edge"].logits.numpy())
    )
    model.fit(X, Y, batch_size=32, epochs=2, callbacks=[remember], verbose=0)
    assert np.array_equal(history[0], history[1])
    assert not np.array_equal(history[1], history[2])


def test_train_on_batch_and_the_other_plain_methods() -> None:
    model = search_model(space=TinySpace(normalize=False), augmentation=None)
    model.compile()
    first = model.train_on_batch(X, Y, return_dict=True)
    assert {"loss", "accuracy"} <= set(first)
    assert set(model.test_on_batch(X, Y, return_dict=True)) == {"loss", "accuracy"}
    assert set(model.evaluate(X, Y, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    assert model.predict(X[:7], verbose=0).shape == (7, 3)
    assert model.predict_on_batch(X[:7]).shape == (7, 3)


def test_eager_steps() -> None:
    model = search_model(space=TinySpace(normalize=False))
    model.compile(run_eagerly=True)
    model.fit(X, Y, batch_size=32, epochs=2, verbose=0)
    assert model.settled


def test_derive_before_settling_warns() -> None:
    model = search_model(space=TinySpace(normalize=False), augmentation=None)
    with pytest.warns(UserWarning, match="before the search has settled"):
        final = model.derive()
    assert not final.compiled


def test_half_precision() -> None:
    model = SearchModel(TinySpace(), recipe(), dtype="mixed_bfloat16", seed=0)
    assert keras.config.dtype_policy().name == "float32"
    model.fit(X, Y, batch_size=32, epochs=2, verbose=0)
    assert model.network.layers[1].compute_dtype == "bfloat16"
    final = model.derive()
    np.testing.assert_allclose(final.predict(X, verbose=0), model.predict(X, verbose=0), atol=0.02)
    again = SearchModel.from_config(model.get_config())
    assert again.network.layers[1].compute_dtype == "bfloat16"


def test_a_rate_that_is_much_too_small_rises() -> None:  # A4 of DHA
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2)).astype("float32")
    y = x @ np.array([[1.0], [-2.0]], "float32")
    from tiny_space import LineSpace

    model = SearchModel(
        LineSpace((2,), 1),
        recipe(
            relaxation=Softmax(),
            augmentation=None,
            hyperparameters=(LearningRate(1e-3, bounds=(1e-4, 0.1)),),
            schedule=Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1),
        ),
        seed=0,
    )
    model.compile(loss="mse", metrics=[], hyperparameter_optimizer=keras.optimizers.Adam(0.1))
    model.fit(x, y, batch_size=16, epochs=5, verbose=0)
    assert 2e-3 < model.hyperparameters()[model.learned[0].name] <= 0.1


def test_each_phase_is_traced_once(monkeypatch: Any) -> None:
    traced: list[bool] = []
    step = SearchModel.train_step
    monkeypatch.setattr(
        SearchModel, "train_step", lambda self, data: traced.append(self._settled_in_graph) or step(self, data)
    )
    model = search_model(space=TinySpace(normalize=False), augmentation=None)
    model.fit(X, Y, batch_size=16, epochs=4, validation_data=(X, Y), verbose=0)
    assert traced == [False, True]
