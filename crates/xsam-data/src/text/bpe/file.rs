//! A tokenizer as a file.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xsam_files::replace_file;

use super::vocabulary::Vocabulary;
use crate::files::{self, FileError};
use crate::text::special::SPECIAL;

const FORMAT: &str = "xsam-bpe-1";

/// Bytes that a file may have. A million merges take some thirty million.
const LIMIT: u64 = 1 << 28;

/// What is in the file. The ids follow: special ones, characters, merged pieces.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    /// For people and other programs.
    special: Vec<String>,
    /// CRC-32 of the rest: other merges than those a model was trained with would be no error of
    /// JSON, only nonsense in every translation.
    crc32: u32,
    alphabet: String,
    merges: Vec<[String; 2]>,
}

impl File {
    fn of(vocabulary: &Vocabulary) -> Self {
        let text = |id| vocabulary.piece(id).unwrap_or_default().to_owned();
        let merges = vocabulary.merged().iter();
        let mut file = Self {
            format: FORMAT.to_owned(),
            special: SPECIAL.map(str::to_owned).to_vec(),
            crc32: 0,
            alphabet: vocabulary.alphabet().iter().collect(),
            merges: merges.map(|&(a, b)| [text(a), text(b)]).collect(),
        };
        file.crc32 = file.checksum();
        file
    }

    fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let texts = self.merges.iter().flatten().chain([&self.alphabet]);
        for text in texts {
            hasher.update(text.as_bytes());
            // No piece of UTF-8 has this byte.
            hasher.update(&[0xFF]);
        }
        hasher.finalize()
    }

    fn vocabulary(&self) -> Result<Vocabulary, String> {
        if self.format != FORMAT {
            return Err(format!("its format is {:?}, not {FORMAT:?}", self.format));
        }
        if self.special != SPECIAL {
            return Err(format!("its special pieces are not {SPECIAL:?}"));
        }
        if self.crc32 != self.checksum() {
            return Err("its checksum does not fit".to_owned());
        }
        let alphabet: BTreeSet<char> = self.alphabet.chars().collect();
        if alphabet.is_empty() || !self.alphabet.chars().eq(alphabet.iter().copied()) {
            return Err("its alphabet is not in order".to_owned());
        }
        let mut vocabulary = Vocabulary::new(alphabet);
        for merge in &self.merges {
            let [left, right] = merge;
            let ids = vocabulary.id(left).zip(vocabulary.id(right));
            ids.and_then(|pair| vocabulary.merge(pair))
                .ok_or_else(|| format!("it merges {left:?} and {right:?} without having both"))?;
        }
        Ok(vocabulary)
    }
}

pub(super) fn save(vocabulary: &Vocabulary, path: &Path) -> Result<(), FileError> {
    let json = serde_json::to_string(&File::of(vocabulary)).map_err(io::Error::from);
    let saved = json.and_then(|json| replace_file(path, (json + "\n").as_bytes()));
    saved.map_err(|error| FileError::unwritable(path, error))
}

pub(super) fn load(path: &Path) -> Result<Vocabulary, FileError> {
    let bytes = files::read(path, LIMIT).map_err(|error| FileError::unreadable(path, error))?;
    let file = serde_json::from_slice::<File>(&bytes).map_err(|error| error.to_string());
    file.and_then(|file| file.vocabulary()).map_err(|reason| {
        let copy = "a model can be used only with the tokenizer it was trained with, so take the file from a \
                    copy of the run";
        let reason = format!("is damaged, or no tokenizer of xsam: {reason}; {copy}");
        FileError::unfit(path, reason)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::fs;

    use super::*;
    use crate::text::Tokenizer;

    fn tokenizer() -> Tokenizer {
        Tokenizer::train(["a \"dog\" \\ läuft läuft", "dog <s> aaaaaaa"], 30).unwrap()
    }

    #[test]
    fn what_was_saved_is_loaded_and_replaces_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        fs::write(&path, "old").unwrap();
        tokenizer().save(&path).unwrap();
        assert_eq!(Tokenizer::load(&path).unwrap(), tokenizer());
        let names = fs::read_dir(directory.path()).unwrap();
        assert_eq!(names.count(), 1, "nothing is left beside it");

        let error = tokenizer().save(&path.join("below")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write "));
        let error = Tokenizer::load(&directory.path().join("none")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read "));
    }

    #[test]
    fn any_damage_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        tokenizer().save(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let error = Tokenizer::load(&path).expect_err(&String::from_utf8_lossy(bytes));
            let error = error.to_string();
            assert!(error.contains("tokenizer.json is damaged"), "{error}");
        };
        // Without the line feed at its end it is still whole.
        for length in 0..whole.len() - 1 {
            refused(&whole[..length]);
        }
        for at in 0..whole.len() - 1 {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                refused(&damaged);
            }
        }
        refused(b"{}");
        refused(b"[]");
        refused(b"\xff");
        refused(&whole.repeat(2));
    }

    #[test]
    fn a_file_that_takes_too_much_memory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        fs::File::create(&path).unwrap().set_len(LIMIT + 1).unwrap();
        let error = Tokenizer::load(&path).unwrap_err().to_string();
        assert!(error.contains("more than 268435456 bytes"), "{error}");
        #[cfg(target_os = "linux")]
        Tokenizer::load(Path::new("/dev/zero")).unwrap_err();
    }

    #[test]
    fn what_no_training_writes_is_refused_even_with_its_checksum() {
        let wrong = |change: fn(&mut File)| {
            let mut file = File::of(&tokenizer().vocabulary);
            change(&mut file);
            file.crc32 = file.checksum();
            file.vocabulary().unwrap_err()
        };
        assert!(wrong(|file| file.merges.reverse()).contains("without having both"));
        assert!(wrong(|file| file.merges[0][1].clear()).contains("without having both"));
        assert!(wrong(|file| file.alphabet.push('a')).contains("not in order"));
        assert!(wrong(|file| file.alphabet.clear()).contains("not in order"));
        assert!(wrong(|file| file.format.push('2')).contains("format"));
        assert!(wrong(|file| file.special.truncate(3)).contains("special"));
    }
}
