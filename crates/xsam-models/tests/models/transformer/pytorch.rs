//! Loss, logits and gradients against those of PyTorch's own layers, in double precision.

use burn::tensor::FloatDType;
use xsam_models::{Activation, NormPlacement, SharedEmbeddings, TargetBatch, TransformerConfig};

use super::{filled, gradients, matrix, values};

/// What PyTorch found.
struct Case {
    seed: u64,
    placement: NormPlacement,
    activation: Activation,
    shared: SharedEmbeddings,
    loss: f64,
    /// At [`PLACES`].
    logits: [f64; 4],
    /// Norms of the gradients of [`PARAMETERS`].
    gradients: [f64; 8],
    /// That of the source's own table.
    source_table: Option<f64>,
}

/// Sentence, token and id.
const PLACES: [[usize; 3]; 4] = [[0, 0, 0], [0, 3, 12], [1, 1, 5], [2, 2, 7]];

/// The three projections of an attention are one tensor in PyTorch.
const PARAMETERS: [&[&str]; 8] = [
    &["decoder.embed_tokens.weight"],
    &[
        "encoder.layers.0.self_attn.k_proj.weight",
        "encoder.layers.0.self_attn.v_proj.weight",
        "encoder.layers.0.self_attn.q_proj.weight",
    ],
    &["encoder.layers.1.fc1.weight"],
    &["encoder.layers.1.final_layer_norm.bias"],
    &["decoder.layers.0.self_attn.out_proj.weight"],
    &[
        "decoder.layers.0.encoder_attn.k_proj.weight",
        "decoder.layers.0.encoder_attn.v_proj.weight",
        "decoder.layers.0.encoder_attn.q_proj.weight",
    ],
    &["decoder.layers.1.fc2.bias"],
    &["decoder.layers.1.final_layer_norm.weight"],
];

// The output of this script, by PyTorch 2.15:
//
//     import math, torch
//     from torch import nn
//     import torch.nn.functional as F
//     torch.set_default_dtype(torch.float64)
//     M = (1 << 64) - 1
//     def unit(stream, i):
//         z = ((stream << 32) + i + 0x9E3779B97F4A7C15) & M
//         z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & M
//         z = (z ^ (z >> 27)) * 0x94D049BB133111EB & M
//         return ((z ^ (z >> 31)) >> 11) * 2.0**-53
//     def run(seed, norm_first, activation, shared):
//         v, d, ff, h, pad = 13, 8, 12, 2, 0
//         layer = dict(nhead=h, dim_feedforward=ff, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first)
//         enc = nn.ModuleList(nn.TransformerEncoderLayer(d, **layer) for _ in range(2))
//         dec = nn.ModuleList(nn.TransformerDecoderLayer(d, **layer) for _ in range(2))
//         norms = [nn.LayerNorm(d), nn.LayerNorm(d)] if norm_first else [nn.Identity(), nn.Identity()]
//         count = 0
//         def fill(shape, kind):
//             nonlocal count
//             stream, n = seed * 1000 + count, math.prod(shape)
//             count += 1
//             u = [unit(stream, i) for i in range(n)]
//             bound = 0.1 if kind == "bias" else math.sqrt(6 / (n / shape[0]))
//             x = [0.5 + a for a in u] if kind == "norm" else [(2 * a - 1) * bound for a in u]
//             return nn.Parameter(torch.tensor(x).reshape(shape))
//         def linear(l):
//             l.weight, l.bias = fill(l.weight.shape, "weight"), fill(l.bias.shape, "bias")
//         def norm(l):
//             l.weight, l.bias = fill((d,), "norm"), fill((d,), "bias")
//         def attention(a):
//             kvq = [(fill((d, d), "weight"), fill((d,), "bias")) for _ in range(3)]
//             (k, kb), (val, vb), (q, qb) = kvq
//             a.in_proj_weight = nn.Parameter(torch.cat([q, k, val]).detach())
//             a.in_proj_bias = nn.Parameter(torch.cat([qb, kb, vb]).detach())
//             linear(a.out_proj)
//         source_table = fill((v, d), "weight") if shared != "all" else None
//         for l in enc:
//             attention(l.self_attn); norm(l.norm1); linear(l.linear1); linear(l.linear2); norm(l.norm2)
//         if norm_first: norm(norms[0])
//         table = fill((v, d), "weight")
//         for l in dec:
//             attention(l.self_attn); norm(l.norm1); attention(l.multihead_attn); norm(l.norm2)
//             linear(l.linear1); linear(l.linear2); norm(l.norm3)
//         if norm_first: norm(norms[1])
//         out = fill((v, d), "weight") if shared == "none" else table
//         def embed(w, ids):
//             half = d // 2
//             f = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
//             a = (torch.arange(ids.shape[1])[:, None] + pad + 1) * f
//             return F.embedding(ids, w, padding_idx=pad) * math.sqrt(d) + torch.cat([a.sin(), a.cos()], 1)
//         source = torch.tensor([[3, 4, 5, 6, 2], [7, 2, 0, 0, 0], [8, 9, 10, 2, 0]])
//         given = torch.tensor([[1, 11, 12, 3], [1, 4, 0, 0], [1, 5, 6, 0]])
//         wanted = torch.tensor([[11, 12, 3, 2], [4, 2, 0, 0], [5, 6, 2, 0]])
//         mask = source == pad
//         x = embed(table if source_table is None else source_table, source)
//         for l in enc: x = l(x, src_key_padding_mask=mask)
//         x = norms[0](x)
//         y = embed(table, given)
//         causal = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
//         for l in dec: y = l(y, x, tgt_mask=causal, memory_key_padding_mask=mask)
//         logits = norms[1](y) @ out.T
//         real = wanted != pad
//         loss = F.cross_entropy(logits[real], wanted[real], label_smoothing=0.1)
//         loss.backward()
//         n = lambda p: p.grad.norm().item()
//         print("loss", repr(loss.item()))
//         print("logits", [logits[b, t, c].item() for b, t, c in [(0, 0, 0), (0, 3, 12), (1, 1, 5), (2, 2, 7)]])
//         print("gradients", [n(table), n(enc[0].self_attn.in_proj_weight), n(enc[1].linear1.weight), n(enc[1].norm2.bias),
//             n(dec[0].self_attn.out_proj.weight), n(dec[0].multihead_attn.in_proj_weight), n(dec[1].linear2.bias), n(dec[1].norm3.weight)])
//         if source_table is not None: print("source table", n(source_table), source_table.grad[pad].abs().max().item())
//     run(1, False, "relu", "target")
//     run(2, True, "gelu", "all")
//     run(3, False, "relu", "none")
const CASES: [Case; 3] = [
    Case {
        seed: 1,
        placement: NormPlacement::Post,
        activation: Activation::Relu,
        shared: SharedEmbeddings::Target,
        loss: 3.219_863_416_062_526,
        logits: [
            0.170_293_890_371_971_15,
            -0.968_076_569_160_340_7,
            0.041_465_229_972_402_83,
            0.676_739_746_809_147_1,
        ],
        gradients: [
            1.095_099_858_037_495_3,
            1.415_310_051_879_553_6,
            0.533_149_138_529_308_7,
            0.381_551_022_525_864_1,
            0.187_730_947_568_854_2,
            0.539_447_657_233_078_9,
            0.121_220_435_515_098_78,
            0.463_309_830_046_189,
        ],
        source_table: Some(1.531_407_821_870_745_9),
    },
    Case {
        seed: 2,
        placement: NormPlacement::Pre,
        activation: Activation::Gelu,
        shared: SharedEmbeddings::All,
        loss: 2.905_527_500_791_536,
        logits: [
            1.097_505_448_127_436,
            -0.887_099_537_465_039,
            -1.544_133_002_071_128_1,
            -0.261_468_211_689_770_4,
        ],
        gradients: [
            1.952_516_292_901_802_7,
            1.589_173_096_887_390_5,
            0.462_950_384_048_882_8,
            0.242_065_174_216_026_6,
            1.181_214_307_747_297_2,
            1.026_585_702_127_686_3,
            0.195_015_942_955_657_16,
            0.207_297_924_634_586_32,
        ],
        source_table: None,
    },
    Case {
        seed: 3,
        placement: NormPlacement::Post,
        activation: Activation::Relu,
        shared: SharedEmbeddings::None,
        loss: 3.249_056_432_392_087_4,
        logits: [
            -0.288_064_379_652_643_75,
            -1.901_019_881_445_865_6,
            -0.346_708_823_320_613_1,
            -0.553_515_648_046_214_9,
        ],
        gradients: [
            0.086_127_142_153_341_27,
            0.670_823_064_823_459_7,
            0.379_626_312_810_543_76,
            0.493_024_574_880_951,
            0.073_847_176_768_178_66,
            0.113_716_979_297_056_38,
            0.365_174_152_969_933_8,
            0.778_987_783_386_078_9,
        ],
        source_table: Some(0.536_720_981_476_729_6),
    },
];

/// Largest deviation seen: 4.2e-14 and 1.6e-6.
const TOLERANCES: [(FloatDType, f64); 2] = [(FloatDType::F64, 1e-12), (FloatDType::F32, 1e-5)];

#[test]
fn loss_logits_and_gradients_are_pytorchs() {
    for (dtype, tolerance) in TOLERANCES {
        for case in &CASES {
            agrees(case, dtype, tolerance);
        }
    }
}

fn agrees(case: &Case, dtype: FloatDType, tolerance: f64) {
    let config = TransformerConfig::new(13, 0)
        .with_sizes(8, 12, 2)
        .with_layers(2, 2)
        .with_norm_placement(case.placement)
        .with_activation(case.activation)
        .with_shared_embeddings(case.shared);
    let model = filled(&config, case.seed, dtype);
    let source = [vec![3, 4, 5, 6, 2], vec![7, 2], vec![8, 9, 10, 2]];
    let input = [vec![1, 11, 12, 3], vec![1, 4], vec![1, 5, 6]];
    let output = [vec![11, 12, 3, 2], vec![4, 2], vec![5, 6, 2]];
    let source = matrix(&source, 5);
    let target = TargetBatch {
        input: matrix(&input, 4),
        output: matrix(&output, 4),
    };
    let close = |name: &str, actual: f64, expected: f64| {
        let error = (actual - expected).abs();
        assert!(error < tolerance, "seed {}, {name}: {error}", case.seed);
    };

    let logits = values(&model.forward(source.clone(), target.input.clone()));
    for ([sentence, token, id], expected) in PLACES.into_iter().zip(case.logits) {
        close("logit", logits[(sentence * 4 + token) * 13 + id], expected);
    }
    let result = model.loss(source, target, 0.1, None);
    close("loss", values(&result.loss)[0], case.loss);
    let gradients = gradients(&model, &result);
    let square = |name: &str| -> f64 {
        let (_, gradient) = gradients.iter().find(|(known, _)| known == name).unwrap();
        gradient.as_ref().unwrap().iter().map(|g| g * g).sum()
    };
    for (names, expected) in PARAMETERS.into_iter().zip(case.gradients) {
        let norm = names.iter().map(|name| square(name)).sum::<f64>().sqrt();
        close(names[0], norm, expected);
    }
    if let Some(expected) = case.source_table {
        let name = "encoder.embed_tokens.weight";
        close(name, square(name).sqrt(), expected);
    }
}
