"""A finding, and the table of all that there are: how bad each is, why it matters, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from smolrecipes.errors import RecipeError


class Code(NamedTuple):
    """What all findings of a code share."""

    level: Literal["error", "warning"]
    why: str
    mend: str


CODES = {
    "recipe-refused": Code("error", "Nothing can be trained from it.", "Do what the sentence says."),
    "recipe-part-seen": Code(
        "warning", "The rest of the rows changes nothing.", "Raise training.steps, or set training.epochs=1."
    ),
    "recipe-many-passes": Code(
        "warning", "A model that reads rows this often learns them by heart.", "Fewer training.epochs, or more rows."
    ),
    "recipe-warmup": Code(
        "warning", "The rate hardly reaches its peak before the run ends.", "training.warmup=0.05 is usual."
    ),
    "recipe-never-evaluated": Code(
        "warning", "No number is measured between the first and the last step.", "Lower training.evaluate_every."
    ),
    "recipe-rate": Code(
        "warning", "Training at such a rate diverges as a rule.", "AdamW takes 1e-5 to 1e-2, Muon up to 1e-1."
    ),
    "recipe-one-held-out": Code(
        "warning", "From 1 on it is a count, and one row says next to nothing of a model.",
        "Give a share below 1, such as 0.1, or a larger count.",
    ),
    "recipe-shadows": Code(
        "warning", "The name means the installed recipe; the file is not read.", "Give the file's path to run it."
    ),
    "plugin-heavy": Code(
        "error", "Every command waits for it, also those that only list and show.", "Import it inside the methods."
    ),
    "rows-unseen": Code(
        "warning", "What is wrong with the others, or the same in both, is not found.", "Look at them in parts."
    ),
    "rows-empty": Code("warning", "There is nothing in them to learn.", "Remove or mend them."),
    "rows-twice": Code(
        "warning", "They count so often, and are learned by heart.", "Remove the repetitions."
    ),
    "rows-overlap": Code(
        "error", "The held-out numbers then say how well it remembers.", "Take them out of one of the two."
    ),
    "rows-same-answers": Code("warning", "A pair without a difference teaches none.", "Remove them."),
    "rows-no-answer": Code(
        "warning", "Without an answer of the assistant there is nothing to learn.", "Add the answer, or remove the row."
    ),
    "rows-order": Code(
        "warning", "Chat templates and models expect user and assistant in turns.", "Join or split the messages."
    ),
    "rows-one-class": Code("error", "There is nothing to tell apart.", "Add rows of another class."),
    "labels-none": Code(
        "warning", "Rows without a label are left out of training.", "Raise training.max_length, or shorten the rows."
    ),
    "labels-cut": Code(
        "warning", "What is cut is not learned, the end of the answer first.", "Raise training.max_length."
    ),
    "labels-no-end": Code(
        "warning", "A model that never learns to end an answer does not stop.",
        "Raise training.max_length; a chat template must write its end token after the answer.",
    ),
    "labels-two-starts": Code(
        "error", "The model learns to begin twice, and is asked with one beginning.",
        "Leave bos out of the text or template, or switch off that the tokenizer adds it.",
    ),
    "labels-unknown": Code(
        "warning", "The unknown token says nothing of what stood there.",
        "Take a tokenizer of bytes, or one that has learned from these rows.",
    ),
    "labels-control": Code(
        "warning", "They are read as text, so nobody can command the model by them.", "Nothing, if they belong there."
    ),
    "batch-no-labels": Code("error", "Its loss is 0 or nan, and nothing is learned.", "Look at the rows of the batch."),
    "model-vocabulary": Code(
        "error", "A token without an embedding ends training, on a GPU without a message.",
        "model.resize_token_embeddings(len(tokenizer)), or take the model's own tokenizer.",
    ),
    "model-other-tokenizer": Code(
        "warning", "What a model has learned of its own tokens is lost on those of another tokenizer.",
        "Take the model's own: leave tokenizer out."
    ),
    "model-pad": Code(
        "warning", "Where padding is left out of the loss, the end of the answer is, too.", "Give it a pad token of its own."
    ),
    "model-positions": Code(
        "error", "Positions that the model has none for end training, or were never trained.", "Cut rows there."
    ),
    "model-frozen": Code("error", "No weight learns.", "Unfreeze some, or add an adapter."),
    "model-new-tokens": Code(
        "error", "Their embeddings stay random, and the adapter saves none of them.",
        "Train them: modules_to_save=['embed_tokens', 'lm_head'], or trainable_token_indices.",
    ),
    "model-targets": Code(
        "warning", "The adapter is smaller than it was meant to be.", "Take names that the model has."
    ),
    "trainer-hides-nan": Code(
        "warning", "Its log shows a loss of 0.0 where it is nan.", "TrainingArguments(logging_nan_inf_filter=False)"
    ),
    "trainer-schedule": Code(
        "warning", "The rate follows a schedule of another length than the run.", "Give both the same number of steps."
    ),
    "precision-slow": Code(
        "warning", "A CPU without its instructions computes bfloat16 slower than float32.", "training.precision=float32"
    ),
    "disk-space": Code(
        "error", "The run would end when it saves.", "Make room, keep fewer checkpoints, or name another --runs."
    ),
}  # fmt: skip
"""Every code: recipe, plugin, rows, labels, batch, model, trainer, precision, disk, and what is the matter."""


@dataclass(frozen=True)
class Finding:
    """One thing that is, or may be, wrong."""

    code: str
    what: str
    """The fact, with its numbers."""
    where: str = ""
    """The first places of it, as `prefs.jsonl:17`."""
    serious: bool | None = None
    """Whether it stops a run; its code says so where it is not given."""

    @property
    def level(self) -> str:
        """error or warning."""
        return CODES[self.code].level if self.serious is None else "error" if self.serious else "warning"

    @property
    def sentence(self) -> str:
        """What, where, why, how to mend it."""
        known, where = CODES[self.code], f" ({self.where})" if self.where else ""
        if self.code == "recipe-refused":
            return self.what
        return f"{self.what}{where}. {known.why} {known.mend}"

    def row(self) -> dict[str, str]:
        """For programs."""
        known = CODES[self.code]
        return {
            **{"code": self.code, "level": self.level, "what": self.what, "where": self.where},
            **{"why": known.why, "mend": known.mend},
        }


def stop(findings: list[Finding]) -> None:
    """RecipeError with what is wrong, where anything is."""
    errors = [found for found in findings if found.level == "error"]
    if errors:
        more = f" [and {len(errors) - 1} more; smolrecipes check says all]" if len(errors) > 1 else ""
        raise RecipeError(f"{errors[0].code}: {errors[0].sentence}{more}")


def places(origins: list[str], most: int = 3) -> str:
    """The first places of many."""
    more = f" and {len(origins) - most:,} more" if len(origins) > most else ""
    return ", ".join(origins[:most]) + more
