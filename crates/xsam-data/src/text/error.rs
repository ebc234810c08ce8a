//! What can be wrong with sentences, their tokenizer and their score.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::lines::CARRIAGE_RETURN;

/// Why a folder of parallel text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A language is no ending of a file.
    #[error("{name:?} is no language: a language is the ending of its files, as de in train.de")]
    Language {
        /// The name as given.
        name: String,
    },
    /// Source and target are the same files.
    #[error("source and target are both {name:?}: they must be two languages")]
    SameLanguage {
        /// The language.
        name: String,
    },
    /// A file is not there.
    #[error(
        "there is no file {path}; expected are DIR/train, DIR/valid (or val, dev) and DIR/test, \
         each as .{source_language} and .{target_language} with one sentence a line",
        path = path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The ending of files in the language to translate from.
        source_language: String,
        /// The ending of files in the language to translate to.
        target_language: String,
    },
    /// The same part is there under two names.
    #[error(
        "{first} and {second} are both there, and only one can be the validation part: move the \
         other out of there",
        first = first.display(),
        second = second.display()
    )]
    TwoValidationParts {
        /// A file of one name.
        first: PathBuf,
        /// A file of the other.
        second: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file is not UTF-8.
    #[error("{path}, line {line}: not UTF-8; convert the file, for example by iconv", path = path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The first line that is not, from 1.
        line: usize,
    },
    /// A file is of characters of two bytes or four.
    #[error(
        "{path} is UTF-16, UTF-32 or no text: the files must be UTF-8 (iconv -f UTF-16 -t UTF-8 \
         converts one)",
        path = path.display()
    )]
    WideCharacters {
        /// The file.
        path: PathBuf,
    },
    /// A line of a file may be two.
    #[error("{path}, line {line}: {CARRIAGE_RETURN}", path = path.display())]
    CarriageReturn {
        /// The file.
        path: PathBuf,
        /// The first such line, from 1.
        line: usize,
    },
    /// A file has only empty lines, or none.
    #[error("{path} holds no sentences", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Two files that must correspond line by line do not.
    #[error(
        "{source_path} has {source_lines} lines and {target_path} has {target_lines}: line n of \
         one must be the translation of line n of the other",
        source_path = source_path.display(),
        target_path = target_path.display()
    )]
    Lines {
        /// The file in the source language.
        source_path: PathBuf,
        /// Its number of lines.
        source_lines: usize,
        /// The file in the target language.
        target_path: PathBuf,
        /// Its number of lines.
        target_lines: usize,
    },
    /// No pair of the training part has two sides.
    #[error(
        "in {source_path} and {target_path} one side of every pair is empty: nothing is left to \
         learn from",
        source_path = source_path.display(),
        target_path = target_path.display()
    )]
    NoPairs {
        /// The file in the source language.
        source_path: PathBuf,
        /// The file in the target language.
        target_path: PathBuf,
    },
}

/// Why a tokenizer cannot be made, saved or loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// There is nothing to learn from.
    #[error("a tokenizer cannot be trained on text without a single word")]
    NoText,
    /// The file cannot be read.
    #[error("cannot read the tokenizer {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be written.
    #[error("cannot write the tokenizer {path}: {reason}", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not what was saved.
    #[error(
        "{path} is damaged, or no tokenizer of xsam: {reason}; a model can be used only with the \
         tokenizer it was trained with, so take the file from a copy of the run",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why translations cannot be scored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BleuError {
    /// There is nothing to score.
    #[error("BLEU needs at least one sentence")]
    NoSentences,
    /// Translations and references do not correspond.
    #[error("{hypotheses} hypotheses cannot be scored by {references} references")]
    Lines {
        /// The number of translations.
        hypotheses: usize,
        /// The number of references.
        references: usize,
    },
}
