"""One page by itself: no scripts, nothing fetched, light and dark, on a phone as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

__all__ = ["bars", "escape", "page", "section", "table"]

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1c2024; --soft: #62686f; --line: #e1e4e8; --first: #a9b4c2; --second: #2f6fde;
  --cut: #ffd9d6; --added: #cdf0d4; --box: #f5f6f8; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --text: #e4e7ea; --soft: #98a1aa; --line: #2c3238; --first: #59636e;
  --second: #6ea0ff; --cut: #5c2320; --added: #1d4a2a; --box: #1d2125; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; }
th { color: var(--soft); font-weight: 500; }
.words td, .words th { text-align: left; white-space: normal; vertical-align: top; }
pre, .example { background: var(--box); border-radius: .4rem; padding: .7rem; overflow-x: auto; font: .85rem/1.5 ui-monospace, monospace;
  white-space: pre-wrap; }
figure { margin: 1rem 0; }
.bar { display: grid; grid-template-columns: minmax(6rem, 30%) 1fr 4.5rem; gap: .6rem; align-items: center; font-size: .85rem; margin: .15rem 0; }
.bar b { font-weight: 400; } .bar i { display: block; height: .55rem; border-radius: 2px; background: var(--second); margin: 1px 0; }
.two i:first-child, .key .first { background: var(--first); }
.bar .count { color: var(--soft); font-variant-numeric: tabular-nums; text-align: right; }
.bar:has(.two) { grid-template-columns: minmax(5rem, 25%) 1fr 8.5rem; }
.key span { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; background: var(--second); margin: 0 .3rem 0 .8rem; }
del { background: var(--cut); text-decoration: line-through; } ins { background: var(--added); text-decoration: none; }
summary { cursor: pointer; color: var(--soft); }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document of parts that are HTML."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading, and what is below it."""
    return "\n".join([f"<h2>{escape(title)}</h2>", *parts])


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: bool = False) -> str:
    """A table of numbers, or of words."""
    kind = "wide words" if words else "wide"
    first = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="{kind}"><table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>'


def bars(counts: Mapping[str, Sequence[int]], title: str, names: Sequence[str] = ()) -> str:
    """Bars by label, each with one or two numbers; `names` says what these are."""
    most = max((number for numbers in counts.values() for number in numbers), default=0) or 1
    key = "".join(f'<span class="{kind}"></span>{escape(name)}' for kind, name in zip(("first", "second"), names))
    lines = "".join(_bar(label, numbers, most) for label, numbers in counts.items())
    told = f'{escape(title)} <span class="key">{key}</span>' if names else escape(title)
    return f"<figure><figcaption>{told}</figcaption>{lines}</figure>"


def _bar(label: str, numbers: Sequence[int], most: int) -> str:
    drawn = "".join(f'<i style="width:{100 * number / most:.1f}%"></i>' for number in numbers)
    count = " → ".join(f"{number:,}" for number in numbers)
    kind = ' class="two"' if len(numbers) > 1 else ""
    return f'<div class="bar"><b>{escape(label)}</b><span{kind}>{drawn}</span><span class="count">{count}</span></div>'
