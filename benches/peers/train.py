"""Follows a run of `spanlift train` in PyTorch, step by step, and compares losses, gradients' norms and the weights at the end.

    spanlift train --base BASE --data DATA --limit 8 --batch 8 --steps 50 --dropout 0 --attention-dropout 0 --rate 1e-4 --out RUN
    python train.py RUN BASE DATA

Every step takes all windows (the batch is as large as the data), so that the order of the batches, which is Spanlift's own, does not matter. The
base needs a question-answering head, and each question one window. Without --f16 the weights that the run wrote, read by
`from_pretrained` with no tensor missing or left over, must be those that PyTorch comes to. Exit status 1 where a tolerance is broken.
"""

import argparse
import gzip
import json
import math
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering

# What losses, norms (of their size) and weights may be apart.
LOSS, NORM, WEIGHT = 1e-3, 1e-2, 1e-3


def questions(path, limit):
    data = Path(path).read_bytes()
    data = json.loads(gzip.decompress(data) if path.endswith(".gz") else data)["data"]
    for article in data:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                if limit == 0:
                    return
                limit -= 1
                yield question["question"], paragraph["context"], question["answers"][:1]


def windows(tokenizer, asked, most):
    """Ids, segments and the answer's tokens of each question."""
    for question, context, answers in asked:
        encoded = tokenizer.encode(question, context)
        assert len(encoded.ids) <= most, "a question of several windows"
        start = end = 0
        if answers:
            first = answers[0]["answer_start"]
            last = first + len(answers[0]["text"])
            inside = [
                i
                for i, (kind, (a, b)) in enumerate(zip(encoded.sequence_ids, encoded.offsets))
                if kind == 1 and a < last and b > first
            ]
            start, end = inside[0], inside[-1]
        yield encoded.ids, encoded.type_ids, start, end


def rate(settings, step):
    steps = settings["steps"]
    warm_up = min(max(1, math.floor(settings["warm_up"] * steps + 0.5)), steps)
    share = step / warm_up if step <= warm_up else (steps + 1 - step) / (steps + 1 - warm_up)
    return settings["rate"] * share


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("base")
    parser.add_argument("data")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    run = Path(args.run)
    plan = json.loads((run / "train.json").read_text())
    settings = plan["settings"]
    assert settings["dropout"] == settings["attention_dropout"] == 0, "--dropout 0 and --attention-dropout 0 are needed"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if "step" in line]

    tokenizer = Tokenizer.from_file(str(Path(args.base) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    asked = questions(args.data, plan["data"]["questions"])
    all_windows = list(windows(tokenizer, asked, settings["max_tokens"]))
    assert len(all_windows) <= settings["batch"], "the batch has to hold every window"
    longest = max(len(ids) for ids, *_ in all_windows)
    pad = lambda numbers: numbers + [0] * (longest - len(numbers))
    ids = torch.tensor([pad(ids) for ids, *_ in all_windows])
    segments = torch.tensor([pad(segments) for _, segments, *_ in all_windows])
    mask = torch.tensor([pad([1] * len(ids)) for ids, *_ in all_windows])
    answers = torch.tensor([[start, end] for *_, start, end in all_windows])

    model = AutoModelForQuestionAnswering.from_pretrained(args.base, dtype=torch.float32)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    decayed, free = [], []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (decayed if parameter.dim() > 1 else free).append(parameter)
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings["weight_decay"]}, {"params": free, "weight_decay": 0.0}], lr=1.0
    )
    far = torch.finfo(torch.float32).min
    worst = worst_norm = 0.0
    begun = time.perf_counter()
    for step in steps:
        for group in optimiser.param_groups:
            group["lr"] = rate(settings, step["step"])
        found = model(input_ids=ids, token_type_ids=segments, attention_mask=mask)
        logits = torch.stack([found.start_logits, found.end_logits], 1).masked_fill(mask[:, None] == 0, far)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers.flatten())
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip"])
        optimiser.step()
        off = abs(loss.item() - step["loss"])
        worst = max(worst, off)
        worst_norm = max(worst_norm, abs(norm.item() - step["norm"]) / norm.item())
        if step["step"] % 10 in (0, 1):
            print(
                f"step {step['step']:4}  loss {loss.item():.6f}  spanlift {step['loss']:.6f}  off {off:.1e}"
                f"  norm {norm.item():.4f}  spanlift {step['norm']:.4f}"
            )
    seconds = (time.perf_counter() - begun) / len(steps)
    print(f"{len(steps)} steps of {len(all_windows)} windows: losses at most {worst:.1e} apart, norms {worst_norm:.1e}")
    weights = apart(model, run / "last")
    print(f"the weights of {run}/last, read by from_pretrained: at most {weights:.1e} from PyTorch's")
    own = (steps[-1]["seconds"] - steps[0]["seconds"]) / (len(steps) - 1)
    print(f"{seconds:.3f} s a step in PyTorch (padded to {longest} tokens), {own:.3f} s in Spanlift")
    if not (worst <= LOSS and worst_norm <= NORM and weights <= WEIGHT):
        sys.exit(f"expected losses within {LOSS}, norms within {NORM}, weights within {WEIGHT}")


def apart(model, folder):
    """The largest difference of a weight between PyTorch's model and a folder's checkpoint."""
    written, report = AutoModelForQuestionAnswering.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
    )
    left = {key: value for key, value in report.items() if value}
    assert not left, left
    ours, theirs = (dict(m.named_parameters()) for m in (written, model))
    assert ours.keys() == theirs.keys()
    return max((ours[name] - theirs[name]).abs().max().item() for name in ours)


if __name__ == "__main__":
    main()
