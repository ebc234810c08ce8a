//! Sentences and their translations from pairs of files.

use std::fs;
use std::path::{Path, PathBuf};

use super::CorpusError;
use crate::DataError;

/// Names of the validation part, of which one is there.
const VALIDATION: [&str; 3] = ["valid", "val", "dev"];

/// Sentences and their translations: source `i` says the same as target `i`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentencePairs {
    source: Vec<String>,
    target: Vec<String>,
}

impl SentencePairs {
    #[cfg(test)]
    pub(crate) fn new(source: Vec<String>, target: Vec<String>) -> Self {
        assert_eq!(source.len(), target.len());
        Self { source, target }
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// The sentences to translate.
    pub fn source(&self) -> &[String] {
        &self.source
    }

    /// Their translations.
    pub fn target(&self) -> &[String] {
        &self.target
    }

    /// All sentences of both sides, which is what a joint tokenizer learns from.
    pub fn sentences(&self) -> impl Iterator<Item = &str> {
        self.source.iter().chain(&self.target).map(String::as_str)
    }

    /// The first `n` pairs.
    ///
    /// # Errors
    ///
    /// `n` is zero or more than there are.
    pub fn first(&self, n: usize) -> Result<Self, DataError> {
        let len = self.len();
        if n == 0 || n > len {
            return Err(DataError::Subset { size: n, len });
        }
        Ok(Self {
            source: self.source[..n].to_vec(),
            target: self.target[..n].to_vec(),
        })
    }
}

/// The parts of a data set for translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParallelText {
    /// Pairs to learn from, without empty sentences.
    pub train: SentencePairs,
    /// Pairs to choose by, every line of the files.
    pub validation: SentencePairs,
    /// Pairs to report on, every line of the files.
    pub test: SentencePairs,
    /// Pairs left out of the training part because a side is empty.
    pub left_out: usize,
}

/// Reads the files of IWSLT 2014, German to English, from `dir`: [`parallel_text`] with the
/// languages `de` and `en`.
///
/// Cettolo, Niehues, Stueker, Bentivogli and Federico, "Report on the 11th IWSLT Evaluation
/// Campaign", 2014. What the files hold is up to whoever made them; those of the usual recipe are
/// lower-case and tokenized, see [`detokenize`](super::detokenize).
///
/// # Errors
///
/// As [`parallel_text`].
pub fn iwslt14_de_en(dir: &Path) -> Result<ParallelText, DataError> {
    parallel_text(dir, "de", "en")
}

/// Reads sentences and their translations from pairs of files in `dir`, one sentence a line.
///
/// ```text
/// DIR/train.SOURCE   DIR/train.TARGET
/// DIR/valid.SOURCE   DIR/valid.TARGET     or val or dev in place of valid
/// DIR/test.SOURCE    DIR/test.TARGET
/// ```
///
/// A language is any ending of a file name. Files are UTF-8. A byte order mark at the start is
/// skipped, lines may end as on Windows, and the last one need not end. Sentences are otherwise as
/// in the files, their case and blanks included. Other files in the folder are not looked at.
///
/// A sentence of nothing but white space teaches nothing: its pair is left out of the training part
/// and counted in [`left_out`](ParallelText::left_out). In the other parts every line stays, since
/// a BLEU of fewer sentences could not be compared with anyone else's: an empty source there is to
/// be translated by the empty sentence, and an empty target is a reference like any other.
///
/// # Errors
///
/// A file that is missing, unreadable, not UTF-8 or without a sentence; two files of unequal
/// numbers of lines; two validation parts; a language that is no file ending. Each names the file.
pub fn parallel_text(dir: &Path, source: &str, target: &str) -> Result<ParallelText, DataError> {
    let files = Files::new(dir, source, target)?;
    let (train, left_out) = files.training_part()?;
    Ok(ParallelText {
        train,
        validation: files.part(files.validation_name()?)?,
        test: files.part("test")?,
        left_out,
    })
}

/// Where the files are.
struct Files<'a> {
    dir: &'a Path,
    source: &'a str,
    target: &'a str,
}

impl<'a> Files<'a> {
    fn new(dir: &'a Path, source: &'a str, target: &'a str) -> Result<Self, CorpusError> {
        for name in [source, target] {
            if name.is_empty() || name.contains(['/', '\\', '\0']) {
                let name = name.to_owned();
                return Err(CorpusError::Language { name });
            }
        }
        if source == target {
            let name = source.to_owned();
            return Err(CorpusError::SameLanguage { name });
        }
        Ok(Self {
            dir,
            source,
            target,
        })
    }

    fn paths(&self, part: &str) -> [PathBuf; 2] {
        [self.source, self.target].map(|language| self.dir.join(format!("{part}.{language}")))
    }

    /// The name that files of the validation part have. If there are none it is the first name,
    /// whose files are then found missing.
    fn validation_name(&self) -> Result<&'static str, CorpusError> {
        let present = |name: &&str| self.paths(name).iter().any(|path| path.exists());
        let mut found = VALIDATION.into_iter().filter(present);
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => {
                let file = |name| self.paths(name).into_iter().find(|path| path.exists());
                Err(CorpusError::TwoValidationParts {
                    first: file(first).unwrap_or_default(),
                    second: file(second).unwrap_or_default(),
                })
            }
            (found, _) => Ok(found.unwrap_or(VALIDATION[0])),
        }
    }

    fn part(&self, name: &str) -> Result<SentencePairs, CorpusError> {
        let [source_path, target_path] = self.paths(name);
        let source = self.lines(&source_path)?;
        let target = self.lines(&target_path)?;
        if source.len() != target.len() {
            return Err(CorpusError::Lines {
                source_path,
                source_lines: source.len(),
                target_path,
                target_lines: target.len(),
            });
        }
        Ok(SentencePairs { source, target })
    }

    /// The pairs that have two sides, and how many have not.
    fn training_part(&self) -> Result<(SentencePairs, usize), CorpusError> {
        let SentencePairs { source, target } = self.part("train")?;
        let all = source.len();
        let (source, target): (Vec<_>, Vec<_>) = source
            .into_iter()
            .zip(target)
            .filter(|(source, target)| !is_blank(source) && !is_blank(target))
            .unzip();
        let left_out = all - source.len();
        if source.is_empty() {
            let [source_path, target_path] = self.paths("train");
            return Err(CorpusError::NoPairs {
                source_path,
                target_path,
            });
        }
        Ok((SentencePairs { source, target }, left_out))
    }

    fn lines(&self, path: &Path) -> Result<Vec<String>, CorpusError> {
        let bytes = fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => CorpusError::Missing {
                path: path.to_owned(),
                source_language: self.source.to_owned(),
                target_language: self.target.to_owned(),
            },
            _ => CorpusError::Unreadable {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        })?;
        let lines = lines(&bytes).map_err(|line| CorpusError::Encoding {
            path: path.to_owned(),
            line,
        })?;
        if lines.iter().all(|line| is_blank(line)) {
            return Err(CorpusError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(lines)
    }
}

fn is_blank(sentence: &str) -> bool {
    sentence.trim().is_empty()
}

/// The lines of a file, or the number of the first that is not UTF-8.
///
/// Only a line feed ends a line: the other characters that Unicode calls line ends occur inside of
/// sentences, and a file that was cut there would no longer correspond to its translation.
fn lines(bytes: &[u8]) -> Result<Vec<String>, usize> {
    let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        1 + valid.iter().filter(|&&byte| byte == b'\n').count()
    })?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_end_by_line_feeds_and_nothing_else() {
        let read = |text: &str| lines(text.as_bytes());
        let two = Ok(vec!["a".to_owned(), "b".to_owned()]);
        for text in ["a\nb", "a\nb\n", "a\r\nb\r\n", "\u{FEFF}a\nb\r\n"] {
            assert_eq!(read(text), two, "{text:?}");
        }
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("\u{FEFF}"), Ok(vec![]));
        assert_eq!(read("\n\n").map(|lines| lines.len()), Ok(2));
        for inside in ["\u{2028}", "\u{2029}", "\u{85}", "\u{c}", "\u{b}"] {
            let line = format!("a{inside}b");
            assert_eq!(read(&format!("{line}\n")), Ok(vec![line]));
        }
    }

    #[test]
    fn the_first_line_that_is_not_utf8_is_counted() {
        assert_eq!(lines(b"\xff\n"), Err(1));
        assert_eq!(lines(b"a\nb\xc3\nc"), Err(2));
        assert_eq!(lines("\u{FEFF}a\n\n\n".as_bytes()).map(|l| l.len()), Ok(3));
        assert_eq!(lines(b"a\r\n\r\n\xe2\x82"), Err(3));
        let utf16 = b"\xff\xfea\0\n\0";
        assert_eq!(lines(utf16), Err(1));
    }
}
