"""`keras-dha tune`: trials of a space and its training by a KerasTuner oracle, by one process or several."""

import csv
import datetime
import importlib
import io
import sys
import time
from typing import Any

from keras_dha.commands.defaults import defaults_for
from keras_dha.commands.errors import CommandError, CommandInterrupted, bad_input
from keras_dha.commands.export import write_keras, write_saved_model
from keras_dha.commands.results import evaluate
from keras_dha.commands.run_folder import RunFolder
from keras_dha.commands.search import check_same_data, describe, load_data, versions
from keras_dha.commands.trials import make_tuner, run_trials, space_of, stored_options
from keras_dha.commands.tune_options import TuneOptions
from keras_dha.costs import model_bytes, multiply_adds
from keras_dha.data.sources import Source
from keras_dha.reports import run_record
from keras_dha.reports.html_parts import duration
from keras_dha.write_file import write_text

TRIALS = "trials.csv"
DEFAULTS = {"space": "nas_bench_201", "oracle": "weak_predictor", "trials": 20, "epochs": 10, "seed": 0}


def tune(options: TuneOptions, out: str, *, workers: int = 1, resume: bool = False, quiet: bool = False) -> str:
    """Runs trials, and leaves the best one's model, and a table of all, in a folder.

    Args:
        options: What the user said.
        out: The folder.
        workers: How many trials run at a time, each in a process of its own; 1: in this process.
        resume: Go on with the unfinished trials in `out`; begin if there are none.
        quiet: Not a word on how far it is.

    Returns:
        What to tell the user at the end.

    Raises:
        CommandError: On bad input, before anything is written.
        CommandInterrupted: On Ctrl-C; the message says how to go on.
    """
    started, folder = time.monotonic(), RunFolder(out)
    if resume and folder.finished:
        return f"{out} holds a finished run: there is nothing to go on with."
    with bad_input():
        importlib.import_module("keras_dha.tuners")  # which says what to install
        stored = folder.read_run() if resume and folder.unfinished else None
        if stored is None:
            folder.check_free()
        else:
            options.check_resumed(stored_options(folder))
            options = stored_options(folder)
        source = load_data(options.of_network())
        options = with_defaults(options, source)
        run = {"arguments": vars(options), "command": options.command(out), "data": describe(source)}
        check_same_data(run, stored)
        space_of(options, source)  # which says what does not fit
        if stored is None:
            folder.begin(run)
    try:
        tuner = _run(options, source, folder, workers=workers, quiet=quiet)
    except KeyboardInterrupt as error:
        again = f"{TuneOptions(data=options.data).command(out)} --workers {workers} --resume"
        raise CommandInterrupted(f"Interrupted; trials that have ended are kept. To go on: {again}") from error
    return write_best(tuner, source, folder, run, time.monotonic() - started)


def with_defaults(options: TuneOptions, source: Source) -> TuneOptions:
    """The options, with full paths, and defaults where none were given."""
    options = options.with_absolute_paths().filled(DEFAULTS)
    return options.filled(defaults_for(source.input_shape, len(source.x_train), str(options.space)))


def _run(options: TuneOptions, source: Source, folder: RunFolder, *, workers: int, quiet: bool) -> Any:
    if workers == 1:
        return run_trials(options, source, folder.working)
    from keras_dha.tuners.workers import Workers

    told = 0

    def watch() -> None:
        nonlocal told
        ended = len(list((folder.working / "trials").glob("trial_*/trial.json")))
        if not quiet and ended != told:
            told = ended
            print(f"{ended} of {options.trials} trials begun")

    command = [sys.executable, "-m", "keras_dha.commands.trials", str(folder.path)]
    with Workers(command, workers, logs=folder.working / "logs") as pool:
        pool.run(watch)
    return make_tuner(options, source, folder.working)


def write_best(tuner: Any, source: Source, folder: RunFolder, run: dict[str, Any], seconds: float) -> str:
    """Writes the model of the best trial as it was trained, its decisions, and the table of all trials.

    Args:
        tuner: Whose trials have ended.
        source: The data.
        folder: Where to write.
        run: What was written when it began.
        seconds: That it took.

    Returns:
        What to tell the user.
    """
    path, found = folder.path, tuner.oracle.get_best_trials(1)
    if not found:
        states = {name: trial.status for name, trial in tuner.oracle.trials.items()}
        raise CommandError(f"A trial must complete. Received: {states}. See the messages in {folder.working}/trials.")
    best = found[0]
    final, hypermodel = tuner.load_model(best), tuner.hypermodel
    write_keras(final, path / run_record.MODEL)
    write_saved_model(final, path / run_record.SAVED_MODEL, run["data"]["dtype"])
    hypermodel.decisions(best.hyperparameters).save(path / run_record.DECISIONS)
    rows, ended = table(tuner), [trial.status for trial in tuner.oracle.trials.values()]
    write_text(path / TRIALS, rows)
    result = {
        "format": 1,
        "data": run["data"],
        "arguments": run["arguments"],
        "command": run["command"],
        "trial": best.trial_id,
        "validation": {"accuracy": best.score},
        "test": evaluate(final, source, run["arguments"]["batch_size"]),
        "trials": {status: ended.count(status) for status in sorted(set(ended))},
        "hyperparameters": best.hyperparameters.values,
        "parameters": int(final.count_params()),
        "costs": {"multiply_adds": multiply_adds(final), "model_bytes": model_bytes(final)},
        "seconds": {"total": seconds},
        "versions": versions(),
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    folder.finish(result)
    accuracy = f"Test accuracy {result['test']['accuracy']:.4f}, " if "accuracy" in result["test"] else ""
    return (
        f"{accuracy}validation accuracy {best.score:.4f} in trial {best.trial_id} of {len(ended)}, "
        f"{result['parameters']:,} parameters, {duration(seconds)}. Results: {path}."
    )


def table(tuner: Any) -> str:
    """All trials in the order in which they began, as CSV: number, status, score, values."""
    trials = [tuner.oracle.trials[name] for name in tuner.oracle.start_order]
    names = sorted({name for trial in trials for name in trial.hyperparameters.values if "tuner/" not in name})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "status", "score", *names])
    for trial in trials:
        values = trial.hyperparameters.values
        cells = [values.get(name, "") for name in names]
        writer.writerow([trial.trial_id, trial.status, "" if trial.score is None else trial.score, *cells])
    return text.getvalue()
