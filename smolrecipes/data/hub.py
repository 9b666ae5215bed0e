"""HubData: rows of a dataset on the Hugging Face hub, or of a local dataset folder, through the ordinary cache."""

from __future__ import annotations

import functools
import itertools
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset

    from smolrecipes.data.rows import Row


class HubData(Data, name="hub"):
    """Rows of a hub dataset (`org/name`) or of a folder laid out like one; HF_HUB_OFFLINE reads the cache alone."""

    repo: str = option(kw_only=False)
    """The hub id, or a local folder."""
    split: str = "train"
    """The split; slices work too: `train[:10%]`."""
    config: str | None = None
    """The configuration (subset), where the dataset has several."""
    columns: dict[str, str] = option(factory=dict)
    """What rows are read from, as in `Files`: `{"source": "question"}`, `{"text": "{{ title }}: {{ body }}"}`."""
    revision: str | None = None
    """A branch, tag or commit; the newest by default."""

    def load(self) -> Dataset:
        from smolrecipes.data.recognise import SAMPLE, recognise
        from smolrecipes.data.rows import make

        raw = self._raw()
        rows = _rows(raw, self.repo.rstrip("/").rsplit("/", 1)[-1])
        sample = list(itertools.islice(rows, SAMPLE))
        if not sample:
            raise RecipeError(f"{self.repo}: the split {self.split!r} is empty")
        shape = recognise(sample, self.repo, self.columns)
        said = f"{self.repo} ({self.split}): {len(raw):,} rows; {shape.sentence()}"
        return make(shape.rows, (shape.convert(row, origin) for origin, row in itertools.chain(sample, rows)), said)

    def identity(self) -> Any:
        """The commit that was resolved (the content of a local folder), not the name by which it was asked for."""
        return {**super().identity(), "revision": self._resolved()}

    def _resolved(self) -> Any:
        folder = Path(self.repo).expanduser()
        if folder.is_dir():
            from smolrecipes.data.paths import content_hash

            files = (path for path in sorted(folder.rglob("*")) if path.is_file())
            return [[path.relative_to(folder).as_posix(), content_hash(path)] for path in files]
        if re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            return self.revision
        return _commit(self.replace(columns={}, split="train"))

    def _raw(self) -> Dataset:
        from datasets import Dataset, load_dataset

        found = self._asked(
            functools.partial(load_dataset, self.repo, self.config, split=self.split, revision=self.revision)
        )
        if not isinstance(found, Dataset):
            raise RecipeError(f"{self.repo}: {self.split!r} is not one set of rows; name one, as in split='train'")
        return found

    def _asked(self, ask: Any) -> Any:
        """What `datasets` answers; its complaints about what was asked for as one sentence."""
        from datasets.exceptions import DatasetsError

        try:
            with _offline_where_unreachable(self.repo):
                return ask()
        except (DatasetsError, OSError, ValueError) as error:
            raise RecipeError(self._sentence(error)) from None

    def _sentence(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        where = f"HubData({self.repo!r})"
        if found := re.search(r"Unknown split \"(.*?)\"\. Should be one of \[(.*?)\]", text):
            return f"{where}: there is no split {found[1]!r}{_among(found[1], found[2])}"
        if found := re.search(r"BuilderConfig '(.*?)' not found\. Available: \[(.*?)\]", text):
            return f"{where}: there is no config {found[1]!r}{_among(found[1], found[2])}"
        if found := re.search(r"Config name is missing.*?available configs: \[(.*?)\]", text):
            return f"{where}: it has several configs; choose one with config=...{_among('', found[1])}"
        if "gated" in text.lower():
            return f"{where}: access is granted on request: ask on its page, then `hf auth login`"
        if isinstance(error, ConnectionError):
            return (
                f"{where}: the hub cannot be reached, and the cache does not have it; load it once online, or use Files"
            )
        if isinstance(error, FileNotFoundError):
            return f"{where}: there is no such dataset that you can read, nor a folder with data files; is it org/name?"
        return f"{where}: {text[:300]}"


@functools.cache
def _commit(data: HubData) -> Any:
    """The commit, asked for once in this process."""
    from datasets import load_dataset_builder

    return data._asked(functools.partial(load_dataset_builder, data.repo, data.config, revision=data.revision)).hash


@contextmanager
def _offline_where_unreachable(repo: str) -> Iterator[None]:
    """Has `datasets` look into its cache at once where the hub does not answer, instead of trying for half a minute."""
    import datasets

    from smolrecipes.hub import reachable

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or not (Path(repo).expanduser().is_dir() or reachable())
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _among(word: str, listed: str) -> str:
    """The nearest of the names in a listing such as `'train', 'test'`, or all of them."""
    names = re.findall(r"'([^']+)'", listed)
    return nearest(word, names) or f"; it has {', '.join(names[:12])}"


def _rows(raw: Dataset, name: str) -> Iterator[tuple[str, Row]]:
    """Each row with its origin. Read as Arrow, so that images and the like are not decoded for nothing."""
    from smolrecipes.data.columnar import objects

    number = 0
    for table in raw.with_format("arrow").iter(batch_size=1000):
        for row in objects(table):
            number += 1
            yield f"{name}:{number}", row
