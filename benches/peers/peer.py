"""One method on one checkpoint and input, in a process of its own: `python peer.py METHOD FOLDER INPUT.json`.

Prints JSON: `seconds` (median), `runs`, `memory` (bytes resident at the peak above the loaded model), `error` (worst
|sum - delta| / max(1, |delta|) over the cuts; null for a forward pass), `cuts`, `delta`, and the logits of input and reference.
"""

import ctypes
import json
import statistics
import sys
import time

import torch
from captum.attr import LayerConductance, LayerDeepLift, LayerIntegratedGradients
from captum.attr._core import deep_lift
from torch import nn
from transformers import BertForQuestionAnswering
from transformers.utils import logging

STEPS = 50
INTERNAL_BATCH = 4  # interpolated inputs at a time; larger ones were no faster and take memory in proportion

# captum has no rule for GELU and would take its gradient: it gets the rule that captum has for other elementwise functions.
deep_lift.SUPPORTED_NON_LINEAR[nn.GELU] = deep_lift.nonlinear


def status(field):
    with open("/proc/self/status") as lines:
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


class Target(nn.Module):
    """start[s*] + end[e*] of word embeddings (B, S, H); (B)."""

    def __init__(self, model, given):
        super().__init__()
        self.model = model
        self.start, self.end = given["start"], given["end"]
        self.segments = torch.tensor([given["segments"]])

    def logits(self, words):
        segments = self.segments.expand(words.shape[0], -1)
        out = self.model(inputs_embeds=words, token_type_ids=segments)
        return out.start_logits, out.end_logits

    def forward(self, words):
        start, end = self.logits(words)
        return start[:, self.start] + end[:, self.end]


class Methods:
    """Each method gives the sums of its cuts, from the embedding output to the last layer's; a forward pass gives none."""

    def __init__(self, model, given):
        for module in model.modules():
            if hasattr(module, "intermediate_act_fn"):
                module.intermediate_act_fn = nn.GELU()
        self.target = Target(model, given)
        table = model.get_input_embeddings().weight
        words, reference = (table[torch.tensor([given[name]])].clone() for name in ("ids", "reference"))
        # captum hooks the activations in front of a cut as well, which must then have a gradient.
        self.words, self.reference = words.requires_grad_(True), reference
        self.cuts = [model.bert.embeddings, *model.bert.encoder.layer]

    def forward(self):
        with torch.inference_mode():
            self.target(self.words)
        return []

    def gradient(self):
        (gradient,) = torch.autograd.grad(self.target(self.words), self.words)
        return [gradient * (self.words.detach() - self.reference)]

    def deeplift(self):
        return [LayerDeepLift(self.target, cut).attribute(self.words, self.reference) for cut in self.cuts]

    def integrated(self):
        method = LayerIntegratedGradients(self.target, self.cuts[0])
        return [method.attribute(self.words, self.reference, n_steps=STEPS, internal_batch_size=INTERNAL_BATCH)]

    def conductance(self):
        method = LayerConductance(self.target, self.cuts[len(self.cuts) // 2])
        return [method.attribute(self.words, self.reference, n_steps=STEPS, internal_batch_size=INTERNAL_BATCH)]


# Name: (attention, method, runs, runs with --quick).
METHODS = {
    "forward-eager": ("eager", Methods.forward, 11, 5),
    "forward-sdpa": ("sdpa", Methods.forward, 11, 5),
    "gradient-eager": ("eager", Methods.gradient, 11, 5),
    "gradient-sdpa": ("sdpa", Methods.gradient, 11, 5),
    "deeplift": ("sdpa", Methods.deeplift, 3, 1),
    "integrated": ("sdpa", Methods.integrated, 3, 1),
    "conductance": ("sdpa", Methods.conductance, 3, 1),
}


def main():
    name, folder, path = sys.argv[1:4]
    attention, method, full, quick = METHODS[name]
    runs = quick if "--quick" in sys.argv else full
    torch.set_num_threads(2)
    logging.disable_progress_bar()
    with open(path) as file:
        given = json.load(file)
    model = BertForQuestionAnswering.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        parameter.data = parameter.data.clone()  # resident, whatever the loading left in the file
    methods = Methods(model, given)
    ctypes.CDLL(None).malloc_trim(0)  # what loading gave back is no part of the model
    loaded = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    values = []
    with torch.no_grad():
        for words in (methods.words, methods.reference):
            values.append(torch.stack(methods.target.logits(words), dim=-1)[0])
    input_value, reference_value = (float(v[given["start"], 0] + v[given["end"], 1]) for v in values)
    delta = input_value - reference_value

    seconds, sums = [], []
    for _ in range(runs):
        start = time.perf_counter()
        found = method(methods)
        seconds.append(time.perf_counter() - start)
        sums = [float(cut.detach().double().sum()) for cut in found]
        del found
    print(
        json.dumps(
            {
                "seconds": statistics.median(seconds),
                "runs": runs,
                "memory": status("VmHWM") - loaded,
                "error": max((abs(s - delta) / max(1, abs(delta)) for s in sums), default=None),
                "cuts": len(sums),
                "delta": delta,
                "logits": values[0].flatten().tolist(),
                "reference_logits": values[1].flatten().tolist(),
            }
        )
    )


if __name__ == "__main__":
    main()
