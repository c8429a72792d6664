"""How many poison rows a Lasso, channel gates and trees need, of whoever sees the table and whoever does not.

    python benchmarks/poisoned_selectors.py --tables 10 --out poisoned.jsonl
    python benchmarks/poisoned_selectors.py --table poisoned.jsonl

On `sparse_problem`, a table a seed: `lasso` with 2,000 features, all of which are attacked, one by one; `gates` with
200, and a regression `tree` with 20, for these must be fitted anew for each number of rows. Gates and trees get no
column of zeros. `--table` takes the budget with which the aware attacker succeeds on every table, and says how often
the oblivious one, who draws a feature, succeeds with it; `other` is what an attacker needs, at the median of the
tables, who takes the feature that is cheapest, with y = 1, in another table made alike. `seconds` is of the slowest
table, with one thread. What `--out` has already is not run again.
"""

import argparse
import json
import math
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")

from keras_dha.evaluation import (
    GateSelector,
    ImportanceSelector,
    LassoSelector,
    Selector,
    SparseProblem,
    selection_robustness,
    sparse_problem,
)

FEATURES = {"lasso": 2000, "gates": 201, "tree": 21}


def selector_for(name: str, problem: SparseProblem) -> Selector:
    """What is attacked."""
    if name == "lasso":
        return LassoSelector(penalty=problem.penalty)
    if name == "gates":
        return GateSelector()
    from sklearn.tree import DecisionTreeRegressor

    return ImportanceSelector(DecisionTreeRegressor(min_samples_leaf=5, random_state=0))


def run(name: str, seed: int) -> dict[str, Any]:
    """All budgets of a table."""
    problem, started = sparse_problem(1000, FEATURES[name], seed=seed), time.monotonic()
    x = problem.x if name == "lasso" else problem.x[:, :-1]
    found = selection_robustness(selector_for(name, problem), x, problem.y)
    seconds = time.monotonic() - started
    return {"selector": name, "seed": seed, "seconds": seconds, **found.to_dict()}


def number(rows: int | None) -> float:
    """Rows that are needed; infinitely many if those that were tried did not suffice."""
    return math.inf if rows is None else float(rows)


def success(line: dict[str, Any], budget: float) -> float:
    """The share of features that an oblivious attacker gets in with a budget."""
    return statistics.mean(rows is not None and rows <= budget for rows in line["blind_rows"])


def of_others(lines: list[dict[str, Any]]) -> float:
    """The median of the rows that the feature which is cheapest in one table, with y = 1, needs in the next one."""
    needed = []
    for line, other in zip(lines, [*lines[1:], lines[0]]):
        before, here = (
            {target: number(rows) for target, rows in zip(one["targets"], one["blind_rows"])} for one in (line, other)
        )
        needed.append(here.get(min(before, key=lambda target: before[target]), 0))
    return statistics.median(needed)


def table(lines: list[dict[str, Any]]) -> str:
    """A row a selector, as Markdown."""
    heads = ("selector", "tables", "features", "aware: least, most", "oblivious: 5 %, 50 %, 95 %", "other")
    heads += ("budget of the aware", "oblivious with it", "seconds")
    rows = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name in FEATURES:
        own = sorted((line for line in lines if line["selector"] == name), key=lambda line: line["seed"])
        if not own:
            continue
        aware = [number(line["aware"]) for line in own]
        quantiles = [
            statistics.median(number(line["oblivious"][key]) for line in own) for key in ("0.05", "0.5", "0.95")
        ]
        share = statistics.mean(success(line, max(aware)) for line in own)
        rows.append(
            f"| {name} | {len(own)} | {len(own[0]['targets'])} | {min(aware):g}, {max(aware):g} "
            f"| {', '.join(f'{value:g}' for value in quantiles)} | {of_others(own):g} | {max(aware):g} | {share:.4f} "
            f"| {max(line['seconds'] for line in own):.0f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Runs what was asked for and is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--selectors", nargs="+", default=list(FEATURES), choices=list(FEATURES))
    parser.add_argument("--tables", type=int, default=10, help="how many, seeds from 0 on")
    parser.add_argument("--out", default="poisoned_selectors.jsonl")
    parser.add_argument("--table", metavar="FILE")
    arguments = parser.parse_args()
    path = Path(arguments.table or arguments.out)
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if arguments.table:
        print(table(lines))
        return
    done = {(line["selector"], line["seed"]) for line in lines}
    for name in arguments.selectors:
        for seed in range(arguments.tables):
            if (name, seed) not in done:
                found = run(name, seed)
                with path.open("a") as file:
                    file.write(json.dumps(found) + "\n")
                print(name, seed, found["advice"], f"{found['seconds']:.1f} s", flush=True)


if __name__ == "__main__":
    main()
