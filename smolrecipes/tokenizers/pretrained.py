"""The tokenizer that was saved with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes import hub
from smolrecipes.component import option
from smolrecipes.kinds import Tokenizer
from smolrecipes.tokenizers import templates

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

NEEDS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "*.model")


class PretrainedTokenizer(Tokenizer, name="pretrained"):
    """A tokenizer from a folder or from the hub, as it is, or with a chat template."""

    path: str = option(kw_only=False)
    """A folder, or a hub id such as org/name (through the ordinary Hugging Face cache and its offline switches)."""
    revision: str | None = None
    """A branch, tag or commit on the hub; its main branch when not given."""
    chat_template: str | None = None
    """Write messages in this way: a template by name, such as chatml, or a file, as in my.jinja; None keeps what the
    tokenizer does. The template's control tokens are added if it lacks them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chat_template:
            templates.check_name(self.chat_template, "PretrainedTokenizer.chat_template")

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        where = hub.folder(self.path, NEEDS)
        from transformers import AutoTokenizer

        commit = None if where else self._commit()
        with hub.sentences(self.path, self.revision):
            # The id as given, not the snapshot's folder: it is what model cards and adapters record.
            name = str(where or self.path)
            found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                name, revision=commit, trust_remote_code=False
            )
        if self.chat_template:
            templates.use(self.chat_template, found)
        return found

    def identity(self) -> Any:
        known = {"use": f"{self.kind}:{self.name}", "chat_template": templates.identity(self.chat_template)}
        where = hub.folder(self.path, NEEDS)
        if where:
            return {**known, "content": hub.content(where, hub.TOKENIZER_FILES)}
        return {**known, "hub": self.path, "commit": self._commit()}

    def _commit(self) -> str:
        return hub.commit(self.path, self.revision, ("tokenizer_config.json", "tokenizer.json", "config.json"))
