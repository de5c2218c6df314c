"""Whisper's encoder on CUDA: what `AudioEncoder` does, with fewer passes over its activations.

The matrix products and the attention are MLX's. GELU, and a residual with the layer norm that
follows it, only read and write what lies between them: each is one kernel here.
"""

from __future__ import annotations

import mlx.core as mx
from mlx import nn

from daemon.asr.mlx_backend.cuda_kernels import add_norm, gelu
from daemon.asr.mlx_backend.whisper import AudioEncoder


def encode(encoder: AudioEncoder, mel: mx.array) -> mx.array:
    """Log-mel (b, 3000, mels) → (b, a, d), for a model that `cuda_decoder.fits`."""
    x = encoder.embed(mel)
    heard: mx.array = encoder.blocks[0].attn_ln(x)
    norms: list[nn.LayerNorm] = [block.attn_ln for block in encoder.blocks[1:]]
    for block, following in zip(encoder.blocks, [*norms, encoder.ln_post], strict=True):
        q, kv = block.attn.project(heard)
        x, heard = add_norm(x, block.attn.attend(q, kv, None), block.mlp_ln)
        x, heard = add_norm(x, block.mlp2(gelu(block.mlp1(heard))), following)
    return heard
