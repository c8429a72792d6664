"""`--strategy`: the devices and the processes that train together."""

import json
import os
import threading
import time
import zlib

import tensorflow as tf

from keras_dha.commands.errors import CommandError
from keras_dha.distributed_model import on_several_workers

MULTIWORKER = "multiworker"
CLUSTER, LAUNCHER = "TF_CONFIG", "KERAS_DHA_LAUNCHER"  # in the environment: who the workers are, who began this one
_LOOK = 1.0  # seconds between two looks for the process that began this one


def is_worker() -> bool:
    """Whether the environment says that this process is one of several workers."""
    try:
        return bool(json.loads(os.environ.get(CLUSTER) or "{}").get("cluster"))
    except (ValueError, AttributeError) as error:
        raise CommandError(
            f"{CLUSTER} must be JSON as TensorFlow has it. Received: {os.environ[CLUSTER]!r}. Write, for example, "
            '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}.'
        ) from error


class Team:
    """The processes that train one model together, and the place of this one among them.

    Made before TensorFlow runs anything else, for workers have to find each other first.

    Args:
        strategy: None, `"mirrored"`, `"multiworker"` (in a process that `TF_CONFIG` describes) or `"tpu"`.

    Attributes:
        strategy: In whose scope the model is made.
        is_chief: Whether this process writes; the others only compute.

    Raises:
        CommandError: If what the strategy needs is not there.
    """

    def __init__(self, strategy: str | None) -> None:
        self.strategy = _made(strategy)
        self._several = on_several_workers(self.strategy)
        self.is_chief = not self._several or self.strategy.cluster_resolver.task_id == 0
        if os.environ.get(LAUNCHER):
            threading.Thread(target=_end_with, args=(int(os.environ[LAUNCHER]),), daemon=True).start()

    def agree(self, what: str) -> None:
        """Waits for all workers, and makes sure that they mean the same.

        Args:
            what: A description of the search.

        Raises:
            CommandError: If another worker gave another one.
        """
        if not self._several:
            return
        own = tf.constant(float(zlib.crc32(what.encode())), tf.float64)  # which a double holds, and their mean too
        each = tf.function(lambda: self.strategy.run(lambda: tf.identity(own)), autograph=False)()
        if float(self.strategy.reduce("MEAN", each, axis=None)) != float(own):
            raise CommandError(
                "All workers must be given the same command and the same data, and see the same --out. "
                f"Received: another one than in this worker, {what}. Start all of them alike."
            )

    def wait(self) -> None:
        """Waits until all workers have come to this line."""
        self.agree("")


def _made(name: str | None) -> tf.distribute.Strategy:
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == MULTIWORKER:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name != "tpu":
        return tf.distribute.get_strategy()
    try:
        return tf.distribute.TPUStrategy(tf.distribute.cluster_resolver.TPUClusterResolver.connect())
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        told = " ".join(str(error).split())
        raise CommandError(
            f"--strategy tpu must find a TPU. Received: {told or type(error).__name__}. Set TPU_NAME, and take a "
            "TensorFlow that TPUs know, of which 2.19.1 is the last one; or leave --strategy out."
        ) from error


def _end_with(launcher: int) -> None:
    """Ends this process when the one that began it is gone: nobody would start a worker again that dies."""
    while os.getppid() == launcher:
        time.sleep(_LOOK)
    os._exit(1)
