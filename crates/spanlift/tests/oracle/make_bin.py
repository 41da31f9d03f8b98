"""Writes the small PyTorch files under tests/oracle/weights, and model.safetensors with the same numbers.

Run by hand, from this folder, with PyPI's torch and safetensors (the committed files: torch 2.15, safetensors 0.8):

    python make_bin.py

The files are of one BERT with a single layer of 4 hidden units: small enough to be committed, and whole enough to be
loaded. tests/pickle.rs compares them.
"""

import io
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent / "weights"
H, F, V, P = 4, 6, 20, 8


def state_dict():
    shapes = {
        "bert.embeddings.word_embeddings.weight": (V, H),
        "bert.embeddings.position_embeddings.weight": (P, H),
        "bert.embeddings.token_type_embeddings.weight": (2, H),
        "bert.embeddings.LayerNorm.weight": (H,),
        "bert.embeddings.LayerNorm.bias": (H,),
    }
    layer = "bert.encoder.layer.0."
    for part, out, into in [
        ("attention.self.query", H, H),
        ("attention.self.key", H, H),
        ("attention.self.value", H, H),
        ("attention.output.dense", H, H),
        ("intermediate.dense", F, H),
        ("output.dense", H, F),
    ]:
        shapes[f"{layer}{part}.weight"] = (out, into)
        shapes[f"{layer}{part}.bias"] = (out,)
    for part in ["attention.output.LayerNorm", "output.LayerNorm"]:
        shapes[f"{layer}{part}.weight"] = (H,)
        shapes[f"{layer}{part}.bias"] = (H,)
    shapes["qa_outputs.weight"] = (2, H)
    shapes["qa_outputs.bias"] = (2,)
    generator = torch.Generator().manual_seed(1)
    # Exact in bf16, so that every file holds the same numbers.
    made = {name: torch.randn(shape, generator=generator).bfloat16().float() for name, shape in shapes.items()}
    return made


def packed(tensors):
    """The same tensors as views of one storage: transposed, with gaps, from offsets on."""
    pool = torch.zeros(4096)
    at, views = 3, {}
    for name, tensor in tensors.items():
        if tensor.dim() == 2:
            view = pool[at : at + 2 * tensor.numel()].view(tensor.shape[1], -1)[:, ::2].t()
            at += 2 * tensor.numel()
        else:
            view = pool[at : at + 3 * tensor.numel() : 3]
            at += 3 * tensor.numel()
        view.copy_(tensor)
        assert not view.is_contiguous() or view.numel() == 1, name
        views[name] = view
    small = pool[:at].clone()
    return {
        name: torch.as_strided(small, view.shape, view.stride(), view.storage_offset()) for name, view in views.items()
    }


def one_storage(tensors):
    """The same tensors one behind the other in one storage: files that stay small."""
    pool = torch.cat([tensor.reshape(-1) for tensor in tensors.values()])
    at, views = 0, {}
    for name, tensor in tensors.items():
        views[name] = pool[at : at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    return views


def main():
    tensors = state_dict()
    save_file(tensors, HERE / "model.safetensors")
    # One storage a tensor, as a model's own state_dict has them; the archive's folder is the file's name.
    torch.save(tensors, HERE / "f32.bin")
    # To a buffer: the archive's folder is `archive`. Attributes, as a module's state_dict has them.
    buffer = io.BytesIO()
    module = torch.nn.Module()
    module.register_parameter("x", torch.nn.Parameter(torch.zeros(1)))
    state = module.state_dict()
    state.clear()
    state.update(one_storage(tensors))
    assert state._metadata
    torch.save(state, buffer)
    (HERE / "archive.bin").write_bytes(buffer.getvalue())
    torch.save(one_storage({name: tensor.half() for name, tensor in tensors.items()}), HERE / "f16.bin")
    torch.save(one_storage({name: tensor.bfloat16() for name, tensor in tensors.items()}), HERE / "bf16.bin")
    torch.save(packed(tensors), HERE / "strided.bin")
    # What a checkpoint after pretraining has on top, its decoder tied to the embeddings, and buffers.
    tied = one_storage(tensors)
    tied["cls.predictions.decoder.weight"] = tied["bert.embeddings.word_embeddings.weight"]
    tied["cls.predictions.bias"] = torch.nn.Parameter(torch.zeros(V))
    tied["bert.embeddings.position_ids"] = torch.arange(P).expand((1, -1))
    torch.save(tied, HERE / "tied.bin")
    torch.save(one_storage(tensors), HERE / "protocol-4.bin", pickle_protocol=4)
    torch.save(one_storage(tensors), HERE / "legacy.bin", _use_new_zipfile_serialization=False)
    # Two shards, as save_pretrained names them.
    names = list(tensors)
    shards = [names[: len(names) // 2], names[len(names) // 2 :]]
    weight_map = {}
    for number, part in enumerate(shards, 1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save(one_storage({name: tensors[name] for name in part}), HERE / file)
        weight_map |= {name: file for name in part}
    index = {"metadata": {"total_size": 4 * sum(t.numel() for t in tensors.values())}, "weight_map": weight_map}
    (HERE / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
