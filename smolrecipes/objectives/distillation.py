"""Distillation: a student learns what its teacher would say, encoders and decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture, Loss, Mean, Tokenizer
from smolrecipes.limits import Ge, Gt, Le
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.mlm import MLM

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class MLMDistillation(MLM, name="mlm_distillation"):
    """MLM beside a teacher (DistilBERT, arXiv:1910.01108): its softened predictions and the direction of its hidden
    states, at the hidden tokens."""

    likelihood: ClassVar[bool] = False
    prepare_reads: ClassVar[tuple[str, ...] | None] = MLM.prepare_reads

    teacher: Architecture = option()
    """A model with the same tokenizer, such as `Trained(recipe)` or `Pretrained("runs/bert/model")`."""
    start: bool = True
    """Begin with the teacher's embeddings and evenly chosen ones of its blocks, where widths are alike."""
    temperature: Annotated[float, Gt(0)] = 2.0
    """Both predictions are softened by it."""
    soft: Annotated[float, Ge(0)] = 5.0
    """Weight of the teacher's predictions."""
    hard: Annotated[float, Ge(0)] = 2.0
    """Weight of the tokens themselves."""
    cosine: Annotated[float, Ge(0)] = 1.0
    """Weight of the directions; both models must be as wide."""

    def tokenizer(self) -> Tokenizer | None:
        """The teacher's."""
        return self.teacher.tokenizer()

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Adds the teacher."""
        from smolrecipes.objectives.teacher import attach

        super().complete(model, architecture, tokenizer)
        attach(model, self.teacher, tokenizer, self.head, self.start)
        widths = [one.config.hidden_size for one in (model, model.__dict__["teacher"])]
        if self.cosine and len(set(widths)) > 1:
            raise RecipeError(
                f"objective.cosine: hidden states of {widths[0]} and of {widths[1]} have no angle; give objective.cosine=0"
            )

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Divergence, negative log-likelihood and 1 - cosine, per hidden token."""
        from smolrecipes.objectives.forward import reached_nll
        from smolrecipes.objectives.teacher import apart, directions, taught

        student, teacher = taught(model, batch)
        nll = reached_nll(student, batch["labels"])
        terms = {
            "soft": Mean(apart(student, teacher, self.temperature, "forward"), "tokens", self.soft),
            "nll": Mean(nll, "tokens", self.hard),
        }
        if self.cosine:
            terms["cosine"] = Mean(directions(student, teacher), "tokens", self.cosine)
        return Loss(terms)


class Distillation(CLM, name="distillation"):
    """CLM beside a teacher: its softened predictions of every next token (arXiv:1503.02531)."""

    likelihood: ClassVar[bool] = False
    prepare_reads: ClassVar[tuple[str, ...]] = ("documents",)

    teacher: Architecture = option()
    """A model with the same tokenizer, such as `Trained(recipe)` or `Pretrained("runs/gpt/model")`."""
    start: bool = False
    """Begin with the teacher's embeddings and evenly chosen ones of its blocks, where widths are alike."""
    temperature: Annotated[float, Gt(0)] = 2.0
    """Both predictions are softened by it."""
    divergence: Literal["forward", "reverse", "jsd"] = "forward"
    """forward: KL(teacher || student). reverse: the other way (arXiv:2306.08543). jsd: between both (arXiv:2306.13649)."""
    share: Annotated[float, Ge(0), Le(1)] = 0.5
    """Weight of the teacher's predictions; the rest is that of the tokens themselves."""

    def tokenizer(self) -> Tokenizer | None:
        """The teacher's."""
        return self.teacher.tokenizer()

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Adds the teacher."""
        from smolrecipes.objectives.teacher import attach

        attach(model, self.teacher, tokenizer, self.head, self.start)

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Divergence and negative log-likelihood, per token."""
        from smolrecipes.objectives.forward import reached_nll
        from smolrecipes.objectives.teacher import apart, taught

        student, teacher = taught(model, batch)
        nll = reached_nll(student, batch["labels"])
        soft = apart(student, teacher, self.temperature, self.divergence)
        return Loss({"soft": Mean(soft, "tokens", self.share), "nll": Mean(nll, "tokens", 1 - self.share)})
