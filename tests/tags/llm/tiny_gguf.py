"""A random language model and a random image projector of a few hundred kB, in the GGUF format.

The model says random letters, but no broken UTF-8 and little white space, as any trained model
would: its first dimension is the same for every token and speaks against such tokens.

They make a real llama.cpp server answer by the real protocol. What they say means nothing, so
that no test may ask whether a tag is right. The format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEADS, LAYERS, INNER = 64, 4, 2, 128
IMAGE, PATCH, SIGHT = 56, 14, 32
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_ALIGNMENT = 32
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}\n"
    "{% endfor %}<|assistant|>"
)


def write_language_model(path: Path, context: int = 8192, seed: int = 7) -> Path:
    """A Llama of two layers with random weights whose tokens are the 256 bytes."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, _NORMAL]
    values: list[tuple[str, int, Any]] = [
        ("general.architecture", _STRING, "llama"),
        ("general.name", _STRING, "tiny random"),
        ("llama.context_length", _UINT32, context),
        ("llama.embedding_length", _UINT32, WIDTH),
        ("llama.block_count", _UINT32, LAYERS),
        ("llama.feed_forward_length", _UINT32, INNER),
        ("llama.attention.head_count", _UINT32, HEADS),
        ("llama.attention.head_count_kv", _UINT32, HEADS),
        ("llama.attention.layer_norm_rms_epsilon", _FLOAT32, 1e-5),
        ("llama.rope.dimension_count", _UINT32, WIDTH // HEADS),
        ("llama.vocab_size", _UINT32, len(tokens)),
        ("tokenizer.ggml.model", _STRING, "llama"),
        ("tokenizer.ggml.tokens", _STRING, tokens),
        ("tokenizer.ggml.scores", _FLOAT32, [0.0] * len(tokens)),
        ("tokenizer.ggml.token_type", _INT32, kinds),
        ("tokenizer.ggml.bos_token_id", _UINT32, 1),
        ("tokenizer.ggml.eos_token_id", _UINT32, 2),
        ("tokenizer.ggml.unknown_token_id", _UINT32, 0),
        ("tokenizer.chat_template", _STRING, TEMPLATE),
    ]
    shapes = {"token_embd.weight": (len(tokens), WIDTH), "output.weight": (len(tokens), WIDTH)}
    for k in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"blk.{k}.{name}.weight"] = (WIDTH, WIDTH)
        shapes[f"blk.{k}.ffn_gate.weight"] = (INNER, WIDTH)
        shapes[f"blk.{k}.ffn_up.weight"] = (INNER, WIDTH)
        shapes[f"blk.{k}.ffn_down.weight"] = (WIDTH, INNER)
    tensors = _random(shapes, seed)
    _prefer(tensors)
    norms = [f"blk.{k}.{name}_norm.weight" for k in range(LAYERS) for name in ("attn", "ffn")]
    tensors |= {name: np.ones(WIDTH, np.float32) for name in ("output_norm.weight", *norms)}
    return _write(path, values, tensors)


def write_projector(path: Path, seed: int = 8) -> Path:
    """A vision encoder of one layer and LLaVA's two-layer projector into the model above."""
    values: list[tuple[str, int, Any]] = [
        ("general.architecture", _STRING, "clip"),
        ("general.name", _STRING, "tiny random eyes"),
        ("general.file_type", _UINT32, 0),
        ("clip.has_vision_encoder", _BOOL, True),
        ("clip.projector_type", _STRING, "mlp"),
        ("clip.use_gelu", _BOOL, False),
        ("clip.vision.image_size", _UINT32, IMAGE),
        ("clip.vision.patch_size", _UINT32, PATCH),
        ("clip.vision.embedding_length", _UINT32, SIGHT),
        ("clip.vision.feed_forward_length", _UINT32, 2 * SIGHT),
        ("clip.vision.projection_dim", _UINT32, WIDTH),
        ("clip.vision.attention.head_count", _UINT32, 2),
        ("clip.vision.attention.layer_norm_epsilon", _FLOAT32, 1e-5),
        ("clip.vision.block_count", _UINT32, 1),
        ("clip.vision.image_mean", _FLOAT32, [0.5, 0.5, 0.5]),
        ("clip.vision.image_std", _FLOAT32, [0.5, 0.5, 0.5]),
    ]
    patches = (IMAGE // PATCH) ** 2
    shapes: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (SIGHT, 3, PATCH, PATCH),
        "v.position_embd.weight": (patches + 1, SIGHT),
        "v.class_embd": (SIGHT,),
        "v.blk.0.ffn_up.weight": (2 * SIGHT, SIGHT),
        "v.blk.0.ffn_down.weight": (SIGHT, 2 * SIGHT),
        "mm.0.weight": (WIDTH, SIGHT),
        "mm.2.weight": (WIDTH, WIDTH),
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        shapes[f"v.blk.0.{name}.weight"] = (SIGHT, SIGHT)
    tensors = _random(shapes, seed)
    for name, shape in list(shapes.items()):
        if name.startswith(("v.blk", "mm")):
            tensors[name.replace("weight", "bias")] = np.zeros(shape[0], np.float32)
    for name in ("v.pre_ln", "v.blk.0.ln1", "v.blk.0.ln2", "v.post_ln"):
        tensors[f"{name}.weight"] = np.ones(SIGHT, np.float32)
        tensors[f"{name}.bias"] = np.zeros(SIGHT, np.float32)
    return _write(path, values, tensors)


def _prefer(tensors: dict[str, np.ndarray]) -> None:
    """Make some tokens unlikely and some likely, whatever stands before."""
    tensors["token_embd.weight"][:, 0] = 2.0
    for k in range(LAYERS):
        for name in ("attn_output", "ffn_down"):
            tensors[f"blk.{k}.{name}.weight"][0] = 0.0
    liking = tensors["output.weight"][:, 0]
    liking[:] = 0.0
    liking[3 : 3 + 32] = liking[3 + 127 :] = -9.0  # controls, halves of letters
    liking[[3 + 9, 3 + 10, 3 + 32, 3 + ord("\\")]] = -3.0
    liking[[3 + ord('"'), 3 + ord("]"), 3 + ord("}")]] = 1.0


def _random(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {
        name: draw.normal(scale=0.3, size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def _write(path: Path, values: list[tuple[str, int, Any]], tensors: dict[str, np.ndarray]) -> Path:
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(values))]
    head += [_text(key) + _value(kind, value) for key, kind, value in values]
    offset, data = 0, []
    for name, tensor in tensors.items():
        sizes = tensor.shape[::-1]
        head.append(_text(name) + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes))
        head.append(struct.pack("<IQ", 0, offset))
        raw = tensor.astype("<f4").tobytes()
        raw += b"\0" * (-len(raw) % _ALIGNMENT)
        data.append(raw)
        offset += len(raw)
    front = b"".join(head)
    path.write_bytes(front + b"\0" * (-len(front) % _ALIGNMENT) + b"".join(data))
    return path


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(kind: int, value: Any) -> bytes:
    if isinstance(value, list):
        items = b"".join(_plain(kind, one) for one in value)
        return struct.pack("<IIQ", _ARRAY, kind, len(value)) + items
    return struct.pack("<I", kind) + _plain(kind, value)


def _plain(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _text(value)
    return struct.pack({_UINT32: "<I", _INT32: "<i", _FLOAT32: "<f", _BOOL: "<?"}[kind], value)
