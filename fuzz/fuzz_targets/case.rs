#![no_main]
//! Cases of `xsam verify`. Those that are small are replayed.

use libfuzzer_sys::fuzz_target;
use xsam_fuzz::{Limits, within};
use xsam_lab::Kernels;
use xsam_lab::spec::{DeviceName, Precision};
use xsam_tasks::{Case, verify};

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    let case = Case {
        name: String::new(),
        text: String::from_utf8(data.to_vec()).map_err(|error| error.to_string()),
    };
    let outcome = verify(&case, DeviceName::Cpu, Precision::F32, Kernels::Fast);
    let _ = format!("{outcome:?}");
}));
