//! What single operations cost, forward and backward.
//!
//! `cargo bench --workspace --bench operations` measures them with divan; with `-- --json` each gives one
//! line with the medians in seconds, which `benchmarks/operations.py` puts beside those of PyTorch.
//! Forward is the public function; backward is the kernel behind its backward pass, with the gradient of the
//! output and what forward keeps at hand. No graph is built: it would hold on to outputs until it is used.
#![allow(clippy::print_stdout)]

mod transformer;

use std::time::{Duration, Instant};

use divan::Bencher;

// As in the program, buffers are taken from those freed before.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An operation on given sizes.
struct Operation {
    name: &'static str,
    /// Makes the inputs.
    prepare: fn() -> Passes,
}

/// The passes of an operation whose inputs are ready.
struct Passes {
    forward: Box<dyn Fn()>,
    backward: Box<dyn Fn()>,
}

fn operations() -> Vec<Operation> {
    transformer::operations()
}

fn names() -> impl Iterator<Item = &'static str> {
    operations().into_iter().map(|operation| operation.name)
}

fn passes(name: &str) -> Option<Passes> {
    let mut operations = operations().into_iter();
    let found = operations.find(|operation| operation.name == name)?;
    Some((found.prepare)())
}

#[divan::bench(args = names())]
fn forward(bencher: Bencher<'_, '_>, name: &str) {
    if let Some(passes) = passes(name) {
        bencher.bench_local(passes.forward);
    }
}

#[divan::bench(args = names())]
fn backward(bencher: Bencher<'_, '_>, name: &str) {
    if let Some(passes) = passes(name) {
        bencher.bench_local(passes.backward);
    }
}

/// The median time of a pass, over enough of them to fill the time, after some that are not counted.
fn median_seconds(pass: &dyn Fn()) -> f64 {
    const TIME: Duration = Duration::from_millis(250);
    for _ in 0..3 {
        pass();
    }
    let mut seconds = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < TIME || seconds.len() < 5 {
        let start = Instant::now();
        pass();
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() {
    // As in the program, on a thread of the pool: it need not be woken for every operation.
    rayon::scope(|_| run());
}

fn run() {
    if !std::env::args().any(|argument| argument == "--json") {
        return divan::main();
    }
    for operation in operations() {
        let passes = (operation.prepare)();
        println!(
            r#"{{"operation":"{}","forward_s":{:e},"backward_s":{:e}}}"#,
            operation.name,
            median_seconds(&*passes.forward),
            median_seconds(&*passes.backward),
        );
    }
}
