"""What is written after each epoch, so that a search can be stopped at any time and go on."""

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_dha.reports.run_record import HISTORY, read_json
from keras_dha.safe_backup import interrupts_delayed
from keras_dha.write_file import write_json, write_text

PROGRESS = "progress.json"


class EpochRecord(keras.callbacks.Callback):
    """Keeps the logs of all epochs, also of those before an interruption, and the time spent.

    Args:
        folder: Where `history.csv` and `progress.json` are kept while the search runs.
        started: `time.monotonic()` when the command began.
        writes: Whether anything is written; of several workers the first one does.
    """

    def __init__(self, folder: Path, started: float, *, writes: bool = True) -> None:
        super().__init__()
        self.folder, self.writes = folder, writes
        progress = read_json(folder / PROGRESS) if (folder / PROGRESS).exists() else {}
        self.trained = bool(progress.get("trained", False))
        self.seconds_before = float(progress.get("seconds", 0.0))
        self.rows: list[dict[str, Any]] = self._read_rows() if progress else []
        self.trains = False
        self._started = started
        self._epoch_started = started

    @property
    def seconds(self) -> float:
        """Wall time of the command so far, interrupted ones included."""
        return self.seconds_before + time.monotonic() - self._started

    @property
    def epochs(self) -> int:
        """Number of epochs that have ended."""
        return len(self.rows)

    def seconds_in(self, phase: int) -> float:
        """Wall time of the epochs of one phase: 0 search, 1 settle."""
        return sum(float(row["seconds"]) for row in self.rows if round(float(row.get("phase") or 0)) == phase)

    def epochs_in(self, phase: int) -> int:
        """Number of epochs of one phase: 0 search, 1 settle."""
        return sum(round(float(row.get("phase") or 0)) == phase for row in self.rows)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Forgets the rows of epochs that are trained again."""
        self.rows = [row for row in self.rows if int(row["epoch"]) <= epoch]
        self._epoch_started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remembers that training has begun."""
        self.trains = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the history so far."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, "seconds": time.monotonic() - self._epoch_started, **numbers})
        if not self.writes:
            return
        with interrupts_delayed():
            write_text(self.folder / HISTORY, self.as_csv())
            self.write_progress()

    def write_progress(self, *, trained: bool = False) -> None:
        """Writes how much time was spent, and whether training has ended."""
        self.trained = trained
        if self.writes:
            write_json(self.folder / PROGRESS, {"seconds": self.seconds, "trained": trained})

    def as_csv(self) -> str:
        """All epochs as CSV; a column for each name that any epoch logged."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return buffer.getvalue()

    def _read_rows(self) -> list[dict[str, Any]]:
        with (self.folder / HISTORY).open(newline="", encoding="utf-8") as file:
            return [{name: value for name, value in row.items() if value != ""} for row in csv.DictReader(file)]
