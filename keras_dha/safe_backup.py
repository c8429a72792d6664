"""A backup of a fit that is always whole."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.npz_file import UNREADABLE, read_npz
from keras_dha.write_file import whole_file


class SafeBackup(keras.callbacks.Callback):
    """As `keras.callbacks.BackupAndRestore`, with a backup that is always whole, also where a process is killed.

    All that training moves is written after each epoch, under another name, which then becomes that of the backup;
    Ctrl-C waits until then. While a backup is written there are two of it, and never more.

    Keras's own way of saving makes new optimizers each time, which stay in memory (0.3 MiB a backup of a search), and
    crashes where the disk is full.

    Args:
        path: The file.
        writes: Whether it is written, too. Of several workers that train one model the first one writes, and all
            restore what it wrote.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        super().__init__()
        self.path, self.writes = path, writes

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Restores the backup, if there is one.

        Raises:
            ValueError: If it is damaged, or of another model.
        """
        if not self.path.exists():
            return
        variables = trained_state(self.model)
        kept, epoch = read_backup(self.path)
        values = [kept.get(f"arr_{number}") for number in range(len(variables))]
        if len(kept) != len(values) or any(v is None or v.shape != tuple(x.shape) for v, x in zip(values, variables)):
            raise ValueError(
                f"A backup must be that of the model that goes on. Received: {self.path} of {len(kept)} variables, a "
                f"model of {len(values)}, of other names or shapes. Begin again in another folder."
            )
        for variable, value in zip(variables, values):
            variable.assign(value)
        if hasattr(self.model, "synchronize"):
            self.model.synchronize(anew=True)
        self.model._initial_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the new backup in the place of the old one."""
        if not self.writes:
            return
        arrays = [_plain(variable) for variable in trained_state(self.model)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with interrupts_delayed(), whole_file(self.path) as partial, partial.open("wb") as file:
            np.savez(file, *arrays, epoch=np.array(epoch + 1))


def read_backup(path: Path) -> tuple[dict[str, np.ndarray], int]:
    """The numbers of a backup by name, and how many epochs they have seen.

    Raises:
        ValueError: If the file is not whole, or something else.
    """
    kept: dict[str, np.ndarray] = {}
    cause: Exception | None = None
    try:
        kept = read_npz(path) or {}
    except UNREADABLE as error:
        cause = error
    epoch = kept.pop("epoch", np.array(-1))
    strange = [name for name, value in kept.items() if value.dtype.kind not in "biuf"]
    if strange or epoch.shape or epoch.dtype.kind not in "iu" or epoch < 0:
        told = cause or f"epoch={epoch!r}, no numbers in {strange[:3]}"
        raise ValueError(
            f"A backup must be a whole file of numbers that a fit wrote. Received: {path} ({told}). "
            "Take it from a copy, or begin again in another folder."
        ) from cause
    return kept, int(epoch)


def trained_state(model: keras.Model) -> list[keras.Variable]:
    """All that training moves, each once: weights, statistics, states of random generators, slots of optimizers.

    Not metrics, which begin anew.

    Args:
        model: A compiled model; one of several optimizers has `all_optimizers`.
    """
    optimizers = model.all_optimizers() if hasattr(model, "all_optimizers") else [model.optimizer]
    for optimizer in optimizers:
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
    found = [*model.variables, *(variable for optimizer in optimizers for variable in optimizer.variables)]
    metrics = {id(variable) for variable in model.metrics_variables}
    return list({id(variable): variable for variable in found if id(variable) not in metrics}.values())


def _plain(variable: keras.Variable) -> np.ndarray:
    """Its values as a kind of number that NumPy can write."""
    value = ops.convert_to_numpy(variable)
    return value.astype("float32") if value.dtype.kind == "V" or value.dtype.name == "bfloat16" else value


@contextlib.contextmanager
def interrupts_delayed() -> Iterator[None]:
    """Ctrl-C within takes effect at the end; outside of the main thread nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received and callable(before):
        before(*received[0])
