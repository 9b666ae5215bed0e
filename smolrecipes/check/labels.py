"""The label X-ray: what of a row is learned, what of it is lost, how it begins and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smolrecipes.check.finding import Finding, places
from smolrecipes.objectives.labels import IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.check.subject import Subject

CUT = 0.05
"""The share of rows cut from which on it is said."""
UNKNOWN = 0.01
"""The share of unknown tokens from which on it is said."""
NO_END = 0.02
"""The share of answers without an end from which on it is said; from half of them on nothing is trained."""


def labels(subject: Subject) -> Iterator[Finding]:
    """What a sample of the examples shows."""
    pairs = subject.sample
    kept = [(row, example) for row, example in pairs if example is not None]
    lost = [str(row["origin"]) for row, example in pairs if example is None]
    of = f"of {len(pairs):,} rows" + ("" if len(pairs) == len(subject.rows) else " looked at")
    if lost:
        what = f"{len(lost):,} {of} have nothing to learn within training.max_length={_length(subject)}"
        yield Finding("labels-none", what, places(lost), serious=2 * len(lost) > len(pairs))
    cut = [str(row["origin"]) for row, example in kept if example.get("cut")]
    if len(cut) > CUT * len(pairs):
        yield Finding("labels-cut", f"{len(cut):,} {of} are cut at training.max_length={_length(subject)}", places(cut))
    yield from _ends(subject, kept, of)
    yield from _tokens(subject, kept, of)


def _length(subject: Subject) -> int:
    return subject.recipe.training.max_length


def _ends(subject: Subject, kept: list[tuple[Any, Any]], of: str) -> Iterator[Finding]:
    """Whether answers end with what ends generation, and texts begin once."""
    from smolrecipes.conversation.tokens import turn_end

    tokenizer = subject.tokenizer
    bos, ends = tokenizer.bos_token_id, {tokenizer.eos_token_id, turn_end(tokenizer)} - {None}
    open_ended: list[str] = []
    cut = 0
    twice: list[str] = []
    answers = 0
    for row, example in kept:
        for ids, learned in sequences(example):
            if bos is not None and len(ids) > 1 and ids[0] == ids[1] == bos:
                twice.append(str(row["origin"]))
            if any(name in row for name in ("messages", "prompt")):
                answers += 1
                if not any(token in ends for token, learns in zip(ids, learned) if learns):
                    open_ended.append(str(row["origin"]))
                    cut += bool(example.get("cut"))
    if twice:
        yield Finding("labels-two-starts", f"{len(twice):,} {of} begin with {tokenizer.bos_token} twice", places(twice))
    if len(open_ended) > NO_END * answers:
        named = " or ".join(tokenizer.convert_ids_to_tokens(sorted(ends))) or "any: the tokenizer has none"
        what = f"{len(open_ended):,} of {answers:,} answers looked at are learned without their end ({named})"
        what += f"; {cut:,} of them are cut at training.max_length={_length(subject)}" if cut else ""
        yield Finding("labels-no-end", what, places(open_ended), serious=2 * len(open_ended) > answers)


def _tokens(subject: Subject, kept: list[tuple[Any, Any]], of: str) -> Iterator[Finding]:
    """Unknown tokens, and control tokens that somebody wrote."""
    unknown, total, where = 0, 0, []
    for row, example in kept:
        ids = [token for sequence, _ in sequences(example) for token in sequence]
        found, total = ids.count(subject.tokenizer.unk_token_id), total + len(ids)
        if found and subject.tokenizer.unk_token_id != subject.tokenizer.eos_token_id:
            unknown += found
            where.append(str(row["origin"]))
    if unknown > UNKNOWN * total:
        what = f"{unknown / total:.1%} of the tokens are unknown"
        yield Finding("labels-unknown", what, places(where), serious=3 * unknown > total)
    spelt = [str(row["origin"]) for row, example in kept if example.get("spelt")]
    if spelt:
        yield Finding("labels-control", f"{len(spelt):,} {of} spell control tokens", places(spelt))


def sequences(example: dict[str, Any]) -> list[tuple[list[int], list[bool]]]:
    """An example's sequences: their ids, and whether each is learned."""
    if "chosen" in example:
        prompt = list(example["prompt"])
        answers = [list(example[side]) for side in ("chosen", "rejected")]
        return [([*prompt, *ids], [False] * len(prompt) + [True] * len(ids)) for ids in answers]
    ids = [int(token) for token in _first(example["input_ids"])] if "input_ids" in example else []
    if "asked" in example:
        return [(ids, [at >= example["asked"] for at in range(len(ids))])]
    given = example.get("labels")
    if given is not None and len(given) == len(ids):
        return [(ids, [int(label) != IGNORE for label in given])]
    if "target_ids" in example:
        target = list(example["target_ids"])
        return [([*ids, *target], [False] * len(ids) + [True] * len(target))]
    return [(ids, [True] * len(ids))]


def _first(ids: Any) -> Any:
    """Of several sequences, as multiple choice has them, the first."""
    return ids[0] if len(ids) and hasattr(ids[0], "__len__") else ids


def xray(example: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> list[tuple[str, bool]]:
    """The text of an example's first sequence in pieces, each with whether it is learned."""
    ids, learned = sequences(example)[0]
    pieces: list[tuple[list[int], bool]] = []
    for token, learns in zip(ids, learned):
        if pieces and pieces[-1][1] == learns:
            pieces[-1][0].append(token)
        else:
            pieces.append(([token], learns))
    return [(str(tokenizer.decode(piece)), learns) for piece, learns in pieces]
