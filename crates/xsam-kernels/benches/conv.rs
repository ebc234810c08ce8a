//! Convolutions of the image models, batch 32: forward, and the two gradients by themselves. The items are
//! operations of the definition: a multiplication and an addition are two.
//!
//! `cargo bench --workspace --bench conv`

use std::hint::black_box;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::TensorData;
use burn::tensor::ops::ConvOptions;
use divan::Bencher;
use divan::counter::ItemsCount;
use xsam_kernels::operations::ConvOps;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 32;

/// Channels in and out, edge of image and filter, stride.
#[derive(Clone, Copy)]
struct Layer(usize, usize, usize, usize, usize);

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(input, output, size, kernel, stride) = self;
        write!(
            f,
            "{input} to {output}, {size}x{size}, {kernel}x{kernel} / {stride}"
        )
    }
}

const LAYERS: [Layer; 30] = [
    // 3x3 of stride 1 in ResNet-18 and VGG-11.
    Layer(64, 64, 32, 3, 1),
    Layer(128, 128, 16, 3, 1),
    Layer(256, 256, 8, 3, 1),
    Layer(512, 512, 4, 3, 1),
    Layer(512, 512, 2, 3, 1),
    Layer(64, 128, 16, 3, 1),
    // The same in a ResNet of width 16, and narrower.
    Layer(8, 8, 32, 3, 1),
    Layer(16, 16, 32, 3, 1),
    Layer(32, 32, 16, 3, 1),
    Layer(64, 64, 8, 3, 1),
    Layer(128, 128, 4, 3, 1),
    // Between the stages.
    Layer(64, 128, 32, 3, 2),
    Layer(128, 256, 16, 3, 2),
    Layer(256, 512, 8, 3, 2),
    Layer(64, 128, 32, 1, 2),
    Layer(128, 256, 16, 1, 2),
    Layer(256, 512, 8, 1, 2),
    // The same in narrow ones.
    Layer(8, 16, 32, 3, 2),
    Layer(16, 32, 32, 3, 2),
    Layer(32, 64, 16, 3, 2),
    Layer(16, 32, 32, 1, 2),
    // Stems.
    Layer(3, 64, 32, 3, 1),
    Layer(3, 16, 32, 3, 1),
    // DenseNet-121.
    Layer(128, 128, 32, 1, 1),
    Layer(512, 128, 16, 1, 1),
    Layer(512, 128, 8, 1, 1),
    Layer(1024, 128, 4, 1, 1),
    Layer(128, 32, 32, 3, 1),
    Layer(128, 32, 16, 3, 1),
    Layer(128, 32, 4, 3, 1),
];

fn main() {
    #[cfg(feature = "mimalloc")]
    xsam_kernels::keep_freed_memory();
    divan::main();
}

fn random(shape: [usize; 4]) -> FloatTensor<Flex> {
    let count = shape.iter().product::<usize>();
    let mut state = count as u64;
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape))
}

impl Layer {
    fn options(self) -> ConvOptions<2> {
        let (stride, padding) = (self.4, self.3 / 2);
        ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1)
    }

    fn x(self) -> FloatTensor<Flex> {
        random([BATCH, self.0, self.2, self.2])
    }

    fn weight(self) -> FloatTensor<Flex> {
        random([self.1, self.0, self.3, self.3])
    }

    fn operations(self) -> ItemsCount {
        let Self(input, output, size, kernel, stride) = self;
        let outputs = BATCH * output * size.div_ceil(stride).pow(2);
        ItemsCount::new(2 * outputs * input * kernel * kernel)
    }

    fn gradient(self) -> FloatTensor<Flex> {
        let size = self.2.div_ceil(self.4);
        random([BATCH, self.1, size, size])
    }
}

#[divan::bench(args = LAYERS, max_time = 0.3)]
fn forward(bencher: Bencher<'_, '_>, layer: Layer) {
    let (x, w) = (layer.x(), layer.weight());
    bencher
        .counter(layer.operations())
        .bench_local(|| black_box(Flex::fast_conv2d(x.clone(), w.clone(), layer.options())));
}

#[divan::bench(args = LAYERS, max_time = 0.3)]
fn input_gradient(bencher: Bencher<'_, '_>, layer: Layer) {
    let (x, w, dy) = (layer.x(), layer.weight(), layer.gradient());
    bencher.counter(layer.operations()).bench_local(|| {
        let (x, w, dy) = (x.clone(), w.clone(), dy.clone());
        black_box(Flex::fast_conv2d_input_gradient(x, w, dy, layer.options()))
    });
}

#[divan::bench(args = LAYERS, max_time = 0.3)]
fn weight_gradient(bencher: Bencher<'_, '_>, layer: Layer) {
    let (x, w, dy) = (layer.x(), layer.weight(), layer.gradient());
    bencher.counter(layer.operations()).bench_local(|| {
        let (x, w, dy) = (x.clone(), w.clone(), dy.clone());
        black_box(Flex::fast_conv2d_weight_gradient(x, w, dy, layer.options()))
    });
}
