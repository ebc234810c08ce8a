//! BLEU, the customary score of translations.

mod tokenize;

use std::collections::HashMap;
use std::fmt;

use crate::DataError;
pub use tokenize::BleuTokenization;
use tokenize::words;

/// The longest sequences of words that are compared.
const ORDERS: usize = 4;

/// What to do if no sequence of some length matches, which alone would make the score zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Smoothing {
    /// The first such precision is half of one match, the next a quarter, and so on: the method of
    /// NIST's mteval-v13a, number 3 in Chen and Cherry, "A Systematic Comparison of Smoothing
    /// Techniques for Sentence-Level BLEU", WMT 2014.
    #[default]
    Exp,
    /// Nothing: the score is zero, as in the paper of BLEU.
    None,
}

/// How BLEU is computed; the default is sacrebleu's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BleuConfig {
    /// What counts as a word.
    pub tokenization: BleuTokenization,
    /// What to do about lengths without a match.
    pub smoothing: Smoothing,
    /// Whether to leave out the lengths that no hypothesis has. Without it, as is customary for a
    /// corpus, sentences of fewer than four words alone score zero.
    pub effective_order: bool,
}

impl BleuConfig {
    /// What must be said beside a score for it to mean anything, in sacrebleu's notation.
    pub fn signature(&self) -> String {
        let effective = if self.effective_order { "yes" } else { "no" };
        let smooth = match self.smoothing {
            Smoothing::Exp => "exp",
            Smoothing::None => "none",
        };
        format!(
            "nrefs:1|case:mixed|eff:{effective}|tok:{tok}|smooth:{smooth}|version:xsam-{version}",
            tok = self.tokenization.as_str(),
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

/// A score and what it comes from. Printed, it is a line as sacrebleu's.
#[derive(Clone, Debug, PartialEq)]
pub struct Bleu {
    /// From 0 to 100, but for rounding.
    pub score: f64,
    /// In percent: how many of the sequences of 1, 2, 3 and 4 words match, smoothed.
    pub precisions: [f64; ORDERS],
    /// N-grams that a reference has too, by order.
    pub matches: [u64; ORDERS],
    /// Sequences in the hypotheses.
    pub totals: [u64; ORDERS],
    /// The factor from 0 to 1 for hypotheses that are too short.
    pub brevity_penalty: f64,
    /// Words in the hypotheses.
    pub hypothesis_length: u64,
    /// Words in the references.
    pub reference_length: u64,
    /// How it was computed.
    pub config: BleuConfig,
}

/// The BLEU score of a corpus, with one reference for each hypothesis.
///
/// Papineni, Roukos, Ward and Zhu, "BLEU: a Method for Automatic Evaluation of Machine
/// Translation", ACL 2002, with the words and the corner cases of sacrebleu (Post, "A Call for
/// Clarity in Reporting BLEU Scores", WMT 2018), so that scores can be compared.
///
/// ```text
/// p_n   = matches of n words / sequences of n words in the hypotheses,   n = 1..4
/// BP    = min(1, exp(1 - reference length / hypothesis length))
/// BLEU  = BP * (p_1 p_2 p_3 p_4)^(1/4)
/// ```
///
/// A sequence matches as often as the reference of the same line has it. Case counts. Text should
/// be detokenized ([`detokenize`](super::detokenize)) for [`BleuTokenization::V13a`].
///
/// # Errors
///
/// No sentences, or not as many references as hypotheses.
pub fn bleu<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    config: &BleuConfig,
) -> Result<Bleu, DataError> {
    if hypotheses.len() != references.len() {
        let (hypotheses, references) = (hypotheses.len(), references.len());
        return Err(DataError::Unfit(format!(
            "{hypotheses} hypotheses cannot be scored by {references} references"
        )));
    }
    if hypotheses.is_empty() {
        let message = "BLEU needs at least one sentence".to_owned();
        return Err(DataError::Unfit(message));
    }
    let mut bleu = Bleu {
        score: 0.0,
        precisions: [0.0; ORDERS],
        matches: [0; ORDERS],
        totals: [0; ORDERS],
        brevity_penalty: 0.0,
        hypothesis_length: 0,
        reference_length: 0,
        config: *config,
    };
    for (hypothesis, reference) in hypotheses.iter().zip(references) {
        let hypothesis = config.tokenization.spaced(hypothesis.as_ref());
        let reference = config.tokenization.spaced(reference.as_ref());
        bleu.count(&words(&hypothesis), &words(&reference));
    }
    bleu.score();
    Ok(bleu)
}

impl Bleu {
    fn count(&mut self, hypothesis: &[&str], reference: &[&str]) {
        self.hypothesis_length += hypothesis.len() as u64;
        self.reference_length += reference.len() as u64;
        for order in 0..ORDERS {
            let mut left = HashMap::new();
            for sequence in reference.windows(order + 1) {
                *left.entry(sequence).or_insert(0_u64) += 1;
            }
            for sequence in hypothesis.windows(order + 1) {
                self.totals[order] += 1;
                if let Some(left @ 1..) = left.get_mut(sequence) {
                    *left -= 1;
                    self.matches[order] += 1;
                }
            }
        }
    }

    /// Works out the score from what was counted.
    fn score(&mut self) {
        self.precisions = self.precisions();
        self.brevity_penalty = self.brevity_penalty();
        if self.matches[0] == 0 {
            return;
        }
        let orders = match self.config.effective_order {
            true => self.totals.iter().filter(|&&total| total > 0).count(),
            false => ORDERS,
        };
        // A precision of zero has the logarithm minus infinity, which gives zero, as it must.
        let used = &self.precisions[..orders];
        let logarithms: f64 = used.iter().map(|precision| precision.ln()).sum();
        self.score = self.brevity_penalty * (logarithms / orders as f64).exp();
    }

    /// All are zero if nothing matches at all, smoothed or not.
    fn precisions(&self) -> [f64; ORDERS] {
        let mut precisions = [0.0; ORDERS];
        if self.matches[0] == 0 {
            return precisions;
        }
        let mut smooth = 1.0;
        for (order, precision) in precisions.iter_mut().enumerate() {
            let total = self.totals[order] as f64;
            if total == 0.0 {
                break;
            }
            *precision = match (self.matches[order], self.config.smoothing) {
                (0, Smoothing::None) => 0.0,
                (0, Smoothing::Exp) => {
                    smooth *= 2.0;
                    100.0 / (smooth * total)
                }
                (matches, _) => 100.0 * matches as f64 / total,
            };
        }
        precisions
    }

    fn brevity_penalty(&self) -> f64 {
        let (hypothesis, reference) = (self.hypothesis_length, self.reference_length);
        if hypothesis >= reference {
            1.0
        } else if hypothesis == 0 {
            0.0
        } else {
            (1.0 - reference as f64 / hypothesis as f64).exp()
        }
    }
}

impl fmt::Display for Bleu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p1, p2, p3, p4] = self.precisions;
        let (hypothesis, reference) = (self.hypothesis_length, self.reference_length);
        let ratio = match reference {
            0 => 0.0,
            _ => hypothesis as f64 / reference as f64,
        };
        write!(
            f,
            "BLEU|{signature} = {score:.2} {p1:.1}/{p2:.1}/{p3:.1}/{p4:.1} (BP = {bp:.3} ratio = \
             {ratio:.3} hyp_len = {hypothesis} ref_len = {reference})",
            signature = self.config.signature(),
            score = self.score,
            bp = self.brevity_penalty,
        )
    }
}
