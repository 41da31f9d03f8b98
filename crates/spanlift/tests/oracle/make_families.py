#!/usr/bin/env python3
"""Makes the tiny random checkpoints of every model family and their expected values in float64.

    python make_families.py [--out FOLDER] [CASE ...]

Writes FOLDER/CASE for each case (default: all, beside this file): config.json and model.safetensors (f32, by
save_pretrained), tokenizer.json, tokenizer_config.json, where the family has one vocab.txt, expected.json and
gradients.safetensors. Run by hand; nothing is downloaded. Made with torch 2.15.0, transformers 5.24.0, tokenizers 0.23.3, sentencepiece 0.2.3,
numpy 2.4.6, protobuf 7.36.2 on CPU, one thread; a second run writes the same bytes.

The model is written in f32, read back from its folder in float64 (eager attention, eval mode) and run on two pairs.
Before anything is written in expected.json, the script asserts that

- the tokenizer of the folder and the bare tokenizer.json give the same ids, types and offsets;
- each tensor of the file matters: without it (zeroed), a logit moves by more than 1e-3; without a bias that softmax
  cancels (`cancelled`), by less than 1e-9;
- DeBERTa's log buckets are the same in f32 and float64, and the long pairs reach log buckets and both clamps;
- the hooks sit where they should: each array of gradients agrees with a central difference in a random direction;
- the best start and end stand clear of the second best, no ReLU is near its kink, and f32 agrees with float64;
- a fresh reading of the folder reproduces the numbers as written.
"""

import argparse
import json
import logging
import math
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import sentencepiece
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
from transformers.convert_slow_tokenizer import DebertaV2Converter, XLMRobertaConverter
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
logging.disable(logging.WARNING)

# What the tokenizers are trained on, written for this file.
SENTENCES = """\
The ferry to Skarholm leaves the old harbour at seven in the morning.
Ada Brandt mends nets and ropes beside the harbour wall.
In winter the lighthouse keeper counts the ships that pass the island.
The keeper painted the tower white in 1884 and red in 1907.
A storm broke the bridge, and the ferry was moved to the north harbour.
Who mends the nets? Ada mends the nets, and her brother paints boats.
When was the tower painted? The tower was painted in 1884.
The café beside the bridge sells soup, bread and salted fish in the morning.
Many ships bring salt and fish from the north to the old market.
Where does the ferry leave? It leaves from the wall beside the market.
Her brother rowed the doctor across the bay when the storm broke.
The doctor lives in the white house above the bay, near the lighthouse.
How many ships pass the island in winter? Few ships pass, the keeper wrote.
The fisher finds coffee and fifty fine fish at the market office.
""".splitlines()

# The two pairs of each kind of tokenizer: about 10 and about 28 tokens.
PAIRS = {
    "cased": [
        ("Who mends nets?", "Ada mends nets."),
        ("When was the tower painted?", "The keeper painted\n the  café tower in 1884; Zyx Brandt's boats in Skam."),
    ],
    "uncased": [
        ("Who mends nets?", "Ada mends nets."),
        ("When was the Tower painted?", "The KEEPER painted\n the  Café tower in 1884; zyx Brandt's boats in Skam."),
    ],
    "bytes": [
        ("Who mends?", "Ada mends nets."),
        ("Who mends the nets?", "The  ferry mends the\n nets in café 北."),
    ],
    "pieces": [
        ("Whe wall?", "harbour  nets."),
        ("Whe fish leave?", "winter painted harbour\n wall,  salt island café; Ж pass 7 market bridges."),
    ],
    "charsmap": [
        ("Whe wall?", "harbour  nets."),
        ("Whe ﬁsh leave?", "winter painted harbour,\u00a0wall salt caﬀé in １８84; Ж pass market bridges."),
    ],
}


def wordpiece(cased):
    def make(folder):
        words = sorted({w if cased else w.lower() for s in SENTENCES for w in split(s)})
        words = [w.replace("é", "e") if not cased else w for w in words if "Skar" not in w and "skar" not in w]
        letters = sorted({c for w in words for c in w} | set("Skarholm'-;zyxZ"))
        tails = ["##s", "##ed", "##ing", "##er"] + ["##" + c for c in "aefhiklmnorstuvy0123456789"]
        start = sorted(set(letters) - set("zZ"))
        vocab = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *start, *words, *tails]))
        vocab = [w for w in vocab if cased or w.startswith("[") or w == w.lower()]
        tokenizer = transformers.BertTokenizerFast(
            vocab={w: i for i, w in enumerate(vocab)}, do_lower_case=not cased, model_max_length=48
        )
        tokenizer.save_pretrained(folder)
        (folder / "vocab.txt").write_text("".join(f"{w}\n" for w in vocab), encoding="utf-8")
        return len(vocab)

    return make


def split(sentence):
    return [w for w, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(sentence)]


def byte_pairs(folder):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train_from_iterator(
        ["Who mends the nets?", "Ada mends the nets.", "The ferry mends the ferry.", "Who mends nets in the ferry?"],
        trainers.BpeTrainer(
            vocab_size=299,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    model = json.loads(trained.to_str())["model"]
    vocab = dict(model["vocab"])
    vocab["<mask>"] = len(vocab)
    tokenizer = transformers.RobertaTokenizerFast(
        vocab=vocab, merges=[tuple(m) for m in model["merges"]], model_max_length=48
    )
    tokenizer.save_pretrained(folder)
    return len(vocab)


def sentence_pieces(folder, **ids):
    """Trains a Unigram model whose charsmap is our own small one: the usual one takes 300 kB."""
    rules = [("ﬁ", "fi"), ("ﬀ", "ff"), ("\u00a0", " "), ("\n", " "), ("\t", " "), ("…", "..."), ("½", "1/2")]
    rules += [(chr(0xFF10 + i), chr(0x30 + i)) for i in range(10)]
    points = lambda text: " ".join(f"{ord(c):X}" for c in text)
    (folder / "rules.tsv").write_text("".join(f"{points(a)}\t{points(b)}\n" for a, b in rules))
    (folder / "text.txt").write_text("\n".join(SENTENCES), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "spm"),
        vocab_size=290,
        model_type="unigram",
        character_coverage=1.0,
        normalization_rule_tsv=str(folder / "rules.tsv"),
        num_threads=1,
        hard_vocab_limit=False,
        minloglevel=2,
        **ids,
    )
    return str(folder / "spm.model")


def xlm(folder):
    with tempfile.TemporaryDirectory() as scratch:
        file = sentence_pieces(Path(scratch), unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
        ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
        slow = SimpleNamespace(vocab_file=file, add_prefix_space=True, legacy=True, convert_tokens_to_ids=ids.get)
        tokenizer = XLMRobertaConverter(slow).converted()
    # As XLMRobertaTokenizer of transformers 5 builds it: the charsmap alone, and a split at white space before Metaspace.
    tokenizer.normalizer = tokenizer.normalizer[0]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), tokenizer.pre_tokenizer])
    mask = tokenizer.token_to_id("<mask>")
    specials = {i: token for token, i in ids.items()} | {mask: "<mask>"}
    return bare(folder, tokenizer, specials, "XLMRobertaTokenizerFast", bos="<s>", eos="</s>", sep="</s>", cls="<s>",
                unk="<unk>", pad="<pad>", mask="<mask>")  # fmt: skip


def deberta(folder):
    with tempfile.TemporaryDirectory() as scratch:
        file = sentence_pieces(Path(scratch), pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]",
                               bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")  # fmt: skip
        ids = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3}
        slow = SimpleNamespace(
            vocab_file=file, add_prefix_space=True, legacy=True, do_lower_case=False, split_by_punct=False,
            convert_tokens_to_ids=ids.get,
        )  # fmt: skip
        tokenizer = DebertaV2Converter(slow).converted()
    specials = {i: token for token, i in ids.items()} | {tokenizer.get_vocab_size(): "[MASK]"}
    return bare(folder, tokenizer, specials, "DebertaV2TokenizerFast", bos="[CLS]", eos="[SEP]", sep="[SEP]",
                cls="[CLS]", unk="[UNK]", pad="[PAD]", mask="[MASK]", do_lower_case=False)  # fmt: skip


def bare(folder, tokenizer, specials, name, **config):
    """Writes tokenizer.json as the converter made it, which a tokenizer class of transformers 5 would build anew."""
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False, lstrip=t == "<mask>") for _, t in sorted(specials.items())]
    )
    assert all(tokenizer.token_to_id(t) == i for i, t in specials.items())
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {k if k == "do_lower_case" else f"{k}_token": v for k, v in config.items()}
    write_json(folder / "tokenizer_config.json", named | {"model_max_length": 48, "tokenizer_class": name}, indent=2)
    return tokenizer.get_vocab_size()


BERT = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 24,
    "max_position_embeddings": 48,
}
# The scale √(d·(1 + terms)) is rounded to f32 even in a float64 model: heads of 3 with two terms and of 8 with one
# make it a whole number.
DEBERTA = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "relative_attention": True,
    "layer_norm_eps": 1e-7,
    "hidden_act": "gelu",
}
MOBILE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 16,
    "max_position_embeddings": 48,
    "embedding_size": 8,
    "intra_bottleneck_size": 12,
    "true_hidden_size": 12,
}
TINY_MOBILE = {"trigram_input": False, "num_feedforward_networks": 2}


def case(family, tokenizer, pairs, seed, **config):
    return SimpleNamespace(family=family, tokenizer=tokenizer, pairs=pairs, seed=seed, config=config)


CASES = {
    "bert-gelu-new": case(
        "Bert", wordpiece(True), "cased", 21, **BERT | {"hidden_act": "gelu_new", "num_hidden_layers": 3}
    ),
    "bert-relu": case("Bert", wordpiece(False), "uncased", 52, **BERT | {"hidden_act": "relu", "hidden_size": 15}),
    "bert-tanh": case("Bert", wordpiece(True), "cased", 3, **BERT | {"hidden_act": "gelu_pytorch_tanh"}),
    "roberta": case(
        "Roberta", byte_pairs, "bytes", 4, **BERT | {"max_position_embeddings": 50}, type_vocab_size=1,
        pad_token_id=1, layer_norm_eps=1e-5,
    ),
    "xlm-roberta": case(
        "XLMRoberta", xlm, "charsmap", 5, **BERT | {"max_position_embeddings": 50}, type_vocab_size=1,
        pad_token_id=1, layer_norm_eps=1e-5,
    ),
    "distilbert": case(
        "DistilBert", wordpiece(False), "uncased", 26, dim=12, hidden_dim=24, n_layers=3, n_heads=2,
        max_position_embeddings=48, activation="gelu",
    ),
    "electra": case("Electra", wordpiece(False), "uncased", 7, **BERT, embedding_size=8),
    "electra-same": case("Electra", wordpiece(False), "uncased", 8, **BERT, embedding_size=12),
    "deberta-v2": case(
        "DebertaV2", deberta, "pieces", 9, **DEBERTA, position_buckets=8, max_relative_positions=-1,
        pos_att_type=["p2c", "c2p"], share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False,
        type_vocab_size=0,
    ),
    "deberta-v2-plain": case(
        "DebertaV2", deberta, "pieces", 10, **DEBERTA | {"hidden_size": 16, "num_attention_heads": 2},
        position_buckets=-1, max_relative_positions=10, pos_att_type=["c2p"], share_att_key=False,
        position_biased_input=True, type_vocab_size=2,
    ),
    "deberta-v2-embed": case(
        "DebertaV2", deberta, "pieces", 11, **DEBERTA, embedding_size=8, position_buckets=8,
        max_relative_positions=16, pos_att_type=["p2c", "c2p"], share_att_key=False, norm_rel_ebd="none",
        position_biased_input=False, type_vocab_size=0,
    ),
    "mobilebert": case("MobileBert", wordpiece(False), "uncased", 32, **MOBILE),
}  # fmt: skip


def cancelled(name, config):
    """Whether softmax cancels this bias: it adds the same to all scores of a query."""
    key = name.endswith(("attention.self.key.bias", "attention.k_lin.bias", "pos_key_proj.bias"))
    content_only = config.model_type == "deberta-v2" and "p2c" not in config.pos_att_type
    return key or (name.endswith("key_proj.bias") and content_only)


def draw(model, seed):
    """Fills all parameters, in the order of their names, so that each term of the model is of visible size."""
    rng = np.random.default_rng(seed)
    config = model.config
    unnormed = getattr(config, "normalization_type", None) == "no_norm"
    for name, tensor in sorted(model.named_parameters()):
        noise = rng.standard_normal(tuple(tensor.shape))
        norm = "norm" in name.lower()
        if norm:
            value = name.endswith("weight") + 0.25 * noise
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif "embeddings.weight" in name:
            value = (0.7 if "word" in name else 0.5) * noise
        else:
            gain = 0.8 if unnormed else 1.4 if "query" in name or "key" in name or "q_lin" in name else 1.2
            value = gain / math.sqrt(tensor.shape[1]) * noise
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(value).to(torch.float32))


def make(folder, spec):
    folder.mkdir(parents=True, exist_ok=True)
    vocab = spec.tokenizer(folder)
    config = getattr(transformers, f"{spec.family}Config")(vocab_size=vocab, **spec.config)
    model = getattr(transformers, f"{spec.family}ForQuestionAnswering")(config)
    draw(model, spec.seed)
    model.save_pretrained(folder)


def read(folder, dtype=torch.float64):
    model, report = AutoModelForQuestionAnswering.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True, local_files_only=True
    )
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    return model.eval()


class Taps:
    """The places of a model whose values and gradients are told, each a hook that may add a perturbation."""

    def __init__(self, model):
        base = model.base_model
        self.layers = (getattr(base, "transformer", None) or base.encoder).layer
        self.last = len(self.layers)
        self.seen, self.add, self.handles = {}, {}, []
        self.hook(model.get_input_embeddings().register_forward_hook, ("words",), after=True)
        for i, layer in enumerate(self.layers):
            attention = layer.attention
            dense = attention.out_lin if hasattr(attention, "out_lin") else attention.output.dense
            self.hook(layer.register_forward_pre_hook, ("layer", i))
            self.hook(dense.register_forward_pre_hook, ("ctx", i))
        self.hook(self.layers[-1].register_forward_hook, ("layer", self.last), after=True)

    def hook(self, register, key, after=False):
        def pre(_, inputs):
            return (self.tap(key, inputs[0]), *inputs[1:])

        def post(_, __, output):
            return (self.tap(key, output[0]), *output[1:]) if isinstance(output, tuple) else self.tap(key, output)

        self.handles.append(register(post if after else pre))

    def tap(self, key, value):
        assert key not in self.seen, key
        value = value + self.add[key] if key in self.add else value
        if value.requires_grad:
            value.retain_grad()
        self.seen[key] = value
        return value

    def run(self, model, inputs, add=None):
        self.seen, self.add = {}, add or {}
        return model(**inputs, output_hidden_states=True, output_attentions=True)

    def close(self):
        for handle in self.handles:
            handle.remove()


def encode(folder, config, question, passage):
    """Ids, types where the model has more than one, and offsets; the same from the folder and from its bare file."""
    encoding = AutoTokenizer.from_pretrained(folder, local_files_only=True)(
        question, passage, return_offsets_mapping=True, return_special_tokens_mask=True
    )
    alone = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(question, passage)
    special = encoding["special_tokens_mask"]
    offsets = [None if s else list(o) for s, o in zip(special, encoding["offset_mapping"])]
    assert alone.ids == encoding["input_ids"], (alone.tokens, encoding.tokens())
    assert alone.special_tokens_mask == special
    assert [None if s else list(o) for s, o in zip(special, alone.offsets)] == offsets, (alone.offsets, offsets)
    typed = getattr(config, "type_vocab_size", 0) > 1
    types = encoding["token_type_ids"] if typed else None
    assert types is None or types == alone.type_ids
    sequences = [None if s else n for s, n in zip(special, alone.sequence_ids)]
    return {"ids": alone.ids, "token_type_ids": types, "tokens": alone.tokens, "offsets": offsets,
            "sequences": sequences}  # fmt: skip


def tensors(found):
    inputs = {"input_ids": torch.tensor([found["ids"]]), "attention_mask": torch.ones(1, len(found["ids"]))}
    inputs["attention_mask"] = inputs["attention_mask"].long()
    if found["token_type_ids"] is not None:
        inputs["token_type_ids"] = torch.tensor([found["token_type_ids"]])
    return inputs


def expected(model, found, with_probabilities):
    inputs = tensors(found)
    taps = Taps(model)
    output = taps.run(model, inputs)
    start, end = output.start_logits[0], output.end_logits[0]
    best = [int(start.argmax()), int(end.argmax())]
    for logits in (start, end):
        top = logits.topk(2).values
        assert top[0] - top[1] > 1e-2, top
    target = start[best[0]] + end[best[1]]
    target.backward()
    keys = [("layer", i) for i in range(taps.last + 1)]
    values = [taps.seen[k][0].detach() for k in keys]
    assert all(torch.equal(a, b[0]) for a, b in zip(values, output.hidden_states, strict=True))
    assert max(v.abs().max() for v in values) < 60, [float(v.abs().max()) for v in values]
    contexts = [("ctx", i) for i in range(taps.last)]
    grad = lambda key: taps.seen[key].grad[0]
    found |= {
        "embeddings": values[0],
        "hidden": values[1:],
        "start": start.detach(),
        "end": end.detach(),
        "target": {"start_token": best[0], "end_token": best[1], "value": float(target.detach())},
        "grad_words": grad(("words",)),
        "grad_layers": [grad(k) for k in keys],
        "grad_ctx": [grad(k) for k in contexts],
    }
    if with_probabilities:
        found["probs"] = [a[0].detach() for a in output.attentions]
    differences(model, taps, inputs, best, {k: grad(k) for k in [("words",), *keys, *contexts]})
    taps.close()
    return found


def differences(model, taps, inputs, best, gradients):
    """Each gradient against (t(x + h·d) − t(x − h·d))/2h."""
    h, rng = 1e-5, np.random.default_rng(0)
    for key, gradient in gradients.items():
        d = torch.from_numpy(rng.standard_normal(tuple(gradient.shape)))
        with torch.no_grad():
            up, down = (taps.run(model, inputs, {key: s * h * d}) for s in (1, -1))
        slope = sum((getattr(up, n) - getattr(down, n))[0, b] for n, b in zip(("start_logits", "end_logits"), best))
        want = (gradient * d).sum()
        assert abs(slope / (2 * h) - want) < 1e-5 * (1 + gradient.norm()), (key, slope / (2 * h), want)


def logits(model, found):
    with torch.no_grad():
        output = model(**tensors(found))
    return torch.stack([output.start_logits[0], output.end_logits[0]])


def each_tensor_matters(folder, model, pairs):
    before = [logits(model, p) for p in pairs]
    parameters = dict(model.named_parameters())
    assert set(parameters) == set(load_file(folder / "model.safetensors"))
    smallest = ("", math.inf)
    for name, tensor in parameters.items():
        kept = tensor.detach().clone()
        with torch.no_grad():
            tensor.zero_()
        moved = max(float((logits(model, p) - b).abs().max()) for p, b in zip(pairs, before))
        with torch.no_grad():
            tensor.copy_(kept)
        if cancelled(name, model.config):
            assert moved < 1e-9, (name, moved)
        else:
            assert moved > 1e-3, (name, moved)
            smallest = min(smallest, (name, moved), key=lambda x: x[1])
    return smallest


def conditioned(folder, model, pairs):
    """How far an f32 run is off, relative to the largest logit; ReLU inputs must stay clear of zero."""
    nearest = [math.inf]
    tell = lambda _, inputs: nearest.append(float(inputs[0].abs().min()))
    hooks = [m.register_forward_pre_hook(tell) for m in model.modules() if isinstance(m, torch.nn.ReLU)]
    single = read(folder, torch.float32)
    off = max(float((logits(single, p) - logits(model, p)).abs().max() / logits(model, p).abs().max()) for p in pairs)
    for hook in hooks:
        hook.remove()
    assert min(nearest) > 5e-5, min(nearest)
    assert off < 1e-5, off
    return off, min(nearest)


def buckets(config, name, pairs):
    """The log buckets are found in f32: in float64 they must be the same. The long pairs must reach what is special."""
    if config.model_type != "deberta-v2":
        return
    limit = config.max_relative_positions if config.max_relative_positions > 0 else config.max_position_embeddings
    span = config.position_buckets if config.position_buckets > 0 else limit
    longest = max(len(p["ids"]) for p in pairs) - 1
    found = {d: d for d in range(-longest, longest + 1)}
    if config.position_buckets > 0:
        mid = span // 2
        for distance in found:
            found[distance] = int(make_log_bucket_position(torch.tensor([distance]), span, limit)[0])
            far = max(abs(distance), mid)
            log = math.ceil(math.log(far / mid) / math.log((limit - 1) / mid) * (mid - 1)) + mid
            want = distance if abs(distance) <= mid else int(math.copysign(log, distance))
            assert found[distance] == want, (distance, found[distance], want)
        assert len(set(found.values())) < len(found), found
    clamped = {"below": min(found.values()) < -span, "above": max(found.values()) > span - 1}
    assert all(clamped.values()) == (name != "deberta-v2"), (name, clamped)


def digits(value):
    """Nested lists of numbers with 12 significant digits."""
    if isinstance(value, torch.Tensor):
        return digits(value.tolist())
    if isinstance(value, (list, tuple)):
        return [digits(v) for v in value]
    if isinstance(value, dict):
        return {k: digits(v) for k, v in value.items()}
    return float(f"{value:.12g}") if isinstance(value, float) else value


def write_json(path, value, **form):
    form = form or {"separators": (",", ":")}
    path.write_text(json.dumps(value, ensure_ascii=False, **form) + "\n", encoding="utf-8")


def same(a, b, path=""):
    """Whether two trees agree: numbers to 1e-11 of 1 + their size, all else exactly."""
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        [same(a[k], b[k], f"{path}.{k}") for k in a]
    elif isinstance(a, list):
        assert len(a) == len(b), path
        [same(x, y, f"{path}[{i}]") for i, (x, y) in enumerate(zip(a, b))]
    elif isinstance(a, float):
        assert abs(a - b) <= 1e-11 * (1 + abs(a)), (path, a, b)
    else:
        assert a == b, (path, a, b)


def pairs_of(folder, spec, count=2):
    model = read(folder)
    pairs = []
    for i, (question, passage) in enumerate(PAIRS[spec.pairs][:count]):
        found = {"question": question, "passage": passage} | encode(folder, model.config, question, passage)
        pairs.append(digits(expected(model, found, with_probabilities=i == 0)))
    return model, pairs


def finish(folder, spec, count=2):
    model, pairs = pairs_of(folder, spec, count)
    write_json(folder / "expected.json", pairs)
    again = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    same(pairs_of(folder, spec, count)[1], again)
    return model, pairs


def stray(out):
    """bert-gelu-new under old names and with the tensors of other heads beside it."""
    source, folder = out / "bert-gelu-new", out / "stray"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(source / name, folder / name)
    old = lambda n: n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    kept = {old(name): tensor for name, tensor in load_file(source / "model.safetensors").items()}
    words = kept["bert.embeddings.word_embeddings.weight"]
    vocab, hidden = words.shape
    rng = np.random.default_rng(99)
    noise = lambda *shape: torch.from_numpy(rng.standard_normal(shape)).to(torch.float32)
    kept |= {
        "bert.embeddings.position_ids": torch.arange(48).unsqueeze(0),
        "bert.pooler.dense.weight": noise(hidden, hidden),
        "bert.pooler.dense.bias": noise(hidden),
        "cls.predictions.bias": noise(vocab),
        "cls.predictions.transform.dense.weight": noise(hidden, hidden),
        "cls.predictions.transform.dense.bias": noise(hidden),
        "cls.predictions.transform.LayerNorm.gamma": noise(hidden),
        "cls.predictions.transform.LayerNorm.beta": noise(hidden),
        "cls.predictions.decoder.weight": words.clone(),
        "cls.seq_relationship.weight": noise(2, hidden),
        "cls.seq_relationship.bias": noise(2),
    }
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    _, pairs = finish(folder, CASES["bert-gelu-new"], count=1)
    same(pairs, json.loads((source / "expected.json").read_text(encoding="utf-8"))[:1])
    return pairs


def gradients(folder, model, pairs):
    """Those of every parameter, of the mean of transformers' own loss over the pairs, each answered by `answer`."""
    model.zero_grad()
    for found in pairs:
        start, end = answer(found)
        told = {"start_positions": torch.tensor([start]), "end_positions": torch.tensor([end])}
        (model(**tensors(found), **told).loss / len(pairs)).backward()
    found = {name: p.grad.to(torch.float32).contiguous() for name, p in model.named_parameters()}
    save_file(found, folder / "gradients.safetensors", metadata={"format": "pt"})


def answer(found):
    """Two tokens that no model has a reason to prefer, so that the loss is not small."""
    middle = len(found["ids"]) // 2
    return middle, middle + 2


def size(folder):
    return sum(f.stat().st_size for f in folder.iterdir())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("cases", nargs="*", help="default: all")
    args = parser.parse_args()
    for name in args.cases or [*CASES, "stray"]:
        folder = args.out / name
        if name == "stray":
            pairs, told = stray(args.out), ""
        else:
            spec = CASES[name]
            make(folder, spec)
            model, pairs = finish(folder, spec)
            buckets(model.config, name, pairs)
            off, kink = conditioned(folder, model, pairs)
            tensor, moved = each_tensor_matters(folder, model, pairs)
            gradients(folder, model, pairs)
            kinks = f", ReLU inputs ≥ {kink:.1e}" if kink < math.inf else ""
            told = f"f32 off by {off:.1e}{kinks}, least needed {tensor} {moved:.2g}"
        tokens = " and ".join(str(len(p["ids"])) for p in pairs)
        print(f"{name}: {tokens} tokens, {size(folder) / 1000:.0f} kB. {told}")


if __name__ == "__main__":
    main()
