//! Pairs of files with sentences: the layout, what is read, and what is said of what is wrong.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use xsam_data::text::{ParallelText, Sentences};
use xsam_data::{DataError, DatasetName, Request, load as load_by_name};

fn write(directory: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    fs::write(directory.path().join(name), content).unwrap();
}

/// Three pairs to learn from, two and one for the other parts.
fn folder() -> TempDir {
    let here = tempfile::tempdir().unwrap();
    write(&here, "train.de", "ein Hund\neine Katze\nzwei Hunde\n");
    write(&here, "train.en", "a dog\na cat\ntwo dogs\n");
    write(&here, "valid.de", "ein\nzwei\n");
    write(&here, "valid.en", "one\ntwo\n");
    write(&here, "test.de", "drei\n");
    write(&here, "test.en", "three\n");
    here
}

/// Reads what is in a folder: as IWSLT 2014 unless languages are given.
fn read(directory: &Path, languages: Option<[&str; 2]>) -> Result<ParallelText, DataError> {
    let name = match languages {
        Some(_) => DatasetName::ParallelText,
        None => DatasetName::Iwslt14DeEn,
    };
    let request = Request {
        dir: Some(directory.to_owned()),
        source: languages.map(|of| of[0].to_owned()),
        target: languages.map(|of| of[1].to_owned()),
        ..Request::default()
    };
    load_by_name(name, &request).map(|data| data.text().unwrap())
}

fn load(directory: &TempDir) -> ParallelText {
    read(directory.path(), None).unwrap()
}

fn lines(sentences: &Sentences) -> Vec<&str> {
    sentences.iter().collect()
}

#[track_caller]
fn assert_refused(directory: &Path, languages: [&str; 2], words: &[&str]) {
    let error = read(directory, Some(languages)).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn lines_correspond_in_either_direction() {
    let here = folder();
    write(&here, "README", "not looked at");
    let text = load(&here);
    assert_eq!(
        lines(text.train.source()),
        ["ein Hund", "eine Katze", "zwei Hunde"]
    );
    assert_eq!(lines(text.train.target()), ["a dog", "a cat", "two dogs"]);
    assert_eq!(lines(text.validation.source()), ["ein", "zwei"]);
    assert_eq!(lines(text.test.target()), ["three"]);
    assert_eq!(text.left_out, 0);
    assert_eq!(text.train.sentences().count(), 6);

    let back = read(here.path(), Some(["en", "de"])).unwrap();
    assert_eq!(back.train.source(), text.train.target());
    assert_eq!(back.test.target(), text.test.source());
}

#[test]
fn languages_are_any_endings() {
    let here = folder();
    for part in ["train", "valid", "test"] {
        for (old, new) in [("de", "tok.de"), ("en", "Englisch")] {
            let at = |ending: &str| here.path().join(format!("{part}.{ending}"));
            fs::rename(at(old), at(new)).unwrap();
        }
    }
    let text = read(here.path(), Some(["tok.de", "Englisch"])).unwrap();
    assert_eq!(text.train.len(), 3);
}

#[test]
fn files_of_windows_and_of_the_first_macs_are_read_as_any() {
    let expected = load(&folder());
    for (mark, end) in [("\u{FEFF}", "\r\n"), ("", "\r")] {
        let here = folder();
        for name in ["train.de", "train.en", "valid.en", "test.de"] {
            let content = fs::read_to_string(here.path().join(name)).unwrap();
            let content = content.trim_end().replace('\n', end);
            write(&here, name, format!("{mark}{content}"));
        }
        assert_eq!(load(&here), expected, "{end:?}");
    }
}

#[test]
fn pairs_tell_their_files() {
    let here = folder();
    let text = load(&here);
    let names = ["valid.de", "valid.en"].map(|name| here.path().join(name));
    assert_eq!(*text.validation.files(), names);
    assert_eq!(text.train.first(1).unwrap().files(), text.train.files());
}

#[test]
fn the_validation_part_has_one_of_three_names() {
    for name in ["val", "dev"] {
        let here = folder();
        let expected = load(&here);
        for language in ["de", "en"] {
            let at = |part: &str| here.path().join(format!("{part}.{language}"));
            fs::rename(at("valid"), at(name)).unwrap();
        }
        assert_eq!(load(&here), expected);
        write(&here, "valid.de", "noch eins\n");
        let both = ["valid.de", &format!("{name}.de"), "only one"];
        assert_refused(here.path(), ["de", "en"], &both);
    }
}

#[test]
fn empty_sentences_are_left_out_of_training_alone() {
    let here = folder();
    write(&here, "train.de", "ein Hund\n\n \t\nzwei\n\n");
    write(&here, "train.en", "a dog\nx\ny\n\u{a0}\n\n");
    write(&here, "valid.de", "\nzwei\n");
    write(&here, "test.de", "drei\n\n");
    write(&here, "test.en", "\nthree\n");
    let text = load(&here);
    assert_eq!(lines(text.train.source()), ["ein Hund"]);
    assert_eq!(lines(text.train.target()), ["a dog"]);
    assert_eq!(text.left_out, 4);
    assert_eq!(lines(text.validation.source()), ["", "zwei"]);
    assert_eq!(lines(text.test.source()), ["drei", ""]);
    assert_eq!(lines(text.test.target()), ["", "three"]);
}

#[test]
fn the_first_pairs_can_be_taken() {
    let text = load(&folder());
    let first = text.train.first(2).unwrap();
    assert_eq!(lines(first.source()), ["ein Hund", "eine Katze"]);
    assert_eq!(lines(first.target()), ["a dog", "a cat"]);
    assert_eq!(text.train.first(3).unwrap(), text.train);
    for n in [0, 4] {
        let error = text.train.first(n).unwrap_err().to_string();
        assert_eq!(error, format!("subset = {n} is outside 1..=3"));
    }
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let here = folder();
    let refused = |words: &[&str]| assert_refused(here.path(), ["de", "en"], words);
    let with = |name: &str, content: &[u8], words: &[&str]| {
        let before = fs::read(here.path().join(name)).unwrap();
        write(&here, name, content);
        refused(words);
        write(&here, name, before);
    };
    for (name, content, words) in [
        (
            "train.en",
            &b"a\nb\n"[..],
            ["train.de has 3 lines", "train.en has 2"],
        ),
        (
            "test.de",
            b"a\n\n",
            ["test.de has 2 lines", "test.en has 1"],
        ),
        (
            "valid.de",
            b"a\nb\xff\n",
            ["valid.de, line 2: not UTF-8", "iconv"],
        ),
        (
            "train.en",
            b"a\nb\rc\nd\n",
            ["train.en, line 2", ": a carriage return"],
        ),
        (
            "test.de",
            b"\xff\xfed\0\n\0",
            ["test.de is UTF-16", "iconv"],
        ),
        (
            "test.de",
            b"d\0r\0e\0i\0\n\0",
            ["test.de is UTF-16", "iconv"],
        ),
        ("train.de", b"", ["train.de holds", "no sentences"]),
        ("test.en", b"\n", ["test.en holds", "no sentences"]),
    ] {
        with(name, content, &words);
    }
    write(&here, "train.de", "a\n\nb\n");
    let words = ["train.de and", "one side of every pair is empty"];
    with("train.en", b"\nx\n\n", &words);
    write(&here, "train.de", "a\nb\nc\n");

    for name in ["train.de", "train.en", "valid.en", "test.de"] {
        let before = fs::read(here.path().join(name)).unwrap();
        fs::remove_file(here.path().join(name)).unwrap();
        refused(&[
            "there is no",
            name,
            "DIR/valid (or val, dev)",
            ".de and .en",
        ]);
        write(&here, name, before);
    }
    fs::create_dir(here.path().join("test.fr")).unwrap();
    write(&here, "train.fr", "un\ndeux\ntrois\n");
    write(&here, "valid.fr", "un\ndeux\n");
    assert_refused(here.path(), ["de", "fr"], &["cannot read", "test.fr"]);
    let words = ["there is no", "no/train.de"];
    assert_refused(&here.path().join("no"), ["de", "en"], &words);
    assert_refused(here.path(), ["de", "de"], &["target: ", "two languages"]);
    for name in ["", "../de", "a\\b", "a\0"] {
        assert_refused(here.path(), [name, "en"], &["source: ", "is no language"]);
        assert_refused(here.path(), ["en", name], &["target: ", "is no language"]);
    }
}
