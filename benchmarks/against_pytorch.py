"""What a step of a search costs beside the same step in PyTorch.

    python benchmarks/against_pytorch.py --step mixed

`mixed`: every option runs, weights and architecture descend the training loss. `sampled`: one drawn option a choice
runs, the architecture by the score function. Both on the NAS-Bench-201 space, C = 16, one cell a stage, batches of 32.
`bilevel`: DARTS of the first order on its own cell, C = 16, four cells, batches of 16. Pictures of 32x32x3 throughout.

PyTorch runs in its two memory layouts, eagerly, on as many threads; the three take turns of `--steps` steps, after one
that is not timed. Printed: median milliseconds a step over `--rounds` turns, and the ratio to PyTorch's better layout.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = {"mixed": 32, "sampled": 32, "bilevel": 16}
Step = Callable[[], None]


def our_step(kind: str, batch_size: int, channels: int) -> Step:
    """A step of `SearchModel.train_step`, in its graph."""
    import keras
    import tensorflow as tf

    import keras_dha

    shape, schedule = (32, 32, 3), keras_dha.schedules.Schedule(search_fraction=1.0, warmup_fraction=0.0)
    recipes = {
        "mixed": keras_dha.recipes.darts().replace(architecture_loss="training"),
        "sampled": keras_dha.recipes.dsnas(),
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


def main() -> None:
    """Prints the table of one kind of step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", default="mixed", choices=SIZES)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=3, help="timed steps of a turn")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    try:
        import torch
    except ModuleNotFoundError as error:
        raise SystemExit("This comparison needs PyTorch: pip install torch==2.13.0") from error
    torch.set_num_threads(arguments.threads)
    sizes = (arguments.step, SIZES[arguments.step], arguments.channels)
    steps = {"keras_dha": our_step(*sizes)}
    for layout in ("contiguous_format", "channels_last"):
        steps[f"PyTorch {layout}"] = torch_step(*sizes, layout)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(arguments.rounds + 2):
        for name, step in steps.items():
            step()  # what runs before leaves its threads spinning, and the caches full
            started = time.perf_counter()
            for _ in range(arguments.steps):
                step()
            if turn >= 2:
                seconds[name].append((time.perf_counter() - started) / arguments.steps)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    reference = min(value for name, value in medians.items() if name != "keras_dha")
    for name, value in medians.items():
        print(f"{arguments.step:8} {name:26} {1000 * value:8.1f} ms, {value / reference:5.2f} of PyTorch's best")


if __name__ == "__main__":
    main()
