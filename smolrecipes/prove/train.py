"""One training of a proof, inside its own process: what it did, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from smolrecipes.prove.proof import Record
from smolrecipes.prove.shrink import Way, settle
from smolrecipes.recipe import Recipe


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Writes down losses and gradients; stops after a step where it should."""

    def __init__(self, until: int = 0) -> None:
        self.record, self.until = Record(), until

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = _plain(kwargs["model"]).named_parameters()
        self.record.gradients.append({name: one.grad.detach().clone() for name, one in named if one.grad is not None})

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.until:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if "loss" in kwargs["logs"]:
            self.record.losses.append(float(kwargs["logs"]["loss"]))


def train(recipe: Recipe, way: Way, folder: Path) -> Record:
    """Trains the small recipe; goes on where it was interrupted in the same folder."""
    from smolrecipes.assemble import assemble
    from smolrecipes.launch import join
    from smolrecipes.memory import rehearse
    from smolrecipes.trainer import RecipeTrainer

    settled = settle(recipe, way)
    join("cpu")
    assembly = assemble(settled, folder, folder.parent / "cache")
    if way.world > 1 and isinstance(assembly.trainer, RecipeTrainer):
        rehearse(assembly.trainer)  # which tells the processes of weights that the objective does not reach
    record = run(assembly.trainer, way)
    if not way.until and way.world == 1:
        record.after = after(settled, assembly, folder)
    return record


def run(trainer: Any, way: Way) -> Record:
    """Trains any trainer, and records it."""
    from smolrecipes.checkpoints import newest, secure

    if way.still:
        quiet(trainer.model)
    recorder = Recorder(way.until)
    trainer.add_callback(recorder)
    secure(trainer)
    last, _ = newest(Path(trainer.args.output_dir))
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    model = _plain(trainer.model)
    recorder.record.weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    return recorder.record


def quiet(model: Any) -> None:
    """Switches every dropout off, those that are modules and those that are numbers."""
    for module in model.modules():
        if type(module).__name__.endswith("Dropout"):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if "drop" in name and isinstance(value, float):
                setattr(module, name, 0.0)
    for name, value in list(vars(model.config).items()):
        if "drop" in name and isinstance(value, float):
            setattr(model.config, name, 0.0)


def after(recipe: Recipe, assembly: Any, folder: Path) -> dict[str, tuple[float, float]]:
    """Losses on one batch: in memory and merged, in memory and saved and loaded again.

    Of preferences it is the mean log-probability: their loss compares with a reference, and a merged model has none.
    """
    import torch

    from smolrecipes.adapters.merge import merged
    from smolrecipes.objectives.preference import PairwiseObjective

    trainer = assembly.trainer
    if not hasattr(trainer, "objective"):
        return {}
    batch = next(iter(trainer.get_train_dataloader()))
    batch.pop("origins")
    model, found = trainer.accelerator.unwrap_model(trainer.model).eval(), {}

    def loss(of: Any) -> float:
        with torch.no_grad():
            if isinstance(trainer.objective, PairwiseObjective):
                return float(-trainer.objective.token_logps(of, batch)[0].mean())
            counts = trainer.objective.counts(batch)
            terms = trainer.objective.loss(of, dict(batch)).terms.values()
            return float(sum(float(one.sum) * one.weight / max(1.0, counts[one.over]) for one in terms))

    memory = loss(model)
    if hasattr(model, "merge_and_unload"):
        model = merged(model)
        found["merged"] = (memory, loss(model))
        memory = found["merged"][1]
    recipe = recipe.replace(objective=trainer.objective)  # which knows the classes
    found["loaded"] = (memory, loss(loaded(recipe, model, assembly.parts.tokenizer, folder)))
    return found


def loaded(recipe: Recipe, model: Any, tokenizer: Any, folder: Path) -> Any:
    """The model, saved as a run saves it and loaded again; a teacher, which nobody saves, is the same."""
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.build import build_model, choose_layout
    from smolrecipes.stage import write_model

    write_model(model, tokenizer, recipe.objective.owns, folder / "saved")
    objective = recipe.objective
    if "start" in objective.options():  # a student that was saved does not begin with its teacher again
        objective = objective.replace(**{"start": False})
    again = recipe.replace(objective=objective, model=Pretrained(str(folder / "saved")), adapter=None, tokenizer=None)
    made = build_model(again, tokenizer).eval()
    choose_layout(again, made, tokenizer)
    if "teacher" in model.__dict__:
        made.__dict__["teacher"] = model.__dict__["teacher"]
    return made


def _plain(model: Any) -> Any:
    return getattr(model, "module", model)
