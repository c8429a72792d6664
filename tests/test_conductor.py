"""The two phases of a fit, its callbacks, its time, and how it goes on after an interruption."""

import csv
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TinySpace, assert_same, images, search_model, weights_of

from keras_dha import SearchModel
from keras_dha.augmentation import PairPolicy
from keras_dha.relaxations import OneHotSample, Softmax, SparseCode
from keras_dha.safe_backup import SafeBackup
from keras_dha.schedules import Schedule

X, Y = images()
EPOCHS = 4


def quick_model(**parts: Any) -> SearchModel:
    """Traced fast: pictures are not changed, and no branch is skipped."""
    return search_model(**{"space": TinySpace(normalize=False), "augmentation": None, "relaxation": Softmax(), **parts})


class KilledError(Exception):
    """Stands for the end of the process."""


class Kill(keras.callbacks.Callback):
    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch:
            raise KilledError


def fit(model: SearchModel, *callbacks: Any, **arguments: Any) -> dict[str, list[float]]:
    return model.fit(
        X, Y, **{"batch_size": 16, "epochs": EPOCHS, "verbose": 0, "callbacks": list(callbacks), **arguments}
    ).history


def searched(fraction: float) -> Schedule:
    return Schedule(search_fraction=fraction, warmup_fraction=0.0, hyperparameters_every=2)


@pytest.mark.parametrize(("fraction", "phases"), [(0.25, [0, 1, 1, 1]), (0.4, [0, 1, 1, 1]), (1.0, [0, 0, 0, 0])])
def test_the_search_ends_where_the_schedule_says(fraction: float, phases: list[int]) -> None:
    model = quick_model(schedule=searched(fraction))
    assert fit(model)["phase"] == phases
    assert model.settled


def test_a_code_that_rests_in_the_warm_up_has_not_settled() -> None:
    # It once froze at the end of the first epoch, for it had not moved: all of the search was skipped.
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.5, hyperparameters_every=2)
    model = quick_model(relaxation=SparseCode(exploration=0.25, tolerance=0.0), schedule=schedule)
    assert fit(model)["phase"] == [0, 0, 0, 0]


def test_the_search_ends_when_every_choice_is_frozen() -> None:
    model = quick_model(schedule=searched(1.0))
    freeze = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, _: [part.freeze() for part in model.choice_relaxations] if epoch == 1 else None
    )
    assert fit(model, freeze)["phase"] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("fraction", "relaxation", "backup"),
    [(0.25, Softmax, SafeBackup), (0.4, Softmax, keras.callbacks.BackupAndRestore), (0.75, SparseCode, SafeBackup)],
    ids=["after", "amid", "before"],
)
def test_kill_and_resume_is_as_if_nothing_had_happened(
    fraction: float, relaxation: Any, backup: Any, tmp_path: Path
) -> None:
    """The kill comes before epoch 2: after the search, after a search that ended within an epoch, within the search."""
    parts = {"schedule": searched(fraction), "relaxation": relaxation()}
    undisturbed = quick_model(**parts)
    expected = fit(undisturbed)
    with pytest.raises(KilledError):
        fit(quick_model(**parts), backup(tmp_path / "backup"), Kill(2))
    resumed = quick_model(**parts)
    found = fit(resumed, backup(tmp_path / "backup"))
    assert found == {name: values[2:] for name, values in expected.items() if values[2:]}
    assert_same(weights_of(undisturbed), weights_of(resumed))
    assert undisturbed.decisions() == resumed.decisions()


def test_kill_and_resume_with_augmentation_and_dropout(tmp_path: Path) -> None:
    policy = PairPolicy(("Identity", "Brightness"))
    models = [quick_model(space=DropoutSpace(), augmentation=policy, hyperparameters=None) for _ in range(3)]
    expected = fit(models[0], epochs=2)
    with pytest.raises(KilledError):
        fit(models[1], SafeBackup(tmp_path / "backup"), Kill(1), epochs=2)
    found = fit(models[2], SafeBackup(tmp_path / "backup"), epochs=2)
    # A state that was not restored would show at once; the last bit depends on how busy the machine's threads are.
    for name, values in expected.items():
        assert found[name] == pytest.approx(values[1:], rel=1e-5)
    assert_same(weights_of(models[0]), weights_of(models[2]), rtol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class DropoutSpace(TinySpace):
    def convolution(self, size: int, strides: int = 1) -> Any:
        return lambda x: keras.layers.Dropout(0.2)(keras.layers.Conv2D(4, size, strides, padding="same")(x))


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_saved_model_goes_on_where_it_was(epoch: int, tmp_path: Path) -> None:
    """Saved in the search, or while settling."""
    path = tmp_path / "{epoch}.keras"
    undisturbed = quick_model()
    expected = fit(undisturbed, keras.callbacks.ModelCheckpoint(path))
    loaded = keras.models.load_model(str(path).format(epoch=epoch))
    assert loaded.settled == (epoch == 3)
    found = fit(loaded, initial_epoch=epoch)
    assert found == {name: values[epoch:] for name, values in expected.items() if values[epoch:]}
    assert_same(weights_of(undisturbed), weights_of(loaded))


def test_a_second_fit_trains_the_settled_model_on() -> None:
    model = quick_model()
    fit(model)
    decisions, before = model.decisions(), weights_of(model)
    assert fit(model, epochs=2, time_budget=1e4)["phase"] == [1.0, 1.0]
    assert model.decisions() == decisions
    assert not np.array_equal(*(np.concatenate([np.ravel(v) for v in w.values()]) for w in (before, weights_of(model))))


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    runs = []
    for seed in (5, 5, 6):
        model = quick_model(seed=seed, augmentation=PairPolicy(("Identity", "Brightness")), relaxation=OneHotSample())
        runs.append((fit(model, epochs=2), weights_of(model)))
        keras.utils.set_random_seed(np.random.SeedSequence().entropy % 1000)  # must not matter
    assert runs[0][0] == runs[1][0]
    assert_same(runs[0][1], runs[1][1])
    assert runs[0][0]["loss"] != runs[2][0]["loss"]


def test_a_tiny_time_budget_ends_settled() -> None:
    model = quick_model()
    history = fit(model, epochs=1000, time_budget=0.5)
    assert len(history["loss"]) == 1
    assert model.settled
    np.testing.assert_allclose(model.derive()(X), model(X), atol=1e-5)


def test_a_time_budget_bounds_the_fit_and_is_not_counted_twice() -> None:
    model = quick_model(schedule=searched(0.5))
    fit(model, epochs=1)  # a settled model from before, with some seconds of its own
    started = time.monotonic()
    seconds: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seconds.append(float(model.seconds.numpy())))
    fit(model, clock, epochs=10000, time_budget=5.0)
    taken = time.monotonic() - started
    assert 4.5 <= taken < 10.0
    assert seconds == sorted(seconds)
    assert seconds[-1] <= taken


def test_the_time_before_an_interruption_counts(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        fit(quick_model(), keras.callbacks.BackupAndRestore(tmp_path / "backup"), Kill(1), epochs=2)
    model = quick_model()
    started: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_train_begin=lambda *_: model.seconds.assign(model.seconds + 1e6))
    done = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: started.append(1.0))
    fit(model, keras.callbacks.BackupAndRestore(tmp_path / "backup"), clock, done, epochs=2, time_budget=1e6)
    assert len(started) == 1  # one step, and the budget is seen to be gone


def test_callbacks_of_keras(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    model = quick_model()
    stop = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9, restore_best_weights=True)
    fit(
        model,
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
        keras.callbacks.ModelCheckpoint(tmp_path / "last.weights.h5", save_weights_only=True),
        stop,
    )
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2  # stopped after the second
    assert {"phase", "entropy", "learning_rate", "weight_decay", "loss"} <= set(rows[0])
    assert list((tmp_path / "board" / "train").iterdir())
    assert model.settled  # although the weights of the first epoch, of the search, are back
    np.testing.assert_allclose(model.derive()(X), model(X), atol=1e-5)
    again = quick_model()
    again.compile()
    again.load_weights(tmp_path / "last.weights.h5")
    assert not again.settled


def test_weights_of_another_phase_may_be_loaded_at_any_time(tmp_path: Path) -> None:
    model = quick_model()
    model.compile()
    searching = model.get_weights()
    before = model.predict(X, verbose=0)
    fit(model)
    model.save_weights(tmp_path / "settled.weights.h5")
    after = model.predict(X, verbose=0)
    model.set_weights(searching)
    assert not model.settled
    np.testing.assert_array_equal(model.predict(X, verbose=0)[:, :1].shape, before[:, :1].shape)
    fresh = quick_model()
    fresh.compile()
    fresh.predict(X, verbose=0)
    fresh.load_weights(tmp_path / "settled.weights.h5")
    assert fresh.settled
    np.testing.assert_array_equal(fresh.predict(X, verbose=0), after)
