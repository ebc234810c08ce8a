#![no_main]
//! IDX, compressed or not.

use libfuzzer_sys::fuzz_target;
use xsam_data::fuzzing;
use xsam_fuzz::{Limits, choice, within};

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    let (choice, bytes) = choice(data);
    fuzzing::idx(bytes, choice % 2 == 1, (choice / 2) as u32);
}));
