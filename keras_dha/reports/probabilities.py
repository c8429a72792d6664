"""How sure the search was of each decision: bars of probabilities, as HTML."""

import html
from collections.abc import Collection, Iterable, Mapping

from keras_dha.diagnostics import normalized_entropy

MAX_OPTIONS = 6
MAX_KEPT = 12


def probability_bars(probabilities: Mapping[str, Mapping[str, float]], decisions: Mapping[str, Iterable[str]]) -> str:
    """One block of bars per choice, largest probability first, the kept options marked.

    Args:
        probabilities: Choice name -> option -> probability.
        decisions: Choice name -> kept options.

    Returns:
        HTML; the empty string without choices. At most `MAX_OPTIONS` bars a choice, and the kept options always, unless
        they are more than `MAX_KEPT`, as the channels of a width are: then one bar tells how many.
    """
    blocks = [_block(name, options, set(decisions.get(name, ()))) for name, options in probabilities.items()]
    return f'<div class="choices">{"".join(blocks)}</div>' if blocks else ""


def is_width(kept: Collection[str]) -> bool:
    """Whether these are too many options to name, as the channels of a width are."""
    return len(kept) > MAX_KEPT


def names_kept(kept: Collection[str], options: Collection[str]) -> str:
    """The kept ones of some options by name, or how many they are."""
    return f"{len(kept)} of {len(options)} kept" if options and is_width(kept) else ", ".join(kept)


def _block(name: str, options: Mapping[str, float], kept: set[str]) -> str:
    if options and is_width(kept):
        bar = _bar(names_kept(kept, options), len(kept) / len(options), True)
        return f'<div class="choice"><h4>{html.escape(name)}</h4>{bar}</div>'
    ranked = sorted(options.items(), key=lambda pair: -pair[1])
    shown = [pair for rank, pair in enumerate(ranked) if rank < MAX_OPTIONS or pair[0] in kept]
    bars = "".join(_bar(option, probability, option in kept) for option, probability in shown)
    left = len(ranked) - len(shown)
    more = f'<div class="more">and {left} more, {1 - sum(p for _, p in shown):.2f} in all</div>' if left else ""
    entropy = normalized_entropy(list(options.values()))
    return (
        f'<div class="choice"><h4>{html.escape(name)}<span title="entropy, 1: undecided">H = {entropy:.2f}</span></h4>'
        f"{bars}{more}</div>"
    )


def _bar(option: str, probability: float, kept: bool) -> str:
    width = 100 * min(max(probability, 0.0), 1.0)
    return (
        f'<div class="bar{" kept" if kept else ""}"><span class="name">{html.escape(option)}</span>'
        f'<span class="track"><span style="width:{width:.1f}%"></span></span>'
        f'<span class="value">{probability:.2f}</span></div>'
    )
