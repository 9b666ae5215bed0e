"""GGUF: the file that llama.cpp runs is the model that was trained, or there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from finished import SIZES
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import (
    BERT,
    GGUF,
    GPT2,
    MLM,
    T5,
    ByteBPE,
    Characters,
    Decoding,
    ExactMatch,
    Files,
    Likelihood,
    RecipeError,
    SafeTensors,
    SpanCorruption,
    Toy,
    WordPiece,
    llama_cpp,
)
from smolrecipes.component import choices
from smolrecipes.evaluation import evaluate, subject_of
from smolrecipes.exporters import labels
from smolrecipes.exporters.certificate import ALLOWED
from smolrecipes.exporters.forms import BLOCK, MOST, PLAIN, tensor_type
from smolrecipes.llama_cpp import aligned, running


def certificate(file: Path) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(file.with_name(f"{file.name}.parity.json").read_text())
    return found[-1]


def test_what_llama_cpp_runs_is_what_was_trained(made: Any) -> None:
    found = certificate(GGUF("f16").export(made()))
    assert found["holds"] and found["same_ids"] == found["texts"] > 20
    assert found["same_renderings"] == found["conversations"] == 5
    assert found["mean_gap"] < 0.003 and found["same_tokens"] >= 0.97 * found["tokens"] > 100


def test_a_gpt2_in_4_bits_whose_template_asks_for_a_bos_that_its_tokenizer_has_not(made: Any) -> None:
    """llama.cpp takes token 11 for a bos that is not there, and wrote it before every conversation."""
    run = made(GPT2(**SIZES), template="llama3")
    found = certificate(GGUF("Q4_K_M").export(run))
    assert found["holds"] and 0.005 < found["mean_gap"] < 0.3
    assert "GGUF q4_k_m" in (run.folder / "README.md").read_text()


def test_a_wrong_pre_tokenizer_fails_the_export(made: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """llama.cpp's converter takes any label without a word, and numbers are then split digit by digit."""
    monkeypatch.setattr(labels, "label", lambda tokenizer: "qwen2")
    (tmp_path / "numbers.txt").write_text("In 1234 there were 3333333 of 12,007 and 192.168.0.1\n" * 50)
    run = made(tokenizer=ByteBPE(Files(str(tmp_path / "numbers.txt")), vocab_size=400))
    with pytest.raises(RecipeError, match="it reads .* texts as other tokens"):
        GGUF("f32").export(run)
    assert not list((run.folder / "exports").iterdir())


def test_other_weights_fail_the_export(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from smolrecipes.exporters import trained

    plain = trained.as_trained

    def changed(run: Any) -> Any:
        model, tokenizer = plain(run)
        model.model.layers[1].mlp.down_proj.weight.data.mul_(1.5)
        return model, tokenizer

    monkeypatch.setattr(trained, "as_trained", changed)
    with pytest.raises(RecipeError, match="its log-probabilities are .* nats away"):
        GGUF("f32").export(made())


def test_what_llama_cpp_cannot_run_is_refused_by_name(made: Any, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="train with ByteBPE"):
        GGUF().export(made(tokenizer=Characters()))


@pytest.mark.parametrize(
    ("model", "objective", "head", "named"),
    [
        (BERT(**SIZES), MLM(), "masked", "BertForMaskedLM"),
        (T5(**SIZES), SpanCorruption(), "seq2seq", "T5ForConditional"),
    ],
)
def test_a_model_that_continues_no_text_is_refused_by_name(
    made: Any, model: Any, objective: Any, head: str, named: str
) -> None:
    tokenizer = WordPiece(vocab_size=400, specials="bert") if head == "masked" else None
    with pytest.raises(RecipeError, match=f"which {named}.* does not"):
        GGUF().export(made(model, tokenizer=tokenizer, objective=objective, head=head))


def test_without_llama_cpp_it_says_what_to_install(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_cpp, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"pip install 'smolrecipes\[gguf\]'"):
        GGUF().export(made())


def test_a_file_that_is_no_gguf_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    refused = pytest.raises(RecipeError, match=r"bad.gguf: llama.cpp does not load it \(.*version")
    with refused, running(tmp_path / "bad.gguf", 64):
        pass


def test_the_allowed_gaps_cover_every_form() -> None:
    assert ALLOWED.keys() == PLAIN.keys() | MOST.keys() | set(choices(SafeTensors.hints()["dtype"]))


@given(st.sampled_from(sorted(MOST)), st.integers(0, 11), st.integers(1, 64).map(lambda n: n * 16))
def test_every_row_is_a_whole_number_of_blocks(form: str, layer: int, columns: int) -> None:
    for name in ("token_embd.weight", f"blk.{layer}.attn_v.weight", f"blk.{layer}.ffn_up.weight"):
        kind = tensor_type(form, name, layer if name.startswith("blk") else None, 12, columns)
        assert columns % BLOCK.get(kind, 1) == 0


def test_k_quants_keep_six_bits_where_llama_cpp_does() -> None:
    """`use_more_bits` of llama-quant.cpp for 32 layers, and the output."""
    six = [layer for layer in range(32) if tensor_type("q4_k_m", "x.attn_v.weight", layer, 32, 256) == "Q6_K"]
    assert six == [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]
    assert tensor_type("q4_k_m", "output.weight", None, 32, 256) == "Q6_K"
    assert tensor_type("q4_k_m", "x.attn_q.weight", 0, 32, 256) == "Q4_K"


def test_log_probabilities_are_matched_to_their_tokens() -> None:
    """llama.cpp tells no step where bytes of a character may still come; of two equal tokens it told the second, and was
    taken to have told the first, 0.4 nats away."""
    told = [(1, {1: -0.1}), (3, {3: -0.2}), (4, {4: -0.3})]
    assert aligned([1, 2, 3, 4], told) == [{1: -0.1}, {}, {3: -0.2}, {4: -0.3}]
    assert aligned([1, 3, 3, 4], told) == [{1: -0.1}, {}, {}, {4: -0.3}]
    assert aligned([4, 4], [told[2]] * 2) == [{4: -0.3}] * 2
    assert aligned([1, 4, 2], told) == [{}, {}, {}]


def test_what_llama_cpp_refuses_and_its_end_are_sentences() -> None:
    """A template that it cannot render, and a file that ends it, were tracebacks of urllib."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(500)
            self.end_headers()
            self.wfile.write(b'{"error": {"message": "no such filter"}}')

        def log_message(self, *given: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    asked = llama_cpp.LlamaCpp(f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(RecipeError, match="apply-template: no such filter"):
        asked.rendered([], None)
    server.shutdown()
    server.server_close()
    with pytest.raises(RecipeError, match="llama.cpp ended while it was asked"):
        asked.ids("a")


def test_a_file_is_evaluated_on_what_it_answers(made: Any, tmp_path: Path) -> None:
    run = made()
    file = GGUF("f32").export(run)
    asked = ExactMatch(data=Toy("chat", rows=8), decoding=Decoding(max_new_tokens=8))
    own, its = evaluate(asked, subject_of(run.model)), evaluate(asked, subject_of(file))
    answers = [[row["answered"] for row in found.scores.shown] for found in (own, its)]
    assert sum(map(str.__eq__, *answers)) >= 7 and len(set(answers[0])) > 1
    with pytest.raises(RecipeError, match="likelihood: tiny-00000000-f32.gguf only answers"):
        evaluate(Likelihood(data=Toy("chat", rows=8)), subject_of(file))
    with pytest.raises(RecipeError, match="temperature"):
        evaluate(asked.replace(decoding=Decoding(temperature=1.0)), subject_of(file))
    alone = file.rename(tmp_path / "alone.gguf")
    with pytest.raises(RecipeError, match="lies in no run"):
        subject_of(alone)
