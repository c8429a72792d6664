"""What pages are put together from: a headline with figures, sections, tables, all with escaped text."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

from keras_dha.reports.figure import image_tag
from keras_dha.reports.page_style import CSS


def document(title: str, tiles: Iterable[tuple[str, str]], sections: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: Plain text.
        tiles: The most important figures: name, value.
        sections: HTML.
    """
    cells = "".join(f"<div><b>{html.escape(value)}</b><span>{name}</span></div>" for name, value in tiles)
    header = f'<header><h1>{html.escape(title)}</h1><div class="tiles">{cells}</div></header>'
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{CSS}</style></head>'
        f"<body><main>{header}{''.join(sections)}</main></body></html>\n"
    )


def section(title: str, body: str) -> str:
    """A part of a page under a heading; nothing if it is empty."""
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def picture(figure: Any | None, alt: str) -> str:
    """A matplotlib figure; nothing if there is none."""
    return "" if figure is None else image_tag(figure, alt)


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values."""
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first row and column are headings."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in headings)
    body = "".join(
        f"<tr><th>{html.escape(row[0])}</th>{''.join(f'<td>{html.escape(text)}</td>' for text in row[1:])}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table class="columns"><tr>{head}</tr>{body}</table></div>'


def duration(seconds: float) -> str:
    """Seconds as a reader says them: `"8.2 s"`, `"3 min 20 s"`, `"2 h 5 min"`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number(value: Any) -> str:
    """Four figures; what is no number as it is."""
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)
