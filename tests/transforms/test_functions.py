"""Keep and Map: what a function may answer, how it is named and counted, and that no stored recipe calls one."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import Files, Keep, Map, Outcome, RecipeError
from smolrecipes.functions import source_of
from smolrecipes.load import load_recipe
from smolrecipes.serialize import decode, dumps, loads

TEXT = {"text": "one two", "origin": "a:1"}
CHAT = {"messages": [{"role": "user", "content": "Hi"}], "tools": None, "origin": "c:1"}
PAIRED = {"texts": ["a", "c"], "label": "b", "origin": "d:1"}
STAGED = {"text": "one two", "origin": "a:1", "stage": 2}
RECIPE = '''
"""Train on long rows."""
import re
from smolrecipes import CLM, ByteBPE, Files, Keep, Llama, Recipe, Training

WORD = re.compile(r"\\w+")
def long_enough(row):
    return len(WORD.findall(row["text"])) > 2

recipe = Recipe(
    model=Llama(layers=1, hidden=32, heads=2),
    tokenizer=ByteBPE(vocab_size=300),
    data=Files("a.jsonl").pipe(Keep(long_enough)),
    objective=CLM(),
    training=Training(steps=1),
)
'''


def answers(value: Any) -> Any:
    """A function that always answers the same, with a name at the top of this module."""
    ANSWER["now"] = value
    return answer


ANSWER: dict[str, Any] = {}


def answer(row: dict[str, Any]) -> Any:
    return ANSWER["now"]


def fails(row: dict[str, Any]) -> Any:
    raise KeyError("missing\nkey")


def shouts(row: dict[str, Any]) -> str:
    return str(row["text"]).upper()


def greets(row: dict[str, Any]) -> dict[str, Any]:
    row["messages"][0]["content"] += "!"
    return row


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("said", "reasons"), [(True, None), (False, ("not answer",)), ("it is about cats", ("it is about cats",))]
)
def test_a_row_stays_or_goes(said: Any, reasons: Any) -> None:
    outcome = Keep(answers(said)).treat(TEXT)
    assert outcome == (Outcome(TEXT) if reasons is None else Outcome(None, reasons))


@pytest.mark.parametrize("said", [None, 1, "", " ", {"text": "x"}])
def test_an_answer_that_is_none_is_refused(said: Any) -> None:
    with pytest.raises(RecipeError, match=r"^a:1: .*:answer says .*; it should say True, False, or why"):
        Keep(answers(said)).treat(TEXT)


def test_a_row_is_changed() -> None:
    assert Map(shouts).treat(TEXT) == Outcome({"text": "ONE TWO", "origin": "a:1"}, ("by shouts",))
    assert Map(answers({"text": "new"})).treat(TEXT).row == {"text": "new", "origin": "a:1"}
    assert Map(shouts).treat(STAGED).row == {"text": "ONE TWO", "origin": "a:1", "stage": 2}
    outcome = Map(greets).treat(CHAT)
    assert outcome.row is not None and outcome.row["messages"][0]["content"] == "Hi!"
    assert CHAT["messages"] == [{"role": "user", "content": "Hi"}]  # the row that was given is as it was


@pytest.mark.parametrize(
    ("row", "said", "sentence"),
    [
        (TEXT, None, "gives NoneType; it should give the row"),
        (TEXT, True, "gives bool; it should give the row"),
        (CHAT, "text", "gives str; it should give the row"),
        (TEXT, {"txt": "x"}, "gives txt; it should give the columns of the row, text"),
        (TEXT, {}, "gives nothing; it should give the columns of the row, text"),
        (TEXT, {"text": None}, "gives a 'text' that is NoneType, not str"),
        (TEXT, {"text": b"x"}, "gives a 'text' that is bytes, not str"),
        (CHAT, {"messages": ["hi"], "tools": None}, "gives messages[0] should be a message"),
        (
            CHAT,
            {"messages": [{"role": "user", "content": 3}], "tools": None},
            "gives messages[0].content should be text",
        ),
        (
            CHAT,
            {"messages": [{"role": "human", "content": ""}], "tools": None},
            "gives messages[0] with the role 'human'",
        ),
        (PAIRED, {"texts": ["a", 3], "label": "b"}, "gives texts that hold 3, which is no text"),
    ],
)
def test_what_is_no_row_is_refused(row: dict[str, Any], said: Any, sentence: str) -> None:
    with pytest.raises(RecipeError, match=f"^{row['origin']}: .*:answer {re.escape(sentence)}"):
        Map(answers(said)).treat(row)


@pytest.mark.parametrize("step", [Keep, Map])
def test_an_error_is_one_sentence_with_the_row_and_the_function(step: Any) -> None:
    with pytest.raises(RecipeError, match=r"^a:1: .*:fails fails: KeyError: 'missing\\nkey'$"):
        step(fails).treat(TEXT)


def test_what_has_no_name_is_refused() -> None:
    def inner(row: Any) -> bool:
        return True

    for given in (lambda row: True, inner, len, Keep, json.JSONDecoder().decode):
        with pytest.raises(RecipeError, match=r"^Keep.function: give a function that a module defines with a name"):
            Keep(given)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rules", "write a function as module:name"),
        ("rules:a.b", "write a function as module:name"),
        ("/rules.py:f", "write a function as module:name"),
        ("no_such_rules:f", "no_such_rules cannot be imported: ModuleNotFoundError"),
        ("broken_rules:f", "broken_rules cannot be imported: ZeroDivisionError"),
        ("some_rules:long", r"some_rules has no function 'long'; did you mean 'longer'\?"),
        ("some_rules:NUMBER", "give a function that a module defines with a name, not int"),
    ],
)
def test_a_name_that_names_none_is_refused(text: str, sentence: str) -> None:
    Path("broken_rules.py").write_text("1 / 0")
    Path("some_rules.py").write_text("NUMBER = 3\ndef longer(row): return True\n")
    with pytest.raises(RecipeError, match=rf"^Keep.function: {sentence}"):
        Keep(text)


def test_a_function_and_its_name_are_the_same_step() -> None:
    Path("own_rules.py").write_text("def longer(row): return len(row['text']) > 3\n")
    step = Keep("own_rules:longer")
    assert step == Keep(sys.modules["own_rules"].longer)
    assert repr(step) == "Keep('own_rules:longer')" and step.treat(TEXT).row is TEXT


def written(text: str, name: str) -> Any:
    Path(f"{name}.py").write_text(text)
    return Keep(f"{name}:longer").identity()


def test_it_counts_by_the_code_around_it_but_for_components_and_comments() -> None:
    text = (
        "import re\nfrom smolrecipes import Sample\nWORD = re.compile('a')\n"
        "def longer(row): return bool(WORD.search(row['text']))\nstep = Sample(count=1)\n"
    )
    first = written(text, "rules_1")
    assert written(text.replace("count=1", "count=2") + "# more\n", "rules_2") == first
    assert written(text.replace("'a'", "'b'"), "rules_3") != first
    assert written(text.replace("bool", "not bool"), "rules_4") != first


OWN = """
import re
from smolrecipes import FixText, Sample, Transform
WORD = re.compile("a")
MANY = frozenset(["x"])
rows = Sample(count=1)
class Mine(Transform, name="mine"):
    limit: int = 1
recipe: Sample = Sample(count=2)
"""


def test_a_class_counts_by_the_code_of_its_module_but_for_components() -> None:
    def identity(text: str, name: str) -> Any:
        Path(f"{name}.py").write_text(text)
        return importlib.import_module(name).Mine().identity()

    first = identity(OWN, "own_1")
    assert identity(OWN.replace("count=", "seed=3, count=") + "# more\n", "own_2") == first
    for number, (old, new) in enumerate([('"a"', '"b"'), ('"x"', '"y"'), ("= 1", "= 2")], 3):
        assert identity(OWN.replace(old, new), f"own_{number}") != first


def test_it_counts_alike_while_its_script_runs_and_afterwards() -> None:
    text = (
        "from smolrecipes import Keep, Sample\ndef longer(row): return True\nseen = []\n"
        "seen.append(Keep(longer).identity())\nlater = Sample(count=1)\n"
    )
    assert written(text, "script_1") == sys.modules["script_1"].seen[0]
    assert written(text.replace("count=1", "count=2"), "script_2") == sys.modules["script_2"].seen[0]


def test_a_function_without_a_file_counts_by_what_it_was_compiled_to() -> None:
    spaces: list[dict[str, Any]] = [{"__name__": "nowhere"} for _ in range(3)]
    for space, number in zip(spaces, (1, 1, 2)):
        exec(compile(f"def f(row): return [n > {number} for n in row]", "<cell>", "exec"), space)
    first, same, other = (source_of(space["f"]) for space in spaces)
    assert first == same != other and "0x" not in first


def test_a_recipe_file_is_stored_with_the_name_and_its_stored_form_does_not_load() -> None:
    Path("mine.py").write_text(RECIPE)
    Path("a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ("a b", "a b c", "a b c d")))
    recipe = load_recipe("mine.py")
    (step,) = recipe.data.steps
    assert recipe.data.load()["text"][:] == ["a b c", "a b c d"]
    assert json.loads(dumps(recipe))["data"]["steps"][0]["function"] == "mine:long_enough"
    Path("other").mkdir()
    Path("other/mine.py").write_text(RECIPE)
    assert load_recipe("other/mine.py").data.steps[0].identity() == step.identity()
    with pytest.raises(
        RecipeError, match=r"the transform 'keep' calls the function 'mine:long_enough', which no stored"
    ):
        loads(dumps(recipe))


@pytest.mark.parametrize("use", ["keep", "map"])
def test_no_stored_recipe_imports_anything(use: str) -> None:
    Path("evil.py").write_text("from pathlib import Path\nPath('made').touch()\ndef f(row): return True\n")
    steps = [{"use": f"transform:{use}", "function": "evil:f"}]
    stored = {"use": "data:piped", "source": "a.jsonl", "steps": steps}
    with pytest.raises(RecipeError, match="which no stored recipe does"):
        decode(stored, Files.mro()[1])
    assert "evil" not in sys.modules and not Path("made").exists()


def test_in_a_pipeline_an_error_names_the_row() -> None:
    Path("a.jsonl").write_text('{"text": "a b"}\n')
    with pytest.raises(RecipeError, match=r"^a.jsonl:1: .*:fails fails: KeyError"):
        Files("a.jsonl").pipe(Keep(fails)).load()
