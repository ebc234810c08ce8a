//! Checkpoints that someone has tampered with: an error names the file, and nothing outside is read or written.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Spec, Trained, interrupted, prepare};
use serde_json::{Value, json};
use xsam_lab::files::Existing;

fn spec() -> Spec {
    let settings = [
        "data.subset=100",
        "train.epochs=2",
        "train.batch_size=50",
        "model.name=small_cnn",
        "model.width=2",
        "method.name=looksam",
    ];
    common::spec(&settings, &[])
}

/// A run that was interrupted after its first epoch, and its checkpoint.
fn run(parent: &Path) -> (PathBuf, PathBuf) {
    let directory = parent.join("run");
    interrupted(&spec(), &directory, Existing::Refuse, 2);
    interrupted(&spec(), &directory, Existing::Resume, 1);
    let kept = fs::read_dir(directory.join("checkpoint")).unwrap();
    let mut kept: Vec<PathBuf> = kept.map(|entry| entry.unwrap().path()).collect();
    kept.sort();
    let latest = kept.pop().unwrap();
    for other in kept {
        fs::remove_dir_all(other).unwrap();
    }
    (directory, latest)
}

/// Why the run cannot go on.
fn refused(directory: &Path) -> String {
    match prepare(spec(), directory, Existing::Resume) {
        Ok(_) => panic!("it goes on"),
        Err(error) => error.to_string(),
    }
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
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
    let parent = tempfile::tempdir().unwrap();
    let (directory, checkpoint) = run(parent.path());
    fs::write(parent.path().join("secret"), "x").unwrap();
    let manifest = checkpoint.join("manifest.json");
    let whole = fs::read(&manifest).unwrap();
    for name in ["/dev/zero", "../../../secret", "a/../model.bpk", "..", ""] {
        edit(&manifest, |manifest| manifest["files"][name] = entry(b"x"));
        let error = refused(&directory);
        assert!(error.contains("manifest.json"), "{error}");
        assert!(
            error.contains(&format!("{name:?} is not the name")),
            "{error}"
        );
        fs::write(&manifest, &whole).unwrap();
    }
    for name in ["model.bpk", "optimizer.bpk", "position.json"] {
        edit(&manifest, |manifest| {
            manifest["files"].as_object_mut().unwrap().remove(name);
        });
        let error = refused(&directory);
        assert!(error.contains(&format!("{name} is not in it")), "{error}");
        fs::write(&manifest, &whole).unwrap();
    }
    fs::write(&manifest, vec![b' '; 2 << 20]).unwrap();
    assert!(refused(&directory).contains("it has 2097152 bytes"));
}

#[cfg(unix)]
#[test]
fn links_devices_and_pipes_in_a_checkpoint_are_not_read() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, checkpoint) = run(parent.path());
    for name in [
        "model.bpk",
        "optimizer.bpk",
        "position.json",
        "manifest.json",
    ] {
        let (file, aside) = (checkpoint.join(name), parent.path().join(name));
        fs::rename(&file, &aside).unwrap();
        for to in [Path::new("/dev/zero"), &aside] {
            std::os::unix::fs::symlink(to, &file).unwrap();
            let error = refused(&directory);
            assert!(
                error.contains(name) && error.contains("is a link"),
                "{error}"
            );
            let error = Trained::load(&directory).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains("is a link"),
                "{error}"
            );
            fs::remove_file(&file).unwrap();
        }
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        if made.is_ok_and(|status| status.success()) {
            let error = refused(&directory);
            assert!(error.contains(name) && error.contains("a pipe"), "{error}");
            fs::remove_file(&file).unwrap();
        }
        fs::rename(&aside, &file).unwrap();
    }
    prepare(spec(), &directory, Existing::Resume).unwrap();
}

#[test]
fn a_file_that_is_longer_than_its_manifest_says_is_not_read() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, checkpoint) = run(parent.path());
    // With holes: read as a whole it would fill the memory.
    let file = fs::OpenOptions::new()
        .write(true)
        .open(checkpoint.join("model.bpk"));
    file.unwrap().set_len(1 << 42).unwrap();
    let error = refused(&directory);
    assert!(error.contains("it has 4398046511104 of "), "{error}");
}

#[test]
fn a_log_of_a_checkpoint_is_one_of_the_run() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, checkpoint) = run(parent.path());
    let precious = parent.path().join("precious");
    fs::write(&precious, "mine").unwrap();
    let position = fs::read_to_string(checkpoint.join("position.json")).unwrap();
    let mut position: Value = serde_json::from_str(&position).unwrap();
    for name in [
        precious.to_str().unwrap(),
        "../precious",
        "run.json",
        "events.out.tfevents./../../precious.xsam",
    ] {
        position["logs"]["events"] = json!([name, 1]);
        forge(
            &checkpoint,
            "position.json",
            position.to_string().as_bytes(),
        );
        let error = refused(&directory);
        assert!(
            error.contains(name) && error.contains("is not the name of one"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
    }
}

#[test]
fn a_position_that_cannot_be_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, checkpoint) = run(parent.path());
    let text = fs::read_to_string(checkpoint.join("position.json")).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
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
        forge(
            &checkpoint,
            "position.json",
            position.to_string().as_bytes(),
        );
        let error = refused(&directory);
        assert!(
            error.contains("position.json") && error.contains(reason),
            "{error}"
        );
    }
    // Also where its folder says the same.
    let far = checkpoint.with_file_name("epoch-00001-step-000099");
    fs::rename(&checkpoint, &far).unwrap();
    let mut position = whole;
    position["step"] = json!(99);
    forge(&far, "position.json", position.to_string().as_bytes());
    let error = refused(&directory);
    assert!(error.contains("after step 99 of an epoch of"), "{error}");
}

#[test]
fn a_tensor_that_does_not_say_of_which_parameter_it_is_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, checkpoint) = run(parent.path());
    for name in ["optimizer.bpk", "model.bpk"] {
        let whole = fs::read(checkpoint.join(name)).unwrap();
        let places = (0..whole.len()).filter(|&i| whole[i..].starts_with(b"param_id"));
        let places: Vec<usize> = places.collect();
        assert!(places.len() >= 8, "{places:?}");
        for place in places {
            let mut forged = whole.clone();
            forged[place + 7] = b'$';
            forge(&checkpoint, name, &forged);
            let error = refused(&directory);
            assert!(error.contains(name), "{error}");
        }
        forge(&checkpoint, name, &whole);
    }
    prepare(spec(), &directory, Existing::Resume).unwrap();
}

/// Whether a file is taken or refused is all the same; nothing may panic.
#[test]
fn no_byte_of_a_checkpoint_ends_the_program() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, checkpoint) = run(parent.path());
    for name in ["model.bpk", "optimizer.bpk", "position.json"] {
        let whole = fs::read(checkpoint.join(name)).unwrap();
        // Some of those that are not padding, since each costs the start of a run.
        let places = (0..whole.len()).filter(|&i| whole[i] != 0);
        for place in places.step_by(7).take(300) {
            let mut forged = whole.clone();
            forged[place] ^= [0x01, 0x80, 0xff][place % 3];
            forge(&checkpoint, name, &forged);
            // What is taken is trained with, on a copy, since a run writes.
            let copy = parent.path().join("copy");
            copied(&directory, &copy);
            if let Ok(run) = prepare(spec(), &copy, Existing::Resume) {
                let _ = run.train(&xsam_lab::StopSignal::default(), &mut |_| {});
            }
            fs::remove_dir_all(&copy).unwrap();
        }
        forge(&checkpoint, name, &whole);
    }
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &to.join(entry.file_name())),
            false => fs::copy(entry.path(), to.join(entry.file_name()))
                .map(|_| ())
                .unwrap(),
        }
    }
}
