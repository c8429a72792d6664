"""The trials of `keras-dha tune`: a tuner of its folder, in as many processes as there are.

    python -m keras_dha.commands.trials FOLDER

runs them, as KerasTuner's environment says: all, the chief's part, or a worker's.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from keras_dha.commands.run_folder import RunFolder
from keras_dha.commands.space import make_space
from keras_dha.commands.tune_options import TuneOptions
from keras_dha.data.sources import Source, load
from keras_dha.spaces import ImageSpace

HELD_OUT = 0.2
OBJECTIVE = "val_accuracy"


def space_of(options: TuneOptions, source: Source) -> ImageSpace:
    """The space that the options describe.

    Raises:
        ValueError: If a size does not fit.
    """
    sizes = {"channels": int(options.channels or 1), "cells": int(options.cells or 1)}
    return make_space(str(options.space), source.input_shape, source.num_classes, **sizes)


def make_tuner(options: TuneOptions, source: Source, folder: Path) -> Any:
    """A KerasTuner tuner over the space and its training; one that is in the folder already goes on.

    Args:
        options: All of them given.
        source: The data.
        folder: Where KerasTuner writes.
    """
    import keras_tuner

    from keras_dha import tuners

    kinds = {
        "weak_predictor": tuners.WeakPredictorOracle,
        "evolution": tuners.RegularizedEvolutionOracle,
        "parzen": tuners.ParzenOracle,
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
        "random": keras_tuner.oracles.RandomSearchOracle,
    }
    oracle = kinds[str(options.oracle)](objective=OBJECTIVE, max_trials=options.trials, seed=options.seed)
    hypermodel = tuners.SpaceHyperModel(space_of(options, source), seed=options.seed)
    tuner = keras_tuner.Tuner(oracle, hypermodel, directory=str(folder), project_name="trials")
    # KerasTuner reads the trials only in a process of the name of one that wrote them.
    if tuner.oracle is oracle and not oracle.trials and (folder / "trials" / "oracle.json").exists():
        oracle.reload()
    return tuner


def run_trials(options: TuneOptions, source: Source, folder: Path) -> Any:
    """Runs what is left of the trials, or this process's part of them; returns the tuner.

    A fifth of the training data says which trial is best, the same in all.
    """
    tuner = make_tuner(options, source, folder)
    order = np.random.default_rng(options.seed).permutation(len(source.y_train))
    held_out, kept = np.split(order, [int(HELD_OUT * len(order))])
    tuner.search(
        source.x_train[kept],
        source.y_train[kept],
        validation_data=(source.x_train[held_out], source.y_train[held_out]),
        epochs=options.epochs,
        batch_size=options.batch_size,
        verbose=0,
    )
    return tuner


def stored_options(folder: RunFolder) -> TuneOptions:
    """The options that the folder of a run holds."""
    return TuneOptions(**folder.read_run()["arguments"])


def main(path: str) -> None:
    """Runs trials of the run in a folder."""
    folder = RunFolder(path)
    options = stored_options(folder)
    run_trials(options, load(str(options.data)), folder.working)


if __name__ == "__main__":
    main(sys.argv[1])
