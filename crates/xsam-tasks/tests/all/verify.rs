//! The reference cases that come with the program.

use xsam_lab::Kernels;
use xsam_lab::spec::{DeviceName, Precision};
use xsam_tasks::{Case, Verdict, verify};

fn check(precision: Precision) {
    let mut passed = 0;
    for case in Case::embedded() {
        let outcome = verify(&case, DeviceName::Cpu, precision, Kernels::Fast);
        println!("{outcome:?}");
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
        passed += 1;
    }
    assert_eq!(passed, 70);
}

#[test]
fn every_case_passes_in_single_precision() {
    check(Precision::F32);
}

#[test]
fn every_case_passes_in_double_precision() {
    check(Precision::F64);
}
