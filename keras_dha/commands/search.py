"""`keras-dha search`: from a data set to a trained model and its report."""

import contextlib
import dataclasses
import datetime
import json
import platform
import shlex
import sys
import time
import zlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_dha import __version__
from keras_dha.commands.defaults import defaults_for
from keras_dha.commands.epoch_record import EpochRecord
from keras_dha.commands.errors import CommandError, CommandInterrupted, bad_input, resumable
from keras_dha.commands.local_workers import run_workers
from keras_dha.commands.options import SearchOptions
from keras_dha.commands.results import write_results
from keras_dha.commands.run_folder import RunFolder
from keras_dha.commands.space import make_space
from keras_dha.commands.team import MULTIWORKER, Team, is_worker
from keras_dha.costs import LatencyTable
from keras_dha.data.sources import Source, load
from keras_dha.reports.run_record import read_json
from keras_dha.safe_backup import SafeBackup
from keras_dha.search_model import SearchModel
from keras_dha.write_file import write_json

POLICY_BEFORE = "policy_before.json"
FIXED_DEFAULTS = {"seed": 0, "flip": False}
# The test curve is for the eye only: a part of a large test set shows it as well.
MAX_CURVE_EXAMPLES = 1_000
# With a time budget and no number of epochs, the budget alone ends the search.
ENDLESS = 10_000


def search(options: SearchOptions, out: str, *, resume: bool = False, quiet: bool = False) -> str:
    """Searches, and leaves everything in a folder.

    Args:
        options: What the user said.
        out: The folder.
        resume: Go on with the unfinished search in `out`; begin if there is none.
        quiet: No progress bar.

    Returns:
        What to tell the user at the end.

    Raises:
        CommandError: On bad input, before anything is written.
        CommandInterrupted: On Ctrl-C; the message says how to go on.
    """
    started = time.monotonic()
    folder = RunFolder(out)
    if resume and folder.finished:
        return f"{out} holds a finished run: there is nothing to go on with."
    stored = folder.stored(resume=resume)
    with bad_input():
        options = options if stored is None else options.resumed(stored["arguments"])
    check_workers_of(options)
    if options.strategy == MULTIWORKER and not is_worker():
        return _in_workers(options, out, resume=resume, quiet=quiet)
    with bad_input():
        team = Team(options.strategy)
        source = load_data(options)
        options = with_defaults(options, source)
        run = {"arguments": options.to_dict(), "command": options.command(out), "data": describe(source)}
        check_same_data(run, stored)
        team.agree(json.dumps([run, stored], sort_keys=True))
        with team.strategy.scope():
            model, table = make_model(options, source), load_table(options)
        load_seconds = time.monotonic() - started
        undo = folder.begin(run) if team.is_chief else None
    record = EpochRecord(folder.working, started, writes=team.is_chief)
    with _interruption(record, options, out):
        _fit(model, options, source, folder, record, undo=undo if stored is None else None, quiet=quiet)
        if not team.is_chief:
            team.wait()
            return "The first worker writes the results."
        result = _first_figures(run, record, load_seconds)
        before = read_json(folder.working / POLICY_BEFORE) or None
        told = write_results(model, source, folder, record, result, policy_before=before, table=table)
        team.wait()
        return told


def check_workers_of(options: SearchOptions) -> None:
    """Makes sure that several workers are asked for with their strategy only.

    Raises:
        CommandError: If they are asked for with another one.
    """
    if options.workers is not None and options.strategy != MULTIWORKER:
        raise CommandError(
            f"--workers must go with --strategy {MULTIWORKER}. Received: --workers {options.workers}, --strategy "
            f"{options.strategy}. Give both, or leave --workers out."
        )


def _in_workers(options: SearchOptions, out: str, *, resume: bool, quiet: bool) -> str:
    command = options.command(out)
    flags = [flag for flag, given in (("--resume", resume), ("--quiet", quiet)) if given]
    with resumable("what the last epoch left is kept.", command):
        return run_workers([sys.executable, "-m", "keras_dha", *shlex.split(command)[1:], *flags], options.workers or 2)


def make_model(options: SearchOptions, source: Source) -> Any:
    """The search model that the options describe.

    Raises:
        ValueError: If an option does not fit the data, or is unknown.
    """
    recipe = _recipe(options)
    if options.flip:
        if recipe.augmentation is None:
            raise ValueError(
                f"--flip must go with a recipe that augments. Received: --recipe {options.recipe} --flip. Leave --flip "
                "out, or take --recipe dha."
            )
        recipe = recipe.replace(augmentation=_with_flip(recipe.augmentation))
    sizes = {"channels": int(options.channels or 1), "cells": int(options.cells or 1)}
    space = make_space(str(options.space), source.input_shape, source.num_classes, **sizes)
    return SearchModel(space, recipe, seed=options.seed, dtype=options.dtype)


def _recipe(options: SearchOptions) -> Any:
    from keras_dha import recipes

    known = {**recipes.RECIPES, "single_path": recipes.single_path}
    if options.recipe not in known:
        raise ValueError(f"--recipe must be one of {sorted(known)}. Received: --recipe {options.recipe}. Correct it.")
    bounds = options.bounds()
    if (options.max_latency_ms is None) != (options.table is None):
        raise ValueError(
            "--max-latency-ms and --table must be given together. Received: "
            f"--max-latency-ms {options.max_latency_ms}, --table {options.table}. Write a table with keras-dha latency."
        )
    if bounds and options.recipe != "single_path":
        raise ValueError(
            f"Bounds must go with --recipe single_path. Received: --recipe {options.recipe}, {bounds}. Leave --recipe "
            "out, or the bounds."
        )
    if options.recipe == "single_path":
        return recipes.single_path(**bounds, table=load_table(options))
    return known[options.recipe]()


def load_table(options: SearchOptions) -> LatencyTable | None:
    """The table of latencies, if one was given."""
    return None if options.table is None else LatencyTable.load(options.table)


def describe(source: Source) -> dict[str, Any]:
    """The data set as plain data, with a checksum that tells it from others."""
    checksum = 0
    for array in (source.x_train, source.y_train, source.x_test, source.y_test):
        if array is not None:
            checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return {
        "name": source.name,
        "train_examples": len(source.x_train),
        "test_examples": 0 if source.x_test is None else len(source.x_test),
        "test_is_cut": source.test_is_cut,
        "shape": [int(size) for size in source.input_shape],
        "dtype": str(source.x_train.dtype),
        "classes": source.num_classes,
        "class_names": [str(name) for name in source.class_names],
        "checksum": f"{checksum:08x}",
    }


def versions() -> dict[str, str]:
    """Versions of everything that a result depends on."""
    packages = {name: metadata.version(name) for name in ("keras", "tensorflow", "numpy")}
    return {"python": platform.python_version(), **packages, "keras_dha": __version__}


def load_data(options: SearchOptions) -> Source:
    """The data that the options name.

    Raises:
        CommandError: If they name none.
    """
    if options.data is None:
        raise CommandError(
            "A new search must be given --data. Received: no --data, and no unfinished search in --out. Give digits, "
            "npz:FILE, dir:FOLDER or tfds:NAME."
        )
    return load(options.data)


def with_defaults(options: SearchOptions, source: Source) -> SearchOptions:
    """The options, with full paths, and defaults where none were given."""
    is_bound = options.space == "mobile_net" or bool(options.bounds())
    recipe = options.recipe or ("single_path" if is_bound else "dha")
    space = options.space or ("mobile_net" if recipe == "single_path" else "nas_bench_201")
    sized: dict[str, Any] = {"space": space, "recipe": recipe}
    sized |= defaults_for(source.input_shape, len(source.x_train), space)
    if options.time_budget is not None:
        sized["epochs"] = ENDLESS
    return options.with_absolute_paths().filled({**FIXED_DEFAULTS, **sized})


def check_same_data(run: dict[str, Any], stored: dict[str, Any] | None) -> None:
    """Raises a `ValueError` if a run that goes on sees other data than before."""
    if stored is not None and stored.get("data") != run["data"]:
        before, now = stored.get("data", {}).get("checksum"), run["data"]["checksum"]
        raise ValueError(
            f"A search that goes on must see the same data. Received: {run['arguments']['data']} with the checksum "
            f"{now}, before {before}. Bring the data back, or start a new search in another folder."
        )


def _with_flip(policy: Any) -> Any:
    from keras_dha.augmentation import HorizontalFlip

    config = policy.get_config()
    flip = keras.saving.serialize_keras_object(HorizontalFlip())
    return type(policy).from_config({**config, "base": [*config.get("base", ()), flip]})


def _fit(
    model: Any,
    options: SearchOptions,
    source: Source,
    folder: RunFolder,
    record: EpochRecord,
    *,
    undo: Any,
    quiet: bool,
) -> None:
    if record.writes and not (folder.working / POLICY_BEFORE).exists():
        write_json(folder.working / POLICY_BEFORE, model.policy() or {})
    epochs = options.epochs or 1
    try:
        model.fit(
            source.x_train,
            source.y_train,
            # All epochs are over already when only the results of a finished training are missing.
            epochs=record.epochs if record.trained else epochs,
            batch_size=options.batch_size,
            validation_data=_curve_part(source),
            time_budget=options.time_budget,
            callbacks=[
                record,
                SafeBackup(folder.working / "backup.npz", writes=record.writes, keep=options.keep_checkpoints or 1),
            ],
            verbose=_verbosity(quiet=quiet),
        )
    except ValueError as error:
        if record.trains or record.epochs:
            raise
        if undo is not None:
            undo()
        raise CommandError(str(error)) from error
    record.write_progress(trained=True)


def _verbosity(*, quiet: bool) -> int:
    """A bar that is drawn over and over is for terminals; a log file gets a line an epoch."""
    if quiet:
        return 0
    return 1 if sys.stdout.isatty() else 2


def _curve_part(source: Source) -> tuple[np.ndarray, np.ndarray] | None:
    if source.x_test is None or source.y_test is None:
        return None
    step = -(-len(source.x_test) // MAX_CURVE_EXAMPLES)
    return source.x_test[::step], source.y_test[::step]


def _first_figures(run: dict[str, Any], record: EpochRecord, load_seconds: float) -> dict[str, Any]:
    return {
        "format": 1,
        "data": run["data"],
        "seed": run["arguments"]["seed"],
        "epochs": {"search": record.epochs_in(0), "settle": record.epochs_in(1)},
        "seconds": {"load": load_seconds, "search": record.seconds_in(0), "settle": record.seconds_in(1)},
        "arguments": run["arguments"],
        "command": run["command"],
        "versions": versions(),
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@contextlib.contextmanager
def _interruption(record: EpochRecord, options: SearchOptions, out: str) -> Iterator[None]:
    """Says on Ctrl-C, or on a full disk, where the search stands, and which command goes on with it."""
    again = dataclasses.replace(SearchOptions(), data=options.data).command(str(Path(out)))
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"Backups and results must be written where there is room and permission. Received: {error}. The last "
            f"backup is whole. Make room, and go on: {again} --resume"
        ) from error
    except KeyboardInterrupt as error:
        if record.trained:
            done = "Interrupted after training; only the results were not written yet."
        elif record.epochs:
            of = "" if options.epochs == ENDLESS else f" of {options.epochs}"
            done = f"Interrupted after epoch {record.epochs}{of}; everything up to there is kept."
        else:
            done = "Interrupted before the first epoch ended."
        raise CommandInterrupted(f"{done} To go on: {again} --resume") from error
