"""The training itself: transformers' Trainer and PEFT, QLoRA on a GPU, LoRA on dense bfloat16 weights on a CPU.

Everything that a run will see is laid out before its first step, so a run that is killed goes on from its last whole
checkpoint to the same weights that it would have had.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainingArguments

from backend.models.dense import DenseModel
from backend.training.batches import IGNORED, Batch, Plan, tensors
from backend.training.fast_lora import speed_up
from backend.training.recipe import Recipe
from backend.training.watching import Watch

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

log = logging.getLogger(__name__)


class _Batches(Dataset[dict[str, Tensor]]):
    def __init__(self, batches: Sequence[Batch], padding: int) -> None:
        self._batches, self._padding = batches, padding

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return tensors(self._batches[index], self._padding)


def _only(items: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    (item,) = items
    return item


def answer_loss(model: Any, ids: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy in nats a token, of the tokens that have a label.

    What all prompts begin with (the system prompt, a sixth of all tokens) runs once for the batch, and the output head
    runs for labelled tokens alone.

    Args:
        model: a causal model of transformers, wrapped by PEFT or not.
        ids: (examples, tokens), padded on the right.
        labels: the same shape; :data:`IGNORED` where there is no loss.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    start = _shared(ids, labels)
    past = None
    if start and not inner.is_activation_checkpointing:
        past = inner.model(input_ids=ids[:1, :start], use_cache=True).past_key_values
        past.batch_repeat_interleave(len(ids))
        ids, labels = ids[:, start:], labels[:, start:]
    hidden = inner.model(input_ids=ids, past_key_values=past, use_cache=past is not None).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    scored = wanted != IGNORED
    logits = inner.lm_head(hidden[scored])
    return functional.cross_entropy(logits.float(), wanted[scored], reduction=reduction)


def _shared(ids: Tensor, labels: Tensor) -> int:
    """How many tokens all rows begin with; the last one before any label isn't among them, for it predicts one."""
    same = (ids == ids[:1]).all(0) & (labels == IGNORED).all(0)
    first = int((~same).int().argmax()) if bool((~same).any()) else ids.shape[1]
    return 0 if len(ids) < 2 else max(0, first - 1)


class VerseTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose items are whole batches, in the order of the plan.

    ``clock`` gives the share of the time that is spent; the learning rate falls with it where steps lag behind, so
    that a run on a busy machine ends as smoothly as one that makes all its steps.
    """

    clock: Callable[[], float] = staticmethod(lambda: 0.0)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """A warm-up, then a cosine down to 0."""
        warmup: int = self.args.warmup_steps

        def rate(step: int) -> float:
            if step < warmup:
                return step / warmup
            done = (step - warmup) / max(1, num_training_steps - warmup)
            part: float = min(1.0, max(done, self.clock()))
            return 0.5 * (1 + math.cos(math.pi * part))

        if self.lr_scheduler is None:
            self.lr_scheduler: Any = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, rate)
        return self.lr_scheduler

    def _get_train_sampler(self, *_: Any, **__: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any) -> Any:
        """Nats a token of the answers."""
        loss = answer_loss(model, inputs["input_ids"], inputs["labels"])
        return (loss, {}) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The held-out loss, in nats a token over all of them."""
        loss = held_out_loss(self.model, self.eval_dataset)
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


@torch.no_grad()
def held_out_loss(model: Any, dataset: Dataset[dict[str, Tensor]]) -> float:
    """Mean nats a token over a data set of batches."""
    was_training = model.training
    model.eval()
    total, number = 0.0, 0
    device = next(model.parameters()).device
    for index in range(len(dataset)):  # type: ignore[arg-type]
        batch = dataset[index]
        labels = batch["labels"].to(device)
        total += float(answer_loss(model, batch["input_ids"].to(device), labels, "sum"))
        number += int((labels[:, 1:] != IGNORED).sum())
    model.train(was_training)
    return total / max(1, number)


def adapt(base: DenseModel, recipe: Recipe, start: Path | None) -> Any:
    """The base with a LoRA on every linear layer of its blocks, in float32: a new one, or ``start`` to go on from."""
    from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training

    model = base.model.requires_grad_(False)
    model.config.use_cache = False
    if getattr(model, "is_quantized", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=recipe.gradient_checkpointing)
    elif recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    if start is not None:
        adapted = PeftModel.from_pretrained(model, str(start), is_trainable=True)
    else:
        torch.manual_seed(recipe.seed)
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=MODULES,
            task_type="CAUSAL_LM",
        )
        adapted = get_peft_model(model, config)
    # PEFT looks into the base's configuration as it saves: the one on this disk, not one on a hub.
    adapted.peft_config["default"].base_model_name_or_path = model.name_or_path
    if next(model.parameters()).device.type == "cpu" and recipe.dropout == 0:
        speed_up(adapted)
    return adapted


def make_trainer(model: Any, tokenizer: Any, recipe: Recipe, plan: Plan, folder: Path, watch: Watch) -> VerseTrainer:
    """A trainer that writes its checkpoints into ``folder`` when ``watch`` says so."""
    on_gpu = torch.cuda.is_available()
    optimizer = recipe.optimizer
    if optimizer == "auto":
        optimizer = "paged_adamw_8bit" if on_gpu else "adamw_torch"
    steps = len(plan.training)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,  # an item is a batch
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(recipe.warmup * steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_gradient,
        optim=optimizer,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        seed=recipe.seed,
        data_seed=recipe.seed,
        eval_strategy="no",
        save_strategy="no",
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        label_names=["labels"],
    )
    padding = tokenizer.pad_token_id or 0
    trainer = VerseTrainer(
        model=model,
        args=arguments,
        train_dataset=_Batches(plan.training, padding),
        eval_dataset=_Batches(plan.validation, padding),
        data_collator=_only,
        callbacks=[watch],
    )
    trainer.clock = watch.spent
    trainer.remove_callback(PrinterCallback)  # the bar says it
    return trainer
