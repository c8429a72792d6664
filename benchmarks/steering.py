"""Neural-iLQR on a vehicle and a cart-pole, beside iLQR that knows the equations, and iLQR that knows wrong ones.

    python benchmarks/steering.py --methods exact wrong --out known.jsonl
    python benchmarks/steering.py --methods fixed searched --seeds 0 1 2 --out learned.jsonl
    python benchmarks/steering.py --table known.jsonl learned.jsonl

All trajectories are judged on the real system. `exact`: iLQR with its equations. `wrong`: with a parameter that is a
fifth off; "planned" is the cost that it believes, "open loop" what its actions cost, "feedback" those with its feedback
added, and "real rollouts" what it comes to if only its Jacobians are wrong, and trajectories are real. `fixed`:
Neural-iLQR with a network of tanh, of 128 and 64 units; `searched`: with one whose widths, activations and depth
`SearchModel` found on the first rollouts; the search counts. Runs of a line that is in the file are not run again. Runs
have one thread, on a core each, and seconds are of its processor.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cores import run_on_cores, use_one_core

from keras_dha.control import (
    ILQR,
    CartPole,
    Dynamics,
    NeuralILQR,
    Task,
    Vehicle,
    cart_pole_swing_up,
    space_of_dynamics,
    vehicle_tracking,
)

TASKS: dict[str, Callable[..., Task]] = {"vehicle": vehicle_tracking, "cart_pole": cart_pole_swing_up}
WRONG: dict[str, dict[str, Dynamics]] = {
    "vehicle": {
        "axle_distance=2.4": Vehicle(axle_distance=2.4),
        "axle_distance=3.6": Vehicle(axle_distance=3.6),
        "step_seconds=0.08": Vehicle(step_seconds=0.08),
        "step_seconds=0.12": Vehicle(step_seconds=0.12),
    },
    "cart_pole": {
        "pole_mass=0.08": CartPole(pole_mass=0.08),
        "pole_mass=0.12": CartPole(pole_mass=0.12),
        "half_length=0.4": CartPole(half_length=0.4),
        "half_length=0.6": CartPole(half_length=0.6),
    },
}
DEVIATION = {"vehicle": 2, "cart_pole": 0}  # the angle, of a state


def known(name: str, parameter: str | None) -> dict[str, Any]:
    """What iLQR does with equations: the real ones, or wrong ones."""
    task = TASKS[name]()
    if parameter is None:
        solution = ILQR().solve(task)
        costs = solution.costs
        return {"cost": solution.trajectory.cost, "start": costs[0], "iterations": len(costs) - 1}
    wrong = WRONG[name][parameter]
    plan = ILQR().solve(TASKS[name](wrong))
    real = ILQR(wrong).solve(task)
    return {
        "planned": plan.trajectory.cost,
        "open loop": task.rollout(plan.trajectory.actions).cost,
        "feedback": task.rollout(plan.trajectory.actions, plan.trajectory, plan.gains).cost,
        "real rollouts": real.trajectory.cost,
    }


def learned(name: str, seed: int, *, searches: bool, iterations: int) -> dict[str, Any]:
    """Neural-iLQR."""
    task = TASKS[name]()
    space = space_of_dynamics(task.system.num_states, task.system.num_actions) if searches else None
    solver = NeuralILQR(space, iterations=iterations, seed=seed)
    solution = solver.solve(task)
    best = solution.trajectory
    found: dict[str, Any] = {
        "cost": best.cost,
        "angle": float(best.states[-1, DEVIATION[name]]),
        "rollouts": solution.num_rollouts,
        "iterations": len(solution.costs) - 1,
        "costs": solution.costs,
    }
    if solver.dynamics is not None:
        error = solver.dynamics.jacobian(best.states, best.actions) - task.system.jacobian(best.states, best.actions)
        found["jacobian_error"] = float(np.abs(error).mean())
        found["parameters"] = solver.dynamics.network.count_params()
    if solver.search is not None:
        found["decisions"] = dict(solver.search.decisions())
    return found


def runs(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What was asked for, each as what names it."""
    found: list[dict[str, Any]] = []
    for task in arguments.tasks:
        for method in arguments.methods:
            if method == "exact":
                found.append({"task": task, "method": method})
            elif method == "wrong":
                found += [{"task": task, "method": method, "parameter": parameter} for parameter in WRONG[task]]
            else:
                found += [{"task": task, "method": method, "seed": seed} for seed in arguments.seeds]
    return found


def read(names: list[str]) -> list[dict[str, Any]]:
    """The lines of files."""
    return [json.loads(line) for name in names if Path(name).exists() for line in Path(name).read_text().splitlines()]


def table(lines: list[dict[str, Any]]) -> str:
    """The learned ones with the exact one, then the wrong ones."""
    exact = {line["task"]: line["cost"] for line in lines if line["method"] == "exact"}
    rows = [
        "| task | method | mean cost | per seed | above the exact model | final angle | real rollouts | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        for method in ("exact", "fixed", "searched"):
            own = [line for line in lines if (line["task"], line["method"]) == (task, method)]
            if not own:
                continue
            costs = [line["cost"] for line in own]
            mean = statistics.mean(costs)
            above = f"{100 * (mean / exact[task] - 1):.2f} %" if task in exact else ""
            seeds = ", ".join(f"{cost:.1f}" for cost in costs)
            angle = f"{max(abs(line['angle']) for line in own):.3f}" if "angle" in own[0] else ""
            rollouts = ", ".join(str(line["rollouts"]) for line in own if "rollouts" in line)
            seconds = f"{max(line['seconds'] for line in own):.0f}"
            rows.append(f"| {task} | {method} | {mean:.1f} | {seeds} | {above} | {angle} | {rollouts} | {seconds} |")
    columns = ("planned", "open loop", "feedback", "real rollouts")
    rows += ["", f"| task | wrong parameter | {' | '.join(columns)} |", "|---|---|---|---|---|---|"]
    for line in lines:
        if line["method"] == "wrong":
            costs = [f"{line[column]:.1f}" for column in columns]
            rows.append(f"| {line['task']} | {line['parameter']} | {' | '.join(costs)} |")
    return "\n".join(rows)


def in_this_process(arguments: argparse.Namespace) -> None:
    """One run."""
    use_one_core()
    run = json.loads(arguments.here)
    began = time.monotonic()
    if run["method"] in ("exact", "wrong"):
        found = known(run["task"], run.get("parameter"))
    else:
        searches = run["method"] == "searched"
        found = learned(run["task"], run["seed"], searches=searches, iterations=arguments.iterations)
    line = {**run, "seconds": time.monotonic() - began, **found}
    with Path(arguments.out).open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps({key: value for key, value in line.items() if key != "costs"}), flush=True)


def main() -> None:
    """Runs what was asked for and is not there yet, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    methods = ["exact", "wrong", "fixed", "searched"]
    parser.add_argument("--methods", nargs="+", default=methods, choices=methods)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--out", default="steering.jsonl")
    parser.add_argument("--table", nargs="+", metavar="FILE")
    parser.add_argument("--here", metavar="RUN", help="one run, as JSON, in this process")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(read(arguments.table)))
    elif arguments.here:
        in_this_process(arguments)
    else:
        done = read([arguments.out])
        todo = [run for run in runs(arguments) if not any(run.items() <= line.items() for line in done)]
        common = [f"--iterations={arguments.iterations}", f"--out={arguments.out}"]
        commands = [[sys.executable, __file__, *common, f"--here={json.dumps(run)}"] for run in todo]
        run_on_cores(commands, arguments.cores)


if __name__ == "__main__":
    main()
