"""The forms that GGUF holds weights in: which tensor gets which type."""

from __future__ import annotations

PLAIN = {"f32": "F32", "f16": "F16", "bf16": "BF16"}
MOST = {"q8_0": "Q8_0", "q6_k": "Q6_K", "q5_1": "Q5_1", "q5_k_m": "Q5_K", "q4_0": "Q4_0", "q4_k_m": "Q4_K"}
"""What most matrices are held in, of each quantised form."""
NARROW = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
"""What takes the place of a type of 256 weights a block where the rows are no multiple of 256, as in llama.cpp."""
BLOCK = {"Q8_0": 32, "Q5_0": 32, "Q5_1": 32, "Q4_0": 32, "Q4_K": 256, "Q5_K": 256, "Q6_K": 256}


def tensor_type(form: str, name: str, layer: int | None, layers: int, columns: int) -> str:
    """The type of a matrix of `columns` columns: words' embeddings and output keep 6 or 8 bits, and in the K_M forms the
    values of attention and the last products of half of the layers keep 6, as llama.cpp's own quantisation has it."""
    if form in PLAIN:
        return PLAIN[form]
    found = MOST[form]
    if name in ("token_embd.weight", "output.weight"):
        found = "Q6_K" if form.endswith(("_m", "_k")) else "Q8_0"
    elif form.endswith("_m") and layer is not None and name.endswith(("attn_v.weight", "ffn_down.weight")):
        found = "Q6_K" if _more(layer, layers) else found
    while columns % BLOCK.get(found, 1):
        found = NARROW.get(found, "F16")
    return found


def _more(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
