#![no_main]
//! Records of CIFAR-100.

use libfuzzer_sys::fuzz_target;
use xsam_data::fuzzing;
use xsam_fuzz::{Limits, within};

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    fuzzing::cifar(data);
}));
