"""The transformer while it is being trained, in torch."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tagcf.recommend.sequence.weights import Array, Block, Weights

EPSILON = 1e-6


class TrainedBlock(nn.Module):
    """One pre-norm layer; see `tagcf.recommend.sequence.weights.Block` for the shapes."""

    def __init__(self, width: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        inner = 2 * width
        self.dropout = dropout
        self.norm_attention = nn.Parameter(torch.ones(width))
        self.query_key_value = nn.Parameter(torch.randn(width, 3 * width) * width**-0.5)
        # What a branch adds starts small: at first the last event alone speaks.
        self.attention_out = nn.Parameter(torch.randn(width, width) * 0.1 * width**-0.5)
        self.recency = nn.Parameter(-decays(heads)[:, None] * torch.arange(length))
        self.norm_forward = nn.Parameter(torch.ones(width))
        self.gate_up = nn.Parameter(torch.randn(width, 2 * inner) * width**-0.5)
        self.down = nn.Parameter(torch.randn(inner, width) * 0.1 * inner**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, d) to the same."""
        x = x + functional.dropout(self.attention(x), self.dropout, self.training)
        return x + functional.dropout(self.feed_forward(x), self.dropout, self.training)

    def attention(self, x: Tensor) -> Tensor:
        """Causal attention; the pad of short histories stands behind them, out of sight."""
        batch, length, width = x.shape
        heads = len(self.recency)
        packed = normalised(x, self.norm_attention) @ self.query_key_value
        shape = (batch, length, 3, heads, width // heads)
        query, key, value = packed.view(shape).permute(2, 0, 3, 1, 4)
        place = torch.arange(length)
        back = place[:, None] - place
        mask = self.recency[:, back.clamp(min=0)].masked_fill(back < 0, -math.inf)
        logits = query @ key.transpose(-1, -2) * (width // heads) ** -0.5 + mask
        mixed = logits.softmax(-1) @ value
        joined: Tensor = mixed.transpose(1, 2).reshape(batch, length, width)
        return joined @ self.attention_out

    def feed_forward(self, x: Tensor) -> Tensor:
        """Feed-forward with a SiLU gate."""
        gate, up = (normalised(x, self.norm_forward) @ self.gate_up).chunk(2, dim=-1)
        return functional.silu(gate) * up @ self.down


class Network(nn.Module):
    """Everything trained but the items' own vectors, which have an optimiser of their own."""

    def __init__(
        self,
        width: int,
        heads: int,
        blocks: int,
        length: int,
        dropout: float,
        tags: tuple[int, int],
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.topic = nn.Parameter(torch.randn(tags[0], width) * width**-0.5)
        self.role = nn.Parameter(torch.randn(tags[1], width) * width**-0.5)
        self.norm_out = nn.Parameter(torch.ones(width))
        layers = [TrainedBlock(width, heads, length, dropout) for _ in range(blocks)]
        self.blocks = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, d) item vectors to (B, L, d) normalised states."""
        x = functional.dropout(x, self.dropout, self.training)
        for block in self.blocks:
            x = block(x)
        return normalised(x, self.norm_out)


def normalised(x: Tensor, gain: Tensor) -> Tensor:
    """Root-mean-square normalisation."""
    return functional.rms_norm(x, (x.shape[-1],), gain, EPSILON)


def decays(heads: int) -> Tensor:
    """(heads,) slopes 1, 1/4, 1/16 …: each head starts with a memory of its own length."""
    return 4.0 ** -torch.arange(heads, dtype=torch.float32)


def exported(network: Network, item: Tensor, bias: Tensor, first: Array) -> Weights:
    """Take the arrays out of torch."""
    blocks = tuple(
        Block(**{name: array(value) for name, value in block.named_parameters()})
        for block in network.blocks
    )
    return Weights(
        item=array(item),
        bias=array(bias),
        topic=array(network.topic),
        role=array(network.role),
        first=first,
        norm_out=array(network.norm_out),
        blocks=blocks,
    )


def array(value: Tensor) -> Array:
    """Copy a tensor into an array of its own."""
    return np.array(value.detach().numpy(), dtype=np.float32)
