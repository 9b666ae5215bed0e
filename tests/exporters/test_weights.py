"""Folders for transformers, peft, Ollama and the hub, the card, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from finished import SIZES, command

from smolrecipes import (
    BART,
    BERT,
    SFT,
    AdapterWeights,
    ByteBPE,
    Classification,
    Files,
    Infilling,
    Llama,
    LoRA,
    QLoRA,
    Recipe,
    RecipeError,
    Run,
    SafeTensors,
    Toy,
    Trained,
    Training,
    WordPiece,
    run,
)  # fmt: skip
from smolrecipes.exporters.certificate import Certificate


def test_a_merged_model_in_16_bits_and_several_files(made: Any) -> None:
    from transformers import AutoModelForCausalLM

    run = made()
    folder = SafeTensors("bfloat16", shard="100KB").export(run)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert str(AutoModelForCausalLM.from_pretrained(folder, dtype="auto").dtype) == "torch.bfloat16"
    (found,) = json.loads((run.folder / "exports" / f"{folder.name}.parity.json").read_text())
    assert found["holds"] and 0 < found["mean_gap"] < 0.1


@pytest.mark.parametrize(
    ("model", "objective", "head"),
    [(BERT(**SIZES), Classification(), "sequence-classification"), (BART(**SIZES), Infilling(), "seq2seq")],
)
def test_models_that_classify_and_that_rewrite_are_compared_too(
    made: Any, model: Any, objective: Any, head: str
) -> None:
    tokenizer = WordPiece(vocab_size=400, specials="bert") if head != "seq2seq" else None
    tokenizer = tokenizer or ByteBPE(vocab_size=400, specials="bart")
    folder = SafeTensors().export(made(model, tokenizer=tokenizer, objective=objective, head=head))
    (found,) = json.loads(folder.with_name(f"{folder.name}.parity.json").read_text())
    assert found["holds"] and found["mean_gap"] < 1e-6 and found["tokens"] > 0


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A LoRA, trained for a few steps on a model that was trained for a few."""
    folder = tmp_path_factory.mktemp("adapted")
    base = Recipe(
        model=Llama(**SIZES), tokenizer=ByteBPE(vocab_size=500, chat_template="chatml"), data=Toy("chat", rows=100),
        objective=SFT(), training=Training(steps=3, max_length=128, rehearse=False), title="base",
    )  # fmt: skip
    tuned = base.replace(
        model=Trained(base), tokenizer=None, adapter=LoRA(r=4), title="tuned", training=Training(steps=5, max_length=128, learning_rate=0.01, rehearse=False)
    )  # fmt: skip
    return run(tuned, runs=folder)


def test_an_adapter_alone_is_what_was_merged(adapted: Run) -> None:
    folder = AdapterWeights().export(adapted)
    assert (folder / "adapter_config.json").exists() and not (folder / "config.json").exists()
    (found,) = json.loads(folder.with_name(f"{folder.name}.parity.json").read_text())
    assert found["holds"] and found["mean_gap"] < 1e-5


def test_a_merged_model_is_compared_with_the_adapter_beside_its_base(adapted: Run, tmp_path: Path) -> None:
    """Were the update merged twice, or not at all, the model that is there would still look whole."""
    from safetensors.torch import load_file, save_file

    assert SafeTensors().export(adapted).is_dir()
    file = adapted.adapter / "adapter_model.safetensors"
    kept = file.read_bytes()
    save_file({name: value * 2 for name, value in load_file(file).items()}, file, {"format": "pt"})
    try:
        with pytest.raises(RecipeError, match="safetensors float32 is not the model that was trained"):
            SafeTensors(out=str(tmp_path / "other")).export(adapted)
    finally:
        file.write_bytes(kept)
    assert not (tmp_path / "other").exists()


def test_a_run_without_an_adapter_has_none_to_export(made: Any) -> None:
    with pytest.raises(RecipeError, match="its recipe trained all the weights"):
        AdapterWeights().export(made())


def test_what_was_there_is_replaced_by_what_holds_alone(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made()
    folder = SafeTensors().export(run)
    before = (folder / "config.json").read_text()
    monkeypatch.setattr(Certificate, "problem", "it is another")
    with pytest.raises(RecipeError, match="is not the model that was trained: it is another"):
        SafeTensors().export(run)
    assert (folder / "config.json").read_text() == before
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, f"{folder.name}.parity.json"]


def test_the_command_exports_and_prints_where(
    made: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, out = made(), tmp_path / "here"
    assert (
        command(
            monkeypatch,
            "export",
            str(run.folder),
            "--to",
            "safetensors:float16",
            "safetensors.shard=1GB",
            "--out",
            str(out),
        )
        == 0
    )
    assert capsys.readouterr().out.splitlines()[-1] == str(out) and (out / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name what to make with --to"),
        (["--to", "gguff"], "did you mean 'gguf'"),
        (["--to", "gguf:q4_k"], "q4_k_m"),
        (["--to", "adapter:x"], "takes nothing after the colon"),
        (["--to", "gguf", "gguf.from=q8_0"], "did you mean 'form'"),
        (["--to", "gguf", "ollama.form=q8_0"], "is not among the exporters"),
        (["--to", "safetensors", "--to", "adapter", "--out", "x"], "export them one by one"),
        (["--to", "safetensors", "safetensors.shard=much"], "safetensors.shard=much"),
    ],
)
def test_mistakes_are_one_sentence(
    made: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    assert command(monkeypatch, "export", str(made().folder), *words) == 2
    told = capsys.readouterr().err
    assert sentence in told and "Traceback" not in told


def test_a_folder_that_is_no_finished_run_is_refused(
    made: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made()
    (run.folder / "results.json").unlink()
    assert command(monkeypatch, "export", str(run.folder), "--to", "safetensors") == 2
    assert "not a finished run" in capsys.readouterr().err


def test_a_recipe_exports_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"user": f"{n}?", "assistant": f"{n}!"}) + "\n" for n in range(40))
    )
    recipe = Recipe(
        model=Llama(layers=1, hidden=32, heads=2, max_length=64), tokenizer=ByteBPE(vocab_size=300, chat_template="chatml"),
        data=Files(str(tmp_path / "rows.jsonl")), objective=SFT(), validation=8, exporters=(SafeTensors("float16"),),
        training=Training(steps=2, max_length=64, rehearse=False), title="even",
    )  # fmt: skip
    done = run(recipe, runs=tmp_path)
    (where,) = done.results["exports"].values()
    assert (Path(where) / "model.safetensors").exists() and "safetensors float16" in (
        done.folder / "README.md"
    ).read_text()


def test_a_qlora_is_compared_in_its_4_bits(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    base = Recipe(
        model=Llama(**SIZES), tokenizer=ByteBPE(vocab_size=500, chat_template="chatml"), data=Toy("chat", rows=100),
        objective=SFT(), training=Training(steps=2, max_length=64, rehearse=False), title="base",
    )  # fmt: skip
    tuned = base.replace(model=Trained(base), tokenizer=None, adapter=QLoRA(r=4), title="tuned")
    done = run(tuned, runs=tmp_path)
    for exporter in (SafeTensors(), AdapterWeights()):
        assert exporter.export(done).is_dir()


def test_what_somebody_else_put_there_is_never_removed(made: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for out in (tmp_path / "mine", tmp_path / "mine" / "thesis.txt", Path()):
        with pytest.raises(RecipeError, match="is there already and is none of our exports"):
            SafeTensors(out=str(out)).export(made())
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_is_one_sentence(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from smolrecipes.exporters import weights

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "save", full)
    run = made()
    with pytest.raises(RecipeError, match=r"cannot be written \(.*No space left"):
        SafeTensors().export(run)
    assert not list((run.folder / "exports").iterdir())


def test_what_the_newest_run_exports_bears_its_own_name(made: Any) -> None:
    from smolrecipes.cli.folder import finished_run

    run = made()
    (run.folder.parent / "last").symlink_to(run.folder.name, target_is_directory=True)
    assert finished_run(run.folder.parent / "last").folder == run.folder
