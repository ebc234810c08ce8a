//! Both orders of the work against the convolution by definition, on random shapes.

use proptest::prelude::*;

use super::super::direct;
use super::{Direction, Shape, blocks, panels};

/// Single precision, in relation to the largest element: the transforms cost a digit.
const TOLERANCE: f32 = 2e-5;

fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = (1usize..7, 1usize..80, 1usize..80);
    let image = (1usize..20, 1usize..40, 0usize..3, 0usize..3);
    (sizes, image).prop_filter_map("smaller than the filter", |(sizes, image)| {
        let ((batch, input, output), (rows, columns, down, right)) = (sizes, image);
        let fits = rows + 2 * down >= 3 && columns + 2 * right >= 3;
        fits.then_some(shape(
            batch,
            [input, output],
            [rows, columns],
            [down, right],
        ))
    })
}

fn shape(batch: usize, channels: [usize; 2], size: [usize; 2], padding: [usize; 2]) -> Shape {
    Shape {
        batch,
        channels,
        groups: 1,
        size,
        kernel: [3, 3],
        stride: [1, 1],
        padding,
        dilation: [1, 1],
    }
}

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn assert_close(name: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(1e-6, |m: f32, x| m.max(x.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (a - e).abs() <= TOLERANCE * largest,
            "{name}[{i}]: {a} is not {e}"
        );
    }
}

fn check(shape: &Shape, seed: u64) {
    let x = random(shape.batch * shape.input_image(), seed);
    let dy = random(shape.batch * shape.output_image(), seed ^ 0xABCD);
    let w = random(shape.weights(), seed ^ 0x1234);

    let y = direct::forward(shape, &x, &w);
    let forward = Direction::Forward;
    assert_close("y by blocks", &blocks::convolve(shape, &x, &w, forward), &y);
    assert_close("y by panels", &panels::convolve(shape, &x, &w, forward), &y);

    let dx = direct::input_gradient(shape, &dy, &w);
    let (back, turned) = (Direction::Backward, shape.transposed());
    let by_blocks = blocks::convolve(&turned, &dy, &w, back);
    assert_close("dx by blocks", &by_blocks, &dx);
    let by_panels = panels::convolve(&turned, &dy, &w, back);
    assert_close("dx by panels", &by_panels, &dx);

    let dw = direct::weight_gradient(shape, &x, &dy);
    let by_blocks = blocks::weight_gradient(shape, &x, &dy);
    assert_close("dw by blocks", &by_blocks, &dw);
    let by_panels = panels::weight_gradient(shape, &x, &dy);
    assert_close("dw by panels", &by_panels, &dw);
}

/// 1,000, or as few as is asked for: under valgrind each takes its time.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let most = asked.and_then(|count| count.parse().ok());
    most.unwrap_or(1000).min(1000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn both_orders_give_the_convolution(shape in shapes(), seed in any::<u64>()) {
        check(&shape, seed);
    }
}

/// As many channels as need several runs of inputs for a panel.
#[test]
fn many_channels() {
    for (input, output) in [(300, 40), (40, 300)] {
        check(&shape(3, [input, output], [5, 4], [1, 1]), 11);
    }
}
