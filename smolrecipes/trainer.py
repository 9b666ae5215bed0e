"""RecipeTrainer: transformers' Trainer, whose loss is the objective's. Nothing here knows any method."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import torch
from accelerate.utils import AutocastKwargs
from transformers import PrinterCallback, TrainerCallback
from transformers.trainer_utils import EvalLoopOutput

from smolrecipes.baseline import by_frequency
from smolrecipes.batches import Batches, Drawn, Loader, input_tokens
from smolrecipes.callbacks.throughput import Throughput
from smolrecipes.examples import Examples, lengths, stages
from smolrecipes.kinds import Objective, Parts
from smolrecipes.launch import verify
from smolrecipes.steady import SteadyTrainer
from smolrecipes.tally import Answers, Tally, precise
from smolrecipes.weights import count_weights

log = logging.getLogger(__name__)


class RecipeTrainer(SteadyTrainer):
    """Divides the sums of the objective by the counts of the whole global batch, over accumulation and ranks."""

    def __init__(self, objective: Objective, parts: Parts) -> None:
        self.objective, self.parts, self.tally, self.weights = objective, parts, Tally(), 0
        self.throughput = next((one for one in parts.callbacks if isinstance(one, Throughput)), Throughput())
        super().__init__(
            model=parts.model,
            args=parts.arguments,
            train_dataset=parts.train,
            eval_dataset=parts.validation,
            processing_class=parts.tokenizer,
            callbacks=list(parts.callbacks),
        )
        self.remove_callback(PrinterCallback)
        self.add_callback(_Verify(self))
        self.loss_is_scaled_for_ga = True  # compute_loss divides by the counts of all micro-batches
        # a weight that was cast without gradients must not be taken again where gradients are wanted
        self.accelerator.autocast_handler = AutocastKwargs(cache_enabled=False)

    def get_train_dataloader(self, staged: bool = True) -> Loader:
        """The training rows, shuffled by (seed, epoch); those of a curriculum stage by stage, or not `staged`."""
        steps, tokens, train = self.args.gradient_accumulation_steps, self.parts.batch_tokens, self.parts.train
        return self._loader(train, self.parts.batch, steps, tokens, self.parts.seed, stages(train) if staged else None)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Loader:
        """The held-out rows: in order, or by their lengths where they are padded."""
        rows = self.parts.validation if eval_dataset is None else eval_dataset
        return self._loader(rows, self.args.per_device_eval_batch_size * self.args.world_size)

    def _loader(
        self, examples: Any, batch: int, steps: int = 1, tokens: int | None = None, seed: int | None = None,
        stages: Any = None,
    ) -> Loader:  # fmt: skip
        batches = Batches(
            lengths(examples), batch=batch, steps=steps, tokens=tokens, level=self.parts.layout.packed,
            rank=self.args.process_index, world=self.args.world_size, seed=seed,
            stages=stages, total=self.args.max_steps, by_length=self.parts.group_by_length,
            costs=lengths(examples, prompts=1) if self.parts.layout.packed else None,
        )  # fmt: skip
        objective, tokenizer = self.objective, self.parts.tokenizer
        rows = Examples(examples)
        if type(objective).draw is not Objective.draw or stages is not None:
            rows = Drawn(examples, batches, lambda row, rng: objective.draw(row, rng, tokenizer), objective.redraws)
        return Loader(rows, batches, lambda some: objective.collate(some, self.parts.layout))

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Any]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], Any]:
        """The micro-batches of one step on this rank, and the counts of the global batch over all ranks."""
        with self.throughput.fetching():
            batches = [batch for _, batch in zip(range(num_batches), epoch_iterator)]
        counts: dict[str, float] = {}
        tokens = sum(input_tokens(batch) for batch in batches if batch["origins"])
        for batch in batches:
            batch["counts"] = self.objective.counts(batch)
            for unit, count in batch["counts"].items():
                counts[unit] = counts.get(unit, 0) + (count if batch["origins"] else 0)
        if self.args.world_size > 1:  # alone, a GPU need not be waited for
            mine = precise(torch.tensor([*counts.values(), tokens], device=device))
            *sums, tokens = self.accelerator.reduce(mine).tolist()
            counts = dict(zip(counts, sums))
        self.state.num_input_tokens_seen += int(tokens)
        rows = [origin for batch in batches for origin in batch["origins"]]
        self.callback_handler.train_dataloader.seen = rows
        if counts and not any(counts.values()):
            some = ", ".join(rows[:8])
            log.warning("step %d: nothing in the batch is learned; its rows: %s", self.state.global_step + 1, some)
        return batches, counts

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> Any:
        """The loss runs in the precision of the model: accelerate wraps the model alone, and the head is outside of it."""
        if not self.accelerator.native_amp:  # accelerate takes a millisecond to find that there is nothing to do
            return nullcontext()
        return self.accelerator.autocast()

    def _prepare_input(self, data: Any) -> Any:
        """On the device; a GPU copies by itself while Python goes on, which takes pinned memory."""
        if isinstance(data, torch.Tensor) and self.args.device.type == "cuda":
            return data.pin_memory().to(self.args.device, non_blocking=True) if data.device.type == "cpu" else data
        return super()._prepare_input(data)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """This micro-batch's share of the global batch's loss. Ranks are averaged later, so their number multiplies."""
        origins, counts = inputs.pop("origins"), inputs.pop("counts", None)
        # counted where the batch was made: here a GPU would be waited for
        counts = counts or self.objective.counts(inputs)
        loss = self.objective.loss(model, inputs)
        self.tally.add(loss, counts, empty=not origins)
        totals = num_items_in_batch or counts
        parts = [m.sum * (m.weight / max(1.0, totals[m.over])) for m in loss.terms.values()]
        share: torch.Tensor = torch.stack(parts).sum() * (self.args.world_size * bool(origins))
        labels = len(inputs["at"]) if "at" in inputs else None
        self.throughput.watch(share, tokens=input_tokens(inputs) * bool(origins), labels=labels)
        return share

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """The objective's terms and metrics over all held-out rows, exact whatever the batch size."""
        training, tally, answers = self.model.training, Tally(), Answers()
        self.model.eval()
        if hasattr(self.optimizer, "eval"):  # a schedule-free one shows its averages
            self.optimizer.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            for batch in dataloader:
                counts, origins = self.objective.counts(batch), batch.pop("origins")
                loss = self.objective.loss(self.model, self._prepare_inputs(batch))
                tally.add(loss, counts, empty=not origins)
                answers.add(loss, empty=not origins)
        self.model.train(training)
        found = {**tally.means(self.accelerator), **self.objective.measure(answers.all())}
        if self.objective.likelihood and self.parts.validation and self.state.global_step:
            found["baseline"] = self.baseline
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        return EvalLoopOutput(predictions=None, label_ids=None, metrics=metrics, num_samples=len(dataloader.dataset))

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Without the weights that are tied to others, which no checkpoint holds twice."""
        tied = getattr(self.model, "all_tied_weights_keys", None) or {}
        load_result.missing_keys[:] = [name for name in load_result.missing_keys if name not in tied]
        super()._issue_warnings_after_load(load_result)

    @cached_property
    def baseline(self) -> float:
        """The held-out loss of one who only knows how often each token is learned, in nats per token."""
        return by_frequency(self)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """6 for each weight outside the embeddings and each token, counted once: transformers counts weights every step."""
        if not self.weights:
            model = self.accelerator.unwrap_model(self.model)
            tables = [part for part in model.modules() if isinstance(part, torch.nn.Embedding)]
            self.weights = count_weights(model)[1] - sum(count_weights(table)[1] for table in tables)
        return 6 * self.weights * input_tokens(inputs)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the terms and metrics of the steps since the last log."""
        if "loss" in logs:
            found = self.tally.means(self.accelerator)
            extra = {name: value for name, value in found.items() if name != "loss" and len(found) > 2}
            logs = {**logs, **extra, "tokens": self.state.num_input_tokens_seen}
        if "train_loss" in logs and self.args.world_size > 1:  # Trainer adds up this rank's share since the last log
            mine = torch.tensor(logs["train_loss"], device=self.args.device)
            logs["train_loss"] = self.accelerator.reduce(mine, "mean").item()
        super().log(logs, start_time)


class _Verify(TrainerCallback):  # type: ignore[misc]
    """Once the model is wrapped, compares what runs with what the launcher was asked for."""

    def __init__(self, trainer: RecipeTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        verify(self.trainer)
