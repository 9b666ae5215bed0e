"""A question and a long text as windows, and the likeliest answer over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from smolrecipes.objectives.labels import IGNORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from smolrecipes.objectives.framed import Frame

MAY, BEGINS, ENDS = 1, 2, 4
"""What a token's label is made of: it may begin or end an answer; the right one begins there; it ends there."""


def windows(
    example: dict[str, Any], around: Frame, size: int, overlap: int, cls: int | None
) -> Iterator[dict[str, Any]]:
    """The example's context in pieces of which two have `overlap` tokens in common, each after the question.

    Of a window: `input_ids`, `labels`, `first` (the context's first token), where its tokens lie in the text (`starts`,
    `ends`), `text` and `answers`. The token that says that there is no answer here is `cls`, or else the last.
    """
    question, context = example["input_ids"], example["context"]
    room = size - around.size - len(question)
    for start in range(0, max(1, len(context) - overlap), max(1, room - overlap)):
        piece = slice(start, start + room)
        made = around.around([question, context[piece]])
        first = made.pop("starts")[1]
        starts, ends = example["starts"][piece], example["ends"][piece]
        labels = np.full(len(made["input_ids"]), IGNORE)
        labels[first : first + len(starts)] = MAY
        none = made["input_ids"].index(cls) if cls in made["input_ids"] else len(labels) - 1
        labels[none] = MAY
        places = _places(np.array(starts), np.array(ends), *example["answer"])
        begins, stops = (first + places[0], first + places[1]) if places else (none, none)
        labels[begins] |= BEGINS
        labels[stops] |= ENDS
        facts = {"first": first, "none_first": none < first}
        facts |= {"starts": starts, "ends": ends, "text": example["text"], "answers": example["answers"]}
        yield {**made, "labels": labels.tolist(), **facts}


def _places(starts: NDArray[Any], ends: NDArray[Any], begin: int, end: int) -> tuple[int, int] | None:
    """The tokens in which an answer begins and ends; None where not all of it is here."""
    (own,) = np.nonzero((ends > begin) & (starts < end))
    if begin < 0 or not len(own) or starts[own[0]] > begin or ends[own[-1]] < end:
        return None
    return int(own[0]), int(own[-1])


def best(scores: Sequence[Tensor], batch: dict[str, Any], longest: int) -> dict[str, Tensor]:
    """Of each window: the score of its likeliest answer, its characters, how good it is, and the score of none here.

    scores: of the first and of the last token, (labelled,) each.
    """
    from smolrecipes.objectives.answers import exact_match, overlap

    made: dict[str, list[float]] = {name: [] for name in ("score", "exact", "f1", "none", "empty", "start", "stop")}
    rows = batch["rows"].cpu().numpy()
    sides = [side.detach().cpu().double().numpy() for side in scores]
    for index, window in enumerate(batch["windows"]):
        own = np.flatnonzero(rows == index)
        inside, none = (own[1:], own[:1]) if window["none_first"] else (own[:-1], own[-1:])
        begin, end, score = _likeliest(sides[0][inside], sides[1][inside], longest)
        start, stop = window["starts"][begin], window["ends"][end]
        said = window["text"][start:stop]
        made["start"].append(start)
        made["stop"].append(stop)
        made["score"].append(score)
        made["exact"].append(exact_match(said, window["answers"]))
        made["f1"].append(overlap(said, window["answers"]))
        made["none"].append(float(sides[0][none].sum() + sides[1][none].sum()))
        made["empty"].append(float(not window["answers"]))
    return {name: scores[0].new_tensor(values) for name, values in made.items()}


def _likeliest(starts: NDArray[Any], ends: NDArray[Any], longest: int) -> tuple[int, int, float]:
    """The pair of first and last token with the highest sum, of `longest` tokens at most."""
    sums = starts[:, None] + ends[None, :]
    sums[~np.triu(np.tri(len(starts), k=longest - 1, dtype=bool))] = -np.inf
    begin, end = np.unravel_index(sums.argmax(), sums.shape)
    return int(begin), int(end), float(sums[begin, end])


def over_rows(answers: dict[str, NDArray[Any]], unanswerable: bool) -> dict[str, float]:
    """Exact match and F1 over rows, of the likeliest answer among each one's windows, or of none where that may be said."""
    rows, where = np.unique(answers["row"].astype(int), return_inverse=True)
    order = np.lexsort((-answers["score"], where))
    chosen = order[np.unique(where[order], return_index=True)[1]]
    found = {name: answers[name][chosen].astype(float) for name in ("exact", "f1")}
    if unanswerable:
        none = np.full(len(rows), np.inf)
        np.minimum.at(none, where, answers["none"])
        silent = none > answers["score"][chosen]
        found = {name: np.where(silent, answers["empty"][chosen], value) for name, value in found.items()}
    return {"exact_match": float(found["exact"].mean()), "f1": float(found["f1"].mean())}
