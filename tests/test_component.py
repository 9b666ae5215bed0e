from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Gt
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import limits
from smolrecipes.annotations import spoken
from smolrecipes.component import Component, option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import KINDS, Adapter, Callback
from smolrecipes.recipe import Training


class Part(Adapter, name="part"):
    """A part with options of several types."""

    path: str = option(default="here", kw_only=False)
    """Where it lies."""
    size: Annotated[int, Gt(0)] = 4
    """How large it is,
    in pieces."""
    names: tuple[str, ...] = ()
    extra: dict[str, Any] = option(factory=dict)
    """Anything."""
    seen: int = option(default=0, affects_weights=False)
    """Does not change the weights."""

    def apply(self, model: Any, tokenizer: Any) -> Any:
        return model


class Larger(Part, name="larger"):
    """A part with one more option, which is required."""

    times: int
    """How often."""


class Holder(Component):
    """Holds parts."""

    part: Part | None = None
    parts: tuple[Part, ...] = ()


def test_a_component_is_a_value() -> None:
    assert Part("a", size=2) == Part(path="a", size=2) != Part("a", size=3)
    assert len({Part("a"), Part("a"), Part("b")}) == 2
    assert Part("a") != Larger("a", times=1)
    with pytest.raises(AttributeError):
        Part("a").size = 3  # type: ignore[misc]


def test_it_is_copied_pickled_and_never_changed() -> None:
    part = Part("a", size=2, extra={"x": 1})
    assert copy.deepcopy(part) == pickle.loads(pickle.dumps(part)) == part
    for change in (lambda: setattr(part, "size", 3), lambda: delattr(part, "size"), lambda: setattr(part, "new", 1)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert part.size == 2


def test_each_part_has_its_own_default() -> None:
    Part().extra["x"] = 1
    assert Part().extra == {}


def test_what_was_given_is_known_apart_from_what_it_is() -> None:
    assert Part("a", size=4).given() == {"path", "size"}
    assert Part(size=4).replace(seen=0).given() == {"size", "seen"}
    assert copy.copy(Part(size=4)).given() == {"size"}
    assert Part(size=4) == Part() and repr(Part(size=4)) == "Part()"
    assert Part(size=4).fingerprint() == Part().fingerprint()


def test_an_option_that_was_added_counts_once_it_is_changed() -> None:
    class Older(Component, name="same"):
        size: int = 1

    class Newer(Component, name="same"):
        size: int = 1
        more: int | None = option(default=None, added=True)

    assert {**Newer().identity(), "source": 0} == {**Older().identity(), "source": 0}
    assert Newer(more=2).identity()["more"] == 2 and Newer(more=2).fingerprint() != Newer().fingerprint()


def test_its_signature_is_its_options() -> None:
    assert list(inspect.signature(Larger).parameters) == ["path", "size", "names", "extra", "seen", "times"]
    parameters = inspect.signature(Larger).parameters
    assert parameters["path"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and parameters["path"].default == "here"
    assert parameters["times"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["times"].default is inspect.Parameter.empty


@given(st.text(), st.integers(1, 10**6), st.lists(st.text()), st.dictionaries(st.text(), st.integers()))
def test_a_repr_is_the_code_that_makes_it(path: str, size: int, names: list[str], extra: dict[str, int]) -> None:
    part = Part(path, size=size, names=tuple(names), extra=extra)
    assert eval(repr(part)) == part
    holder = Holder(part=part, parts=(part, part))
    assert eval(repr(holder)) == holder


def test_a_repr_shows_only_what_differs_from_the_defaults() -> None:
    assert repr(Part("a", size=4, names=("b",))) == "Part('a', names=('b',))"
    assert repr(Part()) == "Part()"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sise": 3}, "Part has no option 'sise'; did you mean 'size'?"),
        ({"zzz": 3}, "Part has no option 'zzz' (it has: path, size, names, extra, seen)"),
        ({"size": "many"}, "Part.size: should be a valid integer"),
        ({"size": 0}, "Part.size: should be greater than 0, not 0"),
        ({"names": ("a", 1)}, "Part.names: [1] should be a valid string, not 1"),
        ({"names": "ab"}, "Part.names: should be several, as in ['ab'], not 'ab'"),
    ],
)
def test_mistakes_are_sentences(options: dict[str, Any], sentence: str) -> None:
    for make in (lambda: Part(**options), lambda: Part().replace(**options)):
        with pytest.raises(RecipeError) as found:
            make()
        assert str(found.value).startswith(sentence)


def test_a_missing_option_is_named_with_its_docstring() -> None:
    with pytest.raises(RecipeError, match="Larger needs 'times': How often"):
        Larger("a")
    with pytest.raises(RecipeError, match="Part: name its options, as in Part"):
        Part("a", 3)  # type: ignore[misc]
    with pytest.raises(RecipeError, match="Part: 'path' is given twice"):
        Part("a", path="b")  # type: ignore[misc]


def test_values_are_converted_by_the_annotation() -> None:
    assert Part(size="3", names=["a"]) == Part(size=3, names=("a",))  # type: ignore[arg-type]


def test_our_limits_are_those_of_annotated_types() -> None:
    class Ours(Component):
        more: Annotated[int, limits.Ge(1), limits.Lt(5)] | None = None
        many: Annotated[tuple[str, ...], limits.MinLen(2)] = ("a", "b")

    assert Ours(more=1, many=("a", "b", "c")).more == 1
    for options, sentence in (
        ({"more": 0}, "should be greater than or equal to 1, not 0"),
        ({"more": 5}, "should be less than 5, not 5"),
        ({"many": ("a",)}, "at least 2 items"),
    ):
        with pytest.raises(RecipeError, match=sentence):
            Ours(**options)
    assert spoken(Ours.hints()["more"]) == "int >= 1 < 5, or none"


def test_docstrings_under_options_are_their_help_inherited_too() -> None:
    assert Part.help()["size"] == "How large it is, in pieces."
    assert Larger.help() == {**Part.help(), "times": "How often."}
    assert "names" not in Part.help()


def test_names_and_kinds() -> None:
    assert (Part.kind, Part.name, Larger.kind, Larger.name) == ("adapter", "part", "adapter", "larger")
    assert {cls.kind for cls in KINDS.values()} == set(KINDS)
    for word in ("kind", "name"):
        with pytest.raises(RecipeError, match=f"'{word}' is a reserved name"):
            type("Wrong", (Component,), {"__annotations__": {word: "str"}, "__module__": __name__})


def test_children_are_found_with_their_paths() -> None:
    holder = Holder(part=Part("a"), parts=(Part("b"), Part("c")))
    assert [(path, part.path) for path, part in holder.children()] == [  # type: ignore[attr-defined]
        ("part", "a"),
        ("parts.0", "b"),
        ("parts.1", "c"),
    ]


def test_a_fingerprint_changes_with_what_the_weights_depend_on_and_nothing_else() -> None:
    prints = [Part(), Part("a"), Part(size=5), Part(extra={"a": 1}), Larger(times=1)]
    assert len({part.fingerprint() for part in prints}) == len(prints)
    assert Part(seen=5).fingerprint() == Part().fingerprint()
    assert Holder(part=Part(seen=5)).fingerprint() == Holder(part=Part()).fingerprint()
    assert Holder(part=Part(size=5)).fingerprint() != Holder(part=Part()).fingerprint()


def test_defaults_are_not_shared() -> None:
    one = Part()
    one.extra["a"] = 1
    assert Part().extra == {}


def test_paths_are_stored_as_text_in_the_identity() -> None:
    class Located(Component):
        where: Path = Path("a")

    assert Located().identity()["where"] == "a"


def test_one_length_at_most() -> None:
    with pytest.raises(RecipeError, match="give one of epochs, steps, tokens, not epochs and steps"):
        Training(epochs=1, steps=5)


def test_a_callback_answers_every_event_of_the_trainer() -> None:
    from transformers import TrainerCallback

    events = [name for name in vars(TrainerCallback) if name.startswith("on_")]
    assert len(events) > 10
    assert [name for name in events if not hasattr(Callback, name)] == []
