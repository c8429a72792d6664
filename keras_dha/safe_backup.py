"""A backup of a fit that is always whole."""

import contextlib
import math
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_dha.write_file import check_room

_WIDEST, _ENTRY = 8, 4096  # bytes of a number, and of what HDF5 keeps of an array; both at most


class SafeBackup(keras.callbacks.BackupAndRestore):
    """`BackupAndRestore` whose backup is always whole, also when the process ends while it is written.

    The parent writes into one folder, which then takes the place of the backup by renaming; Ctrl-C waits until then.

    Args:
        folder: The backup.
        writes: Whether it is written, too. Of several workers that train one model the first one writes, and all
            restore what it wrote.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.backup, self.old, self.writes = folder, folder.with_name(folder.name + ".old"), writes
        self.writing = folder.with_name(folder.name + ".writing") if writes else Path(tempfile.mkdtemp())
        super().__init__(str(self.writing), delete_checkpoint=False)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Restores the backup, if there is one."""
        shutil.rmtree(self.writing, ignore_errors=True)
        whole = next((folder for folder in (self.backup, self.old) if folder.exists()), None)
        if whole is not None:
            shutil.copytree(whole, self.writing)
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the new backup, and only then lets the old one go."""
        if not self.writes:
            return
        with interrupts_delayed():
            shutil.rmtree(self.writing, ignore_errors=True)
            self.writing.mkdir(parents=True)
            check_room(self.writing, self._most_bytes())
            super().on_epoch_end(epoch, logs)
            if self.backup.exists():
                shutil.rmtree(self.old, ignore_errors=True)
                self.backup.rename(self.old)
            self.writing.rename(self.backup)
            shutil.rmtree(self.old, ignore_errors=True)

    def _most_bytes(self) -> int:
        optimizers = self.model.all_optimizers() if hasattr(self.model, "all_optimizers") else [self.model.optimizer]
        kept = [*self.model.variables, *(variable for one in optimizers for variable in one.variables)]
        return sum(_WIDEST * math.prod(variable.shape) + _ENTRY for variable in kept)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Takes the copy away from which a fit was restored that had no epoch left."""
        super().on_train_end(logs)
        shutil.rmtree(self.writing, ignore_errors=True)


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
