//! Sentences and their translations from pairs of files.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use super::{CorpusError, ParallelText, SentencePairs};
use crate::files::lines::{LineEnd, without_mark};
use crate::{DataError, Dataset, Facts, Kind, Origin};

/// Names of the validation part, of which one is there.
const VALIDATION: [&str; 3] = ["valid", "val", "dev"];

pub(crate) const IWSLT14_DE_EN: Facts = Facts {
    name: "iwslt14-de-en",
    description: "talks, German to English (IWSLT 2014); to be got by hand",
    holds: "train.de, train.en, valid.de, valid.en, test.de and test.en, a sentence a line",
    kind: Kind::Text {
        languages: Some("German to English"),
        is_tokenized: true,
    },
    origin: Origin::ByHand(
        "it may not be passed on; get German-English of the IWSLT 2014 evaluation campaign, which the script \
         prepare-iwslt14.sh of fairseq downloads, cleans and splits",
    ),
    read: |request| iwslt14_de_en(&IWSLT14_DE_EN.folder(request)?).map(Dataset::Text),
};

pub(crate) const PARALLEL_TEXT: Facts = Facts {
    name: "parallel-text",
    description: "your own: DIR/train.SOURCE, DIR/train.TARGET, valid and test",
    holds: "train.SOURCE, train.TARGET, and the same of valid and test, a sentence a line",
    kind: Kind::Text {
        languages: None,
        is_tokenized: false,
    },
    origin: Origin::Own,
    read: |request| {
        let [source, target] = request.languages()?;
        parallel_text(&PARALLEL_TEXT.folder(request)?, source, target).map(Dataset::Text)
    },
};

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
/// skipped, lines may end as on Windows, and the last one need not end. In a file without a line feed
/// carriage returns end the lines; in any other they are refused inside of a line, since nobody knows
/// whether one was to end there. What else Unicode calls a line end stays inside of sentences: a file
/// that was cut there would no longer correspond to its translation. Sentences are otherwise as
/// in the files, their case and blanks included. Other files in the folder are not looked at.
///
/// A sentence of nothing but white space teaches nothing: its pair is left out of the training part
/// and counted in [`left_out`](ParallelText::left_out). In the other parts every line stays, since
/// a BLEU of fewer sentences could not be compared with anyone else's: an empty source there is to
/// be translated by the empty sentence, and an empty target is a reference like any other.
///
/// # Errors
///
/// A file that is missing, unreadable, not UTF-8 or without a sentence; a carriage return inside of a
/// line; two files of unequal numbers of lines; two validation parts; a language that is no file
/// ending. Each names the file, and the line where there is one.
pub fn parallel_text(dir: &Path, source: &str, target: &str) -> Result<ParallelText, DataError> {
    let files = Files::new(dir, source, target)?;
    let (train, left_out) = files.training_part()?;
    Ok(ParallelText {
        train,
        validation: files.part(files.validation_name()?, |_, _| true)?,
        test: files.part("test", |_, _| true)?,
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

    /// The pairs of a part that are wanted.
    fn part(
        &self,
        name: &str,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<SentencePairs, CorpusError> {
        let files = self.paths(name);
        let (source, target) = (self.text(&files[0])?, self.text(&files[1])?);
        let (source_lines, target_lines) = (source.lines().count(), target.lines().count());
        if source_lines != target_lines {
            let [source_path, target_path] = files;
            return Err(CorpusError::Lines {
                source_path,
                source_lines,
                target_path,
                target_lines,
            });
        }
        let mut pairs = SentencePairs {
            files,
            ..SentencePairs::default()
        };
        for (source, target) in source.lines().zip(target.lines()) {
            if wanted(source, target) {
                pairs.source.push(source);
                pairs.target.push(target);
            }
        }
        Ok(pairs)
    }

    /// The pairs that have two sides, and how many have not.
    fn training_part(&self) -> Result<(SentencePairs, usize), CorpusError> {
        let left_out = Cell::new(0);
        let has_two_sides = |source: &str, target: &str| {
            let blank = is_blank(source) || is_blank(target);
            left_out.set(left_out.get() + usize::from(blank));
            !blank
        };
        let pairs = self.part("train", has_two_sides)?;
        if pairs.is_empty() {
            let [source_path, target_path] = pairs.files;
            return Err(CorpusError::NoPairs {
                source_path,
                target_path,
            });
        }
        Ok((pairs, left_out.get()))
    }

    fn text(&self, path: &Path) -> Result<Text, CorpusError> {
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
        let text = Text::of(bytes).map_err(|fault| fault.of(path.to_owned()))?;
        if text.lines().all(is_blank) {
            return Err(CorpusError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(text)
    }
}

fn is_blank(sentence: &str) -> bool {
    sentence.trim().is_empty()
}

/// What a file says.
#[derive(Debug)]
struct Text {
    text: String,
    end: LineEnd,
}

/// Why it does not.
#[derive(Debug, PartialEq, Eq)]
enum TextFault {
    /// Every other byte of English in UTF-16 is zero, three of four in UTF-32, and hardly any in UTF-8.
    WideCharacters,
    /// The first line that is not UTF-8.
    Encoding(usize),
    /// The first line with a carriage return inside of it.
    CarriageReturn(usize),
}

impl Text {
    fn of(bytes: Vec<u8>) -> Result<Self, TextFault> {
        let zeros = bytes.iter().filter(|&&byte| byte == 0).count();
        let marked = [b"\xff\xfe", b"\xfe\xff"]
            .iter()
            .any(|mark| bytes.starts_with(*mark));
        if marked || zeros > bytes.len() / 4 {
            return Err(TextFault::WideCharacters);
        }
        let mark = bytes.len() - without_mark(&bytes).len();
        let mut text = String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let end = LineEnd::of(valid).unwrap_or(LineEnd::Feed).byte();
            TextFault::Encoding(1 + valid.iter().filter(|&&byte| byte == end).count())
        })?;
        text.drain(..mark);
        let end = LineEnd::of(text.as_bytes()).map_err(TextFault::CarriageReturn)?;
        Ok(Self { text, end })
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.split_terminator(char::from(self.end.byte()));
        lines.map(|line| line.strip_suffix('\r').unwrap_or(line))
    }
}

impl TextFault {
    /// The fault as it is in this file.
    fn of(self, path: PathBuf) -> CorpusError {
        match self {
            Self::WideCharacters => CorpusError::WideCharacters { path },
            Self::Encoding(line) => CorpusError::Encoding { path, line },
            Self::CarriageReturn(line) => CorpusError::CarriageReturn { path, line },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Text, TextFault};

    fn lines(bytes: &[u8]) -> Result<Vec<String>, TextFault> {
        let text = Text::of(bytes.to_vec())?;
        Ok(text.lines().map(str::to_owned).collect())
    }

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
        for inside in ["\u{2028}", "\u{2029}", "\u{85}", "\u{c}", "\u{b}", "\0"] {
            let line = format!("a{inside}bcde");
            assert_eq!(read(&format!("{line}\n")), Ok(vec![line]));
        }
    }

    #[test]
    fn bare_carriage_returns_end_the_lines_of_a_file_that_has_no_line_feed() {
        let read = |text: &str| lines(text.as_bytes());
        let two = Ok(vec!["a".to_owned(), "b".to_owned()]);
        for text in ["a\rb", "a\rb\r", "\u{FEFF}a\rb", "a\nb\r", "a\r\nb\n"] {
            assert_eq!(read(text), two, "{text:?}");
        }
        assert_eq!(read("\r\r").map(|lines| lines.len()), Ok(2));
        for (text, line) in [("a\rb\nc\n", 1), ("a\nb\r\r\n", 2), ("a\r\nb\n\rc\n", 3)] {
            assert_eq!(read(text), Err(TextFault::CarriageReturn(line)), "{text:?}");
        }
    }

    #[test]
    fn text_of_wide_characters_is_told_from_text_with_a_zero_in_it() {
        let wide = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        let wider = |text: &str| {
            text.chars()
                .flat_map(|c| (c as u32).to_be_bytes())
                .collect::<Vec<u8>>()
        };
        let text = "zwei große Hunde\r\n";
        for bytes in [wide(text), wide("\u{FEFF}猫"), wider(text), vec![0; 99]] {
            assert_eq!(lines(&bytes), Err(TextFault::WideCharacters), "{bytes:?}");
        }
        assert_eq!(lines(b"\0a dog\n").unwrap(), ["\0a dog"]);
    }

    #[test]
    fn the_first_line_that_is_not_utf8_is_counted() {
        let line = |line| Err(TextFault::Encoding(line));
        assert_eq!(lines(b"\xff\n"), line(1));
        assert_eq!(lines(b"a\nb\xc3\nc"), line(2));
        assert_eq!(lines("\u{FEFF}a\n\n\n".as_bytes()).map(|l| l.len()), Ok(3));
        assert_eq!(lines(b"a\r\n\r\n\xe2\x82"), line(3));
        assert_eq!(lines(b"a\rb\r\xe2\x82\rc"), line(3));
    }
}
