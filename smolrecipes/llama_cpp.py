"""A GGUF file running in llama.cpp, in a process of its own: what is wrong with a file ends that process alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from smolrecipes.errors import RecipeError

Step = tuple[int, dict[int, float]]
INSTALL = "llama.cpp is not installed: pip install 'smolrecipes[gguf]'"


class LlamaCpp:
    """llama.cpp's own HTTP server, asked for a few things."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ids(self, text: str, special: bool = False) -> list[int]:
        """The tokens of a text, those that it adds by itself included; or with its control tokens read as such, and none added."""
        asked = {"content": text, "add_special": not special, "parse_special": special}
        return [int(token) for token in self._ask("tokenize", asked)["tokens"]]

    def rendered(self, messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        """A conversation by the template in the file, ready for the assistant's answer."""
        asked = {"messages": messages, **({"tools": tools} if tools else {})}
        return str(self._ask("apply-template", asked)["prompt"])

    def answer(self, ids: list[int], most: int) -> list[int]:
        """What it writes greedily after these tokens, `most` at most, until a token that ends a text or a turn."""
        asked = {"prompt": ids, "n_predict": most, "temperature": 0, "return_tokens": True}
        return [int(token) for token in self._ask("completion", asked)["tokens"]]

    def written(self, ids: list[int], most: int) -> tuple[list[int], list[Step]]:
        """What it writes greedily after these tokens, and of each step the token with the log-probabilities of the likeliest ten.

        Where bytes of a character are still to come it tells no step; `aligned` finds which those are.
        """
        asked = {"prompt": ids, "n_predict": most, "temperature": 0, "n_probs": 10, "return_tokens": True}
        found = self._ask("completion", {**asked, "cache_prompt": False})
        steps = [
            (int(step["id"]), {int(one["id"]): float(one["logprob"]) for one in step["top_logprobs"]})
            for step in found.get("completion_probabilities", [])
        ]
        return [int(token) for token in found["tokens"]], steps

    def _ask(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        return post(self.url, path, asked)


def post(url: str, path: str, asked: dict[str, Any] | None = None, timeout: int = 600) -> dict[str, Any]:
    """What llama.cpp's server answers; RecipeError with what it refuses. timeout: in seconds."""
    body = None if asked is None else json.dumps(asked).encode()
    request = urllib.request.Request(f"{url}/{path}", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        raise RecipeError(f"llama.cpp: {path}: {json.load(error)['error']['message']}") from None
    except (urllib.error.URLError, ConnectionError) as error:
        raise RecipeError(f"llama.cpp ended while it was asked ({path}: {error})") from None
    return found


def aligned(tokens: list[int], steps: list[Step]) -> list[dict[int, float]]:
    """The log-probabilities at each token: none where it tells no step, or where it may have told that of a neighbour."""
    told = [token for token, _ in steps]
    first = _places(tokens, told)
    last = [len(tokens) - 1 - place for place in reversed(_places(tokens[::-1], told[::-1]))]
    found: list[dict[int, float]] = [{} for _ in tokens]
    if len(first) == len(steps):
        for (_, known), early, late in zip(steps, first, last):
            found[early] = known if early == late else {}
    return found


def _places(tokens: list[int], told: list[int]) -> list[int]:
    """Where those that were told can stand at the earliest, in their order."""
    places: list[int] = []
    for place, token in enumerate(tokens):
        if len(places) < len(told) and token == told[len(places)]:
            places.append(place)
    return places


@contextmanager
def running(file: Path, positions: int) -> Iterator[LlamaCpp]:
    """llama.cpp with a file, reading as many tokens; RecipeError where it does not load."""
    check_installed()
    words = [sys.executable, "-m", "smolrecipes.llama_cpp", str(file), str(positions)]
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, text=True)
        assert process.stdin and process.stdout
        try:
            if not (url := process.stdout.readline().strip()):
                process.wait()
                told.seek(0)
                raise RecipeError(f"{file}: llama.cpp does not load it ({_reason(told.read())})")
            yield LlamaCpp(url)
        finally:
            process.stdin.close()  # which is how it knows
            process.stdout.close()
            process.wait()


def use_threads(params: Any) -> None:
    """As many as OMP_NUM_THREADS says: more than there are idle cores wait for each other."""
    if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(threads)


def check_installed() -> None:
    """RecipeError where llama.cpp is missing."""
    if find_spec("xllamacpp") is None:
        raise RecipeError(INSTALL)


def _reason(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if " E " in line or "error" in line.lower()]
    return lines[0].rpartition(" E ")[2] if lines else "it ended without a word"


def main() -> None:
    """Serves the file that is named until standard input ends, which it also does when whoever started this has died."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.warmup = sys.argv[1], int(sys.argv[2]), 1, False
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    use_threads(params)
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
