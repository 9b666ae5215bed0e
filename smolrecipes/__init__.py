"""Train small language models end to end, with a Python recipe of about a dozen lines. Nothing heavy is imported here."""

from smolrecipes import starting  # noqa: F401 before all others, for an interrupt while they are imported

# isort: split

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
from smolrecipes.architectures.llama import Llama, SmolLM2
from smolrecipes.architectures.longformer import Longformer
from smolrecipes.architectures.luke import LUKE
from smolrecipes.architectures.m2m100 import M2M100
from smolrecipes.architectures.modernbert import ModernBERT
from smolrecipes.architectures.pretrained import Pretrained
from smolrecipes.architectures.qwen3 import Qwen3
from smolrecipes.architectures.roberta import RoBERTa
from smolrecipes.architectures.scratch import Scratch
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
from smolrecipes.check import Finding, check
from smolrecipes.component import Component, option
from smolrecipes.data.chats import Chats
from smolrecipes.data.files import Files
from smolrecipes.data.hub import HubData
from smolrecipes.data.mix import Mix
from smolrecipes.data.piped import Piped
from smolrecipes.data.toy import Toy
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError, Stopped, TrainingStopped
from smolrecipes.evaluators.answers import Answers
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
    Layout,
    Loss,
    Mean,
    Objective,
    Outcome,
    Parts,
    Scores,
    Subject,
    Tokenizer,
    Transform,
)
from smolrecipes.load import load_recipe
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
from smolrecipes.objectives.preference import PairLogps, PairwiseObjective
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
from smolrecipes.prove import prove
from smolrecipes.recipe import Recipe, Training
from smolrecipes.run import Run, run
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

__version__ = "0.1.0"

__all__ = [
    "AdapterWeights",
    "GGUF",
    "HubFolder",
    "Ollama",
    "SafeTensors",
    "CLM",
    "DPO",
    "EntityMLM",
    "FIM",
    "Infilling",
    "SpanCorruption",
    "Translation",
    "GPT2",
    "GRPO",
    "KTO",
    "MLM",
    "Distillation",
    "MLMDistillation",
    "MLMNSP",
    "MLMSOP",
    "TLM",
    "ORPO",
    "PLM",
    "SFT",
    "Adapter",
    "Architecture",
    "ByteBPE",
    "Bytes",
    "Callback",
    "Characters",
    "Component",
    "Data",
    "Decoding",
    "Answers",
    "Chats",
    "Classify",
    "Evaluate",
    "Evaluator",
    "ExactMatch",
    "Forgetting",
    "FunctionCalls",
    "LMEval",
    "Likelihood",
    "Preferences",
    "Scores",
    "Speed",
    "Subject",
    "Exporter",
    "Files",
    "Guard",
    "HubData",
    "Layout",
    "Llama",
    "LoRA",
    "Loss",
    "Mean",
    "Metrics",
    "Mix",
    "Piped",
    "Objective",
    "PairLogps",
    "PairwiseObjective",
    "Outcome",
    "Parts",
    "Pretrained",
    "PretrainedTokenizer",
    "Progress",
    "QLoRA",
    "RTD",
    "Recipe",
    "RecipeError",
    "Reward",
    "Run",
    "Samples",
    "Scratch",
    "Throughput",
    "Tokenizer",
    "Toy",
    "Trained",
    "Training",
    "TrainingStopped",
    "Transform",
    "Balance",
    "Decontaminate",
    "DropDuplicates",
    "DropLines",
    "DropNearDuplicates",
    "DropSameAnswers",
    "DropSamePrompts",
    "FixText",
    "Keep",
    "KeepLanguages",
    "KeepLength",
    "KeepQuality",
    "Map",
    "MaskPII",
    "MendChats",
    "ReadTranscripts",
    "Sample",
    "Unigram",
    "WordPiece",
    "Words",
    "__version__",
    "check",
    "hookimpl",
    "load_recipe",
    "option",
    "prove",
    "run",
    "Finding",
    "Stopped",
    "Watch",
    "ALBERT",
    "BERT",
    "ELECTRA",
    "DistilBERT",
    "RoBERTa",
    "Causal",
    "DeBERTa",
    "DeBERTaV3",
    "Decoder",
    "LUKE",
    "XLM",
    "Longformer",
    "ModernBERT",
    "XLNet",
    "GPT",
    "GPT3",
    "SmolLM2",
    "Gemma3",
    "Qwen3",
    "SmolLM3",
    "BART",
    "M2M100",
    "T5",
    "Transformer",
    "Classification",
    "MultipleChoice",
    "QuestionAnswering",
    "Regression",
    "TokenClassification",
]
