//! What text takes of memory. In a process of its own, in one test: the allocator counts for all threads.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;

use peak_alloc::PeakAlloc;
use xsam_data::text::{BleuConfig, Tokenizer, bleu};
use xsam_data::{DatasetName, Request, load};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most memory that `work` takes above what there is before it.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let done = work();
    (done, ALLOCATOR.peak_usage() - before)
}

#[test]
fn text_takes_memory_in_proportion_to_its_bytes() {
    // Lines without a word, as many as bytes.
    const LINES: usize = 4 << 20;
    let here = tempfile::tempdir().unwrap();
    let content = "\n".repeat(LINES) + "a dog\n";
    let names = ["train.a", "train.b", "val.a", "val.b", "test.a", "test.b"];
    for name in names {
        fs::write(here.path().join(name), &content).unwrap();
    }
    drop(content);
    let request = Request {
        dir: Some(here.path().to_owned()),
        source: Some("a".to_owned()),
        target: Some("b".to_owned()),
        ..Request::default()
    };
    let load = || load(DatasetName::ParallelText, &request);
    let (text, taken) = peak(|| load().unwrap().text().unwrap());
    assert_eq!((text.train.len(), text.left_out), (1, LINES));
    assert_eq!(text.test.len(), LINES + 1);
    assert!(taken < 2 * names.len() * LINES, "{taken} bytes");
    drop(text);
    fs::write(here.path().join("train.a"), "\n".repeat(LINES)).unwrap();
    let (error, taken) = peak(|| load().unwrap_err());
    assert!(error.to_string().contains("holds no sentences"), "{error}");
    assert!(taken < 2 * LINES, "{taken} bytes");

    // A word without end, to learn from and to divide.
    let letters = (0..1_000_000_u64).map(|i| char::from(b'a' + (i * i % 23 % 5) as u8));
    let word: String = letters.collect();
    let (tokenizer, taken) = peak(|| Tokenizer::train([word.as_str()], 1 << 20).unwrap());
    assert!(taken < 100 * word.len(), "{taken} bytes");
    let (ids, taken) = peak(|| tokenizer.encode(&word));
    assert_eq!(tokenizer.decode(&ids), word);
    assert!(taken < 100 * word.len(), "{taken} bytes");

    // A line of nothing but words of a letter.
    let line = "!".repeat(1_000_000);
    let (score, taken) = peak(|| bleu(&[&line], &[&line], &BleuConfig::default()).unwrap());
    assert!((score.score - 100.0).abs() < 1e-9);
    assert!(taken < 100 * line.len(), "{taken} bytes");
}
