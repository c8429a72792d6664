"""What a finished run left behind, read back as plain data."""

import csv
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_dha.npz_file import UNREADABLE, read_npz

RESULT = "result.json"
DECISIONS = "decisions.json"
POLICY = "policy.json"
HISTORY = "history.csv"
MODEL = "model.keras"
SAVED_MODEL = "saved_model"
REPORT = "report.html"
DETAILS = "details.json"
SAMPLES = "samples.npz"


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report shows; no model, and no TensorFlow.

    Args:
        result: What `result.json` holds.
        history: Column name -> one number per epoch, NaN where an epoch logged none.
        decisions: Choice name -> kept options.
        probabilities: Choice name -> option -> probability at the end of the search.
        policy_before: The augmentation policy before the first step, or None without augmentation.
        policy_after: The policy at the end, or None.
        samples: `originals` `(n, height, width, channels)`, `augmented` `(n, k, height, width, channels)`, both uint8,
            and `labels` `(n,)` of strings; empty without augmentation.

    Raises:
        ValueError: From `load`, if a file is missing or cannot be read.
    """

    result: dict[str, Any]
    history: dict[str, np.ndarray] = field(default_factory=dict)
    decisions: dict[str, list[str]] = field(default_factory=dict)
    probabilities: dict[str, dict[str, float]] = field(default_factory=dict)
    policy_before: dict[str, Any] | None = None
    policy_after: dict[str, Any] | None = None
    samples: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], result: dict[str, Any] | None = None) -> "RunRecord":
        """Reads a run's folder.

        Args:
            folder: What was given as `--out`.
            result: Used instead of `result.json`, for the report that is written before it.
        """
        path = Path(folder)
        details = read_json(path / DETAILS)
        return cls(
            result=read_json(path / RESULT) if result is None else result,
            history=read_history(path / HISTORY),
            decisions=read_json(path / DECISIONS),
            probabilities=details.get("probabilities", {}),
            policy_before=details.get("policy_before"),
            policy_after=read_json(path / POLICY) or None,
            samples=read_samples(path / SAMPLES),
        )


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object.

    Raises:
        ValueError: If the file is missing, or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"A finished run must hold {path.name}. Received: {path}, {error.strerror}. "
            "Give the --out folder of a search that ended."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path.name} of a run must be JSON. Received: {path}, {error}. Take the file from a copy, or search again."
        ) from error
    if not isinstance(data, dict):
        raise ValueError(
            f"{path.name} of a run must be a JSON object. Received: {type(data).__name__} in {path}. "
            "Take the file from a copy, or search again."
        )
    return data


def read_history(path: Path) -> dict[str, np.ndarray]:
    """The columns of `history.csv`, as float64; what is no number is NaN.

    Raises:
        ValueError: If the file cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"A finished run must hold a readable {path.name}. Received: {path}, {error}. "
            "Give the --out folder of a search that ended."
        ) from error
    columns = [name for name in (rows[0] if rows else {}) if name is not None]
    return {name: np.array([_number(row.get(name)) for row in rows]) for name in columns}


def read_samples(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `samples.npz`; none if there is no such file (a run without augmentation).

    Raises:
        ValueError: If the file is there and cannot be read.
    """
    if not path.exists():
        return {}
    try:
        return read_npz(path) or {}
    except UNREADABLE as error:
        raise ValueError(
            f"{path.name} of a run must be a NumPy archive. Received: {path}, {error}. Delete it to go without samples."
        ) from error


def _number(text: str | None) -> float:
    try:
        return float(text) if text else float("nan")
    except ValueError:
        return float("nan")
