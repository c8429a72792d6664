"""What a long, or a large, search takes.

    python benchmarks/endurance.py soak      # 20,000 tiny steps: does memory grow? --backups: with one each epoch
    python benchmarks/endurance.py large     # 200 choices of 10 options: seconds to the first step, and memory
    python benchmarks/endurance.py backups   # what share of an epoch writing backup and history is
    python benchmarks/endurance.py workers   # a step of one process, and of two that share the batch, on a core each;
                                             # --batch-size 512: of more examples

Each prints a line of figures. `soak` and `large` are single runs; the others take the median of the steps, or epochs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MIB = 2**20


def pictures(number: int, size: int = 8, channels: int = 1) -> tuple[Any, Any]:
    """Noise, and labels of three classes."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (number, size, size, channels), dtype=np.uint8), rng.integers(0, 3, number)


def chain(choices: int, options: int, channels: int) -> Any:
    """A space of so many choices, one after another, each between so many different convolutions."""
    import keras

    import keras_dha

    class Chain(keras_dha.SearchSpace):
        def build(self, choose: Any) -> keras.Model:
            inputs = keras.Input(self.input_shape)
            x = keras.layers.Conv2D(channels, 1)(inputs)
            kinds = [(size, kind) for kind in (None, "relu", "tanh", "gelu") for size in (1, 3, 5)][:options]
            made = {
                f"{kind}_{size}": lambda size=size, kind=kind: keras.layers.Conv2D(
                    channels, size, padding="same", activation=kind
                )
                for size, kind in kinds
            }
            for number in range(choices):
                x = choose.op(f"choice_{number}", made)(x)
            return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))

    return Chain((8, 8, 1), 3)


def soak(steps: int, *, backs_up: bool) -> dict[str, Any]:
    """Resident memory over many epochs of few steps, with the record of `keras-dha search`, and with its backups."""
    import keras

    import keras_dha
    from keras_dha.commands.epoch_record import EpochRecord
    from keras_dha.costs import resident_bytes
    from keras_dha.safe_backup import SafeBackup

    per_epoch, found = 20, []
    x, y = pictures(4 * per_epoch)
    model = keras_dha.SearchModel(chain(2, 3, 2), seed=0)
    with tempfile.TemporaryDirectory() as name:
        record = EpochRecord(Path(name), time.monotonic())
        watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: found.append(resident_bytes() / MIB))
        began = time.monotonic()
        callbacks = [record, *([SafeBackup(Path(name) / "backup.npz")] if backs_up else []), watch]
        epochs = steps // per_epoch
        model.fit(x, y, batch_size=4, epochs=epochs, held_out=(x, y), callbacks=callbacks, verbose=0)
    search = found[: int(0.45 * len(found))]  # the graph of the second phase is made half-way
    settle = found[int(0.6 * len(found)) :]
    growth = {name: part[-1] / part[len(part) // 10] - 1 for name, part in (("search", search), ("settle", settle))}
    marks = [round(found[int(share * (len(found) - 1))]) for share in (0, 0.05, 0.1, 0.25, 0.45, 0.6, 0.75, 1)]
    return {"steps": steps, "growth": growth, "mib": marks, "seconds": round(time.monotonic() - began)}


def large(choices: int, options: int) -> dict[str, Any]:
    """Seconds until a search model is built, and until it has made its first step; memory at its peak."""
    import keras

    import keras_dha
    from keras_dha.costs import peak_resident_bytes, resident_bytes

    x, y = pictures(16)
    before, began = resident_bytes(), time.monotonic()
    model = keras_dha.SearchModel(chain(choices, options, 4), keras_dha.recipes.dsnas(), seed=0)
    built = time.monotonic() - began
    ended: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ended.append(time.monotonic() - began)
    )
    model.fit(x, y, batch_size=8, epochs=2, callbacks=[watch], verbose=0)
    grown = (peak_resident_bytes() - before) / MIB
    return {
        "choices": choices,
        "options": options,
        "built_s": round(built, 1),
        "first_step_s": round(ended[0], 1),
        "fit_s": round(time.monotonic() - began, 1),
        "mib": round(grown),
    }


def backups(epochs: int) -> dict[str, Any]:
    """The median share of an epoch that backup and history take, on Fashion-MNIST small."""
    import numpy as np

    import keras_dha
    from keras_dha.commands.epoch_record import EpochRecord
    from keras_dha.safe_backup import SafeBackup

    with np.load(Path(__file__).parents[2] / "shared" / "data" / "fashion_mnist_small.npz") as data:
        x, y = data["x_train"], data["y_train"]
    spent: list[float] = []

    def timed(callback: Any) -> Any:
        write = callback.on_epoch_end

        def on_epoch_end(epoch: int, logs: Any = None) -> None:
            began = time.monotonic()
            write(epoch, logs)
            spent.append(time.monotonic() - began)

        callback.on_epoch_end = on_epoch_end
        return callback

    model = keras_dha.SearchModel(keras_dha.spaces.NASBench201Space(x.shape[1:] + (1,) * (x.ndim == 3), 10), seed=0)
    with tempfile.TemporaryDirectory() as name:
        record = EpochRecord(Path(name), time.monotonic())
        callbacks = [timed(record), timed(SafeBackup(Path(name) / "backup.npz"))]
        images = x.reshape(*x.shape[:3], -1)
        model.fit(images, y, batch_size=64, epochs=epochs, callbacks=callbacks, verbose=0)
    seconds = [float(row["seconds"]) for row in record.rows]
    written = [a + b for a, b in zip(spent[::2], spent[1::2], strict=True)]
    shares = [w / s for w, s in zip(written, seconds, strict=True)]
    return {
        "epochs": epochs,
        "epoch_s": round(statistics.median(seconds), 2),
        "written_s": round(statistics.median(written), 3),
        "share": round(statistics.median(shares), 4),
    }


def worker(index: int, ports: list[str], steps: int, batch_size: int) -> None:
    """One of the workers: prints the median seconds of a step."""
    cluster = {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}, "task": {"type": "worker"}}
    cluster["task"]["index"] = index
    os.environ["TF_CONFIG"] = json.dumps(cluster)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[index % len(cores)]})
    import keras
    import tensorflow as tf

    import keras_dha

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    x, y = pictures(batch_size * steps, size=16)
    with strategy.scope():
        space = keras_dha.spaces.NASBench201Space((16, 16, 1), 3, channels=16, cells_per_stage=1)
        schedule = keras_dha.schedules.Schedule(search_fraction=1.0)
        model = keras_dha.SearchModel(space, keras_dha.recipes.dsnas(), schedule=schedule, seed=0)
    seconds: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seconds.append(-time.monotonic()),
        on_train_batch_end=lambda batch, logs: seconds.append(seconds.pop() + time.monotonic()),
    )
    model.fit(x, y, batch_size=batch_size, epochs=1, callbacks=[watch], verbose=0)
    print(json.dumps(statistics.median(seconds[len(seconds) // 5 :])))


def workers(steps: int, batch_size: int, rounds: int = 3) -> dict[str, Any]:
    """Median seconds of a step of so many examples by one worker and by two, each on a core of its own, in turns."""
    from keras_dha.local_processes import free_port

    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for count in found:
            ports = [str(free_port()) for _ in range(count)]
            words = [sys.executable, __file__, "worker", "--steps", str(steps), "--batch-size", str(batch_size)]
            words += ["--ports", *ports, "--index"]
            processes = [subprocess.Popen([*words, str(i)], stdout=subprocess.PIPE, text=True) for i in range(count)]
            told = [process.communicate()[0].strip().splitlines()[-1] for process in processes]
            found[count].append(max(map(float, told)))
    one, two = (statistics.median(found[count]) for count in (1, 2))
    return {
        "batch_size": batch_size,
        "one_ms": round(1000 * one, 1),
        "two_ms": round(1000 * two, 1),
        "ratio": round(two / one, 3),
        "all": found,
    }


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["soak", "large", "backups", "workers", "worker"])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--backups", action="store_true")
    parser.add_argument("--index", type=int)
    parser.add_argument("--ports", nargs="*")
    given = parser.parse_args()
    if given.what == "worker":
        worker(given.index, given.ports, given.steps, given.batch_size)
        return
    measure = {
        "soak": lambda: soak(given.steps or 20_000, backs_up=given.backups),
        "large": lambda: large(200, 10),
        "backups": lambda: backups(given.epochs),
        "workers": lambda: workers(given.steps or 60, given.batch_size),
    }
    print(json.dumps({"what": given.what, **measure[given.what]()}))


if __name__ == "__main__":
    main()
