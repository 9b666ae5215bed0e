"""The command line: one command per file. Nobody imports it but `__main__`."""

from __future__ import annotations

COMMANDS = {
    "run": "Train a recipe, and what it builds on.",
    "check": "What would go wrong with a recipe, before anything is trained.",
    "prove": "That accumulation, packing, processes and resuming change nothing, on your own recipe.",
    "show": "A recipe with where each value came from, or how two differ.",
    "list": "What is installed: components, recipes, plugins.",
    "new": "A recipe file to start from.",
    "data": "What rows look like, what a recipe's steps make of them, and a folder to publish.",
    "plan": "Sizes for a new model by a budget of parameters, and why.",
    "try": "Ask a trained model once: it fills, judges, tags, translates or continues.",
    "eval": "Numbers about a trained model, alone or beside another.",
    "export": "A finished run as GGUF, safetensors, Ollama or hub folder, compared with what was trained.",
    "chat": "Talk with a trained model.",
    "serve": "A trained model behind OpenAI's HTTP API.",
    "tokens": "What a tokenizer makes of text, alone or beside another.",
}
"""Each command is the function of its own name, in the module of its own name; `run` when none is given."""

REPORT = "SMOLRECIPES_REPORT"
"""Where a launched process writes the mistake that ended it, since launchers turn every exit code into 1."""
