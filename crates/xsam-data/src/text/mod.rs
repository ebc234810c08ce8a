//! Pairs of sentences for translation: files, subwords, batches, and BLEU.
//!
//! ```no_run
//! use xsam_data::text::{BatchSize, BleuConfig, Tokenizer, bleu, training_batches};
//! use xsam_data::{DatasetName, Request, load};
//!
//! let data = load(DatasetName::Iwslt14DeEn, &Request::default())?;
//! let text = data.text().expect("a data set of text");
//! let tokenizer = Tokenizer::train(text.train.sentences(), 10_000)?;
//! let train = tokenizer.encode_pairs(&text.train);
//! for epoch in 0..2 {
//!     let epoch = training_batches(&train.lengths(), BatchSize::Tokens(4096), 256, 42, epoch)?;
//!     for batch in &epoch.batches {
//!         let batch = train.padded(batch)?;
//!         assert_eq!(batch.source.len(), batch.size * batch.source_width);
//!     }
//! }
//! let hypotheses: Vec<&str> = text.test.source().iter().collect(); // as if they were translations
//! let references: Vec<&str> = text.test.target().iter().collect();
//! println!("{}", bleu(&hypotheses, &references, &BleuConfig::default())?);
//! # Ok::<(), xsam_data::DataError>(())
//! ```
//!
//! As everywhere in this crate, what is random derives from a seed and an epoch, and nothing depends
//! on the number of threads.

mod batches;
mod bleu;
mod bpe;
mod corpus;
mod detokenize;
mod encoded;
mod pairs;
mod sentences;
mod special;

pub use batches::{BatchSize, PairBatches, evaluation_batches, training_batches};
pub use bleu::{Bleu, BleuConfig, BleuTokenization, Smoothing, bleu};
pub use bpe::Tokenizer;
pub(crate) use corpus::{IWSLT14_DE_EN, PARALLEL_TEXT};
pub use detokenize::detokenize;
pub use encoded::{EncodedPairs, PaddedBatch};
pub use pairs::{ParallelText, SentencePairs};
pub use sentences::Sentences;
pub use special::{BOS, EOS, PAD, UNK};
