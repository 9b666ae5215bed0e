"""QLoRA: a LoRA on a model whose frozen linear layers are held in 4 bits."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.adapters.lora import LoRA, linear_layers
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class QLoRA(LoRA):
    """A LoRA over linear layers held in 4 bits, an eighth of float32's memory (arXiv:2305.14314).

    Products run in the run's precision. The merged model holds the update and the 4-bit weights in floating point,
    so it is as large as any; `adapter/` fits the 4-bit weights, not those that they were made of.
    """

    quantization: Literal["nf4", "fp4"] = "nf4"
    """The 16 values of a weight: quantiles of a normal distribution, or 4-bit floats."""
    double_quantization: bool = True
    """Hold the scale of each 64 weights in 8 bits as well, which saves another 0.4 bits a weight."""

    def check(self) -> None:
        """That bitsandbytes is installed."""
        if find_spec("bitsandbytes") is None:
            raise RecipeError("adapter=qlora needs bitsandbytes: pip install 'smolrecipes[gpu]'")

    def apply(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Any:
        """The model with its body's linear layers in 4 bits, quantised where it lies, and the update."""
        from smolrecipes.adapters.four_bit import Linear4bit

        layers: dict[str, Any] = dict(linear_layers(model))
        for name, layer in layers.items():
            _check_layer(model, layer)
            model.set_submodule(name, Linear4bit(layer, self.quantization, self.double_quantization))
        return super().apply(model, tokenizer)


def _check_layer(model: PreTrainedModel, layer: Any) -> None:
    if type(layer).__name__ == "Conv1D":
        raise RecipeError(
            f"QLoRA: the layers of {type(model).__name__} are Conv1D, which bitsandbytes does not hold in 4 bits; "
            "train a LoRA (adapter=lora)"
        )
    if not layer.weight.is_floating_point():
        raise RecipeError(
            f"QLoRA: the weights of {type(model).__name__} are quantised already; name the original model"
        )
