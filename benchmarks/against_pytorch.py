"""What a step of a search costs beside the same step in PyTorch.

    python benchmarks/against_pytorch.py --step mixed

`mixed`: every option runs, weights and architecture descend the training loss. `sampled`: one drawn option a choice
runs, the architecture by the score function. Both on the NAS-Bench-201 space, C = 16, one cell a stage, batches of 32.
`bilevel`: DARTS of the first order on its own cell, C = 16, four cells, batches of 16. Pictures of 32x32x3 throughout.

PyTorch runs in its two memory layouts, eagerly, on as many threads. The three are processes that take turns of half a
second, in which the others stand still: PyTorch's threads go on spinning after a step, and would slow the next one in
the same process. Printed: median milliseconds of `--steps` steps, and the ratio to PyTorch's better layout.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from turns import run_in_turns, use_own_clock

SIZES = {"mixed": 32, "sampled": 32, "bilevel": 16}
OURS, LAYOUTS = "keras_dha", ("contiguous_format", "channels_last")
WARM_UP = 5
Step = Callable[[], None]


def our_step(kind: str, batch_size: int, channels: int) -> Step:
    """A step of `SearchModel.train_step`, in its graph."""
    import keras
    import tensorflow as tf

    import keras_dha

    shape, schedule = (32, 32, 3), keras_dha.schedules.Schedule(search_fraction=1.0, warmup_fraction=0.0)
    recipes = {
        "mixed": keras_dha.recipes.darts().replace(architecture_loss="training"),
        "sampled": keras_dha.recipes.dsnas().replace(relaxation=keras_dha.relaxations.OneHotSample()),
        "bilevel": keras_dha.recipes.darts(),
    }
    space = (
        keras_dha.spaces.DARTSSpace(shape, 10, channels=channels, cells=4)
        if kind == "bilevel"
        else keras_dha.spaces.NASBench201Space(shape, 10, channels=channels, cells_per_stage=1)
    )
    model = keras_dha.SearchModel(space, recipes[kind], schedule=schedule, seed=0)
    model.compile(keras.optimizers.SGD(0.025, momentum=0.9, weight_decay=3e-4))
    train, held_out = ((tf.constant(x), tf.constant(y)) for x, y in batches(batch_size))
    data = {"train": train, "held_out": held_out} if kind == "bilevel" else {"train": train}
    step = tf.function(lambda: model.train_step(data)["loss"], autograph=False)

    def run() -> None:
        float(step())

    return run


def batches(batch_size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two random batches: cost does not depend on what they show."""
    rng = np.random.default_rng(0)
    return [
        (rng.normal(size=(batch_size, 32, 32, 3)).astype("float32"), rng.integers(0, 10, batch_size)) for _ in range(2)
    ]


def torch_step(kind: str, batch_size: int, channels: int, layout: str) -> Step:
    """The same step, eagerly."""
    import torch
    from torch_networks import DARTS, NASBench201

    torch.manual_seed(0)
    memory_format = getattr(torch, layout)
    network = DARTS(channels, 10, 4) if kind == "bilevel" else NASBench201(channels, 10)
    network = network.to(memory_format=memory_format)
    data = [
        (torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=memory_format), torch.from_numpy(y))
        for x, y in batches(batch_size)
    ]
    alpha = torch.zeros(network.num_choices, network.num_options, requires_grad=True)
    weights = torch.optim.SGD(network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)
    architecture = torch.optim.Adam([alpha], 3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    cross_entropy = torch.nn.functional.cross_entropy

    def loss_of(batch: Any) -> Any:
        return cross_entropy(network(batch[0], torch.softmax(alpha, -1)), batch[1])

    def mixed() -> None:
        weights.zero_grad()
        architecture.zero_grad()
        loss = loss_of(data[0])
        loss.backward()
        architecture.step()
        weights.step()
        loss.item()

    def sampled() -> None:
        weights.zero_grad()
        architecture.zero_grad()
        drawn = torch.distributions.Categorical(logits=alpha)
        options = drawn.sample()
        loss = cross_entropy(network(data[0][0], options.tolist()), data[0][1])
        (loss + loss.detach() * drawn.log_prob(options).sum()).backward()
        architecture.step()
        weights.step()
        loss.item()

    def bilevel() -> None:
        architecture.zero_grad()
        alpha.grad = torch.autograd.grad(loss_of(data[1]), alpha)[0]
        architecture.step()
        weights.zero_grad()
        loss = loss_of(data[0])
        loss.backward(inputs=list(network.parameters()))
        weights.step()
        loss.item()

    return {"mixed": mixed, "sampled": sampled, "bilevel": bilevel}[kind]


def time_steps(arguments: argparse.Namespace) -> list[float]:
    """Seconds of each step of one side, in this process."""
    use_own_clock()
    sizes = (arguments.step, SIZES[arguments.step], arguments.channels)
    if arguments.here == OURS:
        step = our_step(*sizes)
    else:
        import torch

        torch.set_num_threads(arguments.threads)
        step = torch_step(*sizes, arguments.here)
    seconds = []
    for _ in range(WARM_UP + arguments.steps):
        started = time.monotonic()
        step()
        seconds.append(time.monotonic() - started)
    return seconds[WARM_UP:]


def main() -> None:
    """Prints the table of one kind of step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", default="mixed", choices=SIZES)
    parser.add_argument("--steps", type=int, default=150, help="timed steps of each side")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", choices=(OURS, *LAYOUTS), help="one side, in this process")
    parser.add_argument("--out", default="", help="of --here: the file for its seconds")
    arguments = parser.parse_args()
    if arguments.here:
        Path(arguments.out).write_text(json.dumps(time_steps(arguments)))
        return
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("This comparison needs PyTorch: pip install torch==2.13.0")
    common = [f"--{name}={getattr(arguments, name)}" for name in ("step", "steps", "channels", "threads")]
    with tempfile.TemporaryDirectory() as folder:
        files = {side: Path(folder) / side for side in (OURS, *LAYOUTS)}
        run_in_turns(
            [[sys.executable, __file__, *common, f"--here={side}", f"--out={file}"] for side, file in files.items()],
            seconds=0.5,
        )
        medians = {side: statistics.median(json.loads(file.read_text())) for side, file in files.items()}
    reference = min(medians[layout] for layout in LAYOUTS)
    for side, value in medians.items():
        print(f"{arguments.step:8} {side:18} {1000 * value:8.1f} ms, {value / reference:5.2f} of PyTorch's best")


if __name__ == "__main__":
    main()
