//! What the passes of the Transformer of the default size cost, on 32 pairs of 25 tokens each.
//!
//! `cargo bench --workspace --bench transformer`

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use divan::Bencher;
use xsam_models::{
    ModelError, SearchConfig, TargetBatch, Transformer, TransformerConfig, TransformerLoss,
    reference,
};

// As in the program, buffers are taken from those freed before.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VOCABULARY: usize = 8000;
const BATCH: usize = 32;
const TOKENS: usize = 25;

fn model() -> Result<Transformer, ModelError> {
    TransformerConfig::new(VOCABULARY, 0).init(1, &Device::flex().autodiff())
}

/// Sentences without padding.
fn ids(seed: u64) -> Tensor<2, Int> {
    let words = reference::targets(seed, BATCH * TOKENS, VOCABULARY - 3);
    let ids: Vec<i64> = words.into_iter().map(|word| word + 3).collect();
    let data = TensorData::new(ids, [BATCH, TOKENS]);
    Tensor::from_data(data, &Device::flex().autodiff())
}

fn loss(model: &Transformer) -> TransformerLoss {
    let target = TargetBatch {
        input: ids(2),
        output: ids(3),
    };
    model.loss(ids(1), target, 0.1, Some(1))
}

#[divan::bench(sample_count = 15, sample_size = 1)]
fn forward(bencher: Bencher<'_, '_>) {
    if let Ok(model) = model() {
        // The graph is dropped within: kept for later, as divan keeps results, they would fill the memory.
        bencher.bench_local(|| drop(loss(&model)));
    }
}

#[divan::bench(sample_count = 15, sample_size = 1)]
fn backward(bencher: Bencher<'_, '_>) {
    if let Ok(model) = model() {
        bencher
            .with_inputs(|| loss(&model))
            .bench_local_values(|result| {
                GradientsParams::from_grads(result.loss.backward(), &model)
            });
    }
}

#[divan::bench(args = [1, 5], sample_count = 3, sample_size = 1)]
fn search(bencher: Bencher<'_, '_>, beam: usize) {
    if let Ok(model) = model() {
        let config = SearchConfig::new(1, 2).with_beam(beam);
        bencher.bench_local(|| model.search(ids(1), &config));
    }
}

fn main() {
    // As in the program, on a thread of the pool: it need not be woken for every operation.
    rayon::scope(|_| divan::main());
}
