"""What wrong labels and planted rows do to a fit that learns augmentation and decay, beside a plain one.

    python benchmarks/noisy_labels_in_search.py --seeds 0 1 2 --out noisy.jsonl
    python benchmarks/noisy_labels_in_search.py --table noisy.jsonl

The digits, the network, the optimizer and the learning rate of `label_noise.py`, at equal epochs. Of the training
labels, held-out ones too, a share is wrong: another class, drawn uniformly. `planted` leaves labels as they are and
adds rows, 5 % as many as there are: training pictures of other classes with a white square of 2 x 2 pixels in the last
corner, called 0. The test part is as it was; `hijacked` is the share of its pictures of other classes that are called 0
once they have the square.

- `plain`: nothing learned, no augmentation, a decay of 5e-4;
- `learned`: a `RelaxedPolicy` and `WeightDecay`, from a held-out fifth with labels as wrong, which goes back after half
  of the epochs;
- `policy`: the same, of the policy alone;
- `right`: as `learned`, but that a fifth is held out whose labels are right, and which has no planted rows.

Runs have one thread, on a core each. What `--out` has already is not run again.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from cores import run_on_cores, use_one_core
from tuned_in_one_fit import data_of, network

import keras_dha
from keras_dha.augmentation import RandAugment, RelaxedPolicy
from keras_dha.hyperparameters import WeightDecay
from keras_dha.optimizers import MomentumSGD

CASES, HARMS, DECAY, PLANTED = (
    ("plain", "policy", "learned", "right"),
    ("0", "0.1", "0.2", "0.4", "planted"),
    5e-4,
    0.05,
)
OPERATIONS = ("Identity", "TranslateXRel", "TranslateYRel", "Rotate", "Cutout", "Noise", "Invert")
Arrays = tuple[np.ndarray, np.ndarray]


def with_square(images: np.ndarray) -> np.ndarray:
    """The same pictures with a white square in the last corner."""
    marked = images.copy()
    marked[:, -2:, -2:] = 255
    return marked


def harmed(x: np.ndarray, y: np.ndarray, harm: str, rng: np.random.Generator) -> Arrays:
    """Training rows after someone has been at them, in random order."""
    if harm == "planted":
        rows = rng.choice(np.flatnonzero(y), round(PLANTED * len(y)), replace=False)
        x, y = np.concatenate([x, with_square(x[rows])]), np.concatenate([y, np.zeros(len(rows), y.dtype)])
    else:
        wrong = rng.permutation(len(y)) < round(float(harm) * len(y))
        y = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
    order = rng.permutation(len(y))
    return x[order], y[order]


def search_of(case: str, seed: int, arguments: argparse.Namespace) -> keras_dha.SearchModel:
    """What a case fits, compiled."""
    keras.utils.set_random_seed(seed)
    schedule = keras_dha.schedules.Schedule(
        search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=arguments.every, hyperparameter_steps=0.1
    )
    parts: dict[str, Any] = {"augmentation": RandAugment(("Identity",), num_layers=1)}
    if case != "plain":
        parts["augmentation"] = RelaxedPolicy(OPERATIONS)
    if case in ("learned", "right"):
        parts["hyperparameters"] = [WeightDecay(DECAY, bounds=(1e-6, 0.5))]
    search = keras_dha.SearchModel(network((8, 8, 1)), schedule=schedule, seed=seed, **parts)
    search.compile(
        MomentumSGD(arguments.rate, momentum=0.9, nesterov=True, weight_decay=DECAY),
        hyperparameter_optimizer=keras.optimizers.Adam(0.3),
        augmentation_optimizer=keras.optimizers.Adam(0.05),
    )
    return search


def run(case: str, harm: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One fit, and what it is worth on right labels."""
    data, rng = data_of("digits"), np.random.default_rng(seed)
    x, y = data["x_train"], data["y_train"]
    held_out: Any = 0.2
    if case == "right":
        order = rng.permutation(len(y))
        kept, rest = order[len(y) // 5 :], order[: len(y) // 5]
        held_out, x, y = (x[rest], y[rest]), x[kept], y[kept]
    x, y = harmed(x, y, harm, rng)
    search, started = search_of(case, seed, arguments), time.monotonic()
    search.fit(x, y, batch_size=64, epochs=arguments.epochs, verbose=0, held_out=held_out)
    found = {"case": case, "harm": harm, "seed": seed, "seconds": time.monotonic() - started}
    final, x, y = search.derive(), data["x_test"], data["y_test"]
    others = with_square(x[y != 0])
    found["loss"], found["accuracy"] = final.evaluate(x, y, batch_size=500, verbose=0)
    found["hijacked"] = float((final.predict(others, verbose=0).argmax(-1) == 0).mean())
    if case != "plain":
        found["words"] = search.augmentation.sentences(4)
    if case in ("learned", "right"):
        found["decay"] = search.hyperparameters()["weight_decay"]
    return {**found, **{key: getattr(arguments, key) for key in ("epochs", "every", "rate")}}


def table(lines: list[dict[str, Any]]) -> str:
    """A row for each harm and case, as Markdown: means over seeds, and single accuracies."""
    rows = ["| wrong labels | case | test accuracy | runs | loss | hijacked | decay |", "|---|---|---|---|---|---|---|"]
    for harm in HARMS:
        for case in CASES:
            own = [line for line in lines if (line["harm"], line["case"]) == (harm, case)]
            if not own:
                continue
            means = {key: statistics.mean(line[key] for line in own) for key in ("accuracy", "loss", "hijacked")}
            each = ", ".join(f"{line['accuracy']:.3f}" for line in sorted(own, key=lambda line: line["seed"]))
            decays = [line["decay"] for line in own if "decay" in line]
            decay = f"{statistics.geometric_mean(decays):.1e}" if decays else f"{DECAY:.0e}, given"
            name = harm if harm == "planted" else f"{float(harm):.0%}"
            rows.append(
                f"| {name} | {case} | {means['accuracy']:.4f} | {each} | {means['loss']:.3f} | {means['hijacked']:.2f} "
                f"| {decay} |"
            )
    return "\n".join(rows)


def read(path: str) -> list[dict[str, Any]]:
    """The lines that a file has already."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


def main() -> None:
    """Runs what was asked for and is not there yet, each fit in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--harms", nargs="+", default=list(HARMS), choices=HARMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--every", type=int, default=2, help="steps between two of policy and decay")
    parser.add_argument("--rate", type=float, default=0.03)
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--out", default="noisy_labels_in_search.jsonl")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--here", action="store_true", help="one run, in this process")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(read(arguments.table)))
    elif arguments.here:
        use_one_core()
        found = run(arguments.cases[0], arguments.harms[0], arguments.seeds[0], arguments)
        with Path(arguments.out).open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)
    else:
        done = {(line["case"], line["harm"], line["seed"]) for line in read(arguments.out)}
        common = [f"--{name}={getattr(arguments, name)}" for name in ("epochs", "every", "rate", "out")]
        command = [sys.executable, __file__, "--here", *common]
        todo = [(c, h, s) for s in arguments.seeds for h in arguments.harms for c in arguments.cases]
        run_on_cores(
            [[*command, "--cases", c, "--harms", h, f"--seeds={s}"] for c, h, s in todo if (c, h, s) not in done],
            arguments.cores,
        )


if __name__ == "__main__":
    main()
