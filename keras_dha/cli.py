"""The command line: `keras-dha search`, `report`, `export` and `latency`.

Keras and TensorFlow are imported by the commands, not by `--help`.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from keras_dha import __version__
from keras_dha.commands import CommandError, SearchOptions
from keras_dha.commands.defaults import CELLS, CHANNELS, MEASURED_SPACES, RECIPES, SPACES

BAD_INPUT, INTERRUPTED = 2, 130
FORMATS = ("saved_model", "litert", "onnx")
RUNTIMES = ("litert", "saved_model")
_EXAMPLE = "example: keras-dha search --data digits --out runs/digits"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Those of the command line by default.

    Returns:
        The exit code: 0; 2 on bad input; 130 on Ctrl-C.
    """
    # Read when TensorFlow is imported. A search needs the TensorFlow backend, whatever the user's Keras is set to.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    given = parser().parse_args(arguments)
    try:
        print(_COMMANDS[given.command](given))
        return 0
    except CommandError as error:
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
    report = commands.add_parser("report", help="draw report.html of a finished run again")
    report.add_argument("run", metavar="RUN", help="the --out folder of a search that ended")
    export = commands.add_parser("export", help="write the model of a finished run in another format")
    export.add_argument("run", metavar="RUN", help="the --out folder of a search that ended")
    export.add_argument("--format", choices=FORMATS, default="saved_model", help="default: %(default)s")
    export.add_argument("--to", metavar="PATH", help="where to write; default: in RUN")
    _add_latency(commands)
    return top


def _add_search(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    search = commands.add_parser("search", help="search, train, and write the model with its report", epilog=_EXAMPLE)
    search.add_argument("--data", metavar="DATA", help="digits, npz:FILE, dir:FOLDER or tfds:NAME")
    search.add_argument("--out", metavar="FOLDER", required=True, help="a new folder for the results")
    search.add_argument("--space", choices=SPACES, help="which networks; default: nas_bench_201")
    search.add_argument("--channels", type=_count, metavar="N", help=f"channels of the first cell; default: {CHANNELS}")
    cells = f"number of cells; default: {CELLS['darts']} in darts, {CELLS['nas_bench_201']} a stage in nas_bench_201"
    search.add_argument("--cells", type=_count, metavar="N", help=cells)
    search.add_argument("--recipe", metavar="NAME", help=f"the method, one of {', '.join(RECIPES)}; default: dha")
    search.add_argument("--epochs", type=_count, metavar="N", help="of search and settling; default: by the data")
    search.add_argument("--time-budget", type=_seconds, metavar="SECONDS", help="bounds search and settling")
    search.add_argument("--batch-size", type=_count, metavar="N", help="default: by the data")
    search.add_argument("--seed", type=_natural, metavar="N", help="makes a run repeatable; default: 0")
    flip = "training images may be mirrored left to right, by a recipe that augments, such as dha; default: no"
    search.add_argument("--flip", action=argparse.BooleanOptionalAction, help=flip)
    search.add_argument("--resume", action="store_true", help="go on with the unfinished search in --out")
    search.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_latency(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    latency = commands.add_parser("latency", help="measure a table of milliseconds of a space on this machine")
    latency.add_argument("--space", choices=MEASURED_SPACES, required=True, help="which networks")
    latency.add_argument("--out", metavar="FILE", required=True, help="a new file, TABLE.json")
    latency.add_argument("--runtime", choices=RUNTIMES, default="litert", help="default: %(default)s")
    shape = ("HEIGHT", "WIDTH", "CHANNELS")
    latency.add_argument(
        "--input-shape",
        type=_count,
        nargs=3,
        metavar=shape,
        default=[32, 32, 3],
        help="of a picture; default: 32 32 3",
    )
    latency.add_argument("--classes", type=_count, metavar="N", default=10, help="default: %(default)s")
    latency.add_argument("--channels", type=_count, metavar="N", help=f"of the space; default: {CHANNELS}")
    cells = "as in search; in mobile_net most layers of a stage, default: " + str(CELLS["mobile_net"])
    latency.add_argument("--cells", type=_count, metavar="N", help=cells)
    latency.add_argument("--quiet", action="store_true", help="no word on how far it is")


def _search(given: argparse.Namespace) -> str:
    own = ("command", "out", "resume", "quiet")
    options = SearchOptions(**{name: value for name, value in vars(given).items() if name not in own})
    # Before the slow imports: what is plainly wrong is said at once.
    if options.data is None and not given.resume:
        raise CommandError(
            "A new search must be given --data. Received: no --data. Give digits, npz:FILE, dir:FOLDER or tfds:NAME."
        )
    from keras_dha.commands.search import search

    return search(options, given.out, resume=given.resume, quiet=given.quiet)


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
    if given.command != "search":
        return "Interrupted. To do it after all, give the same command again."
    if given.resume:
        return "Interrupted before training went on; what was kept still is. To go on, give the same command again."
    return "Interrupted before training began; nothing was written."


_COMMANDS = {"search": _search, "report": _report, "export": _export, "latency": _latency}


def _count(text: str) -> int:
    return int(_number(text, int, 1, "a whole number, 1 or more"))


def _natural(text: str) -> int:
    return int(_number(text, int, 0, "a whole number, 0 or more"))


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
