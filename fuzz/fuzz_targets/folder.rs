#![no_main]
//! The marks and lists in a folder that `xsam data fetch` has made.

use std::fs;

use libfuzzer_sys::fuzz_target;
use xsam_data::DatasetName;
use xsam_data::fetch::Fetch;
use xsam_fuzz::{Limits, folder, within};

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    let place = folder().join("mnist");
    let _ = fs::create_dir_all(&place);
    let mut parts = data.splitn(2, |byte| *byte == 0);
    for name in [".complete", ".md5sums"] {
        fs::write(place.join(name), parts.next().unwrap_or_default()).expect("there is room");
    }
    fs::write(place.join("x"), "x").expect("there is room");
    let Ok(fetch) = Fetch::new(DatasetName::Mnist, &place) else {
        return;
    };
    let _ = fetch.state();
    let _ = fetch.verify(&mut |_| {});
}));
