"""The predicted memory of a fit beside the measured one, over spaces, batch sizes and numbers of options.

    python benchmarks/training_memory.py --out memory.jsonl
    python benchmarks/training_memory.py --table memory.jsonl
    python benchmarks/training_memory.py --recipes --out recipes.jsonl

Each case is a process of its own, which builds a search model and fits it for `--steps` steps on random pictures: all
options run (`darts`, whose held-out pass comes before that of the weights), or one path (`proxyless`). Measured is the
growth of resident memory from after the imports to the peak. `--fit` prints the constants of
`keras_dha.costs.training_memory` that agree best with the cases of the kinds `chain` and `cells`, by least squares of
relative errors, and with those of `darts` that run one path, for there alone layers are conditional. The other cases,
of `darts` and `checks`, take no part in it. With `--recipes`, what `SearchModel.memory_estimate` says of whole recipes,
with their augmentation and learned hyper-parameters; the constants of `keras_dha.costs.search_memory` were fitted to
all cases but the last six.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from step_cost import make_chain

RECIPES = {"all": "darts", "one": "proxyless"}
MIB = 2**20


def cases() -> list[dict[str, Any]]:
    """What is measured, in the order of the table."""
    chain = [
        {"kind": "chain", "options": options, "channels": channels, "size": 28, "batch": batch, "paths": paths}
        for paths in RECIPES
        for options, channels, batch in ((2, 16, 64), (2, 16, 256), (5, 16, 32), (5, 16, 128), (8, 16, 64), (3, 64, 32))
    ]
    cells = [
        {"kind": "cells", "channels": channels, "size": 32, "batch": batch, "paths": paths}
        for paths in RECIPES
        for channels, batch in ((8, 64), (16, 128), (16, 256))
    ]
    darts = [
        {"kind": "darts", "channels": 8, "size": 16, "batch": batch, "paths": paths}
        for paths in RECIPES
        for batch in (32, 128)
    ]
    checks = [
        {"kind": "checks", "options": options, "channels": channels, "size": size, "batch": batch, "paths": paths}
        for paths in RECIPES
        for options, channels, size, batch in ((3, 24, 28, 96), (6, 8, 28, 200), (4, 32, 20, 64))
    ]
    return [*chain, *cells, *darts, *checks]


def cases_of_recipes() -> list[dict[str, Any]]:
    """What is measured with `--recipes`."""
    names = ("dha", "dsnas", "darts", "pc_darts", "gdas", "snas", "fair_darts", "ista_nas")
    one = {"kind": "cells", "channels": 16, "size": 28}
    cells = [{**one, "recipe": name, "paths": name, "batch": batch} for name in names for batch in (64, 256)]
    others = [
        {"kind": "chain", "options": 5, "channels": 16, "size": 28, "batch": 128},
        {"kind": "darts", "channels": 8, "size": 16, "batch": 128},
        {"kind": "cells", "channels": 8, "size": 32, "batch": 128},
    ]
    checks = [
        {"kind": "chain", "options": 8, "channels": 24, "size": 20, "batch": 64},
        {"kind": "cells", "channels": 32, "size": 28, "batch": 96},
    ]
    few = ("dha", "dsnas", "darts")
    return [*cells, *({**other, "recipe": name, "paths": name} for other in [*others, *checks] for name in few)]


def space_of(case: dict[str, Any]) -> Any:
    """The space of a case."""
    import keras_dha

    shape = (case["size"], case["size"], 1)
    if case["kind"] == "cells":
        return keras_dha.spaces.NASBench201Space(shape, 10, channels=case["channels"], cells_per_stage=1)
    if case["kind"] == "darts":
        return keras_dha.spaces.DARTSSpace(shape, 10, channels=case["channels"], cells=3, nodes=2)
    return make_chain(shape, case["channels"], case["options"], length=6)


def measured(case: dict[str, Any], steps: int) -> dict[str, Any]:
    """What this process holds at the start, and at most, in bytes; and how often each number of the model counts."""
    import keras_dha
    from keras_dha.costs import TrainingMemory, peak_resident_bytes, resident_bytes

    rng = np.random.default_rng(0)
    examples = steps * case["batch"]
    x = rng.integers(0, 256, (examples, case["size"], case["size"], 1), dtype=np.uint8)
    y = rng.integers(0, 10, examples)
    space = space_of(case)
    memory = TrainingMemory(space)
    before = resident_bytes()
    schedule = keras_dha.schedules.Schedule(search_fraction=1.0)
    recipe = keras_dha.recipes.RECIPES[case.get("recipe") or RECIPES[case["paths"]]]()
    model = keras_dha.SearchModel(space, recipe, schedule=schedule, seed=0)
    model.fit(x, y, batch_size=case["batch"], epochs=1, verbose=0)
    grown = peak_resident_bytes() - before
    if "recipe" in case:
        predicted = model.memory_estimate(case["batch"]).total
        return {**case, "before": before, "measured": grown, "predicted": predicted}
    estimate, counts = memory.of(case["batch"], paths=case["paths"]), memory.counts(case["batch"], paths=case["paths"])
    return {**case, "before": before, "measured": grown, "predicted": estimate.total, **counts}


def features(case: dict[str, Any]) -> np.ndarray:
    """What each of the constants is multiplied with: those of a fit, of layers of three kinds, of parameters."""
    by_kind = [case["layers"] * (case["paths"] == paths) for paths in RECIPES]
    return np.array([1, *by_kind, case["conditional_layers"], 4 * case["parameters"]], dtype="float64")


def fitted(lines: list[dict[str, Any]]) -> str:
    """The constants that agree best; activations count as they are."""
    used = [line for line in lines if line["kind"] in ("chain", "cells") or line["conditional_layers"]]
    left = np.array([line["measured"] - 4.0 * line["activations"] for line in used])
    share = 1.0 / np.array([line["measured"] for line in used])
    found = np.linalg.lstsq(np.array([features(line) for line in used]) * share[:, None], left * share, rcond=None)[0]
    sizes = [f"{value / MIB:.2f} MiB" for value in found[:4]]
    named = zip(("a fit", "a layer, all run", "a layer, one path", "a conditional layer"), sizes)
    return "\n".join([*(f"{name}: {size}" for name, size in named), f"copies of parameters, slots too: {found[4]:.1f}"])


def table(lines: list[dict[str, Any]]) -> str:
    """A row a case, as Markdown."""
    rows = [
        "| space | options | channels | side | batch | runs | measured, MiB | predicted, MiB | error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    errors = []
    for line in lines:
        errors.append(line["predicted"] / line["measured"] - 1.0)
        names = [line["kind"], line.get("options", ""), line["channels"], line["size"], line["batch"], line["paths"]]
        sizes = [f"{line[key] / MIB:.0f}" for key in ("measured", "predicted")]
        rows.append(f"| {' | '.join(map(str, [*names, *sizes]))} | {errors[-1]:+.1%} |")
    largest, mean = np.max(np.abs(errors)), np.mean(np.abs(errors))
    return "\n".join([*rows, "", f"{len(lines)} cases: mean error {mean:.1%}, largest {largest:.1%}."])


def run(arguments: argparse.Namespace) -> None:
    """Each case in a process of its own, one after another."""
    for case in cases_of_recipes() if arguments.recipes else cases():
        command = [sys.executable, __file__, "--here", json.dumps(case), f"--steps={arguments.steps}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"A case failed. Received: {case}.\n{done.stderr[-2000:]}")
        with Path(arguments.out).open("a") as file:
            file.write(done.stdout.strip().splitlines()[-1] + "\n")
        print(done.stdout.strip().splitlines()[-1], flush=True)


def main() -> None:
    """Measures all cases, or says what they show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--out", default="memory.jsonl")
    parser.add_argument("--here", metavar="CASE", help="one case as JSON, in this process")
    parser.add_argument("--recipes", action="store_true")
    parser.add_argument("--fit", metavar="FILE")
    parser.add_argument("--table", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.fit or arguments.table:
        lines = [json.loads(line) for line in Path(arguments.fit or arguments.table).read_text().splitlines()]
        print(fitted(lines) if arguments.fit else table(lines))
    elif arguments.here:
        print(json.dumps(measured(json.loads(arguments.here), arguments.steps)))
    else:
        run(arguments)


if __name__ == "__main__":
    main()
