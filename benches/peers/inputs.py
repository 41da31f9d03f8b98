"""What is compared: two checkpoint folders, each with an input of 384 tokens and its reference."""

import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertForQuestionAnswering

ROOT = Path(__file__).resolve().parents[2]
LENGTH = 384
PAD, UNK, CLS, SEP, MASK = 0, 100, 101, 102, 103  # as in BERT's uncased vocabulary


def random_base(folder):
    """Random weights of BERT-base's size, as Hugging Face makes them, with a vocabulary that says nothing."""
    if (folder / "done").exists():
        return
    torch.manual_seed(0)
    config = BertConfig()
    BertForQuestionAnswering(config).save_pretrained(folder)
    words = [f"word{i}" for i in range(config.vocab_size)]
    for special, name in ((PAD, "[PAD]"), (UNK, "[UNK]"), (CLS, "[CLS]"), (SEP, "[SEP]"), (MASK, "[MASK]")):
        words[special] = name
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "done").touch()


def harbour():
    """The example question and its passage, as often as it takes."""
    tokenizer = Tokenizer.from_file(str(ROOT / "models/minilm-l6-squad2/tokenizer.json"))
    ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    question = ids("When did Ida Marrow rent the salt store?")
    passage = ids((ROOT / "examples/harbour.txt").read_text())
    return question, passage * (LENGTH // len(passage) + 1)


def random_words():
    rng = random.Random(0)
    draw = lambda n: [rng.randrange(1000, 30000) for _ in range(n)]
    return draw(12), draw(LENGTH)


def write(path, folder, question, passage):
    """The target is the best span of at most 30 tokens in the passage."""
    passage = passage[: LENGTH - len(question) - 3]
    ids = [CLS, *question, SEP, *passage, SEP]
    first = len(question) + 2
    segments = [0] * first + [1] * (len(ids) - first)
    model = BertForQuestionAnswering.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        out = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([segments]))
    start, end = out.start_logits[0], out.end_logits[0]
    spans = [(s, e) for s in range(first, len(ids) - 1) for e in range(s, min(s + 30, len(ids) - 1))]
    best = max(spans, key=lambda span: float(start[span[0]] + end[span[1]]))
    reference = [i if i in (CLS, SEP) else MASK for i in ids]
    given = {"ids": ids, "reference": reference, "segments": segments, "start": best[0], "end": best[1], "repeats": 11}
    path.write_text(json.dumps(given))


def make(work):
    """[(name, layers, folder, input)]"""
    work.mkdir(parents=True, exist_ok=True)
    base, default = work / "bert-base", ROOT / "models/minilm-l6-squad2"
    random_base(base)
    made = []
    for name, layers, folder, texts in (
        ("default model, 6 layers of 384", 6, default, harbour()),
        ("random BERT-base, 12 layers of 768", 12, base, random_words()),
    ):
        path = work / f"{folder.name}.json"
        write(path, folder, *texts)
        made.append((name, layers, folder, path))
    return made
