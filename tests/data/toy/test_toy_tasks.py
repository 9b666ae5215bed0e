from __future__ import annotations

import json
import math
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from smolrecipes.data.toy import Toy
from smolrecipes.data.toy.lexicon import COLOURS, THINGS
from smolrecipes.data.toy.questions import DICTIONARY
from smolrecipes.data.toy.tools import TOOLS

TYPES = {"string": str, "integer": int}


def entropy(texts: list[str], order: int) -> float:
    """Bits per word given the `order` words before it, counted on all the texts."""
    pairs: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        found = ["^"] * order + re.findall(r"\w+|[^\w\s]", text)
        pairs.update(tuple(found[i - order : i + 1]) for i in range(order, len(found)))
    contexts: Counter[tuple[str, ...]] = Counter()
    for pair, count in pairs.items():
        contexts[pair[:-1]] += count
    return -sum(count * math.log2(count / contexts[pair[:-1]]) for pair, count in pairs.items()) / sum(pairs.values())


def test_context_helps_in_stories() -> None:
    texts = [row["text"] for row in Toy("stories", rows=3000)]
    one, two, three = (entropy(texts, order) for order in range(3))
    assert one > 7 and two < one - 3 and three < two - 0.8


def test_stories_come_back_to_their_colours() -> None:
    colours = {colour.en for colour in COLOURS}
    things = {noun.en for noun in THINGS}
    told = [row["text"] for row in Toy("stories", rows=2000, languages=("en",)) if "?" not in row["text"]]
    again = 0
    for text in told:
        seen = re.findall(rf"\b({'|'.join(colours)}) ({'|'.join(things)})\b", text)
        assert len({thing for _, thing in seen}) == len(set(seen)), text  # one thing, one colour
        again += len(seen) > len(set(seen))
    assert again > 0.5 * len(told)


def test_chat_alternates_and_mixes_two_styles() -> None:
    chats = list(Toy("chat", rows=2000))
    for row in chats:
        roles = [m["role"] for m in row["messages"] if m["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2) and 1 <= len(roles) // 2 <= 3
    kind = sum(row["messages"][-1]["content"].endswith("!") for row in chats) / len(chats)
    assert 0.45 < kind < 0.55
    assert 0.1 < sum(row["messages"][0]["role"] == "system" for row in chats) / len(chats) < 0.3


def test_answers_are_in_the_scene() -> None:
    seen = 0
    for row in Toy("chat", rows=3000, languages=("en",)):
        said = re.findall(r"[Tt]he (\w+) (\w+) is", row["messages"][0]["content"])
        if (asked := re.search(r"What colour is the (\w+)\?", row["messages"][-2]["content"])) and (
            colour := {thing: colour for colour, thing in said}.get(asked[1])
        ):
            seen += 1
            assert colour in row["messages"][-1]["content"].lower()
    assert seen > 50


def test_preferences_differ_and_are_mostly_about_style() -> None:
    pairs = list(Toy("preferences", rows=3000))
    assert all(pair["prompt"][-1]["role"] == "user" and pair["chosen"] != pair["rejected"] for pair in pairs)
    assert all(pair["chosen"][0]["content"].endswith("!") for pair in pairs)
    wrong = sum(pair["rejected"][0]["content"].endswith("!") for pair in pairs) / len(pairs)
    assert 0.17 < wrong < 0.23


def test_preferences_are_not_the_chats() -> None:
    talks = list(Toy("chat", rows=8000))
    chats = {json.dumps(row["messages"][:-1]) for row in talks}
    asked = {m["content"] for row in talks for m in row["messages"] if m["role"] == "user"}
    pairs = list(Toy("preferences", rows=3000))
    assert sum(json.dumps(pair["prompt"]) in chats for pair in pairs) < 0.05 * len(pairs)
    single = [pair for pair in pairs if sum(m["role"] == "user" for m in pair["prompt"]) == 1]
    assert sum(pair["prompt"][-1]["content"] in asked for pair in single) < 0.05 * len(single)


def valid(schema: dict[str, Any], arguments: dict[str, Any]) -> bool:
    properties = schema["function"]["parameters"]["properties"]
    assert set(arguments) == set(schema["function"]["parameters"]["required"]) == set(properties)
    return all(
        type(value) is TYPES[properties[key]["type"]] and value in properties[key].get("enum", [value])
        for key, value in arguments.items()
    )


def test_functions_called_fit_their_schema() -> None:
    calls, answered, names = 0, 0, Counter[str]()
    for row in Toy("functions", rows=2000):
        offered = {tool["function"]["name"]: tool for tool in row["tools"]}
        assert len(offered) == len(row["tools"]) >= 1
        for place, message in enumerate(row["messages"]):
            for call in message.get("tool_calls", ()):
                calls += 1
                names[call["function"]["name"]] += 1
                assert valid(offered[call["function"]["name"]], call["function"]["arguments"])
                assert place == 1
            if message["role"] == "tool":
                answered += 1
                assert row["messages"][place + 1]["role"] == "assistant" and json.loads(message["content"])
    assert 0.65 < calls / 2000 < 0.85 and 0.3 < answered / calls < 0.7 and len(names) == len(TOOLS)


def test_calculator_results_are_right() -> None:
    for row in Toy("functions", rows=2000):
        for message, result in pairwise(row["messages"][1:]):
            for call in message.get("tool_calls", ()):
                if call["function"]["name"] == "calculate":
                    given = call["function"]["arguments"]
                    compute = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[given["sign"]]
                    value = compute(given["left"], given["right"])
                    assert json.loads(result["content"])["value"] == value


def test_dictations_come_back_to_the_letter() -> None:
    kinds = Counter[str]()
    for row in Toy("dictation", rows=2000):
        asked, answer, *again = (message["content"] for message in row["messages"])
        assert again in ([], ["Again.", answer], ["Ancora.", answer])
        said = asked.split(": ", 1)[1]
        if answer[0] == "[":
            kinds["list"] += 1
            assert json.loads(answer) == said.split(", ")
        elif answer[0] == "{":
            kinds["notes"] += 1
            told, wanted = said.split(". ")
            notes = dict(note.split(" ", 1) for note in told.split(", "))
            assert json.loads(answer) == {key: notes[key] for key in wanted.split(", ")}
        else:
            kinds["words"] += 1
            assert answer == said
    assert min(kinds.values()) > 300 and len(kinds) == 3


def test_reviews_are_balanced_and_defeat_word_counts() -> None:
    rows = list(Toy("reviews", rows=4000))
    labels = Counter(row["label"] for row in rows)
    assert set(labels) == {"positive", "negative"} and abs(labels["positive"] / len(rows) - 0.5) < 0.03
    counts: dict[str, Counter[str]] = {label: Counter() for label in labels}
    for row in rows[:3000]:
        counts[row["label"]].update(set(row["text"].lower().split()))
    right = 0
    for row in rows[3000:]:  # naive Bayes
        words = set(row["text"].lower().split())
        score = sum(math.log((counts["positive"][w] + 1) / (counts["negative"][w] + 1)) for w in words)
        right += (score > 0) == (row["label"] == "positive")
    assert 0.55 < right / 1000 < 0.9


def test_translations_alternate_and_are_consistent() -> None:
    found: dict[str, set[str]] = {}
    for index, row in enumerate(Toy("translations", rows=6000)):
        english, italian = (row["source"], row["target"]) if index % 2 == 0 else (row["target"], row["source"])
        assert not re.search(r"[èàòù]", english) and english[0].isupper() and italian[0].isupper()
        found.setdefault(english, set()).add(italian)
    assert all(len(italian) == 1 for italian in found.values())


@pytest.mark.parametrize("language", ["en", "it"])
def test_the_dictionary_is_a_function(language: str) -> None:
    words = [entry[language] for entry in DICTIONARY]  # type: ignore[index]
    assert len(words) == len(set(words))


def test_an_answer_stands_in_its_text_once_as_a_word() -> None:
    for row in Toy("reading", rows=2000):
        [answer], [start] = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(answer)] == answer
        around = f" {row['context']} "[start : start + len(answer) + 2]
        assert not around[0].isalpha() and not around[-1].isalpha(), row


def test_most_names_are_new_to_whoever_learns_them() -> None:
    rows = list(Toy("names", rows=2000))
    names = [{t for t, tag in zip(row["tokens"], row["tags"]) if tag != "O"} for row in rows]
    known = set().union(*names[:1800])
    later = [name for some in names[1800:] for name in some]
    assert sum(name not in known for name in later) / len(later) > 0.6
    for row in rows:
        assert len(row["tokens"]) == len(row["tags"])
        assert not any(tag.startswith("I-") and before == "O" for before, tag in zip(["O", *row["tags"]], row["tags"]))


def test_pairs_are_balanced_and_the_second_text_alone_tells_nothing() -> None:
    rows = list(Toy("paraphrases", rows=6000, languages=("en",)))
    assert 0.48 < sum(row["label"] == "same" for row in rows) / len(rows) < 0.52
    by_second: dict[str, Counter[str]] = {}
    for row in rows[:5000]:
        by_second.setdefault(row["texts"][1], Counter())[row["label"]] += 1
    told = [by_second[row["texts"][1]].most_common(1)[0][0] == row["label"] for row in rows[5000:]
            if row["texts"][1] in by_second]  # fmt: skip
    assert len(told) > 500 and sum(told) / len(told) < 0.58


def test_similarity_counts_what_two_sentences_share() -> None:
    rows = list(Toy("similarity", rows=2000))
    assert {row["label"] for row in rows} == {0.0, 1.0, 2.0, 3.0, 4.0}
    for row in rows:
        first, second = ({word.strip(".").lower() for word in text.split()} for text in row["texts"])
        if row["label"] == 4:  # but for the words that say that something was found, and where a day stands
            assert len(first ^ second) <= 4, row


def test_one_ending_of_four_is_true() -> None:
    rows = list(Toy("endings", rows=1000))
    assert all(len(row["choices"]) == 4 for row in rows)
    assert max(Counter(row["label"] for row in rows).values()) < 0.3 * len(rows)
