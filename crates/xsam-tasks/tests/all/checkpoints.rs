//! Checkpoints that someone has tampered with: an error names the file, and nothing outside is read or written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Runs, Trained, prepare, read};
use serde_json::{Value, json};
use xsam_lab::files::Existing;

/// A run that was interrupted after its first epoch, and its checkpoint.
fn run() -> (Runs, PathBuf) {
    let runs = Runs::new(&[
        "data.subset=100",
        "train.epochs=2",
        "train.batch_size=50",
        "model.name=small_cnn",
        "model.width=2",
        "method.name=looksam",
    ]);
    runs.interrupted("run", &[], 2);
    runs.interrupted("run", &[], 1);
    let kept = fs::read_dir(runs.path("run/checkpoint")).unwrap();
    let mut kept: Vec<PathBuf> = kept.map(|entry| entry.unwrap().path()).collect();
    kept.sort();
    let latest = kept.pop().unwrap();
    for other in kept {
        fs::remove_dir_all(other).unwrap();
    }
    (runs, latest)
}

/// The run cannot go on, and the error says why.
#[track_caller]
fn assert_refused(runs: &Runs, told: &[&str]) {
    let resumed = prepare(runs.spec(&[]), &runs.path("run"), Existing::Resume);
    let error = resumed.unwrap_err().to_string();
    assert!(told.iter().all(|told| error.contains(told)), "{error}");
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = read(file);
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

fn entry(bytes: &[u8]) -> Value {
    json!({"bytes": bytes.len(), "crc32": format!("{:08x}", crc32fast::hash(bytes))})
}

/// Writes a file of a checkpoint, and its length and its sum into the manifest.
fn forge(checkpoint: &Path, name: &str, bytes: &[u8]) {
    fs::write(checkpoint.join(name), bytes).unwrap();
    edit(&checkpoint.join("manifest.json"), |manifest| {
        manifest["files"][name] = entry(bytes);
    });
}

#[test]
fn names_in_a_manifest_lead_nowhere_else() {
    let (runs, checkpoint) = run();
    fs::write(runs.path("secret"), "x").unwrap();
    let manifest = checkpoint.join("manifest.json");
    let whole = fs::read(&manifest).unwrap();
    for name in ["/dev/zero", "../../../secret", "a/../model.bpk", "..", ""] {
        edit(&manifest, |manifest| manifest["files"][name] = entry(b"x"));
        let told = format!("{name:?} is not the name");
        assert_refused(&runs, &["manifest.json", &told]);
        fs::write(&manifest, &whole).unwrap();
    }
    for name in ["model.bpk", "optimizer.bpk", "position.json"] {
        edit(&manifest, |manifest| {
            manifest["files"].as_object_mut().unwrap().remove(name);
        });
        assert_refused(&runs, &[&format!("{name} is not in it")]);
        fs::write(&manifest, &whole).unwrap();
    }
    fs::write(&manifest, vec![b' '; 2 << 20]).unwrap();
    assert_refused(&runs, &["it has 2097152 bytes"]);
}

#[cfg(unix)]
#[test]
fn links_devices_and_pipes_in_a_checkpoint_are_not_read() {
    let (runs, checkpoint) = run();
    for name in [
        "model.bpk",
        "optimizer.bpk",
        "position.json",
        "manifest.json",
    ] {
        let (file, aside) = (checkpoint.join(name), runs.path(name));
        fs::rename(&file, &aside).unwrap();
        for to in [Path::new("/dev/zero"), &aside] {
            std::os::unix::fs::symlink(to, &file).unwrap();
            assert_refused(&runs, &[name, "is a link"]);
            let error = Trained::load(&runs.path("run")).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(error.contains("is a link"), "{error}");
            fs::remove_file(&file).unwrap();
        }
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        if made.is_ok_and(|status| status.success()) {
            assert_refused(&runs, &[name, "a pipe"]);
            fs::remove_file(&file).unwrap();
        }
        fs::rename(&aside, &file).unwrap();
    }
    runs.resume("run", &[]).unwrap();
}

#[test]
fn a_file_that_is_longer_than_its_manifest_says_is_not_read() {
    let (runs, checkpoint) = run();
    // With holes: read as a whole it would fill the memory.
    let file = fs::OpenOptions::new()
        .write(true)
        .open(checkpoint.join("model.bpk"));
    file.unwrap().set_len(1 << 42).unwrap();
    assert_refused(&runs, &["it has 4398046511104 of "]);
}

#[test]
fn a_log_of_a_checkpoint_is_one_of_the_run() {
    let (runs, checkpoint) = run();
    let precious = runs.path("precious");
    fs::write(&precious, "mine").unwrap();
    let mut position: Value = read(checkpoint.join("position.json"));
    for name in [
        precious.to_str().unwrap(),
        "../precious",
        "run.json",
        "events.out.tfevents./../../precious.xsam",
    ] {
        position["logs"]["events"] = json!([name, 1]);
        let text = position.to_string();
        forge(&checkpoint, "position.json", text.as_bytes());
        assert_refused(&runs, &[name, "is not the name of one"]);
        assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
    }
}

#[test]
fn a_position_that_cannot_be_is_refused() {
    let (runs, checkpoint) = run();
    let whole: Value = read(checkpoint.join("position.json"));
    let changes: [(&str, Value, &str); 5] = [
        ("/step", json!(u64::MAX), "that of its folder"),
        ("/rows", json!([]), "that of its folder"),
        ("/rows/0/epoch", json!(7), "in order"),
        ("/lr_factor", json!(-1.0), "learning rate"),
        ("/lr_factor", json!(1e300), "learning rate"),
    ];
    for (place, value, reason) in changes {
        let mut position = whole.clone();
        *position.pointer_mut(place).unwrap() = value;
        let text = position.to_string();
        forge(&checkpoint, "position.json", text.as_bytes());
        assert_refused(&runs, &["position.json", reason]);
    }
    // Also where its folder says the same.
    let far = checkpoint.with_file_name("epoch-00001-step-000099");
    fs::rename(&checkpoint, &far).unwrap();
    let mut position = whole;
    position["step"] = json!(99);
    forge(&far, "position.json", position.to_string().as_bytes());
    assert_refused(&runs, &["after step 99 of an epoch of"]);
}

#[test]
fn a_tensor_that_does_not_say_of_which_parameter_it_is_is_refused() {
    let (runs, checkpoint) = run();
    for name in ["optimizer.bpk", "model.bpk"] {
        let whole = fs::read(checkpoint.join(name)).unwrap();
        let places = (0..whole.len()).filter(|&i| whole[i..].starts_with(b"param_id"));
        let places: Vec<usize> = places.collect();
        assert!(places.len() >= 8, "{places:?}");
        for place in places {
            let mut forged = whole.clone();
            forged[place + 7] = b'$';
            forge(&checkpoint, name, &forged);
            assert_refused(&runs, &[name]);
        }
        forge(&checkpoint, name, &whole);
    }
    runs.resume("run", &[]).unwrap();
}

/// Whether a file is taken or refused is all the same; nothing may panic.
#[test]
fn no_byte_of_a_checkpoint_ends_the_program() {
    let (runs, checkpoint) = run();
    for name in ["model.bpk", "optimizer.bpk", "position.json"] {
        let whole = fs::read(checkpoint.join(name)).unwrap();
        // Some of those that are not padding, since each costs the start of a run.
        let places = (0..whole.len()).filter(|&i| whole[i] != 0);
        for place in places.step_by(7).take(300) {
            let mut forged = whole.clone();
            forged[place] ^= [0x01, 0x80, 0xff][place % 3];
            forge(&checkpoint, name, &forged);
            // What is taken is trained with, on a copy, since a run writes.
            let copy = runs.path("copy");
            copied(&runs.path("run"), &copy);
            let _ = runs.resume("copy", &[]);
            fs::remove_dir_all(&copy).unwrap();
        }
        forge(&checkpoint, name, &whole);
    }
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copied(&from, &to),
            false => drop(fs::copy(from, to).unwrap()),
        }
    }
}
