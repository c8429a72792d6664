"""What each of several workers runs: `python several_workers.py PATH`, with `TF_CONFIG` as TensorFlow has it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def run_workers(folder: Path, count: int = 2) -> list[dict[str, Any]]:
    """What each worker found; all have ended."""
    workers = [f"localhost:{free_port()}" for _ in range(count)]
    processes = []
    for index in range(count):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        command = [sys.executable, __file__, str(folder / f"{index}")]
        with (folder / f"{index}.log").open("w") as log:
            environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
    try:
        for index, process in enumerate(processes):
            assert process.wait(timeout=300) == 0, (folder / f"{index}.log").read_text()[-4000:]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [read(folder / f"{index}") for index in range(count)]


def read(path: Path) -> dict[str, Any]:
    found = json.loads(path.with_suffix(".json").read_text())
    for name in found:
        with np.load(f"{path}_{name}.npz") as arrays:
            found[name]["weights"] = dict(arrays)
    return found


def plain() -> Any:
    """A search that draws nothing, so that it does not matter which worker has which part of a batch."""
    from tiny_space import search_model

    from keras_dha.hyperparameters import LearningRate
    from keras_dha.relaxations import Softmax

    return search_model(relaxation=Softmax(), augmentation=None, hyperparameters=(LearningRate(0.05),))


def drawn() -> Any:
    """A search that draws one option a step, and augmentations."""
    from tiny_space import search_model

    return search_model()


MODELS = {"plain": plain, "drawn": drawn}


def fit(model: Any, callbacks: Any = ()) -> dict[str, Any]:
    """Two epochs, each with a last batch that is smaller, and what is to be compared."""
    from tiny_space import images, weights_of

    x, y = images(35)
    given = {"validation_data": images(16, seed=1), "callbacks": list(callbacks), "verbose": 0}
    history = model.fit(x, y, epochs=2, batch_size=8, **given).history
    found = {"history": history, "evaluated": model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True)}
    decisions = {name: list(kept) for name, kept in model.decisions().items()}
    return {**found, "decisions": decisions, "weights": weights_of(model)}


def main(path: str) -> None:
    import keras
    import tensorflow as tf
    from tiny_space import images

    strategy, found = tf.distribute.MultiWorkerMirroredStrategy(), {}

    class FirstSaves(keras.callbacks.Callback):
        """Only one of the workers writes, in the middle of a fit."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if strategy.cluster_resolver.task_id == 0:
                self.model.save_weights(f"{path}_{epoch}.weights.h5")
                self.model.save(f"{path}_{epoch}.keras")

    for name, make in MODELS.items():
        with strategy.scope():
            model = make()
        found[name] = fit(model, [FirstSaves()])
        x = images(16, seed=2)[0]
        found[name]["derived"] = model.derive().predict(x, verbose=0).tolist()
        found[name]["predicted"] = model.predict(x, batch_size=8, verbose=0).tolist()
        np.savez(f"{path}_{name}.npz", **found[name].pop("weights"))
    Path(path + ".json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
