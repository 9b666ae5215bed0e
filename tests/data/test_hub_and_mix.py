"""Hub datasets (as local folders, and with failures played) and mixtures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smolrecipes import SFT, Bytes, Llama, Recipe
from smolrecipes.assemble import load_rows
from smolrecipes.data.files import Files
from smolrecipes.data.hub import HubData
from smolrecipes.data.mix import Mix
from smolrecipes.errors import RecipeError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, rows: list[dict]) -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def pairs(name: str, count: int, mark: str = "q") -> Files:
    return Files(write(name, [{"question": f"{mark}{i}", "answer": "a"} for i in range(count)]))


def test_a_local_folder_as_a_hub_dataset(here):
    pairs("repo/train.jsonl", 3)
    pairs("repo/test.jsonl", 2, "t")
    data = HubData(str(here / "repo"))
    rows = data.load()
    assert rows["source"][:] == ["q0", "q1", "q2"] and rows["origin"][0] == "repo:1"
    assert rows.info.description.endswith("(train): 3 rows; question and answer, read as pairs")
    assert data.replace(split="test").load()["source"][:] == ["t0", "t1"]
    assert data.replace(columns={"text": "question"}).load()["text"][:] == ["q0", "q1", "q2"]
    first = data.fingerprint()
    pairs("repo/train.jsonl", 4)
    assert data.fingerprint() != first
    with pytest.raises(RecipeError, match=r"there is no split 'tets'; did you mean 'test'\?"):
        data.replace(split="tets").load()
    with pytest.raises(RecipeError, match="there is no config 'x'; it has default"):
        data.replace(config="x").load()


@pytest.mark.parametrize(
    ("error", "part"),
    [
        ("DatasetNotFoundError: Dataset 'a/b' is a gated dataset on the Hub.", "access is granted on request"),
        ("DatasetNotFoundError: Dataset 'a/b' doesn't exist on the Hub", "no such dataset"),
        ("ConnectionError: Couldn't reach 'a/b' on the Hub", "the hub cannot be reached"),
        (
            "ValueError: Config name is missing. Please pick one among the available configs: ['main', 'socratic']",
            "choose one with config=...; it has main, socratic",
        ),
        ("DatasetGenerationError: it\nbroke", "HubData('a/b'): it broke"),
    ],
)
def test_what_datasets_complains_about_is_one_sentence(error, part, monkeypatch):
    import datasets

    name, text = error.split(": ", 1)
    kind = (
        getattr(datasets.exceptions, name, None) or {"ConnectionError": ConnectionError, "ValueError": ValueError}[name]
    )

    def fail(*args, **options):
        raise kind(text)

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(RecipeError) as caught:
        HubData("a/b").load()
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_identity_is_the_commit(monkeypatch):
    import datasets

    class Builder:
        hash = "1" * 40

    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *args, **options: Builder)
    assert HubData("a/b").identity()["revision"] == "1" * 40
    assert HubData("a/b").fingerprint() == HubData("a/b", revision="1" * 40).fingerprint()


def test_mix_in_order():
    rows = Mix((pairs("a.jsonl", 2), pairs("b.jsonl", 1, "t"))).load()
    assert rows["source"][:] == ["q0", "q1", "t0"]
    assert rows.info.description.splitlines()[1] == "b.jsonl: 1 rows; question and answer, read as pairs"


def test_mix_by_weight_without_repetition():
    mix = Mix((pairs("a.jsonl", 30), pairs("b.jsonl", 20, "t")), weights=(3, 1))
    found = mix.load()["source"][:]
    assert len(found) == len(set(found)) == 40
    assert sum(text.startswith("q") for text in found) == 30
    assert sum(text.startswith("q") for text in found[:20]) == 15, "spread evenly"
    assert found == mix.load()["source"][:] and found[:30] != sorted(found[:30])
    assert "mixed: 10 rows of 20 from Files('b.jsonl')" in mix.load().info.description


def test_mix_up_to_rows_says_what_it_repeats():
    mixed = Mix((pairs("a.jsonl", 4), pairs("b.jsonl", 50, "t")), weights=(1, 1), rows=20).load()
    found = mixed["source"][:]
    assert len(found) == 20 and sorted(found.count(f"q{i}") for i in range(4)) == [2, 2, 3, 3]
    assert "mixed: 10 rows, repeated 2.5 times from Files('a.jsonl')" in mixed.info.description
    assert len(Mix((pairs("a.jsonl", 30), pairs("b.jsonl", 10, "t")), rows=8).load()) == 8


def test_mix_refuses():
    one, other = pairs("a.jsonl", 2), Files(write("t.jsonl", [{"text": "a"}]))
    words = Files(write("w.jsonl", [{"text": "a", "label": "good"}]))
    numbers = Files(write("n.jsonl", [{"text": "a", "label": 1}]))
    for options, part in (
        ({"sources": (one, other)}, "mix rows of one type"),
        ({"sources": (words, numbers)}, "different labels"),
        ({"sources": ()}, "at least one source"),
        ({"sources": (one, one), "weights": (1,)}, "1 for 2 sources"),
        ({"sources": (one, one), "weights": (1, 0)}, "greater than 0"),
        ({"sources": (one, one), "weights": (1000, 1)}, "would give no row"),
    ):
        with pytest.raises(RecipeError, match=part):
            Mix(**options).load()


def test_files_of_one_name_are_told_apart_in_all_of_a_recipe(here):
    """Within a mixture, beside the held-out rows, and in what is said of a broken row; by itself a file has its own name."""
    one, other = pairs("one/a.jsonl", 2), pairs("other/a.jsonl", 2, "t")
    assert [*Mix((one, other)).load()["origin"]] == [
        f"{where}/a.jsonl:{n}" for where in ("one", "other") for n in (1, 2)
    ]
    training = {"objective": SFT(), "model": Llama(), "tokenizer": Bytes()}
    rows, held_out, said = load_rows(Recipe(data=one, validation=other, **training))
    assert rows["origin"][0] == "one/a.jsonl:1" and held_out["origin"][0] == "other/a.jsonl:1"
    assert said[0].startswith("data: one/a.jsonl: 2 rows")
    Path("other/a.jsonl").write_text('{"question": "a", "answer": "b"}\n[]\n')
    for recipe in (Recipe(data=one, validation=other, **training), Recipe(data=Mix((one, other)), **training)):
        with pytest.raises(RecipeError, match=r"^other/a\.jsonl:2: a row should be an object"):
            load_rows(recipe)
    assert one.load()["origin"][0] == "a.jsonl:1"
    rows, held_out, _ = load_rows(Recipe(data=one, validation=pairs("b.jsonl", 2), **training))
    assert (rows["origin"][0], held_out["origin"][0]) == ("a.jsonl:1", "b.jsonl:1")
