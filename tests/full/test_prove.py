"""All seven proofs hold for every shipped recipe, as far as they apply to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolrecipes import prove
from smolrecipes.load import load_recipe
from smolrecipes.prove.child import POSSIBLE
from smolrecipes.prove.proofs import LOADED, PASSES, PROCESSES, RESUMED, SEED

RECIPES = sorted(file.stem for file in (Path(__file__).parents[2] / "recipes").glob("[!_]*.py"))


@pytest.mark.skipif(not POSSIBLE, reason="only Linux forks a process that computes")
@pytest.mark.parametrize("name", RECIPES)
def test_all_holds(name: str) -> None:
    proofs = prove(load_recipe(name))
    assert [f"{proof.what}: {proof.how}" for proof in proofs if proof.holds is not True] == []
    assert {PASSES, PROCESSES, SEED, RESUMED, LOADED} <= {proof.what for proof in proofs}
