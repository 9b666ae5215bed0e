"""A profile as one page by itself."""

from __future__ import annotations

from typing import Any

from smolrecipes.profile.counts import MOST, OTHERS
from smolrecipes.profile.html import bars, escape, page, section, table
from smolrecipes.profile.languages import UNKNOWN, grouped
from smolrecipes.profile.lengths import QUANTILES

SHOWN = 30
"""Labels and functions that are listed."""


def html(facts: dict[str, Any]) -> str:
    """What `profile` found."""
    about = [f"<p>{escape(sentence)}</p>" for sentence in facts["read"]]
    parts = [f"<h1>{escape(facts['source'])}</h1>", *about, f"<p>{escape(sentence(facts))}</p>"]
    if facts["columns"]:
        parts.append(section("Columns", table(("column", "holds"), [*facts["columns"].items()], words=True)))
    parts.append(section("Lengths", bars(_one(facts["histogram"]), "rows by characters"), table(*quantiles(facts))))
    spoken = facts["languages"]
    told = (
        f"<p>{escape(UNKNOWN)}</p>"
        if spoken is None
        else bars(_one(grouped(spoken, facts["languages_of"])), f"of {facts['languages_of']} rows")
    )
    parts.append(section("Languages", told))
    if facts["labels"]:
        parts.append(section("Labels", bars(_one(facts["labels"]), different(facts["labels"]))))
    if facts["conversations"]:
        parts.append(section("Conversations", table(("", ""), conversations(facts["conversations"]), words=True)))
    odd = [(what, f"{one['rows']:,}", ", ".join(one["places"])) for what, one in facts["oddities"].items()]
    parts.append(
        section("Oddities", table(("what", "rows", "the first"), odd, words=True) if odd else "<p>none found</p>")
    )
    return page(facts["source"], parts)


def sentence(facts: dict[str, Any]) -> str:
    """How many rows of what, and how many of them are the same."""
    again = facts["duplicates"]
    same = f"{again['rows']:,} ({again['share']:.1%}) were there before" if again["rows"] else "none twice"
    if "compared_with" in again:
        same += f", each compared with the first {again['compared_with']:,} different ones"
    sample = f" ({facts['sample']})" if facts["sample"] else ""
    return f"{facts['rows']:,} rows of the type {facts['row_type']}{sample}, {facts['bytes'] / 1e6:,.2f} MB of text; {same}"


def different(counts: dict[str, int]) -> str:
    """How many different labels there are."""
    return f"over {MOST:,} different ones" if OTHERS in counts else f"{len(counts):,} different ones"


def quantiles(facts: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The lengths, in characters and words."""
    names = (*QUANTILES, "mean")
    return ("", *names), [(unit, *(f"{of[name]:,}" for name in names)) for unit, of in facts["lengths"].items()]


def conversations(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What a template meets, a line each; what there is none of is left out."""
    if not found:
        return []
    turns = [int(number) for number in found["turns"]]
    counted = [(name, f"{found[name]:,}") for name in found if isinstance(found[name], int) and name != "rows"]
    listed = [(name, listing(found[name])) for name in ("roles", "functions called") if found[name]]
    most = max(found["turns"], key=found["turns"].__getitem__)
    spread = f"{min(turns)} to {max(turns)}, most often {most}"
    return [*listed[:1], ("turns", spread), *((name, count) for name, count in counted if count != "0"), *listed[1:]]


def listing(counts: dict[str, int], most: int = SHOWN) -> str:
    """`user 300, assistant 416`, and how many more."""
    shown = ", ".join(f"{name} {count:,}" for name, count in [*counts.items()][:most])
    return shown + (f" and {len(counts) - most:,} more" if len(counts) > most else "")


def _one(counts: dict[str, int]) -> dict[str, list[int]]:
    return {label: [count] for label, count in [*counts.items()][:SHOWN]}
