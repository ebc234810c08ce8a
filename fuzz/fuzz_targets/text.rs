#![no_main]
//! Pairs of sentences, subwords learned from them, and their codes.

use libfuzzer_sys::fuzz_target;
use xsam_data::text::Tokenizer;
use xsam_data::{DatasetName, Request, load};
use xsam_fuzz::{Limits, choice, folder, within, write};

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    let (choice, bytes) = choice(data);
    let mut parts = bytes.split(|byte| *byte == 0xfe);
    for name in [
        "train.de", "train.en", "valid.de", "valid.en", "test.de", "test.en",
    ] {
        write(name, parts.next().unwrap_or(b"x\n"));
    }
    let request = Request {
        dir: Some(folder().to_owned()),
        source: Some("de".to_owned()),
        target: Some("en".to_owned()),
        ..Request::default()
    };
    let data = load(DatasetName::ParallelText, &request);
    let Some(pairs) = data.ok().and_then(|data| data.text()) else {
        return;
    };
    let Ok(tokenizer) = Tokenizer::train(pairs.train.sentences(), 1 + choice) else {
        return;
    };
    for sentence in pairs.test.sentences() {
        let codes = tokenizer.encode(sentence);
        let _ = tokenizer.decode(&codes);
    }
}));
