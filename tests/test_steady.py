"""SteadyTrainer: the same steps as transformers', without its visits to every module; compiled blocks are one graph each."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_trainer import losses, made, model
from transformers import Trainer, TrainerCallback

from smolrecipes import attention
from smolrecipes.kinds import Layout
from smolrecipes.launch import use_tf32
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.forward import head_is_plain, token_nll
from smolrecipes.objectives.layout import Sequence
from smolrecipes.steady import SteadyTrainer
from smolrecipes.trainer import RecipeTrainer


class Theirs(RecipeTrainer):
    """RecipeTrainer on transformers' own steps."""

    training_step = Trainer.training_step
    _clip_grad_norm = Trainer._clip_grad_norm
    _get_grad_norm = Trainer._get_grad_norm
    _prepare_for_training = Trainer._prepare_for_training


@pytest.mark.parametrize("clip", [0.1, 0.0])
def test_the_steps_are_transformers_own(clip: float, tmp_path: Path) -> None:
    """Bit for bit, with dropout, clipping, accumulation and evaluations between: losses, gradients' norms, weights."""
    runs = []
    for kind in (RecipeTrainer, Theirs):
        torch.manual_seed(0)
        options = {"dropout": 0.3, "max_grad_norm": clip, "eval_strategy": "steps", "eval_steps": 2}
        built = made(CLM(), tmp_path / kind.__name__, 2, **options)
        built.__class__ = kind
        built.train()
        norms = [entry["grad_norm"] for entry in built.state.log_history if "grad_norm" in entry]
        runs.append((losses(built), norms, [weight.detach().clone() for weight in built.model.parameters()]))
    assert runs[0][:2] == runs[1][:2] and len(runs[0][0]) == 6
    assert all(torch.equal(one, other) for one, other in zip(runs[0][2], runs[1][2]))


def test_a_callback_that_leaves_the_model_in_evaluation_is_made_good(tmp_path: Path) -> None:
    class Careless(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, model: Any, **kwargs: Any) -> None:
            model.model.layers[0].eval()  # a part of it alone

    built, seen = made(CLM(), tmp_path, 4), []
    built.add_callback(Careless())
    built.model.register_forward_pre_hook(lambda module, args: seen.append(all(m.training for m in module.modules())))
    built.train()
    assert len(seen) >= 6 and all(seen)


def test_an_optimizer_with_a_mode_is_told_it(tmp_path: Path) -> None:
    """As schedule-free ones have: they refuse a step in evaluation, and evaluate with averages."""
    modes: list[str] = []

    class Free(torch.optim.SGD):
        def train(self) -> None:
            modes.append("train")

        def eval(self) -> None:
            modes.append("eval")

        def step(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
            assert modes[-1] == "train"
            super().step(*args, **kwargs)

    built = made(CLM(), tmp_path, 4, eval_strategy="steps", eval_steps=2)
    built.optimizer_cls_and_kwargs = (Free, {"lr": 0.1})
    built.train()
    assert modes[-1] == "eval" and modes.count("train") >= 6


def test_after_training_the_model_is_as_it_was_made(tmp_path: Path) -> None:
    """A `zero_grad` that knew only this training's weights would let those of the next one add up."""
    built = made(CLM(), tmp_path, 4)
    frozen = built.model.model.layers[0].mlp.up_proj.weight
    frozen.requires_grad_(False)
    built.train()
    assert "zero_grad" not in vars(built.model)
    frozen.requires_grad_(True)
    frozen.grad = torch.ones_like(frozen)
    built.model.zero_grad()
    assert frozen.grad is None


def test_a_weight_that_is_thawed_meanwhile_keeps_no_old_gradient(tmp_path: Path) -> None:
    built, seen = made(CLM(), tmp_path, 4), []
    weight = built.model.model.layers[0].mlp.up_proj.weight
    weight.requires_grad_(False)

    class Thaw(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            seen.append(weight.grad is None)
            weight.requires_grad_(True)

    built.add_callback(Thaw())
    built.train()
    assert seen == [True] * 6


def test_the_modules_are_not_visited_in_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, visits = made(CLM(), tmp_path, 2), []
    for name in ("train", "named_modules"):
        inner = getattr(torch.nn.Module, name)

        def visit(module: Any, *args: Any, inner: Any = inner, **options: Any) -> Any:
            if module is built.model and built.state.global_step > 1:
                visits.append(inner.__name__)
            return inner(module, *args, **options)

        monkeypatch.setattr(torch.nn.Module, name, visit)
    built.train()
    assert isinstance(built, SteadyTrainer) and not visits


@pytest.mark.parametrize("packed", [False, True])
def test_a_block_that_is_compiled_is_one_graph(packed: bool) -> None:
    """With sequences side by side it is cut at the attention, which no graph holds."""
    ids = [[5, 6, 7], [9, 10, 11, 12]] if packed else [[5, 6, 7, 8], [9, 10, 11, 12]]
    batch = Layout(packed=packed)([Sequence(row, row) for row in ids])
    built, graphs = model(), []
    built.set_attn_implementation(attention.NAME)
    head_is_plain(built)  # a pass of its own

    def count(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    built.model.layers[0].compile(backend=count, dynamic=True)
    token_nll(built, batch)
    assert len(graphs) > 1 if packed else len(graphs) == 1


def test_tf32_is_set_for_products_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once products have a setting of their own, torch's general one, which transformers changes, does not reach them."""
    products = torch.backends.cuda.matmul
    if not hasattr(products, "fp32_precision"):
        pytest.skip("this torch has one setting")
    before = products.fp32_precision
    try:
        for asked, found in ((True, "tf32"), (False, "ieee"), (None, "ieee")):
            use_tf32(SimpleNamespace(tf32=asked))
            assert products.fp32_precision == found
    finally:
        products.fp32_precision = before
