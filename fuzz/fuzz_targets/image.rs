#![no_main]
//! JPEG and PNG in a folder of images, as they are or made of one size.

use std::fs;

use libfuzzer_sys::fuzz_target;
use xsam_data::{DatasetName, Request, load};
use xsam_fuzz::{Limits, choice, folder, within};

/// What is packed may become a thousand times as large.
const LIMITS: Limits = Limits {
    bytes_per_byte: 4096,
    ..Limits::READING
};

fuzz_target!(|data: &[u8]| within(&LIMITS, data, |data| {
    let (choice, bytes) = choice(data);
    let name = ["1.png", "1.jpg"][choice % 2];
    for part in ["train", "val", "test"] {
        for class in ["a", "b"] {
            let class = folder().join("images").join(part).join(class);
            let _ = fs::remove_dir_all(&class);
            fs::create_dir_all(&class).expect("there is room");
            fs::write(class.join(name), bytes).expect("there is room");
        }
    }
    let request = Request {
        dir: Some(folder().join("images")),
        image_size: (choice & 2 != 0).then_some(1 + choice / 4),
        ..Request::default()
    };
    let _ = load(DatasetName::ImageFolder, &request);
}));
