"""Reads the graph of each cell out of decisions."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_EDGE = re.compile(r"^(?:(?P<cell>.+?)[/_])?edge[/_](?P<target>\d+)_from_(?P<source>\d+)$")
_NODE = re.compile(r"^(?:(?P<cell>.+?)[/_])?node[/_](?P<node>\d+)$")


@dataclass(frozen=True)
class CellGraph:
    """One cell: nodes in order of computation, and the operations between them.

    Args:
        name: Such as `"normal"`.
        nodes: Names of the nodes; the inputs first.
        edges: `(from, to, operation)` with positions in `nodes`.
        joined: Positions of the nodes whose outputs are concatenated; empty if the last node is the output.
    """

    name: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]
    joined: tuple[int, ...] = ()


def cell_graphs(decisions: Mapping[str, Iterable[str]]) -> list[CellGraph]:
    """The cells of the ready-made spaces; none for decisions with other names, which a table shows better.

    - `[cell_]edge_I_from_J`, one operation on the edge from node `J` to node `I` (`NASBench201Space`).
    - `[cell_]node_I` with options `"J/operation"`; inputs 0 and 1 are the cells before, 2 is node 0 (`DARTSSpace`).

    Args:
        decisions: Choice name -> kept options; a `Decisions` is one.
    """
    edges: dict[str, list[tuple[int, int, str]]] = {}
    nodes: dict[str, list[tuple[int, int, str]]] = {}
    for name, options in decisions.items():
        if match := _EDGE.match(name):
            source, target = int(match["source"]), int(match["target"])
            edges.setdefault(match["cell"] or "cell", []).extend((source, target, option) for option in options)
        elif match := _NODE.match(name):
            parts = [option.split("/", 1) for option in options]
            if not all(len(part) == 2 and part[0].isdigit() for part in parts):
                return []
            kept = [(int(part[0]), int(match["node"]) + 2, part[1]) for part in parts]
            nodes.setdefault(match["cell"] or "cell", []).extend(kept)
        else:
            return []
    return [_edge_cell(name, found) for name, found in edges.items()] + [
        _node_cell(name, found) for name, found in nodes.items()
    ]


def _edge_cell(name: str, edges: list[tuple[int, int, str]]) -> CellGraph:
    last = max(target for _, target, _ in edges)
    middle = [str(node) for node in range(1, last)]
    return CellGraph(name, ("input", *middle, "output"), tuple(sorted(edges)))


def _node_cell(name: str, kept: list[tuple[int, int, str]]) -> CellGraph:
    count = max(target for _, target, _ in kept) - 1
    inner = tuple(str(node) for node in range(count))
    return CellGraph(name, ("cell k-2", "cell k-1", *inner, "output"), tuple(sorted(kept)), tuple(range(2, count + 2)))
