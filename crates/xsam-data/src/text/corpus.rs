//! Sentences and their translations from pairs of files.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ParallelText, SentencePairs};
use crate::files::lines::{CARRIAGE_RETURN, LineEnd, without_mark};
use crate::files::{Fault, FileError};
use crate::{Dataset, Facts, Kind, Origin};

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
    read: |request| {
        let files = Files {
            dir: &IWSLT14_DE_EN.folder(request)?,
            languages: ["de", "en"],
        };
        Ok(Dataset::Text(files.read()?))
    },
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
        let files = Files {
            dir: &PARALLEL_TEXT.folder(request)?,
            languages: request.languages()?,
        };
        Ok(Dataset::Text(files.read()?))
    },
};

/// Where the files are.
struct Files<'a> {
    dir: &'a Path,
    /// What their names end in, source and target.
    languages: [&'a str; 2],
}

impl Files<'_> {
    fn read(&self) -> Result<ParallelText, FileError> {
        let (train, left_out) = self.training_part()?;
        Ok(ParallelText {
            train,
            validation: self.part(self.validation_name()?, |_, _| true)?,
            test: self.part("test", |_, _| true)?,
            left_out,
        })
    }

    fn paths(&self, part: &str) -> [PathBuf; 2] {
        self.languages
            .map(|language| self.dir.join(format!("{part}.{language}")))
    }

    /// The name that files of the validation part have. If there are none it is the first name,
    /// whose files are then found missing.
    fn validation_name(&self) -> Result<&'static str, FileError> {
        let file = |name: &str| self.paths(name).into_iter().find(|path| path.exists());
        let mut found = VALIDATION
            .into_iter()
            .filter_map(|name| Some((name, file(name)?)));
        match (found.next(), found.next()) {
            (Some((_, first)), Some((_, second))) => {
                let reason = format!(
                    "and {} are both there, and only one can be the validation part: move the other out of there",
                    second.display()
                );
                Err(FileError::unfit(&first, reason))
            }
            (found, _) => Ok(found.map_or(VALIDATION[0], |(name, _)| name)),
        }
    }

    /// The pairs of a part that are wanted.
    fn part(
        &self,
        name: &str,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<SentencePairs, FileError> {
        let files = self.paths(name);
        let (source, target) = (self.text(&files[0])?, self.text(&files[1])?);
        let lines = [source.lines().count(), target.lines().count()];
        if lines[0] != lines[1] {
            let reason = format!(
                "has {} lines and {} has {}: line n of one must be the translation of line n of the other",
                lines[0],
                files[1].display(),
                lines[1]
            );
            return Err(FileError::unfit(&files[0], reason));
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
    fn training_part(&self) -> Result<(SentencePairs, usize), FileError> {
        let left_out = Cell::new(0);
        let has_two_sides = |source: &str, target: &str| {
            let blank = is_blank(source) || is_blank(target);
            left_out.set(left_out.get() + usize::from(blank));
            !blank
        };
        let pairs = self.part("train", has_two_sides)?;
        if pairs.is_empty() {
            let [source, target] = &pairs.files;
            let reason = format!(
                "and {} hold nothing to learn from: one side of every pair is empty",
                target.display()
            );
            return Err(FileError::unfit(source, reason));
        }
        Ok((pairs, left_out.get()))
    }

    fn text(&self, path: &Path) -> Result<Text, FileError> {
        let bytes = fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let [source, target] = self.languages;
                let expected = format!(
                    "expected are DIR/train, DIR/valid (or val, dev) and DIR/test, each as .{source} and \
                     .{target} with one sentence a line"
                );
                let path = path.to_owned();
                FileError::Missing { path, expected }
            }
            _ => FileError::unreadable(path, error),
        })?;
        let text = Text::of(bytes, path)?;
        if text.lines().all(is_blank) {
            return Err(FileError::unfit(path, "holds no sentences"));
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

impl Text {
    /// What the bytes of the file at `path` say.
    fn of(bytes: Vec<u8>, path: &Path) -> Result<Self, FileError> {
        // Every other byte of English in UTF-16 is zero, three of four in UTF-32, and hardly any in UTF-8.
        let zeros = bytes.iter().filter(|&&byte| byte == 0).count();
        let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        if marked || zeros > bytes.len() / 4 {
            let reason = "is UTF-16, UTF-32 or no text: the files must be UTF-8 (iconv -f UTF-16 -t UTF-8 \
                          converts one)";
            return Err(FileError::unfit(path, reason));
        }
        let mark = bytes.len() - without_mark(&bytes).len();
        let mut text = String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let end = LineEnd::of(valid).unwrap_or(LineEnd::Feed).byte();
            let line = 1 + valid.iter().filter(|&&byte| byte == end).count();
            Fault::line(line, "not UTF-8; convert the file, for example by iconv").of(path)
        })?;
        text.drain(..mark);
        let end = LineEnd::of(text.as_bytes())
            .map_err(|line| Fault::line(line, CARRIAGE_RETURN).of(path))?;
        Ok(Self { text, end })
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.split_terminator(char::from(self.end.byte()));
        lines.map(|line| line.strip_suffix('\r').unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::Text;

    fn lines(bytes: &[u8]) -> Result<Vec<String>, String> {
        let text =
            Text::of(bytes.to_vec(), Path::new("a.de")).map_err(|error| error.to_string())?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    #[track_caller]
    fn assert_refused(bytes: &[u8], start: &str) {
        let error = lines(bytes).unwrap_err();
        assert!(error.starts_with(start), "{bytes:?}: {error}");
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
            let start = format!("a.de, line {line}: a carriage return inside");
            assert_refused(text.as_bytes(), &start);
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
            assert_refused(&bytes, "a.de is UTF-16, UTF-32 or no text");
        }
        assert_eq!(lines(b"\0a dog\n").unwrap(), ["\0a dog"]);
    }

    #[test]
    fn the_first_line_that_is_not_utf8_is_counted() {
        for (bytes, line) in [
            (&b"\xff\n"[..], 1),
            (b"a\nb\xc3\nc", 2),
            (b"a\r\n\r\n\xe2\x82", 3),
            (b"a\rb\r\xe2\x82\rc", 3),
        ] {
            assert_refused(bytes, &format!("a.de, line {line}: not UTF-8"));
        }
        assert_eq!(lines("\u{FEFF}a\n\n\n".as_bytes()).map(|l| l.len()), Ok(3));
    }
}
