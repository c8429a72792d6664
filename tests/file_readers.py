"""What reads files that others may have made, each with a good file, for tests that spoil them."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_dha import augmentation, data
from keras_dha.augmentation import DADAPolicy, PairPolicy, RandAugment, RelaxedPolicy, TrivialAugment
from keras_dha.commands import CommandError
from keras_dha.commands.run_folder import RunFolder
from keras_dha.costs import LatencyTable
from keras_dha.reports.run_record import read_history, read_json, read_samples
from keras_dha.safe_backup import read_backup
from keras_dha.spaces import Decisions, NASBench201Space

REFUSES = (ValueError, OSError, CommandError)
SPACE = NASBench201Space((8, 8, 1), 3, channels=2, cells_per_stage=1)
_RUN = {"arguments": {"data": "digits", "epochs": 2}, "command": "keras-dha search", "data": {"checksum": "0"}}
_TABLE = LatencyTable({"a": 1.0, "b": 2.0}, runtime="litert", agreement=[(1.0, 1.1)])
_POLICIES = (DADAPolicy, PairPolicy, RandAugment, RelaxedPolicy, TrivialAugment)


@dataclasses.dataclass(frozen=True)
class FileReader:
    """How a file is called, what a good one holds, and what reads it."""

    file: str
    good: bytes
    read: Callable[[Path], Any]


def archive(*unnamed: Any, **arrays: Any) -> bytes:
    """The bytes of an `.npz` file."""
    buffer = io.BytesIO()
    np.savez(buffer, *unnamed, **arrays)
    return buffer.getvalue()


def _plain(value: Any) -> bytes:
    return json.dumps(value).encode()


IMAGES, LABELS = np.arange(320, dtype=np.uint16).astype(np.uint8).reshape(20, 4, 4, 1), np.arange(20) % 2

JSON_READERS = {
    "decisions": FileReader(
        "decisions.json",
        SPACE.random_decisions(seed=0).to_json().encode(),
        lambda path: Decisions.load(path).validate(SPACE.choices()),
    ),
    **{
        kind.__name__: FileReader("policy.json", _plain(kind(("Rotate", "Invert")).policy()), augmentation.load)
        for kind in _POLICIES
    },
    "table": FileReader("table.json", _plain(_TABLE.get_config()), LatencyTable.load),
    "run": FileReader("run.json", _plain(_RUN), lambda path: RunFolder(path.parent).read_run()),
    "details": FileReader("details.json", _plain({"probabilities": {"edge": {"conv": 0.75}}}), read_json),
}
READERS = {
    **JSON_READERS,
    "history": FileReader("history.csv", b"epoch,loss\n1,2.0\n2,nan\n", read_history),
    "samples": FileReader("samples.npz", archive(originals=IMAGES, labels=np.array(["a"] * 20)), read_samples),
    "backup": FileReader("backup.npz", archive(np.ones((2, 3)), np.zeros(4), epoch=np.array(3)), read_backup),
    "backup of more": FileReader(
        "backup.npz",
        archive(np.ones((2, 3)), epoch=np.array(3), beside=np.frombuffer(b'{"steps": 3}', dtype="uint8")),
        read_backup,
    ),
    "data": FileReader(
        "data.npz",
        archive(x_train=IMAGES, y_train=LABELS),
        lambda path: data.load(f"npz:{path}"),
    ),
}
