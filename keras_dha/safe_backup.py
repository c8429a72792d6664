"""A backup of a fit that is always whole."""

import contextlib
import itertools
import json
import shutil
import signal
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from keras_dha.npz_file import UNREADABLE, read_npz
from keras_dha.write_file import whole_file

_EPOCH, _BESIDE = "epoch", "beside"  # names in the file
NOT_ITS_STATE = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What `set_state` raises of plain data that is not what `get_state` returned."""


class Stateful(Protocol):
    """What changes while a model trains, and is not in the model."""

    def get_state(self) -> dict[str, Any]:
        """All that changes, as plain data for JSON."""

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what `get_state` returned."""


class SafeBackup(keras.callbacks.Callback):
    """As `keras.callbacks.BackupAndRestore`, with a backup that is always whole, also where a process is killed.

    All that training moves is written after each epoch, under another name, which then becomes that of the backup;
    Ctrl-C waits until then. On disk there is one more than are kept while a backup is written, and never more than
    that; in memory one array at a time is copied.

    Keras's own way of saving makes new optimizers each time, which stay in memory (0.3 MiB a backup of a search), and
    crashes where the disk is full.

    Args:
        path: The file.
        writes: Whether it is written, too. Of several workers that train one model the first one writes, and all
            restore what it wrote.
        beside: What else is kept, and restored, with the model.
        keep: How many backups stay: this one, and earlier ones, of which `backup.1.npz` is that of the epoch before.

    Raises:
        ValueError: If fewer than one is to be kept.
    """

    def __init__(self, path: Path, *, writes: bool = True, beside: Stateful | None = None, keep: int = 1) -> None:
        super().__init__()
        if keep < 1:
            raise ValueError(f"At least one backup must be kept. Received: keep={keep}. Give 1.")
        self.path, self.writes, self.beside, self.keep = path, writes, beside, keep

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Restores the backup, if there is one.

        Raises:
            ValueError: If it is damaged, or of another model.
        """
        if not self.path.exists():
            return
        variables = trained_state(self.model)
        kept, epoch, state = read_backup(self.path)
        values = [kept.get(f"arr_{number}") for number in range(len(variables))]
        if (
            (state is None) != (self.beside is None)
            or len(kept) != len(values)
            or any(v is None or v.shape != tuple(x.shape) for v, x in zip(values, variables))
        ):
            raise ValueError(
                f"A backup must be that of the model that goes on. Received: {self.path} of {len(kept)} variables, a "
                f"model of {len(values)}, of other names or shapes. Begin again in another folder."
            )
        if self.beside is not None and state is not None:
            self._take_up(self.beside, state)
        for variable, value in zip(variables, values):
            variable.assign(value)
        if hasattr(self.model, "synchronize"):
            self.model.synchronize(anew=True)
        self.model._initial_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the new backup in the place of the old one."""
        if not self.writes:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = None if self.beside is None else self.beside.get_state()
        with interrupts_delayed():
            self._keep_earlier()
            with whole_file(self.path) as partial:
                _write(partial, trained_state(self.model), epoch + 1, state)

    def _keep_earlier(self) -> None:
        """Makes each backup one older; the newest stays where it is, too, until the next one is whole."""
        earlier = [self.path, *(self.path.with_suffix(f".{age}{self.path.suffix}") for age in range(1, self.keep))]
        for newer, older in reversed(list(itertools.pairwise(earlier))):
            if newer != self.path and newer.exists():
                newer.replace(older)
            elif newer.exists():
                with whole_file(older) as partial:
                    shutil.copyfile(newer, partial)

    def _take_up(self, beside: Stateful, state: Any) -> None:
        try:
            beside.set_state(state)
        except NOT_ITS_STATE as error:
            raise ValueError(
                f"A backup must be that of the fit that goes on. Received: {self.path}, with a state that is not its "
                f"({error!r}). Begin again in another folder."
            ) from error


def _write(path: Path, variables: Sequence[keras.Variable], epoch: int, state: Any) -> None:
    """As `numpy.savez`, but one array after another."""
    with zipfile.ZipFile(path, "w") as archive:

        def add(name: str, value: np.ndarray) -> None:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)

        for number, variable in enumerate(variables):
            add(f"arr_{number}", _plain(variable))
        if state is not None:
            add(_BESIDE, np.frombuffer(json.dumps(state).encode(), dtype="uint8"))
        add(_EPOCH, np.array(epoch))


def read_backup(path: Path) -> tuple[dict[str, np.ndarray], int, Any]:
    """The numbers of a backup by name, how many epochs they have seen, and the state that is beside them, or None.

    Raises:
        ValueError: If the file is not whole, or something else.
    """
    kept: dict[str, np.ndarray] = {}
    state: Any = None
    cause: Exception | None = None
    try:
        kept = read_npz(path) or {}
        beside = kept.pop(_BESIDE, None)
        state = None if beside is None else json.loads(beside.tobytes())
    except (*UNREADABLE, RecursionError) as error:
        cause = error
    epoch = kept.pop(_EPOCH, np.array(-1))
    strange = [name for name, value in kept.items() if value.dtype.kind not in "biuf"]
    if cause or strange or epoch.shape or epoch.dtype.kind not in "iu" or epoch < 0:
        told = cause or f"epoch={epoch!r}, no numbers in {strange[:3]}"
        raise ValueError(
            f"A backup must be a whole file of numbers that a fit wrote. Received: {path} ({told}). "
            f"Take it from a copy, such as {path.stem}.1{path.suffix} where earlier ones are kept, or begin again in "
            "another folder."
        ) from cause
    return kept, int(epoch), state


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
