"""Searches that are killed (SIGKILL) at random moments and begun again, beside one that nothing disturbs.

    python benchmarks/search_kills.py --kills 25 --recipes dha dsnas --out kills.jsonl
    python benchmarks/search_kills.py --kills 10 --recipes dha --workers 2 --out kills.jsonl
    python benchmarks/search_kills.py --table kills.jsonl

The command is `keras-dha search --data digits`, each time the same, with `--resume`. Moments are uniform between the
start of the process and somewhat more than the time of the undisturbed search, so that starts, steps, backups and the
writing of results are all hit; a search that ends before it is killed is followed by another one. With `--workers`, one
of the workers is killed, each in turn, and the command begins all of them again by itself. At the end, history,
decisions and weights are compared with those of the undisturbed search.
"""

import argparse
import contextlib
import csv
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXACT = 1e-5  # by which histories may differ
# Threads add up in any order, so that two undisturbed searches may differ on a busy machine, and then more and more.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def command(recipe: str, epochs: int, out: Path, workers: int) -> list[str]:
    """The words of the search."""
    sizes = ["--channels", "4", "--epochs", str(epochs), "--batch-size", "64", "--seed", "1"]
    several = ["--strategy", "multiworker", "--workers", str(workers)] if workers > 1 else []
    words = [sys.executable, "-m", "keras_dha", "search", "--data", "digits", "--recipe", recipe]
    return [*words, *sizes, *several, "--out", str(out), "--resume"]


def history(folder: Path) -> list[dict[str, float]]:
    """What each epoch logged, but the seconds."""
    path = next((p for p in (folder / "history.csv", folder / ".search" / "history.csv") if p.exists()), None)
    if path is None:
        return []
    rows = csv.DictReader(path.read_text().splitlines())
    return [{k: float(v) for k, v in row.items() if k != "seconds" and v != ""} for row in rows]


def stage(folder: Path) -> str:
    """Where a search stands, by its files."""
    working = folder / ".search"
    if not (folder / "run.json").exists():
        return "start"
    if list(working.glob("partial.backup*")):
        return "backup"
    if (working / "progress.json").exists() and json.loads((working / "progress.json").read_text())["trained"]:
        return "results"
    return "training" if history(folder) else "start"


def workers_of(launcher: int) -> list[int]:
    """The processes that a process has begun."""
    found = subprocess.run(["pgrep", "-P", str(launcher)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def run_once(words: list[str], out: Path, log: Path, moment: Callable[[int], float | None], workers: int) -> list[str]:
    """Runs the command until it ends, or is killed; where it stood when it, or one of its workers, was."""
    with log.open("a") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **ONE_THREAD})
    kills: list[str] = []
    while True:
        try:
            process.wait(moment(len(kills)))
        except subprocess.TimeoutExpired:
            kills.append(stage(out))
            if workers == 1:
                process.kill()
                process.wait()
                return kills
            with contextlib.suppress(IndexError, ProcessLookupError):  # it begins them again just now
                os.kill(workers_of(process.pid)[len(kills) % workers], signal.SIGKILL)
            continue
        if process.returncode:
            raise SystemExit(f"A search failed.\n{log.read_text()[-3000:]}")
        return kills


def repeated(log: Path) -> int:
    """How many epochs that had ended were trained again, at most at a time."""
    begun = [int(number) for number in re.findall(r"^Epoch (\d+)/", log.read_text(), flags=re.MULTILINE)]
    return max([0, *(a - b for a, b in itertools.pairwise(begun))])


def difference(first: Path, second: Path) -> dict[str, Any]:
    """How far two finished searches are from each other."""
    import keras
    import numpy as np

    rows = list(zip(history(first), history(second), strict=True))
    worst = max(abs(a[k] - b[k]) / max(1.0, abs(a[k])) for a, b in rows for k in a)
    models = [keras.models.load_model(folder / "model.keras", compile=False) for folder in (first, second)]
    weights = zip(*(model.get_weights() for model in models), strict=True)
    same = (first / "decisions.json").read_text() == (second / "decisions.json").read_text()
    return {
        "history": worst,
        "decisions": same,
        "weights": max(float(np.abs(a - b).max()) for a, b in weights),
    }


def run(recipe: str, arguments: argparse.Namespace) -> None:
    """The undisturbed search, then kills until there are enough, then the comparison of each that was disturbed."""
    chance, workers = random.Random(arguments.seed), arguments.workers
    with tempfile.TemporaryDirectory() as name:
        root, kills = Path(name), 0
        began = time.monotonic()
        undisturbed = command(recipe, arguments.epochs, root / "0", workers)
        run_once(undisturbed, root / "0", root / "0.log", lambda killed: None, workers)
        whole = time.monotonic() - began

        def moment(killed: int) -> float | None:
            return chance.uniform(0.0, 1.1 * whole) if kills + killed < arguments.kills else None

        while kills < arguments.kills:
            number = len(list(root.glob("*.log")))
            out, log, stages = root / str(number), root / f"{number}.log", []
            while not (out / "result.json").exists():
                found = run_once(command(recipe, arguments.epochs, out, workers), out, log, moment, workers)
                stages, kills = [*stages, *found], kills + len(found)
            line = {"recipe": recipe, "workers": workers, "kills": len(stages), "stages": stages, "whole": whole}
            line |= {"repeated_epochs": repeated(log), **difference(root / "0", out)}
            print(json.dumps(line), flush=True)
            with Path(arguments.out).open("a") as file:
                file.write(json.dumps(line) + "\n")


def table(lines: list[dict[str, Any]]) -> str:
    """A row a recipe and number of workers, as Markdown."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["recipe"], line["workers"]), []).append(line)
    rows = [
        "| recipe | processes | searches | kills | in starts, training, backups, results | epochs repeated, at most "
        "| decisions equal | history differs by, at most | weights |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (recipe, workers), found in groups.items():
        stages = [one for line in found for one in line["stages"]]
        counts = ", ".join(str(stages.count(kind)) for kind in ("start", "training", "backup", "results"))
        worst = {name: max(line[name] for line in found) for name in ("repeated_epochs", "history", "weights")}
        equal = f"{sum(line['decisions'] for line in found)} of {len(found)}"
        cells = [f"`{recipe}`", workers, len(found), len(stages), counts, worst["repeated_epochs"], equal]
        cells += [f"{worst['history']:.1e}", f"{worst['weights']:.1e}"]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def main() -> None:
    """Kills and compares, or says what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=25, help="of each recipe")
    parser.add_argument("--recipes", nargs="+", default=["dha", "dsnas"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="kills.jsonl")
    parser.add_argument("--table", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([json.loads(line) for line in Path(arguments.table).read_text().splitlines()]))
        return
    for recipe in arguments.recipes:
        run(recipe, arguments)
    lines = [json.loads(line) for line in Path(arguments.out).read_text().splitlines()]
    if not all(line["decisions"] and line["history"] < EXACT and line["repeated_epochs"] <= 1 for line in lines):
        raise SystemExit("A search that was killed differs from the undisturbed one.")


if __name__ == "__main__":
    main()
