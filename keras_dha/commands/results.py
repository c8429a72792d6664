"""What a search leaves behind: models, decisions, figures, and the report."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_dha.commands.epoch_record import EpochRecord
from keras_dha.commands.export import write_keras, write_saved_model
from keras_dha.commands.run_folder import RunFolder
from keras_dha.costs import LatencyTable, model_bytes, multiply_adds
from keras_dha.data.sources import Source
from keras_dha.reports import ReportUnavailableError, run_record, write_report
from keras_dha.reports.html_parts import duration
from keras_dha.reports.samples import as_bytes
from keras_dha.write_file import whole_file, write_json, write_text

SHEET_IMAGES, SHEET_VERSIONS = 10, 4


def write_results(
    model: Any,
    source: Source,
    folder: RunFolder,
    record: EpochRecord,
    result: dict[str, Any],
    *,
    policy_before: dict[str, Any] | None,
    table: LatencyTable | None = None,
) -> str:
    """Derives the model, measures it, and writes all files, `result.json` last.

    Args:
        model: The fitted search model.
        source: The data.
        folder: Where to write.
        record: The epochs.
        result: The figures so far; completed here.
        policy_before: The augmentation policy before the first step, or None.
        table: Of latencies, or None.

    Returns:
        What to tell the user.
    """
    path, seconds = folder.path, result["seconds"]
    with _timed(seconds, "derive"):
        final = model.derive()
    with _timed(seconds, "evaluate"):
        result["test"] = evaluate(final, source, result["arguments"]["batch_size"])
    with _timed(seconds, "save"):
        write_keras(final, path / run_record.MODEL)
        write_saved_model(final, path / run_record.SAVED_MODEL, result["data"]["dtype"])
        model.decisions().save(path / run_record.DECISIONS)
        write_json(path / run_record.POLICY, model.policy() or {})
        details = {"probabilities": model.probabilities(), "policy_before": policy_before}
        write_json(path / run_record.DETAILS, details)
        write_text(path / run_record.HISTORY, record.as_csv())
        write_samples(model, source, path / run_record.SAMPLES)
    result["parameters"] = int(final.count_params())
    result["costs"] = {"multiply_adds": multiply_adds(final), "model_bytes": model_bytes(final)}
    if table is not None:
        result["costs"]["predicted_ms"] = table.predict(final)
    result["hyperparameters"] = model.hyperparameters()
    seconds["total"] = record.seconds
    report = report_of(path, result)
    folder.finish(result)
    accuracy = f"Test accuracy {result['test']['accuracy']:.4f}, " if "accuracy" in result["test"] else ""
    return f"{accuracy}{result['parameters']:,} parameters, {duration(seconds['total'])}. Results: {path}. {report}"


def evaluate(final: Any, source: Source, batch_size: int) -> dict[str, float]:
    """Loss and metrics of the derived model on the test part; nothing without one."""
    if source.x_test is None:
        return {}
    figures = final.evaluate(source.x_test, source.y_test, batch_size=batch_size, verbose=0, return_dict=True)
    return {name: float(value) for name, value in figures.items()}


def write_samples(model: Any, source: Source, path: Path) -> None:
    """Training images, one class after another, and what the policy makes of them; nothing without a policy."""
    if model.augmentation is None:
        return
    picked = pick_examples(source.y_train, SHEET_IMAGES)
    unit = np.asarray(model.scaling.unit(source.x_train[picked]))
    inputs = keras.Input(unit.shape[1:])
    augment = keras.Model(inputs, model.augmentation(inputs, training=True))  # in a graph, as it was trained
    augmented = [augment.predict(unit, verbose=0) for _ in range(SHEET_VERSIONS)]
    with whole_file(path) as partial:
        np.savez_compressed(
            partial,
            originals=as_bytes(unit),
            augmented=as_bytes(np.stack(augmented, axis=1)),
            labels=np.array([str(source.class_names[label]) for label in source.y_train[picked]]),
        )


def pick_examples(labels: np.ndarray, count: int) -> np.ndarray:
    """Positions of `count` examples, first of as many classes as possible, in order of the class."""
    labels = np.asarray(labels).ravel()
    rank = np.zeros(labels.size, dtype=np.int64)  # the how-many-th of its class an example is
    for label in np.unique(labels):
        of_class = labels == label
        rank[of_class] = np.arange(of_class.sum())
    picked = np.lexsort((labels, rank))[:count]
    return picked[np.argsort(labels[picked], kind="stable")]


def report_of(path: Path, result: dict[str, Any]) -> str:
    """Draws the report of a folder; says where it is, or why there is none."""
    try:
        return f"Report: {write_report(path, result)}"
    except ReportUnavailableError as error:
        return str(error)
    except Exception as error:  # a picture must not cost a finished search its result
        return f"The report could not be drawn ({type(error).__name__}: {error}); again: keras-dha report {path}"


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[name] = time.monotonic() - started
