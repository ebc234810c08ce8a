#![no_main]
//! Records of optimizers, each taken up by the optimizer that it is of, or by another one.

use burn::tensor::Bytes;
use libfuzzer_sys::fuzz_target;
use xsam::{RecordError, SharpnessAwareRecord};
use xsam_fuzz::{Limits, Tiny, choice, optimizer, within};

fn read(bytes: &[u8]) -> Result<SharpnessAwareRecord, RecordError> {
    SharpnessAwareRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec()))
}

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    let (choice, bytes) = choice(data);
    let Ok(record) = read(bytes) else {
        return;
    };
    let written = record.into_bytes().expect("what was read can be written");
    let again = read(&written).expect("what was written can be read");
    let again = again.into_bytes().expect("what was read can be written");
    assert_eq!(written[..], again[..], "it is another one");

    let model = Tiny::default();
    let part = read(&written).and_then(|record| record.of_model(&model));
    for record in [part, read(&written)] {
        let mut optim = optimizer(choice);
        let loaded = record.and_then(|record| record.check_model(&model).map(|()| record));
        if loaded.and_then(|record| optim.load_record(record)).is_ok() {
            let _ = model.clone().after_step(&mut optim);
        }
    }
}));
