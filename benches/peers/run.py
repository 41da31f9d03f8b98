"""Spanlift against PyTorch and captum on the same checkpoints and inputs: `python benches/peers/run.py [--quick]`.

Every method runs in a process of its own, on two threads. Logits and the target's change must agree before anything is
reported. The tables go into docs/performance.md, between its two marks.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from transformers.utils import logging

import inputs
import peer

ROOT = inputs.ROOT
PAGE = ROOT / "docs/performance.md"
MARKS = ("<!-- written by benches/peers/run.py -->", "<!-- end of what it writes -->")
TOLERANCE = 1e-3
NAMES = {
    "forward-eager": "PyTorch, forward, eager attention",
    "forward-sdpa": "PyTorch, forward, SDPA",
    "gradient-eager": "PyTorch, forward + gradient, eager attention",
    "gradient-sdpa": "PyTorch, forward + gradient, SDPA",
    "deeplift": "captum LayerDeepLift, a run for each cut",
    "integrated": f"captum LayerIntegratedGradients, {peer.STEPS} steps, embeddings",
    "conductance": f"captum LayerConductance, {peer.STEPS} steps, one layer",
}


def last_json(command):
    environment = {**os.environ, "RAYON_NUM_THREADS": "2"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join(map(str, command))}: exit status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def spanlift(folder, given):
    cargo = os.environ.get("CARGO", "cargo")
    return last_json([cargo, "bench", "-q", "-p", "spanlift", "--bench", "peer", "--", folder, given])


def check(name, ours, theirs):
    for field in ("logits", "reference_logits"):
        pairs = list(zip(ours[field], theirs[field], strict=True))
        worst = max(abs(a - b) / max(1, abs(b)) for a, b in pairs)
        if not worst <= TOLERANCE:
            sys.exit(f"{name}: {field}: expected Spanlift's within {TOLERANCE}, got {worst:.1e} off")
    if not abs(ours["delta"] - theirs["delta"]) <= TOLERANCE * max(1, abs(theirs["delta"])):
        sys.exit(f"{name}: delta: expected Spanlift's {ours['delta']}, got {theirs['delta']}")


def row(name, cuts, found, times):
    error = "" if found.get("error") is None else f"{found['error']:.1e}"
    seconds, memory = found["seconds"], found.get("memory")
    memory = "" if memory is None else f"{memory / 1e6:.0f}"
    return f"| {name} | {cuts} | {1e3 * seconds:.0f} | {times:.2f} | {memory} | {error} |"


def compare(name, layers, folder, given, python, quick):
    cuts = layers + 1
    ours = spanlift(folder, given)
    if ours["threads"] != 2:
        sys.exit(f"threads: expected 2, got {ours['threads']}")
    found, runs = {}, [ours]
    for method in peer.METHODS:
        options = ["--quick"] if quick else []
        found[method] = last_json([python, ROOT / "benches/peers/peer.py", method, folder, given, *options])
        check(f"{name}, {method}", ours, found[method])
        runs.append(spanlift(folder, given))
    # Others' work on the machine comes and goes: each method is compared with Spanlift's runs before and after it.
    beside = {method: (before["seconds"] + after["seconds"]) / 2 for method, (before, after) in zip(found, pairwise(runs))}
    times = {method: found[method]["seconds"] / beside[method] for method in found}
    seconds, forward = (statistics.median(run[field] for run in runs) for field in ("seconds", "forward"))
    lines = [
        f"### {name[0].upper()}{name[1:]}",
        "",
        "| method | cuts | ms | in Spanlift's explanations | peak MB above the model | completeness error |",
        "| --- | --: | --: | --: | --: | --: |",
        row("**Spanlift**, one explanation", f"{cuts + 1}, and all heads", {**ours, "seconds": seconds}, 1),
        row("Spanlift, one forward pass that keeps what the walk needs", "", {"seconds": forward}, forward / seconds),
    ]
    for method, label in NAMES.items():
        lines.append(row(label, found[method]["cuts"] or "", found[method], times[method]))
    ratios = [
        ("Spanlift / PyTorch's forward + gradient (SDPA)", 1 / times["gradient-sdpa"]),
        (f"captum's LayerDeepLift over {cuts} cuts / Spanlift", times["deeplift"]),
        (f"integrated gradients with {peer.STEPS} steps / Spanlift", times["integrated"]),
        (f"conductance at {cuts} cuts (one measured, times {cuts}) / Spanlift", cuts * times["conductance"]),
    ]
    lines += ["", *(f"- {what}: **{ratio:.2f}**" for what, ratio in ratios), ""]
    return lines


def processor():
    with open("/proc/cpuinfo") as file:
        info = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
    info = {key.strip(): value.strip() for key, value in info.items()}
    wide = "AVX-512" if "avx512f" in info["flags"].split() else "AVX2"
    return f"{info['model name']} (family {info['cpu family']}, model {info['model']}, {wide}), {os.cpu_count()} cores"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs of each method")
    parser.add_argument("--python", default=sys.executable, help="what runs the methods (default: this Python)")
    args = parser.parse_args()
    logging.disable_progress_bar()
    made = inputs.make(ROOT / "target/peers")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "captum"))
    command = "python benches/peers/run.py" + (" --quick" if args.quick else "")
    lines = [
        f"`{command}`: {inputs.LENGTH} tokens, f32, 2 threads; Python {platform.python_version()}, {packages}; "
        f"{processor()}; Spanlift {commit.stdout.strip()}.",
        "",
    ]
    for name, layers, folder, given in made:
        lines += compare(name, layers, folder, given, args.python, args.quick)
    text = "\n".join(lines)
    print(text)
    before, rest = PAGE.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    whole = PAGE.with_suffix(".partial")
    whole.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}")
    whole.replace(PAGE)


if __name__ == "__main__":
    main()
