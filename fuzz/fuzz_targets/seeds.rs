//! Writes sound inputs for the targets into the folder that is named: seeds/TARGET/NUMBER.

use std::error::Error;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, ImageFormat};
use serde_json::{Value, json};
use xsam_data::text::Tokenizer;
use xsam_fuzz::{CHECKPOINT, OPTIMIZERS, RESULTS, Tiny, checkpoint, compared, folder, optimizer};
use xsam_lab::Tasks;
use xsam_tasks::{Case, OurTasks};
use xsam_weights::write_weights;
use zip::ZipArchive;

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

fn specs(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    for preset in OurTasks::PRESETS {
        seeds.whole("spec", preset.toml().as_bytes())?;
    }
    let tuned = "[method]\nname = 'sam'\nrho = 0.2\n[compare]\nmethods = ['sam', 'a']\nseeds = [1, 2]\nhalving = true\n\
                 [compare.a]\nname = 'xsam'\nrho_max = 1.0\n[compare.sweep]\nascent_steps = [1, 2]\n\
                 [compare.tune.optimizer]\nlr = [0.1, 0.2]\n";
    let settings = "\u{0}train.epochs=3\u{0}method.rho=0.3\u{0}compare.rho=[0.1, 0.2]\u{0}data.dir=/a b\u{0}model.name=cnn\
                    \u{0}schedule.name=step\u{0}optimizer.name=adam";
    for text in [tuned, settings] {
        let bytes: Vec<u8> = text
            .bytes()
            .map(|b| if b == 0 { 0xfe } else { b })
            .collect();
        seeds.whole("spec", &bytes)?;
    }
    Ok(())
}

fn weights(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    for (choice, name) in [(0, "seed.safetensors"), (1, "seed.pt")] {
        let path = folder().join(name);
        write_weights(&Tiny::default(), &path)?;
        seeds.add("weights", choice, &fs::read(&path)?)?;
    }
    for (choice, bytes) in [
        (
            0,
            &include_bytes!("../../crates/xsam-weights/tests/torch/plain.safetensors")[..],
        ),
        (
            1,
            include_bytes!("../../crates/xsam-weights/tests/torch/legacy.pt"),
        ),
        (
            1,
            include_bytes!("../../crates/xsam-weights/tests/torch/plain.pt"),
        ),
        (
            1,
            include_bytes!("../../crates/xsam-weights/tests/torch/wrapped.pt"),
        ),
        (
            1,
            include_bytes!("../../crates/xsam-weights/tests/torch/averaged.pt"),
        ),
    ] {
        seeds.add("weights", choice, bytes)?;
    }
    let mut archive = ZipArchive::new(fs::File::open(folder().join("seed.pt"))?)?;
    let mut pickle = Vec::new();
    archive
        .by_name("archive/data.pkl")?
        .read_to_end(&mut pickle)?;
    let framed = |part: &[u8]| [&(part.len() as u16).to_le_bytes()[..], part].concat();
    for choice in [2, 3] {
        let bytes = [framed(&pickle), vec![0; 24]].concat();
        seeds.add("weights", choice, &bytes)?;
    }
    // A storage of two numbers and a tensor of them, each behind its pickle.
    let storages = b"\x80\x02K\x01.\x80\x02(U\x010U\x03cpuctorch\nFloatStorage\nt.\x02\0\0\0\0\0\0\0\0\0\x80?\0\0\0@\x80\x02].";
    let tensors = b"\x80\x02K\x01.\x80\x02(U\x011U\x010ctorch\nFloatTensor\nt.\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let whole = b"\x80\x02}U\x04biasU\x011Qs.";
    let bytes = [framed(storages), framed(tensors), whole.to_vec()].concat();
    seeds.add("weights", 4, &bytes)
}

fn records(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    for number in 0..OPTIMIZERS {
        let mut optim = optimizer(number);
        let mut model = Tiny::default();
        for _ in 0..2 {
            model = model.after_step(&mut optim)?;
        }
        seeds.add("record", number as u8, &optim.to_record()?.into_bytes()?)?;
    }
    let files = checkpoint(&folder().join("run"));
    for (number, name) in (0..).zip(CHECKPOINT) {
        for choice in [number, number + 4] {
            seeds.add("checkpoint", choice, &fs::read(files.join(name))?)?;
        }
    }
    Ok(())
}

fn results(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    for (number, name) in (0u8..).zip(RESULTS) {
        let bytes = fs::read(compared().join(name))?;
        // Of some the page is printed as well.
        for choice in [number, number.saturating_add(240)] {
            seeds.add("results", choice, &bytes)?;
        }
    }
    let number = RESULTS.iter().position(|name| name.ends_with("a.json"));
    let number = number.ok_or("there is no landscape")? as u8;
    seeds.add("results", number, include_bytes!("../sound/line.json"))
}

/// The cases that come with the program, so small that they are replayed.
fn cases(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    for case in Case::embedded() {
        let mut case: Value = serde_json::from_str(&case.text?)?;
        if let Some(model) = case.get_mut("model") {
            model["width"] = json!(1);
            model["classes"] = json!(3);
            for (field, value) in [("image_size", 2), ("batch_size", 2), ("batches", 1)] {
                case[field] = json!(value);
            }
        }
        if let Some(Value::Array(steps)) = case.pointer_mut("/expected/steps") {
            steps.truncate(2);
            case["epochs"] = json!(2);
        }
        if let Some(Value::Array(top)) = case.pointer_mut("/expected/top") {
            top.truncate(1);
        }
        for logits in ["/expected/logits_eval", "/expected/logits_train"] {
            if let Some(logits) = case.pointer_mut(logits) {
                *logits = json!([[0.5, 1.5, -0.5]]);
            }
        }
        if let Some(Value::Object(tensors)) = case.pointer_mut("/expected/final") {
            tensors.retain(|name, _| name.contains("bias"));
        }
        seeds.whole("case", case.to_string().as_bytes())?;
    }
    Ok(())
}

/// Inputs that ask for much, in few bytes.
fn hostile(seeds: &Seeds) -> Result<(), Box<dyn Error>> {
    const MANY: usize = 20_000;
    for text in [
        format!("{}x = 1", "a.".repeat(MANY)),
        format!("x = {}{}", "[".repeat(MANY), "]".repeat(MANY)),
        format!("x = {}1{}", "{a = ".repeat(MANY), "}".repeat(MANY)),
        format!("[{}a]\nx = 1", "a.".repeat(MANY)),
    ] {
        seeds.whole("spec", text.as_bytes())?;
    }
    let setting = [
        b"\xfe".to_vec(),
        "a.".repeat(MANY).into_bytes(),
        b"a=1".to_vec(),
    ]
    .concat();
    seeds.whole("spec", &setting)?;
    let values = |count: usize| -> Vec<String> { (1..=count).map(|n| format!("{n}")).collect() };
    let (hundred, steps) = (values(100).join(", "), values(99).join(", "));
    for text in [
        format!("[compare.sweep]\nrho = [{hundred}]\nascent_steps = [{steps}]\n"),
        format!("[compare.tune]\nrho = [{hundred}]\nascent_steps = [{steps}]\n"),
        format!(
            "[compare]\nmethods = ['sam']\nseeds = [{}]\n",
            values(9_000).join(", ")
        ),
    ] {
        seeds.whole("spec", text.as_bytes())?;
    }

    for pickle in [
        // Each list holds the one before twice.
        [
            b"\x80\x02]q\0".to_vec(),
            b"(h\0h\0lq\0".repeat(40),
            b".".to_vec(),
        ]
        .concat(),
        [
            b"\x80\x02".to_vec(),
            b"]".repeat(MANY),
            b"a".repeat(MANY - 1),
            b".".to_vec(),
        ]
        .concat(),
        [b"\x80\x02N".to_vec(), b"\x85".repeat(MANY), b".".to_vec()].concat(),
        [
            b"\x80\x02}U\x01a".to_vec(),
            b"}U\x01a".repeat(MANY / 2),
            b"N".to_vec(),
            b"s".repeat(MANY / 2 + 1),
            b".".to_vec(),
        ]
        .concat(),
    ] {
        seeds.add("weights", 1, &pickle)?;
        let framed = [&(pickle.len() as u16).to_le_bytes()[..], &pickle].concat();
        seeds.add("weights", 2, &framed)?;
    }
    for name in [
        ".".repeat(2 * MANY),
        "module.".repeat(MANY / 3),
        "_orig_mod.".repeat(MANY / 5),
    ] {
        let header = format!(
            "{{\"{name}\": {{\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [0, 0]}}}}"
        );
        let length = (header.len() as u64).to_le_bytes();
        seeds.add("weights", 0, &[&length[..], header.as_bytes()].concat())?;
    }

    let nested = format!("{}{}", "[".repeat(MANY), "]".repeat(MANY));
    seeds.whole("case", nested.as_bytes())?;
    for choice in [0, 2, 3, 7, 8] {
        seeds.add("results", choice, nested.as_bytes())?;
    }
    seeds.add("checkpoint", 7, nested.as_bytes())?;
    let columns: Vec<String> = (0..MANY / 4).map(|number| format!("c{number}")).collect();
    let table = format!(
        "epoch,{}\n1{}\n",
        columns.join(","),
        ",1".repeat(columns.len())
    );
    seeds.add("results", 4, table.as_bytes())?;
    let rows: String = (1..MANY / 8)
        .map(|epoch| format!("{epoch},1,{epoch},1e308\n"))
        .collect();
    seeds.add(
        "results",
        5,
        format!("epoch,step,alpha,loss\n{rows}").as_bytes(),
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder")?;
    let seeds = Seeds(folder.into());
    archives(&seeds)?;
    data(&seeds)?;
    specs(&seeds)?;
    weights(&seeds)?;
    records(&seeds)?;
    results(&seeds)?;
    cases(&seeds)?;
    hostile(&seeds)
}
