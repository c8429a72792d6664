"""`keras-dha export`, and how models are written."""

import contextlib
import importlib.util
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_dha.commands.errors import CommandError
from keras_dha.commands.run_folder import obstacle_to, replace_folder
from keras_dha.exports import export_model
from keras_dha.npz_file import UNREADABLE
from keras_dha.reports import run_record
from keras_dha.safe_backup import interrupts_delayed
from keras_dha.write_file import removed_on_failure, whole_file


def export(run: str | os.PathLike[str], format: str, to: str | os.PathLike[str] | None = None) -> Path:
    """Writes the model of a finished run in another format; needs `model.keras` only.

    Args:
        run: The folder of the run.
        format: `"saved_model"`, `"litert"` or `"onnx"`.
        to: Where to write; in the run's folder by default.

    Returns:
        What was written.

    Raises:
        CommandError: If there is no such model, `to` cannot be written, or a package is missing.
    """
    source = Path(run) / run_record.MODEL
    if not source.is_file():
        raise CommandError(
            f"A finished run must hold {run_record.MODEL}. Received: {run}, which does not. Give the --out folder of a "
            "search that ended."
        )
    names = {"saved_model": run_record.SAVED_MODEL, "litert": "model.tflite", "onnx": "model.onnx"}
    target = Path(to) if to is not None else Path(run) / names[format]
    if to is not None and target.exists():
        raise CommandError(
            f"--to must be a new name. Received: {target}, which exists. Give another name, or delete it."
        )
    obstacle = obstacle_to(target.parent)
    if obstacle is not None:
        raise CommandError(
            f"The model must be written into a folder, by somebody who may. Received: {target}, but {obstacle} cannot "
            "be written to. Give another name by --to."
        )
    if format == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        raise CommandError(
            "The format onnx needs the package tf2onnx. Received: no package of that name. Run: pip install tf2onnx"
        )
    if format == "litert" and not target.name.endswith(".tflite"):
        raise CommandError(f"The name of a LiteRT file must end with .tflite. Received: --to {target}. Append .tflite.")
    try:
        model = keras.models.load_model(source, compile=False)
    except (*UNREADABLE, TypeError, AttributeError) as error:
        raise CommandError(
            f"{run_record.MODEL} must be a whole Keras model. Received: {source} ({error}). Copy it again."
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    if format == "saved_model":
        write_saved_model(model, target, _input_dtype(Path(run)))
    else:
        _write_file(model, target, format)
    return target


def write_keras(model: keras.Model, target: Path) -> None:
    """Writes a `.keras` file, whole or not at all."""
    with whole_file(target) as partial:
        model.save(partial)


def write_saved_model(model: keras.Model, target: Path, input_dtype: str = "float32") -> None:
    """Writes a SavedModel of raw inputs, whole or not at all."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with removed_on_failure(partial):
        _silently(lambda: export_model(model, partial, input_dtype=input_dtype))
    with interrupts_delayed():
        replace_folder(partial, target)


def _write_file(model: keras.Model, target: Path, format: str) -> None:
    try:
        with whole_file(target) as partial:
            _silently(lambda: export_model(model, partial, format=format, verbose=False))
    except (ImportError, AttributeError) as error:
        raise CommandError(
            f"The format {format} needs its converter. Received: {error}. Install a TensorFlow that brings it, or use "
            "--format saved_model."
        ) from error


def _input_dtype(run: Path) -> str:
    """Type of the raw inputs as the run noted it; float32 for a model without its run."""
    try:
        return str(run_record.read_json(run / run_record.RESULT)["data"]["dtype"])
    except (ValueError, KeyError, TypeError):
        return "float32"


def _silently(write: Callable[[], Any]) -> None:
    """Keeps what converters print off the terminal; what they raise still comes."""
    with contextlib.redirect_stdout(io.StringIO()):
        write()
