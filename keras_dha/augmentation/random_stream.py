"""Random numbers that depend on their use and on nothing else."""

import random
import zlib
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


def stream_seed(seed: int, use: str) -> int:
    """A seed for one use of random numbers; another use, or another `seed`, gives an unrelated one."""
    return int(np.random.SeedSequence([seed, zlib.crc32(use.encode())]).generate_state(1)[0] >> 1)


def fresh_seed(seed: int | None) -> int:
    """`seed`, or a new one that follows `keras.utils.set_random_seed`.

    Raises:
        ValueError: If `seed` is neither None nor a non-negative integer.
    """
    if seed is None:
        return random.randrange(2**31)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be None or a non-negative integer. Received: seed={seed!r}. Give one such as 0.")
    return int(seed)


def logistic_noise(shape: Any, seed: Any) -> Tensor:
    """Logistic noise, float32: `logit(p) + noise` is positive with probability `p`."""
    uniform = uniform_noise(shape, seed)
    return ops.log(uniform) - ops.log1p(-uniform)


def uniform_noise(shape: Any, seed: Any) -> Tensor:
    """Uniform noise, float32, a little within 0 and 1."""
    tiny = 1e-7  # keras.random.uniform may return 0.
    return keras.random.uniform(shape, tiny, 1.0 - tiny, dtype="float32", seed=seed)


def random_signs(shape: Any, seed: Any) -> Tensor:
    """-1 or +1, float32, each half of the time."""
    return ops.where(keras.random.uniform(shape, dtype="float32", seed=seed) < 0.5, -1.0, 1.0)


class ReplicaStream(keras.random.SeedGenerator):
    """The numbers of `source`, others on each replica.

    Replicas of a `tf.distribute` strategy keep equal states of a `SeedGenerator`, and would augment their parts of a
    batch alike. The state stays that of `source`.

    Args:
        source: A `keras.random.SeedGenerator`.
        replica: The replica's number, a Python or tensor integer; 0 gives the numbers of `source`.
    """

    def __init__(self, source: keras.random.SeedGenerator, replica: Tensor) -> None:
        # Without super().__init__, which would make a variable: this is a view of `source`, made anew in every call.
        self.source = source
        self.replica = replica

    def next(self, ordered: bool = True) -> Tensor:
        """The next seed of `source`, moved by the replica's number."""
        state = self.source.next(ordered)
        shift = ops.cast(self.replica, state.dtype) * 1_000_003
        return state + ops.stack([shift, ops.zeros_like(shift)])
