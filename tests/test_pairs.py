"""Objectives and architectures: a thin slice of those that fit, and that all others are refused; the whole is tests/full."""

from __future__ import annotations

from pathlib import Path

import pytest
from pairs import OBJECTIVES, PAIRS, Pair, check_trains_and_reloads, fits, recipe
from tiny import ALL, TOKENIZER

from smolrecipes import Objective, RecipeError
from smolrecipes.build import build_model, check_fit

HOW = ("full", "lora", "checkpointing")
FIRST = [next(pair for pair in PAIRS if pair.objective is objective) for objective in OBJECTIVES]


@pytest.mark.parametrize(("pair", "how"), [(pair, HOW[i % 3]) for i, pair in enumerate(FIRST)], ids=str)
def test_trains_and_reloads(pair: Pair, how: str, tmp_path: Path) -> None:
    check_trains_and_reloads(pair, how, tmp_path)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: str(objective.name))
def test_what_does_not_fit_is_refused_in_a_sentence(objective: type[Objective]) -> None:
    for model in (model for model in ALL if not fits(objective, model)):
        if objective.types and model.family in objective.families:
            asked = recipe(Pair(objective, model), "full")
            with pytest.raises(RecipeError, match="has no head|fits (bert|albert|luke) models, not those of type"):
                build_model(asked, TOKENIZER)
        elif model.family in objective.families:
            with pytest.raises(RecipeError, match="has no head"):
                model.build(TOKENIZER, objective.head, 2)
        else:
            with pytest.raises(RecipeError, match=f"fits .* models such as .*, not {model.family} models"):
                check_fit(recipe(Pair(objective, model), "full"))
