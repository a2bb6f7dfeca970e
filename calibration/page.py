"""Pieces of a report: one HTML page without scripts, nothing fetched, every text escaped."""

from __future__ import annotations

import html as markup
from collections.abc import Iterable, Sequence

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; margin: .6rem 0 1.2rem; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
tr.chosen { font-weight: 600; background: #eef5fa; }
section { display: inline-block; vertical-align: top; margin: 0 1.5rem 1.5rem 0; max-width: 100%; overflow-x: auto; }
h2 { font-size: 1.05rem; margin: .8rem 0 .3rem; }
h3 { font-size: .95rem; margin: 1rem 0 .2rem; }
p.note { color: #555; max-width: 40rem; margin: .2rem 0; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page; ``parts`` are HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{markup.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], chosen: str | None = None) -> str:
    """A table of texts; the row whose first cell is ``chosen`` stands out."""
    head = "".join(f"<th>{markup.escape(text)}</th>" for text in header)
    lines = []
    for row in rows:
        cells = "".join(f"<td>{markup.escape(text)}</td>" for text in row)
        lines.append(f"<tr{' class=chosen' if row[0] == chosen else ''}>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def section(title: str, note: str, body: str) -> str:
    """A titled part with a note; ``body`` is HTML."""
    return f'<section><h2>{markup.escape(title)}</h2><p class="note">{markup.escape(note)}</p>{body}</section>'
