"""EleutherAI's harness on a model in memory, with a task file of one's own."""

from __future__ import annotations

import copy
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from smolrecipes import ByteBPE, Decoding, Files, Likelihood, Llama, LMEval, RecipeError, Subject, Toy
from smolrecipes.evaluation import evaluate

pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
CHOICE = """
task: even
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{rows}"}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Is {{{{number}}}} even?"
doc_to_choice: ["yes", "no"]
doc_to_target: label
metric_list:
  - metric: acc
"""
ROLLING = """
task: stories
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{rows}"}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list:
  - metric: bits_per_byte
"""


@pytest.fixture(scope="module")
def subject() -> Subject:
    torch.manual_seed(0)
    tokenizer = ByteBPE(vocab_size=300, chat_template="chatml").build(Toy("stories", rows=50).load())
    return Subject(Llama(layers=1, hidden=32, heads=2, max_length=512).build(tokenizer).eval(), tokenizer, Decoding())


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    (tmp_path / "even.jsonl").write_text(
        "".join(json.dumps({"number": n, "label": n % 2}) + "\n" for n in range(8)), encoding="utf-8"
    )
    texts = [row["text"] for row in Toy("stories", rows=6)]
    (tmp_path / "stories.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name, task in (("even", CHOICE), ("stories", ROLLING)):
        (folder / f"{name}.yaml").write_text(task.format(rows=tmp_path / f"{name}.jsonl"), encoding="utf-8")
    return folder


def test_tasks_of_one_s_own(subject: Subject, tasks: Path) -> None:
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    expected = (random.random(), float(np.random.random()), float(torch.rand(1)))
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    found = evaluate(LMEval(("even", "stories"), include=str(tasks)), subject)
    assert (random.random(), float(np.random.random()), float(torch.rand(1))) == expected  # nobody's randomness moved
    own = evaluate(Likelihood(data=Files(str(tasks.parent / "stories.jsonl"))), subject)
    assert found.numbers["stories_bits_per_byte"] == pytest.approx(own.numbers["bits_per_byte"], rel=0.02)
    assert found.numbers["even_acc"] * 8 == pytest.approx(by_hand(subject)) and found.intervals() == {}


def by_hand(subject: Subject) -> int:
    """How often the right word is the likelier one after the question."""
    right = 0
    for number in range(8):
        logps = []
        for word in (" yes", " no"):
            asked, ids = (subject.tokenizer(f"Is {number} even?{end}")["input_ids"] for end in ("", word))
            steps = subject.model(input_ids=torch.tensor([ids])).logits.log_softmax(-1)[0]
            logps.append(sum(float(steps[at - 1, ids[at]]) for at in range(len(asked), len(ids))))
        right += int(np.argmax(logps)) == number % 2
    return right


def test_questions_by_the_chat_template_are_other_questions(subject: Subject, tasks: Path) -> None:
    plain, chat = (evaluate(LMEval(("stories",), include=str(tasks), chat=way), subject) for way in (False, True))
    assert all(math.isfinite(found.numbers["stories_bits_per_byte"]) for found in (plain, chat))
    bare = copy.deepcopy(subject.tokenizer)
    bare.chat_template = None
    with pytest.raises(RecipeError, match=r"lm_eval\.chat: the tokenizer has no chat template"):
        evaluate(LMEval(("even",), include=str(tasks), chat=True), Subject(subject.model, bare, Decoding()))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"tasks": ("evn",)}, "the harness knows no task 'evn'"), ({"include": "nowhere"}, "there is no task file")],
)
def test_mistakes(subject: Subject, tasks: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        evaluate(LMEval(("even",), include=str(tasks)).replace(**changes), subject)
