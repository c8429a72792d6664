# ruff: noqa: D102 (a module is its forward pass)
"""The two supernets of `against_pytorch.py` in PyTorch, as plainly as their papers' code has them.

A mixed operation is called with a tensor of weights, and runs every option; or with a number and a factor, and runs
that one.
"""

import itertools
from typing import Any

import torch
from torch import nn


class Zero(nn.Module):
    """No value, and no gradient."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class FactorizedReduce(nn.Module):
    """Two 1x1 convolutions of stride 2, one pixel apart."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(into, out // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(into, out - out // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(x)
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


def relu_conv_bn(into: int, out: int, kernel: int) -> nn.Module:
    convolution = nn.Conv2d(into, out, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(out))


def separable(channels: int, kernel: int, stride: int) -> nn.Module:
    layers: list[nn.Module] = []
    for step in (stride, 1):
        depthwise = nn.Conv2d(channels, channels, kernel, step, kernel // 2, groups=channels, bias=False)
        layers += [nn.ReLU(), depthwise, nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)]
    return nn.Sequential(*layers)


def dilated(channels: int, kernel: int, stride: int) -> nn.Module:
    depthwise = nn.Conv2d(channels, channels, kernel, stride, kernel - 1, 2, groups=channels, bias=False)
    return nn.Sequential(nn.ReLU(), depthwise, nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))


def pool(kind: str, channels: int, stride: int, normalized: bool) -> nn.Module:
    layer = nn.MaxPool2d(3, stride, 1) if kind == "max" else nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    return nn.Sequential(layer, nn.BatchNorm2d(channels)) if normalized else layer


def nas_bench_201_operations(channels: int) -> list[nn.Module]:
    convolutions = [relu_conv_bn(channels, channels, kernel) for kernel in (1, 3)]
    return [Zero(1), nn.Identity(), *convolutions, pool("avg", channels, 1, False)]


def darts_operations(channels: int, stride: int) -> list[nn.Module]:
    return [
        Zero(stride),
        pool("max", channels, stride, True),
        pool("avg", channels, stride, True),
        nn.Identity() if stride == 1 else FactorizedReduce(channels, channels),
        separable(channels, 3, stride),
        separable(channels, 5, stride),
        dilated(channels, 3, stride),
        dilated(channels, 5, stride),
    ]


class Mixed(nn.Module):
    """One of several operations, softly or hard."""

    def __init__(self, operations: list[nn.Module]) -> None:
        super().__init__()
        self.operations = nn.ModuleList(operations)

    def forward(self, x: torch.Tensor, weights: Any) -> torch.Tensor:
        if isinstance(weights, int):
            return self.operations[weights](x)
        return sum(weight * operation(x) for weight, operation in zip(weights, self.operations, strict=True))


class Residual(nn.Module):
    """The block of stride 2 between stages of NAS-Bench-201."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        first = nn.Sequential(nn.ReLU(), nn.Conv2d(into, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out))
        self.path = nn.Sequential(first, relu_conv_bn(out, out, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(into, out, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.path(x) + self.shortcut(x)


class NASBench201(nn.Module):
    """One cell a stage. `num_choices` edges, whose weights all cells share."""

    num_choices, num_options = 6, 5

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        widths = (channels, 2 * channels, 4 * channels)
        self.cells = nn.ModuleList(
            nn.ModuleList(Mixed(nas_bench_201_operations(width)) for _ in range(6)) for width in widths
        )
        self.between = nn.ModuleList(Residual(into, out) for into, out in itertools.pairwise(widths))
        self.head = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, x: torch.Tensor, weights: Any) -> torch.Tensor:
        x = self.stem(x)
        for number, cell in enumerate(self.cells):
            states, edges = [x], iter(zip(cell, weights, strict=True))
            for node in range(1, 4):
                states.append(sum(edge(states[i], w) for i, (edge, w) in zip(range(node), edges)))
            x = self.between[number](states[-1]) if number < 2 else states[-1]
        return self.classifier(self.head(x))


class DARTS(nn.Module):
    """Cells of four nodes. 14 edges in each of two kinds."""

    num_choices, num_options = 28, 8

    def __init__(self, channels: int, num_classes: int, cells: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels))
        self.reduces = [cell in (cells // 3, 2 * cells // 3) for cell in range(cells)]
        before, last, reduced = 3 * channels, 3 * channels, False
        self.first, self.second, self.cells = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for reduce in self.reduces:
            channels = 2 * channels if reduce else channels
            self.first.append(FactorizedReduce(before, channels) if reduced else relu_conv_bn(before, channels, 1))
            self.second.append(relu_conv_bn(last, channels, 1))
            sources = [source for node in range(4) for source in range(node + 2)]
            strides = [2 if reduce and source < 2 else 1 for source in sources]
            self.cells.append(nn.ModuleList(Mixed(darts_operations(channels, stride)) for stride in strides))
            before, last, reduced = last, 4 * channels, reduce
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(last, num_classes)

    def forward(self, x: torch.Tensor, weights: Any) -> torch.Tensor:
        before = last = self.stem(x)
        for first, second, cell, reduce in zip(self.first, self.second, self.cells, self.reduces, strict=True):
            states = [first(before), second(last)]
            edges = iter(zip(cell, weights[14:] if reduce else weights[:14], strict=True))
            for node in range(4):
                states.append(sum(edge(states[i], w) for i, (edge, w) in zip(range(node + 2), edges)))
            before, last = last, torch.cat(states[2:], 1)
        return self.classifier(self.head(last))
