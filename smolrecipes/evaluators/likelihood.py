"""How well a model expects held-out text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.kinds import Evaluator, Scores, Subject

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray


class Likelihood(Evaluator, name="likelihood"):
    """Loss in nats per token, perplexity, and bits per byte, which models with different tokenizers can be compared by.

    Of conversations what the assistant says counts, of texts everything; a text longer than the model's positions is read
    in pieces, each token predicted once.
    """

    rows: ClassVar[tuple[str, ...]] = ("text", "messages")

    def check(self, subject: Subject) -> None:
        from smolrecipes.evaluators.passes import check_predicts

        super().check(subject)
        check_predicts(subject)

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`nll`, `tokens` and `bytes` of each row."""
        from smolrecipes.evaluators.passes import summed

        found = [_sequences(row, subject) for row in rows]
        pieces = [piece for sequences, _ in found for piece in sequences]
        owner = [index for index, (sequences, _) in enumerate(found) for _ in sequences]
        nll, tokens = [0.0] * len(rows), [0.0] * len(rows)
        for index, (logp, count) in zip(owner, summed(subject, pieces)):
            nll[index] -= logp
            tokens[index] += count
        return Scores({"nll": nll, "tokens": tokens, "bytes": [float(size) for _, size in found]})

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        nll, tokens, size = (float(columns[name].sum()) for name in ("nll", "tokens", "bytes"))
        loss = nll / max(1.0, tokens)
        bits = {"bits_per_byte": nll / math.log(2) / size} if size else {}
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0)), **bits}


def _sequences(row: dict[str, Any], subject: Subject) -> tuple[list[Any], int]:
    """A row's ids and labels, in pieces that the model can read, and the bytes that the labels stand for."""
    from smolrecipes.architectures.sizes import readable
    from smolrecipes.objectives.chat import encode
    from smolrecipes.objectives.labels import IGNORE
    from smolrecipes.objectives.layout import Sequence
    from smolrecipes.objectives.text import encode_many

    tokenizer, most = subject.tokenizer, readable(subject.model.config) or 2**20
    if "text" in row:
        end = tokenizer.eos_token_id
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else end
        ids = [*([] if start is None else [start]), *encode_many([row["text"]], tokenizer, end=end)[0].tolist()]
        labels, size = ids, len(row["text"].encode())
    else:
        ids, labels = encode(row["messages"], tokenizer, row["tools"])
        said = tokenizer.decode([label for label in labels if label != IGNORE], skip_special_tokens=True)
        size = len(said.encode())
    cuts = range(0, max(1, len(ids) - 1), most)
    return [Sequence(ids[cut : cut + most + 1], labels[cut : cut + most + 1]) for cut in cuts], size
