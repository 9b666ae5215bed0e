"""What smolrecipes itself brings, through the same hooks as any plugin: the only list of it."""

from __future__ import annotations

from collections.abc import Iterable

from smolrecipes.adapters.lora import LoRA
from smolrecipes.adapters.qlora import QLoRA
from smolrecipes.architectures.albert import ALBERT
from smolrecipes.architectures.bart import BART
from smolrecipes.architectures.bert import BERT
from smolrecipes.architectures.causal import Causal
from smolrecipes.architectures.deberta import DeBERTa, DeBERTaV3
from smolrecipes.architectures.decoder import Decoder
from smolrecipes.architectures.distilbert import DistilBERT
from smolrecipes.architectures.electra import ELECTRA
from smolrecipes.architectures.gemma3 import Gemma3
from smolrecipes.architectures.gpt import GPT
from smolrecipes.architectures.gpt2 import GPT2
from smolrecipes.architectures.gpt3 import GPT3
from smolrecipes.architectures.llama import Llama
from smolrecipes.architectures.longformer import Longformer
from smolrecipes.architectures.luke import LUKE
from smolrecipes.architectures.m2m100 import M2M100
from smolrecipes.architectures.modernbert import ModernBERT
from smolrecipes.architectures.pretrained import Pretrained
from smolrecipes.architectures.qwen3 import Qwen3
from smolrecipes.architectures.roberta import RoBERTa
from smolrecipes.architectures.smollm3 import SmolLM3
from smolrecipes.architectures.t5 import T5
from smolrecipes.architectures.trained import Trained
from smolrecipes.architectures.transformer import Transformer
from smolrecipes.architectures.xlm import XLM
from smolrecipes.architectures.xlnet import XLNet
from smolrecipes.callbacks.evaluate import Evaluate
from smolrecipes.callbacks.guard import Guard
from smolrecipes.callbacks.metrics import Metrics
from smolrecipes.callbacks.progress import Progress
from smolrecipes.callbacks.samples import Samples
from smolrecipes.callbacks.throughput import Throughput
from smolrecipes.callbacks.watch import Watch
from smolrecipes.data.chats import Chats
from smolrecipes.data.files import Files
from smolrecipes.data.hub import HubData
from smolrecipes.data.mix import Mix
from smolrecipes.data.piped import Piped
from smolrecipes.data.toy import Toy
from smolrecipes.evaluators.classify import Classify
from smolrecipes.evaluators.exact_match import ExactMatch
from smolrecipes.evaluators.forgetting import Forgetting
from smolrecipes.evaluators.function_calls import FunctionCalls
from smolrecipes.evaluators.harness import LMEval
from smolrecipes.evaluators.likelihood import Likelihood
from smolrecipes.evaluators.preferences import Preferences
from smolrecipes.evaluators.speed import Speed
from smolrecipes.exporters.gguf import GGUF
from smolrecipes.exporters.hub import HubFolder
from smolrecipes.exporters.ollama import Ollama
from smolrecipes.exporters.weights import AdapterWeights, SafeTensors
from smolrecipes.hookspecs import hookimpl
from smolrecipes.kinds import (
    Adapter,
    Architecture,
    Callback,
    Data,
    Evaluator,
    Exporter,
    Objective,
    Tokenizer,
    Transform,
)
from smolrecipes.objectives.classification import Classification
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.distillation import Distillation, MLMDistillation
from smolrecipes.objectives.dpo import DPO
from smolrecipes.objectives.entities import EntityMLM
from smolrecipes.objectives.fim import FIM
from smolrecipes.objectives.grpo import GRPO
from smolrecipes.objectives.infilling import Infilling
from smolrecipes.objectives.kto import KTO
from smolrecipes.objectives.mlm import MLM
from smolrecipes.objectives.multiple_choice import MultipleChoice
from smolrecipes.objectives.orpo import ORPO
from smolrecipes.objectives.plm import PLM
from smolrecipes.objectives.question_answering import QuestionAnswering
from smolrecipes.objectives.regression import Regression
from smolrecipes.objectives.reward import Reward
from smolrecipes.objectives.rtd import RTD
from smolrecipes.objectives.sentences import MLMNSP, MLMSOP
from smolrecipes.objectives.sft import SFT
from smolrecipes.objectives.span_corruption import SpanCorruption
from smolrecipes.objectives.tlm import TLM
from smolrecipes.objectives.token_classification import TokenClassification
from smolrecipes.objectives.translation import Translation
from smolrecipes.tokenizers.byte_bpe import ByteBPE
from smolrecipes.tokenizers.bytes import Bytes
from smolrecipes.tokenizers.character import Characters
from smolrecipes.tokenizers.pretrained import PretrainedTokenizer
from smolrecipes.tokenizers.unigram import Unigram
from smolrecipes.tokenizers.word_piece import WordPiece
from smolrecipes.tokenizers.words import Words
from smolrecipes.transforms.balance import Balance
from smolrecipes.transforms.decontaminate import Decontaminate
from smolrecipes.transforms.drop_duplicates import DropDuplicates
from smolrecipes.transforms.drop_lines import DropLines
from smolrecipes.transforms.drop_near_duplicates import DropNearDuplicates
from smolrecipes.transforms.drop_same_answers import DropSameAnswers
from smolrecipes.transforms.drop_same_prompts import DropSamePrompts
from smolrecipes.transforms.fix_text import FixText
from smolrecipes.transforms.keep import Keep
from smolrecipes.transforms.keep_languages import KeepLanguages
from smolrecipes.transforms.keep_length import KeepLength
from smolrecipes.transforms.keep_quality import KeepQuality
from smolrecipes.transforms.map import Map
from smolrecipes.transforms.mask_pii import MaskPII
from smolrecipes.transforms.mend_chats import MendChats
from smolrecipes.transforms.read_transcripts import ReadTranscripts
from smolrecipes.transforms.sample import Sample


@hookimpl
def smolrecipes_register_tokenizers() -> Iterable[type[Tokenizer]]:
    return [ByteBPE, Bytes, Characters, PretrainedTokenizer, Unigram, WordPiece, Words]


@hookimpl
def smolrecipes_register_architectures() -> Iterable[type[Architecture]]:
    return [
        *(GPT, GPT2, GPT3, Causal, Decoder, Gemma3, Llama, Qwen3, SmolLM3),
        *(ALBERT, BERT, ELECTRA, LUKE, XLM, DeBERTa, DeBERTaV3, DistilBERT, Longformer, ModernBERT, RoBERTa, XLNet),
        *(BART, M2M100, T5, Transformer),
        *(Pretrained, Trained),
    ]


@hookimpl
def smolrecipes_register_data() -> Iterable[type[Data]]:
    return [Chats, Files, HubData, Mix, Piped, Toy]


@hookimpl
def smolrecipes_register_transforms() -> Iterable[type[Transform]]:
    return [
        Balance,
        Decontaminate,
        DropDuplicates,
        DropLines,
        DropNearDuplicates,
        DropSameAnswers,
        DropSamePrompts,
        FixText,
        Keep,
        KeepLanguages,
        KeepLength,
        KeepQuality,
        Map,
        MaskPII,
        MendChats,
        ReadTranscripts,
        Sample,
    ]


@hookimpl
def smolrecipes_register_objectives() -> Iterable[type[Objective]]:
    return [
        *(CLM, FIM, MLM, MLMNSP, MLMSOP, TLM, PLM, RTD, SpanCorruption, Infilling, Translation),
        *(Distillation, MLMDistillation),
        *(DPO, EntityMLM, GRPO, KTO, ORPO, Reward, SFT),
        *(Classification, MultipleChoice, QuestionAnswering, Regression, TokenClassification),
    ]


@hookimpl
def smolrecipes_register_adapters() -> Iterable[type[Adapter]]:
    return [LoRA, QLoRA]


@hookimpl
def smolrecipes_register_callbacks() -> Iterable[type[Callback]]:
    return [Evaluate, Guard, Metrics, Progress, Samples, Throughput, Watch]


@hookimpl
def smolrecipes_register_evaluators() -> Iterable[type[Evaluator]]:
    return [Classify, ExactMatch, Forgetting, FunctionCalls, Likelihood, LMEval, Preferences, Speed]


@hookimpl
def smolrecipes_register_exporters() -> Iterable[type[Exporter]]:
    return [GGUF, AdapterWeights, HubFolder, Ollama, SafeTensors]


@hookimpl
def smolrecipes_register_recipes() -> Iterable[str]:
    names = (
        *("pretrain_clm", "char_gpt", "char_llama", "compare_positions", "sft_chat", "dpo_lora", "orpo_lora"),
        *("pretrain_mlm_bert", "distil_bert", "pretrain_longformer", "pretrain_rtd_electra", "pretrain_plm_xlnet"),
        *("pretrain_span_t5", "pretrain_denoise_bart", "tlm_xlm"),
        *("translate_transformer", "translate_m2m100", "luke_entities"),
        *("sentiment_chat", "pretrain_tools", "function_calling"),
        *("finetune_sentiment", "finetune_pairs", "finetune_tokens", "finetune_qa"),
    )
    return [f"smolrecipes.recipes.{name}" for name in names]
