"""`keras-dha evaluate`: whether searches are better than chance, with all that belongs to the answer."""

import csv
import datetime
import io
import time
from typing import Any

from keras_dha.commands.defaults import defaults_for
from keras_dha.commands.errors import bad_input, resumable
from keras_dha.commands.evaluate_options import EvaluateOptions
from keras_dha.commands.latency import tell
from keras_dha.commands.results import report_of
from keras_dha.commands.run_folder import RunFolder
from keras_dha.commands.search import describe, load_data, versions
from keras_dha.commands.space import make_space
from keras_dha.evaluation import EvaluationData, Protocol, SearchStudy, best_practices, summary_of
from keras_dha.reports.html_parts import duration
from keras_dha.write_file import write_text

_KEPT = "trainings that ended are kept, and the one that ran up to its last epoch."
RUNS, CSV = "runs", "runs.csv"
DEFAULTS: dict[str, Any] = {
    "spaces": ("nas_bench_201",),
    "recipes": ("dha",),
    "protocol": "dha",
    "random": 8,
    "seeds": (0, 1, 2),
    "training_seed": 0,
    "again": 0,
    "depths": (),
    "without_tricks": False,
}
_IN_CSV = ("study", "group", "name", "validation", "test", "parameters", "seconds")


def evaluate(options: EvaluateOptions, out: str, *, resume: bool = False, quiet: bool = False) -> str:
    """Trains searches and random architectures by one protocol, and leaves tables and a report in a folder.

    Args:
        options: What the user said.
        out: The folder. `runs/` has a file for each training that ended, `result.json` and `runs.csv` what they say.
        resume: Go on with the unfinished evaluation in `out`; begin if there is none.
        quiet: Not a word on how far it is.

    Returns:
        What to tell the user at the end.

    Raises:
        CommandError: On bad input, before anything is trained.
        CommandInterrupted: On Ctrl-C; the message says how to go on.
    """
    started = time.monotonic()
    folder = RunFolder(out)
    if resume and folder.finished:
        return f"{out} holds a finished evaluation: there is nothing to go on with."
    stored = folder.stored(resume=resume)
    with bad_input():
        before = None if stored is None else EvaluateOptions.of(stored["arguments"])
        options = options.filled(DEFAULTS) if before is None else options.resumed(before)
        studies, data = _studies(options, folder)
        run: dict[str, Any] = {"arguments": options.to_dict(), "command": options.command(out), "data": data}
        if stored is not None and stored["data"] != data:
            raise ValueError(
                "An evaluation that goes on must see the same data. "
                f"Received: {data}, before {stored['data']}. Bring the data back, or start in another folder."
            )
        if stored is None:
            folder.begin(run)
    with resumable(_KEPT, run["command"]):
        found = {}
        for name, (study, sizes) in studies.items():
            say = None if quiet else _teller(name)
            wanted = {"again": options.again or 0, "plain": bool(options.without_tricks)}
            found[name] = study.run(**wanted, sizes=sizes, progress=say)
        return _write(folder, run, studies, found, time.monotonic() - started)


def _studies(options: EvaluateOptions, folder: RunFolder) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A study for each data set and space, with the spaces of other depths; and what the data is.

    Raises:
        ValueError: If something does not fit, before anything is trained.
    """
    studies: dict[str, Any] = {}
    described = []
    for data in options.data or ():
        source = load_data(options.network(data, ""))
        parts = EvaluationData.of(source)
        described.append(describe(source))
        for name in options.spaces or ():
            own = options.network(data, name).filled(defaults_for(source.input_shape, len(parts.train[1]), name))
            spaces = {
                cells: make_space(
                    name, source.input_shape, source.num_classes, channels=int(own.channels or 1), cells=int(cells)
                )
                for cells in (own.cells or 1, *(options.depths or ()))
            }
            protocol = Protocol(
                recipe=str(options.protocol),
                epochs=int(own.epochs or 1),
                batch_size=int(own.batch_size or 1),
                seed=int(options.training_seed or 0),
            )
            place = f"{source.name.replace('/', '_')}_{name}"
            study = SearchStudy(
                spaces[own.cells or 1],
                parts,
                options.recipes or (),
                folder.path / RUNS / place,
                protocol=protocol,
                num_random=int(options.random or 0),
                seeds=options.seeds or (),
            )
            sizes = {f"cells_{cells}": spaces[cells] for cells in options.depths or ()}
            study.check_sizes(sizes)
            studies[place] = (study, sizes)
    return studies, described


def _teller(study: str) -> Any:
    return lambda name: tell(f"{study}: {name}")


def _write(
    folder: RunFolder, run: dict[str, Any], studies: dict[str, Any], found: dict[str, Any], seconds: float
) -> str:
    """The table of all runs, the figures and the report; `result.json` last."""
    results = []
    for name, (study, _) in studies.items():
        about = {
            "name": name,
            "data": study.data.name,
            "examples": study.data.sizes(),
            "space": type(study.space).__name__,
            "protocol": study.protocol.to_dict(),
            "seeds": list(study.seeds),
            "num_random": len(study.networks),
        }
        results.append({**about, **summary_of(found[name])})
    trained = sum(run["seconds"] for groups in found.values() for runs in groups.values() for run in runs)
    result = {
        "format": 1,
        **{name: run[name] for name in ("data", "arguments", "command")},
        "studies": results,
        "practices": [practice.to_dict() for practice in best_practices(results)],
        "seconds": {"trainings": trained, "total": max(seconds, trained)},
        "versions": versions(),
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_text(folder.path / CSV, _csv(found))
    report = report_of(folder.path, result)
    folder.finish(result)
    lines = [
        f"{study['name']}: {recipe} {figures['improvement']['against_mean']:+.2f} % over random"
        for study in results
        for recipe, figures in study["recipes"].items()
    ]
    return f"{'; '.join(lines)}; {duration(result['seconds']['total'])}. Results: {folder.path}. {report}"


def _csv(found: dict[str, Any]) -> str:
    """A line a training."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_IN_CSV)
    for study, groups in found.items():
        for group, runs in groups.items():
            rows.writerows([study, group, *(run[name] for name in _IN_CSV[2:])] for run in runs)
    return text.getvalue()
