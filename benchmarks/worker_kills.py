"""Trials by two workers, some of which are killed: none is lost, none counts twice.

    python benchmarks/worker_kills.py --trials 200 --workers 2 --kills 3

A trial trains a small network on scikit-learn's digits for an epoch. A worker is killed (SIGKILL) while it runs one,
at random moments; the chief once, too, with `--kill-chief`. Then the trials are read back from KerasTuner's files.
"""

import argparse
import collections
import json
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from keras_dha.tuners.workers import CHIEF, Workers


def search(folder: str, trials: int) -> None:
    """What each process runs."""
    import keras
    import keras_tuner
    from sklearn.datasets import load_digits

    from keras_dha.tuners import RegularizedEvolutionOracle

    x, y = load_digits(return_X_y=True)

    def build(hp: keras_tuner.HyperParameters) -> keras.Model:
        layers = [keras.layers.Dense(hp.Int("width", 2, 65), activation=hp.Choice("activation", ["relu", "tanh"]))]
        model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(hp.Choice("rate", [0.001, 0.01])), loss, metrics=["accuracy"])
        return model

    oracle = RegularizedEvolutionOracle(
        objective="val_accuracy", max_trials=trials, seed=1, population_size=20, sample_size=5
    )
    tuner = keras_tuner.Tuner(oracle, build, directory=folder, project_name="kills")
    tuner.search(x[:1400] / 16, y[:1400], validation_data=(x[1400:] / 16, y[1400:]), epochs=1, verbose=0)


def read(folder: Path) -> list[dict]:
    """The trials, as KerasTuner keeps them."""
    return [json.loads(path.read_text()) for path in sorted((folder / "kills").glob("trial_*/trial.json"))]


def main() -> None:
    """Runs them, kills, and counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--kill-chief", action="store_true", help="once more, half-way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--here", metavar="FOLDER", help="as one of the processes")
    arguments = parser.parse_args()
    if arguments.here:
        search(arguments.here, arguments.trials)
        return
    chance, began = random.Random(arguments.seed), time.monotonic()
    part = arguments.trials // (arguments.kills + 1)
    due = [(part * (i + 1) + chance.randrange(max(1, part // 2)), "worker") for i in range(arguments.kills)]
    due = sorted([*due, *([(arguments.trials // 2, CHIEF)] if arguments.kill_chief else [])])
    with tempfile.TemporaryDirectory() as name:
        folder, killed = Path(name), []
        command = [sys.executable, __file__, "--here", name, "--trials", str(arguments.trials)]
        with Workers(command, arguments.workers, logs=folder / "logs") as workers:

            def watch() -> None:
                begun = len(list((folder / "kills").glob("trial_*")))
                while due and begun >= due[0][0]:
                    _, kind = due.pop(0)
                    victim = kind if kind == CHIEF else chance.choice(workers.names)
                    time.sleep(chance.random())
                    workers.processes[victim].send_signal(signal.SIGKILL)
                    killed.append(victim)
                    print(f"killed {victim} with {begun} trials begun", flush=True)

            workers.run(watch)
        trials = read(folder)
    states = collections.Counter(trial["status"] for trial in trials)
    values = collections.Counter(json.dumps(trial["hyperparameters"]["values"], sort_keys=True) for trial in trials)
    print(f"{len(trials)} trials: {dict(states)}; {len({trial['trial_id'] for trial in trials})} different numbers,")
    print(f"{len(values)} different points; killed: {killed}; {time.monotonic() - began:.0f} s")
    if states["COMPLETED"] != arguments.trials or len(values) != arguments.trials or due:
        raise SystemExit("Trials were lost, or doubled.")


if __name__ == "__main__":
    main()
