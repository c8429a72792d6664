"""The command line: `keras-dha search`, `pareto`, `tune`, `evaluate`, `latency`, `report` and `export`.

Keras and TensorFlow are imported by the commands, not by `--help`.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import Any

from keras_dha import __version__
from keras_dha.commands import CommandError, SearchOptions
from keras_dha.commands.defaults import CELLS, CHANNELS, RECIPES, SPACES
from keras_dha.commands.evaluate_options import EvaluateOptions
from keras_dha.commands.tune_options import ORACLES, TuneOptions

BAD_INPUT, INTERRUPTED = 2, 130
STRATEGIES = ("mirrored", "multiworker", "tpu")
FORMATS = ("saved_model", "litert", "onnx")
RUNTIMES = ("litert", "saved_model")
COSTS = ("latency_ms", "multiply_adds", "parameters", "model_bytes")
_EXAMPLE = "example: keras-dha search --data digits --out runs/digits"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Those of the command line by default.

    Returns:
        The exit code: 0; 2 on bad input, or a training that does not stay finite, or in memory; 130 on Ctrl-C.
    """
    # Read when TensorFlow is imported. A search needs the TensorFlow backend, whatever the user's Keras is set to.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    given = parser().parse_args(arguments)
    try:
        print(_COMMANDS[given.command](given))
        return 0
    except (CommandError, FloatingPointError, MemoryError) as error:  # of numbers that go wrong, of networks too large
        print(f"keras-dha: error: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt as error:
        print(f"\nkeras-dha: {str(error) or _interrupted(given)}", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="keras-dha",
        description="Searches augmentation, hyper-parameters and architecture in one training run.",
        epilog=_EXAMPLE,
    )
    top.add_argument("--version", action="version", version=f"keras-dha {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_search(commands)
    _add_pareto(commands)
    _add_tune(commands)
    _add_evaluate(commands)
    _add_latency(commands)
    report = commands.add_parser("report", help="draw report.html of a finished run again")
    report.add_argument("run", metavar="RUN", help="the --out folder of a search, Pareto set or evaluation that ended")
    export = commands.add_parser("export", help="write the model of a finished run in another format")
    export.add_argument("run", metavar="RUN", help="the --out folder of a search that ended")
    export.add_argument("--format", choices=FORMATS, default="saved_model", help="default: %(default)s")
    export.add_argument("--to", metavar="PATH", help="where to write; default: in RUN")
    return top


def _add_search(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    search = commands.add_parser("search", help="search, train, and write the model with its report", epilog=_EXAMPLE)
    _add_common(search)
    search.add_argument(
        "--space", choices=SPACES, help="which networks; default: nas_bench_201, or mobile_net if bound"
    )
    recipes = f"the method, one of {', '.join(RECIPES)}; default: dha, or single_path in mobile_net"
    search.add_argument("--recipe", metavar="NAME", help=recipes)
    flip = "training images may be mirrored left to right, by a recipe that augments, such as dha; default: no"
    search.add_argument("--flip", action=argparse.BooleanOptionalAction, help=flip)
    search.add_argument("--max-latency-ms", type=_positive, metavar="MS", help="bounds the model, by --table")
    search.add_argument("--max-multiply-adds", type=_positive, metavar="N", help="or a share of the largest's, up to 1")
    search.add_argument("--max-parameters", type=_positive, metavar="N", help="likewise")
    search.add_argument("--max-model-bytes", type=_positive, metavar="N", help="likewise, of the weights")
    search.add_argument("--table", metavar="FILE", help="of milliseconds, from keras-dha latency")
    devices = "train on all GPUs of this machine, in several processes, or on a TPU; default: on one device"
    search.add_argument("--strategy", choices=STRATEGIES, help=devices)
    workers = "processes of this machine, for multiworker, unless TF_CONFIG names the workers; default: 2"
    search.add_argument("--workers", type=_count, metavar="N", help=workers)
    checkpoints = "how many backups stay while it runs, the last epochs'; default: 1"
    search.add_argument("--keep-checkpoints", type=_count, metavar="N", help=checkpoints)
    half = "compute in half precision, where the device is made for it; default: float32"
    search.add_argument("--dtype", choices=["mixed_bfloat16", "mixed_float16"], help=half)


def _add_pareto(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    told = "search in mobile_net once for each of several bounds, and draw what accuracy costs"
    pareto = commands.add_parser("pareto", help=told)
    _add_common(pareto)
    pareto.add_argument("--cost", choices=COSTS, default="latency_ms", help="what is bound; default: %(default)s")
    shares = "of the largest network's cost, each in (0, 1]; default: 0.4 0.6 0.8 1"
    pareto.add_argument("--shares", type=_positive, nargs="+", metavar="S", default=[0.4, 0.6, 0.8, 1.0], help=shares)
    table = "of milliseconds, from keras-dha latency; default: measured first, where latency is bound"
    pareto.add_argument("--table", metavar="FILE", help=table)


def _add_tune(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    tune = commands.add_parser("tune", help="trials of networks and their training, proposed by a KerasTuner oracle")
    tune.add_argument("--data", metavar="DATA", help="digits, npz:FILE, dir:FOLDER or tfds:NAME")
    tune.add_argument("--out", metavar="FOLDER", required=True, help="a new folder for the results")
    tune.add_argument("--space", choices=SPACES, help="which networks; default: nas_bench_201")
    _add_sizes(tune)
    tune.add_argument("--oracle", choices=ORACLES, help="what proposes trials; default: weak_predictor")
    tune.add_argument("--trials", type=_count, metavar="N", help="how many; default: 20")
    tune.add_argument("--epochs", type=_count, metavar="N", help="of each trial; default: 10")
    tune.add_argument("--batch-size", type=_count, metavar="N", help="default: by the data")
    tune.add_argument("--seed", type=_natural, metavar="N", help="makes proposals repeatable; default: 0")
    tune.add_argument("--workers", type=_count, metavar="N", default=1, help="trials at a time; default: %(default)s")
    tune.add_argument("--resume", action="store_true", help="go on with what is unfinished in --out")
    tune.add_argument("--quiet", action="store_true", help="not a word on how far it is")


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "compare searches with random architectures, by one protocol"
    evaluate = commands.add_parser("evaluate", help=about)
    evaluate.add_argument("--data", metavar="DATA", nargs="+", help="one or several of digits, npz:FILE, ...")
    evaluate.add_argument("--out", metavar="FOLDER", required=True, help="a new folder for the results")
    evaluate.add_argument("--spaces", nargs="+", choices=SPACES, help="which networks; default: nas_bench_201")
    recipes = f"what searches, one or several of {', '.join(RECIPES)}; default: dha"
    evaluate.add_argument("--recipes", nargs="+", metavar="NAME", help=recipes)
    evaluate.add_argument("--protocol", metavar="RECIPE", help="whose training all networks have; default: dha")
    _add_sizes(evaluate)
    evaluate.add_argument("--epochs", type=_count, metavar="N", help="of each training; default: by the data")
    evaluate.add_argument("--batch-size", type=_count, metavar="N", help="default: by the data")
    evaluate.add_argument("--random", type=_count, metavar="N", help="how many random architectures; default: 8")
    evaluate.add_argument("--seeds", type=_natural, nargs="+", metavar="N", help="of the searches; default: 0 1 2")
    evaluate.add_argument("--training-seed", type=_natural, metavar="N", help="of all other trainings; default: 0")
    again = "so many random architectures are trained with another seed, too; default: 0"
    evaluate.add_argument("--again", type=_natural, metavar="N", help=again)
    depths = "other numbers of cells, in which random architectures are trained, too"
    evaluate.add_argument("--depths", type=_count, nargs="+", metavar="CELLS", help=depths)
    plain = "train all without augmentation and learned hyper-parameters, too"
    evaluate.add_argument("--without-tricks", action="store_true", default=None, help=plain)
    evaluate.add_argument("--resume", action="store_true", help="go on with what is unfinished in --out")
    evaluate.add_argument("--quiet", action="store_true", help="not a word on how far it is")


def _add_common(command: argparse.ArgumentParser) -> None:
    """What each command that trains takes."""
    command.add_argument("--data", metavar="DATA", help="digits, npz:FILE, dir:FOLDER or tfds:NAME")
    command.add_argument("--out", metavar="FOLDER", required=True, help="a new folder for the results")
    _add_sizes(command)
    command.add_argument("--epochs", type=_count, metavar="N", help="of search and settling; default: by the data")
    command.add_argument("--time-budget", type=_seconds, metavar="SECONDS", help="bounds search and settling")
    command.add_argument("--batch-size", type=_count, metavar="N", help="default: by the data")
    command.add_argument("--seed", type=_natural, metavar="N", help="makes a run repeatable; default: 0")
    command.add_argument("--resume", action="store_true", help="go on with what is unfinished in --out")
    command.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_sizes(command: argparse.ArgumentParser) -> None:
    """How large the networks are."""
    usual, small = CHANNELS["darts"], CHANNELS["mobile_net"]
    channels = f"channels of the first cell; default: {usual}, {small} in mobile_net"
    command.add_argument("--channels", type=_count, metavar="N", help=channels)
    cells = (
        f"number of cells; default: {CELLS['darts']} in darts, {CELLS['nas_bench_201']} a stage in nas_bench_201; most "
        f"layers of a stage in mobile_net, default: {CELLS['mobile_net']}"
    )
    command.add_argument("--cells", type=_count, metavar="N", help=cells)


def _add_latency(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    latency = commands.add_parser("latency", help="measure a table of milliseconds of a space on this machine")
    latency.add_argument("--space", choices=SPACES, required=True, help="which networks")
    latency.add_argument("--out", metavar="FILE", required=True, help="a new file, TABLE.json")
    latency.add_argument("--runtime", choices=RUNTIMES, default="litert", help="default: %(default)s")
    shape: dict[str, Any] = {"metavar": ("HEIGHT", "WIDTH", "CHANNELS"), "default": [32, 32, 3]}
    latency.add_argument("--input-shape", type=_count, nargs=3, help="of a picture; default: 32 32 3", **shape)
    latency.add_argument("--classes", type=_count, metavar="N", default=10, help="default: %(default)s")
    _add_sizes(latency)
    latency.add_argument("--quiet", action="store_true", help="no word on how far it is")


def _search(given: argparse.Namespace) -> str:
    options = _options(given)
    from keras_dha.commands.search import search

    return search(options, given.out, resume=given.resume, quiet=given.quiet)


def _pareto(given: argparse.Namespace) -> str:
    options = _options(given)
    from keras_dha.commands.pareto import pareto

    own = {name: getattr(given, name) for name in ("cost", "shares", "resume", "quiet")}
    return pareto(options, given.out, **own)


def _tune(given: argparse.Namespace) -> str:
    _check_data(given)
    from keras_dha.commands.tune import tune

    names = [field.name for field in dataclasses.fields(TuneOptions)]
    options = TuneOptions(**{name: getattr(given, name) for name in names})
    return tune(options, given.out, workers=given.workers, resume=given.resume, quiet=given.quiet)


def _evaluate(given: argparse.Namespace) -> str:
    _check_data(given)
    from keras_dha.commands.evaluate import evaluate

    return evaluate(EvaluateOptions.of(vars(given)), given.out, resume=given.resume, quiet=given.quiet)


def _options(given: argparse.Namespace) -> SearchOptions:
    """What the user said of a search; what is plainly wrong is said before the slow imports."""
    _check_data(given)
    names = [field.name for field in dataclasses.fields(SearchOptions)]
    return SearchOptions(**{name: value for name, value in vars(given).items() if name in names})


def _check_data(given: argparse.Namespace) -> None:
    if given.data is None and not given.resume:
        raise CommandError(
            "A new search must be given --data. Received: no --data. Give digits, npz:FILE, dir:FOLDER or tfds:NAME."
        )


def _report(given: argparse.Namespace) -> str:
    from keras_dha.reports import ReportUnavailableError, write_report

    try:
        return f"Report: {write_report(given.run)}"
    except (ReportUnavailableError, ValueError, OSError) as error:
        raise CommandError(str(error)) from error


def _export(given: argparse.Namespace) -> str:
    from keras_dha.commands.export import export

    try:
        return f"Written: {export(given.run, given.format, given.to)}"
    except OSError as error:
        raise CommandError(
            f"The model must be written where there is room and permission. Received: {error}. Give another name by "
            "--to."
        ) from error


def _latency(given: argparse.Namespace) -> str:
    from keras_dha.commands.latency import latency

    return latency(**{name: value for name, value in vars(given).items() if name != "command"})


def _interrupted(given: argparse.Namespace) -> str:
    """What to say on Ctrl-C while the command has nothing of its own to say."""
    if given.command not in ("search", "pareto", "tune", "evaluate"):
        return "Interrupted. To do it after all, give the same command again."
    if given.resume:
        return "Interrupted before training went on; what was kept still is. To go on, give the same command again."
    return "Interrupted before training began; nothing was written."


_COMMANDS = {
    "search": _search,
    "pareto": _pareto,
    "tune": _tune,
    "evaluate": _evaluate,
    "latency": _latency,
    "report": _report,
    "export": _export,
}


def _count(text: str) -> int:
    return int(_number(text, int, 1, "a whole number, 1 or more"))


def _natural(text: str) -> int:
    return int(_number(text, int, 0, "a whole number, 0 or more"))


def _positive(text: str) -> float:
    return _number(text, float, 1e-12, "a number above 0")


def _seconds(text: str) -> float:
    return _number(text, float, 1e-3, "a number of seconds above 0")


def _number(text: str, kind: type, smallest: float, what: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = smallest - 1
    if not smallest <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be {what}. Received: {text!r}")
    return value
