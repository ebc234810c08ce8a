//! Images a second on their way into batches of 125, on one thread.
//!
//! `cargo bench -p xsam-data --bench augment`
#![allow(missing_docs, clippy::unwrap_used)]

use divan::Bencher;
use divan::counter::ItemsCount;
use xsam_data::{
    Augmentation, Images, Loader, LoaderConfig, Normalization, Pipeline, batches, order,
};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

const IMAGES: usize = 10_000;

/// Of `side` x `side` pixels in three channels.
fn pipeline(side: usize, augmentation: Augmentation) -> Pipeline {
    let pixels = (0..IMAGES * 3 * side * side)
        .map(|at| (at.wrapping_mul(0x9E37_79B9) >> 16) as u8)
        .collect();
    let labels = vec![0; IMAGES];
    let images = Images::new(pixels, labels, [3, side, side], vec!["a".into()]).unwrap();
    let normalization = Normalization::measure(&images);
    Pipeline::new(images, normalization, augmentation, 1).unwrap()
}

fn epoch(bencher: Bencher<'_, '_>, side: usize, augmentation: Augmentation) {
    let pipeline = pipeline(side, augmentation);
    let order = order(IMAGES, 1, 0);
    bencher.counter(ItemsCount::new(IMAGES)).bench_local(|| {
        for indices in batches(&order, 125).unwrap() {
            divan::black_box(pipeline.gather(0, indices).unwrap());
        }
    });
}

#[divan::bench(sample_count = 20, args = [32, 64])]
fn none(bencher: Bencher<'_, '_>, side: usize) {
    epoch(bencher, side, Augmentation::none());
}

#[divan::bench(sample_count = 20)]
fn cifar(bencher: Bencher<'_, '_>) {
    epoch(bencher, 32, Augmentation::cifar());
}

#[divan::bench(sample_count = 10)]
fn tiny_imagenet(bencher: Bencher<'_, '_>) {
    epoch(bencher, 64, Augmentation::tiny_imagenet());
}

/// What a consumer that does nothing else gets from a loader: the cost of handing batches over.
#[divan::bench(sample_count = 20, args = [0, 1])]
fn cifar_loader(bencher: Bencher<'_, '_>, workers: usize) {
    let pipeline = pipeline(32, Augmentation::cifar());
    let order = order(IMAGES, 1, 0);
    let config = LoaderConfig {
        batch_size: 125,
        workers,
        ahead: 4,
    };
    bencher.counter(ItemsCount::new(IMAGES)).bench_local(|| {
        let loader = Loader::new(&pipeline, 0, order.clone(), config).unwrap();
        loader.for_each(|batch| drop(divan::black_box(batch.unwrap())));
    });
}
