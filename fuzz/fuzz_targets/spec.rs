#![no_main]
//! Specs of experiments: a TOML file, and settings as of `--set` behind it, each after a byte that no text has.

use libfuzzer_sys::fuzz_target;
use xsam_fuzz::{Limits, within};
use xsam_tasks::OurSpec;

fn parse(text: &str) -> OurSpec {
    let (spec, _) = OurSpec::parse(text, &[]).expect("what was written can be read");
    spec
}

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    let mut parts = data.split(|byte| *byte == 0xfe);
    let mut part = || parts.next().map(String::from_utf8_lossy);
    let text = part().unwrap_or_default();
    let settings: Vec<String> = std::iter::from_fn(part).map(Into::into).collect();
    let (spec, compare) = match OurSpec::parse(&text, &settings) {
        Ok(read) => read,
        Err(error) => return drop(error.to_string()),
    };
    let written = spec.to_toml().expect("what was read can be written");
    assert_eq!(
        parse(&written).to_toml().as_ref(),
        Ok(&written),
        "it is another one"
    );
    let resolved = spec.clone().resolved();
    if let Ok(resolved) = &resolved {
        let _ = resolved.about();
        let _ = resolved.to_toml();
        let _ = resolved.differences(&spec);
    }
    let Some(compare) = compare else {
        return;
    };
    let written = compare
        .to_toml(&spec)
        .expect("what was read can be written");
    let (again, other) = OurSpec::parse(&written, &[]).expect("what was written can be read");
    let other = other.expect("it is a comparison");
    assert_eq!(
        other.to_toml(&again).as_ref(),
        Ok(&written),
        "it is another one"
    );
    if let Ok(entries) = compare.entries(&spec) {
        for entry in entries.iter().take(16) {
            let resolved = entry.spec(0).resolved();
            assert!(resolved.is_ok(), "{}: {resolved:?}", entry.label);
        }
    }
}));
