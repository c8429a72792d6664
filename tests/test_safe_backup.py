import os
import signal

import keras
import numpy as np
import pytest

from keras_dha.safe_backup import SafeBackup, interrupts_delayed, read_backup


@pytest.fixture
def interruptible():
    """A process that a shell started in the background ignores interrupts; here they count."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_the_end_of_a_write():
    steps = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - what comes after the signal is the point
        with interrupts_delayed():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("written")
        steps.append("never")
    assert steps == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def fit(folder, epochs, *, writes=True):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.ones((4, 1), np.float32)
    history = model.fit(x, x, batch_size=4, epochs=epochs, verbose=0, callbacks=[SafeBackup(folder, writes=writes)])
    return history.epoch, model.get_weights()[0][0, 0]


def test_a_fit_goes_on_where_its_backup_stands(tmp_path):
    whole = fit(tmp_path / "whole", 3)
    assert fit(tmp_path / "parts", 1)[0] == [0]
    assert fit(tmp_path / "parts", 3) == ([1, 2], whole[1])
    assert fit(tmp_path / "parts", 3)[0] == []
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["parts", "whole"]


def test_an_end_in_the_middle_of_a_write_leaves_the_old_backup(tmp_path):
    fit(tmp_path / "b", 1)
    (tmp_path / "partial.b").write_bytes((tmp_path / "b").read_bytes()[:100])
    assert fit(tmp_path / "b", 2)[0] == [1]


def test_a_backup_of_another_model_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", np.zeros((1, 2)), epoch=1)
    with pytest.raises(ValueError, match=r"that of the model that goes on. Received: .* of 1 variables, a model of 4"):
        fit(tmp_path / "other.npz", 2)


@pytest.mark.parametrize("epoch", [-1, 1.5, [1], "1"])
def test_a_backup_of_no_epoch_is_refused(tmp_path, epoch):
    np.savez(tmp_path / "b.npz", np.zeros((1, 1)), epoch=epoch)
    with pytest.raises(
        ValueError, match=r"must be a whole file of numbers that a fit wrote. Received: .*b.npz \(epoch=array"
    ):
        fit(tmp_path / "b.npz", 2)


def test_a_backup_of_texts_is_refused(tmp_path):
    np.savez(tmp_path / "b.npz", np.array([["x"]]), epoch=1)
    with pytest.raises(ValueError, match=r"must be a whole file of numbers .*no numbers in \['arr_0'\]"):
        fit(tmp_path / "b.npz", 2)


@pytest.mark.parametrize("size", [0, 10, 100, -30, -1])
def test_a_backup_that_is_cut_off_is_refused(tmp_path, size):
    fit(tmp_path / "b", 1)
    whole = (tmp_path / "b").read_bytes()
    (tmp_path / "b").write_bytes(whole[:size])
    with pytest.raises(ValueError, match="must be a whole file of numbers that a fit wrote"):
        fit(tmp_path / "b", 2)
    assert (tmp_path / "b").read_bytes() == whole[:size]


def test_who_does_not_write_restores_all_the_same(tmp_path):
    whole = fit(tmp_path / "whole", 3)
    fit(tmp_path / "b", 1)
    assert fit(tmp_path / "b", 3, writes=False) == ([1, 2], whole[1])
    assert fit(tmp_path / "b", 3)[0] == [1, 2]


class Counter(keras.callbacks.Callback):
    """Counts epochs."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


def counted(path, epochs):
    counter = Counter()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 1), np.float32)
    model.fit(x, x, epochs=epochs, verbose=0, callbacks=[counter, SafeBackup(path, beside=counter)])
    return counter.count


def test_a_state_beside_the_model_goes_on_with_it(tmp_path):
    assert counted(tmp_path / "b.npz", 2) == 2
    assert counted(tmp_path / "b.npz", 5) == 5
    with pytest.raises(ValueError, match="must be that of the model that goes on"):
        fit(tmp_path / "b.npz", 6)


@pytest.mark.parametrize("state", [b"[]", b'{"steps": 1}', b"3"])
def test_a_state_of_something_else_is_refused(tmp_path, state):
    counted(tmp_path / "b.npz", 1)
    with np.load(tmp_path / "b.npz") as kept:
        arrays = {**kept, "beside": np.frombuffer(state, dtype="uint8")}
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(ValueError, match=r"that of the fit that goes on.*with a state that is not its"):
        counted(tmp_path / "b.npz", 2)


def test_as_many_backups_stay_as_are_to_be_kept(tmp_path):
    counts = []
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: counts.append(len(list(tmp_path.iterdir())))
    )
    x = np.ones((4, 1), np.float32)
    model.fit(x, x, epochs=5, verbose=0, callbacks=[SafeBackup(tmp_path / "b.npz", keep=3), watch])
    assert counts == [1, 2, 3, 3, 3]
    epochs = {path.name: read_backup(path)[1] for path in tmp_path.iterdir()}
    assert epochs == {"b.npz": 5, "b.1.npz": 4, "b.2.npz": 3}
    (tmp_path / "b.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"such as b\.1\.npz where earlier ones are kept"):
        read_backup(tmp_path / "b.npz")
    (tmp_path / "b.1.npz").replace(tmp_path / "b.npz")
    history = model.fit(x, x, epochs=6, verbose=0, callbacks=[SafeBackup(tmp_path / "b.npz", keep=3)])
    assert history.epoch == [4, 5]
    with pytest.raises(ValueError, match="At least one backup must be kept"):
        SafeBackup(tmp_path / "b.npz", keep=0)
