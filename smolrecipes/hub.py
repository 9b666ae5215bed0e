"""Where pretrained things lie: a folder, or a hub id in the ordinary Hugging Face cache. Failures as sentences."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smolrecipes.errors import RecipeError, nearest

WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json")
MODEL_FILES = ("config.json", "generation_config.json", *WEIGHTS)
TOKENIZER_FILES = (
    "tokenizer*.json", "vocab*", "merges.txt", "*.model", "special_tokens_map.json", "added_tokens.json", "*.jinja"
)  # fmt: skip


class NotHere(RecipeError):
    """What is not in the cache and cannot be fetched now."""


def folder(path: str, needs: tuple[str, ...]) -> Path | None:
    """The local folder that `path` names, holding at least one of the files `needs`; None when it is a hub id."""
    where = Path(path).expanduser()
    if where.is_file():
        raise RecipeError(f"{path} is a file; name the folder that holds it: {where.parent}")
    if not where.is_dir():
        if not looks_local(path):
            return None
        siblings = [entry.name for entry in where.parent.iterdir()] if where.parent.is_dir() else []
        raise RecipeError(f"{path}: there is no such folder{nearest(where.name, siblings)}")
    if not any(True for pattern in needs for _ in where.glob(pattern)):
        inside = sorted(entry.name for entry in where.iterdir())[:8]
        raise RecipeError(
            f"{path} has no {' or '.join(needs)}, so no model was saved there; "
            f"it holds {', '.join(inside) or 'nothing'}"
        )
    return where


def looks_local(path: str) -> bool:
    """Whether `path` can only be a folder: a hub id is `name` or `org/name`."""
    return path.startswith((".", "/", "~")) or "\\" in path or path.count("/") > 1 or path.endswith("/")


@functools.cache
def reachable() -> bool:
    """Whether the hub answers. Asked once, since huggingface_hub itself tries again for half a minute, aloud."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception as error:
        if not isinstance(error, OSError) and not type(error).__module__.startswith("httpx"):
            raise
        return False
    return True


@functools.cache
def commit(path: str, revision: str | None, files: tuple[str, ...]) -> str:
    """The commit that the hub id `path` means, for this whole process, with the first of `files` in the cache."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    online = reachable()
    missing: Exception | None = None
    for file in files:
        with sentences(path, revision):
            try:
                found = hf_hub_download(path, file, revision=revision, local_files_only=not online)
                return Path(found).parent.name
            except EntryNotFoundError as error:
                # One that speaks of the cache means that the hub was not reached: ask only the cache from here on.
                online = online and not isinstance(error, LocalEntryNotFoundError)
                missing = error
    assert missing is not None, "at least one file is asked for"
    raise _refusal(path, revision, missing) from missing


@contextmanager
def sentences(path: str, revision: str | None = None) -> Iterator[None]:
    """Turns what the hub, transformers and safetensors raise into one sentence about `path`."""
    from pickle import UnpicklingError

    try:
        yield
    except (UnpicklingError, OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise _refusal(path, revision, error) from error
    except Exception as error:
        # Their own exceptions share no ancestor; tokenizers raises a bare Exception.
        if type(error) is Exception or type(error).__module__.startswith(("safetensors", "huggingface_hub", "httpx")):
            raise _refusal(path, revision, error) from error
        raise


def _refusal(path: str, revision: str | None, error: Exception) -> RecipeError:
    from huggingface_hub import errors

    if isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
        return NotHere(_uncached(path, revision))
    return RecipeError(_sentence(path, revision, error))


def _sentence(path: str, revision: str | None, error: Exception) -> str:
    from pickle import UnpicklingError

    from huggingface_hub import constants, errors

    if isinstance(error, UnpicklingError):
        return f"{path}: its weights are a pickle that holds more than tensors, which smolrecipes never runs; take model.safetensors"
    if isinstance(error, errors.GatedRepoError):
        return f"{path} is gated: accept its terms at {constants.ENDPOINT}/{path}, then log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{path} is neither a folder here nor a model on the hub (or it is private: `hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{path} has no revision '{revision}' on the hub"
    if isinstance(error, errors.HFValidationError):
        return f"{path} is neither a folder here nor a hub id such as org/name"
    if isinstance(error, errors.EntryNotFoundError):
        return f"{path} is on the hub, but holds no model that transformers loads (no config.json)"
    if "trust_remote_code" in str(error):
        return (
            f"{path} needs code from its own repository, which smolrecipes never runs; take one that transformers has"
        )
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    end = "" if first.endswith(".") else "."
    mend = "A damaged model of a run is made again by the run's own command" if Path(path).is_dir() else "Name another"
    return f"{path} cannot be loaded: {first[:300].rstrip(':')}{end} {mend}"


def _uncached(path: str, revision: str | None) -> str:
    from huggingface_hub import constants

    what = f"{path} (revision {revision})" if revision else path
    get = f"hf download {path}{f' --revision {revision}' if revision else ''}"
    if constants.HF_HUB_OFFLINE:
        return (
            f"{what} is neither a folder here nor in the cache ({constants.HF_HUB_CACHE}), and HF_HUB_OFFLINE is set; "
            f"unset it, or fetch the model once with `{get}`"
        )
    return (
        f"{what} is not in the cache ({constants.HF_HUB_CACHE}), and the hub cannot be reached; fetch it with `{get}`"
    )


def content(where: Path, patterns: tuple[str, ...]) -> str:
    """One hash of the files that match, by name and content: the same weights in another folder are the same."""
    import hashlib

    whole = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in where.glob(pattern)}):
        facts = file.stat()
        whole.update(f"{file.name}:{_digest(str(file.resolve()), facts.st_size, facts.st_mtime_ns)}\n".encode())
    return whole.hexdigest()


@functools.cache
def _digest(file: str, size: int, modified: int) -> str:
    """sha256 of a file; asked again for the same size and time, it is not read again."""
    import hashlib

    read: Any = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            read.update(block)
    return str(read.hexdigest())
