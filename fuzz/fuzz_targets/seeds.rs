//! Writes sound inputs for the targets into the folder that is named: seeds/TARGET/NUMBER.

use std::error::Error;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, ImageFormat};
use xsam_data::text::Tokenizer;
use xsam_fuzz::folder;

// Whose counters this is built with as well.
use libfuzzer_sys as _;

struct Seeds(PathBuf);

impl Seeds {
    /// An input, whose first byte chooses.
    fn add(&self, target: &str, choice: u8, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        self.whole(target, &[&[choice], bytes].concat())
    }

    fn whole(&self, target: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder)?;
        let number = fs::read_dir(&folder)?.count();
        Ok(fs::write(folder.join(number.to_string()), bytes)?)
    }
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes)?;
    Ok(packed.finish()?)
}

fn archives(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["top/a.txt", "top/folder/b.txt"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &b"hello"[..])?;
        zip.start_file(name, zip::write::SimpleFileOptions::default())?;
        zip.write_all(b"hello")?;
    }
    seeds.add("archive", 0, &gzip(&tar.into_inner()?)?)?;
    seeds.add("archive", 1, &zip.finish()?.into_inner())
}

fn data(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    let header = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };
    let images = [header(&[0x803, 2, 28, 28]), vec![7; 2 * 784]].concat();
    let labels = [header(&[0x801, 2]), vec![3, 9]].concat();
    for (choice, bytes) in [(4, images), (5, labels)] {
        seeds.add("idx", choice, &bytes)?;
        seeds.add("idx", choice, &gzip(&bytes)?)?;
    }
    seeds.whole("cifar", &[3; 2 * (2 + 3072)])?;
    for image in [DynamicImage::new_rgb8(8, 8), DynamicImage::new_luma8(8, 8)] {
        for (choice, format) in [(0, ImageFormat::Png), (1, ImageFormat::Jpeg)] {
            let mut bytes = Cursor::new(Vec::new());
            image.write_to(&mut bytes, format)?;
            seeds.add("image", choice, bytes.get_ref())?;
            seeds.add("image", choice + 18, bytes.get_ref())?;
        }
    }
    let lines = [
        "ein hund\nzwei hunde\n",
        "a dog\ntwo dogs\n",
        "eins\n",
        "one\n",
        "drei\n",
        "three\n",
    ];
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    seeds.add("text", 20, &lines.join(&0xfe))?;
    let file = folder().join("tokenizer");
    Tokenizer::train(["a dog runs", "two dogs run", "a cat"], 12)?.save(&file)?;
    for choice in [0, 1] {
        seeds.add("tokenizer", choice, &fs::read(&file)?)?;
    }
    let sums = "9dd4e461268c8034f5c8564e155c67a6  x\n";
    let mark = "sums = \"00000000000000000000000000000000\"\n[published]\n\"x\" = \"00000000000000000000000000000000\"\n";
    seeds.whole("folder", format!("{mark}\0{sums}").as_bytes())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder")?;
    let seeds = Seeds(folder.into());
    archives(&seeds)?;
    data(&seeds)
}
