"""Loss, logits and norms of gradients of PyTorch's own layers, by PyTorch 2.15: the file `pytorch.json`.

Logits are at a sentence, a token and an id. The three projections of an attention are one tensor in PyTorch.
"""

import json, math, torch
from torch import nn
import torch.nn.functional as F
torch.set_default_dtype(torch.float64)
M = (1 << 64) - 1
def unit(stream, i):
    z = ((stream << 32) + i + 0x9E3779B97F4A7C15) & M
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & M
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & M
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53
def run(seed, norm_first, activation, shared):
    v, d, ff, h, pad = 13, 8, 12, 2, 0
    layer = dict(nhead=h, dim_feedforward=ff, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first)
    enc = nn.ModuleList(nn.TransformerEncoderLayer(d, **layer) for _ in range(2))
    dec = nn.ModuleList(nn.TransformerDecoderLayer(d, **layer) for _ in range(2))
    norms = [nn.LayerNorm(d), nn.LayerNorm(d)] if norm_first else [nn.Identity(), nn.Identity()]
    count = 0
    def fill(shape, kind):
        nonlocal count
        stream, n = seed * 1000 + count, math.prod(shape)
        count += 1
        u = [unit(stream, i) for i in range(n)]
        bound = 0.1 if kind == "bias" else math.sqrt(6 / (n / shape[0]))
        x = [0.5 + a for a in u] if kind == "norm" else [(2 * a - 1) * bound for a in u]
        return nn.Parameter(torch.tensor(x).reshape(shape))
    def linear(l):
        l.weight, l.bias = fill(l.weight.shape, "weight"), fill(l.bias.shape, "bias")
    def norm(l):
        l.weight, l.bias = fill((d,), "norm"), fill((d,), "bias")
    def attention(a):
        kvq = [(fill((d, d), "weight"), fill((d,), "bias")) for _ in range(3)]
        (k, kb), (val, vb), (q, qb) = kvq
        a.in_proj_weight = nn.Parameter(torch.cat([q, k, val]).detach())
        a.in_proj_bias = nn.Parameter(torch.cat([qb, kb, vb]).detach())
        linear(a.out_proj)
    source_table = fill((v, d), "weight") if shared != "all" else None
    for l in enc:
        attention(l.self_attn); norm(l.norm1); linear(l.linear1); linear(l.linear2); norm(l.norm2)
    if norm_first: norm(norms[0])
    table = fill((v, d), "weight")
    for l in dec:
        attention(l.self_attn); norm(l.norm1); attention(l.multihead_attn); norm(l.norm2)
        linear(l.linear1); linear(l.linear2); norm(l.norm3)
    if norm_first: norm(norms[1])
    out = fill((v, d), "weight") if shared == "none" else table
    def embed(w, ids):
        half = d // 2
        f = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
        a = (torch.arange(ids.shape[1])[:, None] + pad + 1) * f
        return F.embedding(ids, w, padding_idx=pad) * math.sqrt(d) + torch.cat([a.sin(), a.cos()], 1)
    source = torch.tensor([[3, 4, 5, 6, 2], [7, 2, 0, 0, 0], [8, 9, 10, 2, 0]])
    given = torch.tensor([[1, 11, 12, 3], [1, 4, 0, 0], [1, 5, 6, 0]])
    wanted = torch.tensor([[11, 12, 3, 2], [4, 2, 0, 0], [5, 6, 2, 0]])
    mask = source == pad
    x = embed(table if source_table is None else source_table, source)
    for l in enc: x = l(x, src_key_padding_mask=mask)
    x = norms[0](x)
    y = embed(table, given)
    causal = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
    for l in dec: y = l(y, x, tgt_mask=causal, memory_key_padding_mask=mask)
    logits = norms[1](y) @ out.T
    real = wanted != pad
    loss = F.cross_entropy(logits[real], wanted[real], label_smoothing=0.1)
    loss.backward()
    n = lambda p: p.grad.norm().item()
    self_attn, encoder_attn = "encoder.layers.0.self_attn", "decoder.layers.0.encoder_attn"
    joined = lambda name: " ".join(f"{name}.{part}_proj.weight" for part in "kvq")
    gradients = {
        "decoder.embed_tokens.weight": n(table),
        joined(self_attn): n(enc[0].self_attn.in_proj_weight),
        "encoder.layers.1.fc1.weight": n(enc[1].linear1.weight),
        "encoder.layers.1.final_layer_norm.bias": n(enc[1].norm2.bias),
        "decoder.layers.0.self_attn.out_proj.weight": n(dec[0].self_attn.out_proj.weight),
        joined(encoder_attn): n(dec[0].multihead_attn.in_proj_weight),
        "decoder.layers.1.fc2.bias": n(dec[1].linear2.bias),
        "decoder.layers.1.final_layer_norm.weight": n(dec[1].norm3.weight),
    }
    if source_table is not None:
        gradients["encoder.embed_tokens.weight"] = n(source_table)
    places = [(0, 0, 0), (0, 3, 12), (1, 1, 5), (2, 2, 7)]
    return {
        "seed": seed,
        "norm_first": norm_first,
        "activation": activation,
        "shared": shared,
        "loss": loss.item(),
        "logits": {" ".join(map(str, place)): logits[place].item() for place in places},
        "gradients": gradients,
    }

cases = [run(1, False, "relu", "target"), run(2, True, "gelu", "all"), run(3, False, "relu", "none")]
print(json.dumps(cases, indent=1))
