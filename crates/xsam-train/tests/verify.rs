//! The reference cases that come with the program.
#![allow(missing_docs, clippy::unwrap_used)]

use xsam_train::{Case, DeviceName, Kernels, Precision, Verdict, verify};

/// Replayed are all kinds that there are; the others are skipped, and none fails.
fn check(precision: Precision) {
    let mut passed = 0;
    for case in Case::embedded() {
        let outcome = verify(&case, DeviceName::Cpu, precision, Kernels::Fast);
        println!("{outcome:?}");
        match outcome.kind.as_str() {
            "train" | "forward" | "bleu" => {
                assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
                passed += 1;
            }
            _ => assert_eq!(outcome.verdict, Verdict::Skipped, "{outcome:?}"),
        }
    }
    assert_eq!(passed, 18);
}

#[test]
fn every_case_passes_in_single_precision() {
    check(Precision::F32);
}

#[test]
fn every_case_passes_in_double_precision() {
    check(Precision::F64);
}
