"""Text that is generated on the spot, seeded, in English and Italian."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data
from smolrecipes.limits import Gt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset, Features

COLUMNS = {
    "stories": ("text",),
    "chat": ("messages", "tools"),
    "preferences": ("prompt", "chosen", "rejected", "tools"),
    "dictation": ("messages", "tools"),
    "functions": ("messages", "tools"),
    "reviews": ("text", "label"),
    "translations": ("source", "target", "source_language", "target_language"),
    "paraphrases": ("texts", "label"),
    "similarity": ("texts", "label"),
    "names": ("tokens", "tags"),
    "reading": ("question", "context", "answers"),
    "endings": ("text", "choices", "label"),
    "atlas": ("text", "entities"),
}
ROWS = {"stories": 20_000, "chat": 12_000, "preferences": 6_000, "functions": 6_000, "reviews": 6_000,
        "translations": 10_000, "paraphrases": 12_000, "similarity": 8_000, "names": 4_000, "reading": 12_000,
        "endings": 8_000, "atlas": 6_000, "dictation": 6_000}  # fmt: skip
"""How many there are when `rows` is not given."""
LABELS = {"similarity": "float64", "endings": "int64"}
"""What their labels are, where they are no words."""
LANGUAGES = {"en": "English", "it": "Italian"}


class Toy(Data, name="toy"):
    """Rows made on the spot, offline and seeded, in English and Italian: small tasks that a tiny model can learn."""

    task: Literal[
        "stories", "chat", "preferences", "functions", "reviews", "translations",
        "paraphrases", "similarity", "names", "reading", "endings", "atlas", "dictation",
    ] = option(kw_only=False)  # fmt: skip
    """stories (text), chat, dictation and functions (messages), preferences, reviews (labelled), translations (pairs), paraphrases
    (labelled pairs of texts), similarity (the same with numbers), names (tagged), reading (questions), endings (choices) or atlas (mentions)."""
    rows: Annotated[int, Gt(0)] | None = None
    """How many; by default enough for the shipped recipes. Fewer rows are the first of more rows."""
    seed: int = 0
    """Other seeds make other rows."""
    languages: tuple[Literal["en", "it"], ...] = ("en", "it")
    """en, it, or both."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.languages or len(set(self.languages)) < len(self.languages):
            raise RecipeError(f"Toy.languages: give en, it, or both, each once, not {list(self.languages)}")
        if self.task == "translations" and len(self.languages) < 2:
            raise RecipeError("Toy.languages: translations need both en and it")

    def load(self) -> Dataset:
        from datasets import Dataset

        rows = list(self)
        columns = {name: [row[name] for row in rows] for name in (*COLUMNS[self.task], "origin")}
        dataset = Dataset.from_dict(columns, features=_features(self.task))
        languages = " and ".join(LANGUAGES[language] for language in self.languages)
        dataset.info.description = f"toy {self.task}: {len(rows):,} rows, {languages}"
        return dataset

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows as plain dicts; each depends on the task, the seed, its index and the languages only."""
        from smolrecipes.data.toy.dice import Dice

        make = import_module(f"smolrecipes.data.toy.{self.task}").row
        for index in range(self.rows or ROWS[self.task]):
            rng = Dice(f"{self.task} {self.seed} {index} {self.languages}")
            yield {**make(rng, rng.choice(self.languages), index), "origin": f"toy:{self.task}:{index}"}

    def identity(self) -> Any:
        """The options and a hash of the generators' code, from which every row follows."""
        import hashlib

        digest = hashlib.sha256()
        for path in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(path.read_bytes())
        return {**super().identity(), "rows": self.rows or ROWS[self.task], "content": digest.hexdigest()[:16]}


def _features(task: str) -> Features:
    from datasets import Features, Json, List, Value

    nested = {"messages", "prompt", "chosen", "rejected", "tools", "answers", "entities"}
    known: dict[str, Any] = dict.fromkeys(("texts", "tokens", "tags", "choices"), List(Value("string")))
    known |= {**dict.fromkeys(nested, Json()), "label": Value(LABELS.get(task, "string"))}
    return Features({name: known.get(name, Value("string")) for name in (*COLUMNS[task], "origin")})
