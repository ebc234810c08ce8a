//! `xsam data list`

use serde_json::json;
use xsam_cli::{aligned, print};
use xsam_data::{DatasetName, Sizes};
use xsam_names::Named;

pub(super) fn run(as_json: bool) {
    let heads = ["name", "train", "validation", "test", "image", "classes"];
    let mut rows = Vec::new();
    let mut words = vec!["what it is", ""];
    for name in DatasetName::all() {
        let (sizes, what) = (name.sizes(), name.facts().description);
        if as_json {
            print::json(&json!({
                "name": name.to_string(), "train": sizes.map(|s| s.train),
                "validation": sizes.map(|s| s.validation), "test": sizes.map(|s| s.test),
                "image": sizes.map(|s| [s.channels, s.height, s.width]),
                "classes": sizes.map(|s| s.classes), "description": what,
            }));
            continue;
        }
        let cell = |cell: fn(Sizes) -> String| sizes.map_or_else(|| "-".to_owned(), cell);
        rows.push([
            name.to_string(),
            cell(|s| s.train.to_string()),
            cell(|s| s.validation.to_string()),
            cell(|s| s.test.to_string()),
            cell(|s| format!("{}x{}x{}", s.channels, s.height, s.width)),
            cell(|s| s.classes.to_string()),
        ]);
        words.push(what);
    }
    if as_json {
        return;
    }
    // Words are not a column: those stand to the right.
    for (line, words) in aligned(&heads, rows).lines().zip(words) {
        print::line(format!("{line}  {words}").trim_end());
    }
}
