//! Subwords by byte pair encoding.
//!
//! The crate `tokenizers` (0.22, with fancy-regex) is not used: with an end-of-word mark it numbers the pieces differently
//! from run to run, so that a seed would not decide a run. On the 58,000 captions of Multi30k (10,000 pieces, two cores) it
//! learns in 1.6 s where this module takes 0.3 s, and it brings 23 crates more, 94 s of compilation.

mod chain;
mod file;
mod train;
mod vocabulary;

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::special::{BOS, EOS, PAD, SPECIAL, UNK};
use super::{EncodedPairs, SentencePairs, Sentences};
use crate::DataError;
use vocabulary::{END_OF_WORD, Vocabulary};

/// Sentences are encoded so many at a time by one thread, which divides a word once for all of them.
const LINES_PER_TASK: usize = 8192;

/// Turns sentences into ids of subwords and back.
///
/// Byte pair encoding as in Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words
/// with Subword Units", ACL 2016: a word is its characters and an end-of-word mark, and the pair of
/// neighbours that is most frequent becomes a new piece, again and again. Of equally frequent pairs
/// the one of the earlier pieces is taken, characters being in the order of Unicode, so that the
/// same text always gives the same tokenizer. A pair that occurs once is never merged, nor one that
/// would become a piece of more than 4,096 bytes. Words may be of any length: both learning and
/// encoding take time in proportion to it, but for a logarithm.
///
/// Words are what white space separates, and white space is not kept: decoding what was encoded
/// gives the words with one blank between them, exactly, if every character occurred in the
/// training text. Text is otherwise taken as it is: no case, accent or form of Unicode is changed.
/// No text is taken for a special id either; `<s>` is three characters.
///
/// ```
/// use xsam_data::text::Tokenizer;
///
/// let text = ["the lowest low", "a lower  low"];
/// let tokenizer = Tokenizer::train(text, 10)?;
/// let ids = tokenizer.encode("a low");
/// assert_eq!(ids.len(), 3, "'a', its end, and 'low' with its end");
/// assert_eq!(tokenizer.decode(&ids), "a low");
/// # Ok::<(), xsam_data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
}

impl Tokenizer {
    /// Learns at most `merges` merges from `lines`, in the customary joint vocabulary those of both
    /// languages ([`SentencePairs::sentences`]). There are fewer if the text has no more pairs that
    /// occur twice.
    ///
    /// # Errors
    ///
    /// The lines hold no word.
    pub fn train<'a>(
        lines: impl IntoIterator<Item = &'a str>,
        merges: usize,
    ) -> Result<Self, DataError> {
        let vocabulary = train::train(lines, merges);
        if vocabulary.alphabet().is_empty() {
            let message = "a tokenizer cannot be trained on text without a single word";
            return Err(DataError::Unfit(message.to_owned()));
        }
        Ok(Self { vocabulary })
    }

    /// The number of ids, which are all below it: four special ones, characters, and merged pieces.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// The ids of a sentence, without [`BOS`] and [`EOS`].
    pub fn encode(&self, sentence: &str) -> Vec<u32> {
        self.encode_with(&mut HashMap::new(), sentence)
    }

    /// The ids of all pairs, on all threads of rayon's pool.
    pub fn encode_pairs(&self, pairs: &SentencePairs) -> EncodedPairs {
        let encode = |sentences: &Sentences| -> Vec<Vec<u32>> {
            let sentences: Vec<&str> = sentences.iter().collect();
            let tasks = sentences.par_chunks(LINES_PER_TASK).map(|sentences| {
                let mut known = HashMap::new();
                let mut encoded = Vec::with_capacity(sentences.len());
                for sentence in sentences {
                    encoded.push(self.encode_with(&mut known, sentence));
                }
                encoded
            });
            tasks.flatten_iter().collect()
        };
        EncodedPairs {
            source: encode(pairs.source()),
            target: encode(pairs.target()),
        }
    }

    /// The sentence of these ids, up to the first [`EOS`] if there is one.
    ///
    /// [`PAD`] and [`BOS`] are skipped; [`UNK`], and any id that this tokenizer does not have, is
    /// `<unk>`.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::new();
        for &id in ids.iter().take_while(|&&id| id != EOS) {
            match id {
                PAD | BOS => {}
                _ => text += self.vocabulary.piece(id).unwrap_or(SPECIAL[UNK as usize]),
            }
        }
        // A model may end a word twice, or not at all.
        let words: Vec<&str> = text.split(END_OF_WORD).filter(|w| !w.is_empty()).collect();
        words.join(" ")
    }

    /// Writes the tokenizer to a file in JSON, beside it and then renamed, so that there never is a
    /// part of one.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        Ok(file::save(&self.vocabulary, path)?)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is not exactly what was written.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let vocabulary = file::load(path)?;
        Ok(Self { vocabulary })
    }

    /// Encodes a sentence with the help of words that were encoded before.
    fn encode_with<'a>(
        &self,
        known: &mut HashMap<&'a str, Vec<u32>>,
        sentence: &'a str,
    ) -> Vec<u32> {
        let mut ids = Vec::new();
        for word in sentence.split_whitespace() {
            let encoded = known.entry(word);
            ids.extend_from_slice(encoded.or_insert_with(|| self.vocabulary.encode(word)));
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const TEXT: [&str; 3] = ["ein Hund läuft", "a dog runs , a dog sleeps", "größer <s>"];

    #[test]
    fn decoding_gives_the_words_back() {
        for merges in [0, 1, 5, 1000] {
            let tokenizer = Tokenizer::train(TEXT, merges).unwrap();
            for sentence in TEXT.iter().chain(&["", "dogs", "a größer<s>Hund d"]) {
                let ids = tokenizer.encode(sentence);
                assert!(ids.iter().all(|&id| (id as usize) < tokenizer.len()));
                assert!(ids.iter().all(|&id| id > UNK), "{sentence}");
                assert_eq!(&tokenizer.decode(&ids), sentence);
            }
            let blanks = " \t a\u{a0}dog\r\n\u{2003}";
            assert_eq!(tokenizer.decode(&tokenizer.encode(blanks)), "a dog");
        }
    }

    #[test]
    fn unknown_characters_and_ids_are_marked() {
        let tokenizer = Tokenizer::train(TEXT, 10).unwrap();
        let ids = tokenizer.encode("dxg ☃");
        assert_eq!(ids.iter().filter(|&&id| id == UNK).count(), 2);
        assert_eq!(tokenizer.decode(&ids), "d<unk>g <unk>");
        let beyond = tokenizer.len() as u32;
        assert_eq!(
            tokenizer.decode(&[beyond, u32::MAX, UNK]),
            "<unk>".repeat(3)
        );
        assert_ne!(tokenizer.decode(&[beyond - 1]), "<unk>");
    }

    #[test]
    fn decoding_stops_at_the_end_of_the_sentence_and_skips_what_is_no_text() {
        let tokenizer = Tokenizer::train(TEXT, 0).unwrap();
        let id = |character: &str| tokenizer.encode(character)[0];
        let (a, end) = (id("a"), tokenizer.encode("a")[1]);
        let ids = [BOS, PAD, end, a, end, end, a, EOS, a, UNK];
        assert_eq!(tokenizer.decode(&ids), "a a");
        assert_eq!(tokenizer.decode(&[EOS]), "");
        assert_eq!(tokenizer.decode(&[]), "");
    }

    #[test]
    fn text_without_words_is_refused() {
        for lines in [vec![], vec![""], vec![" \t", "\u{a0}"]] {
            let error = Tokenizer::train(lines, 5).unwrap_err().to_string();
            assert!(error.contains("without a single word"), "{error}");
        }
    }

    #[test]
    fn pairs_are_encoded_as_single_sentences_are_whatever_the_threads() {
        let lines: Vec<String> = (0..20_000)
            .map(|i| format!("{} {}", TEXT[i % 3], TEXT[i % 2]))
            .collect();
        let sentences: Vec<&str> = lines.iter().map(String::as_str).collect();
        let pairs = SentencePairs::new(&sentences, &sentences);
        let tokenizer = Tokenizer::train(pairs.sentences(), 20).unwrap();
        let single: Vec<Vec<u32>> = lines.iter().map(|line| tokenizer.encode(line)).collect();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let encoded = pool.unwrap().install(|| tokenizer.encode_pairs(&pairs));
            assert_eq!(encoded.source, single);
            assert_eq!(encoded.target, single);
        }
    }
}
