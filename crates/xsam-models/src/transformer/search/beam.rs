//! The beam search.

use burn::tensor::{Device, Int, Tensor, TensorData};
use xsam_kernels::softmax;

use super::{Hypothesis, SearchConfig};
use crate::ModelError;
use crate::transformer::Transformer;
use crate::transformer::decoder::Cache;
use crate::transformer::dropout::Dropout;

/// The search for a batch.
pub(super) struct Beams<'a> {
    model: &'a Transformer,
    config: &'a SearchConfig,
    device: Device,
    /// Sources whose search is not over, in the order of the rows of `cache`.
    active: Vec<Source>,
    cache: Cache,
    found: Vec<Vec<Hypothesis>>,
}

/// A source whose search is not over.
struct Source {
    /// Its row of the batch.
    index: usize,
    longest: usize,
    live: Vec<Live>,
}

/// A hypothesis that has not ended.
#[derive(Clone)]
struct Live {
    tokens: Vec<u32>,
    /// The logarithm of its probability.
    score: f64,
}

/// A live hypothesis and one token more.
#[derive(Clone, Copy)]
struct Continuation {
    /// Which of the source's live hypotheses.
    parent: usize,
    token: usize,
    score: f64,
}

impl<'a> Beams<'a> {
    pub(super) fn new(
        model: &'a Transformer,
        source: Tensor<2, Int>,
        config: &'a SearchConfig,
    ) -> Self {
        let [batch, tokens] = source.dims();
        let ids: Vec<i64> = source.to_data().iter::<i64>().collect();
        let start = Live {
            tokens: Vec::new(),
            score: 0.0,
        };
        let sources = (0..batch).map(|index| {
            let row = &ids[index * tokens..(index + 1) * tokens];
            let real = |id: &&i64| usize::try_from(**id) != Ok(model.padding);
            Source {
                index,
                longest: config.longest(row.iter().filter(real).count()),
                live: vec![start.clone()],
            }
        });
        let device = source.device();
        let active = sources.collect();
        let memory = model.encode(source, &mut Dropout::new(0.0, None));
        Self {
            model,
            config,
            device,
            active,
            cache: model.decoder.start(memory),
            found: vec![Vec::new(); batch],
        }
    }

    pub(super) fn run(
        mut self,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Option<Vec<Vec<Hypothesis>>>, ModelError> {
        let mut length = 0;
        while !self.active.is_empty() {
            if !go_on() {
                return Ok(None);
            }
            let next = self.next(length)?;
            self.advance(&next, length);
            length += 1;
        }
        for found in &mut self.found {
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        Ok(Some(self.found))
    }

    /// The logarithms of the probabilities of the next token, a row for each live hypothesis, which have `length` tokens.
    fn next(&mut self, length: usize) -> Result<Vec<Vec<f64>>, ModelError> {
        let live = self.active.iter().flat_map(|source| &source.live);
        let begin = self.config.begin as i64;
        let last = live.map(|live| live.tokens.last().map_or(begin, |&id| i64::from(id)));
        let last: Vec<i64> = last.collect();
        let shape = [last.len(), 1];
        let last = Tensor::from_data(TensorData::new(last, shape), &self.device);
        let decoder = &self.model.decoder;
        let embedded = self.model.embed(&decoder.embed_tokens, last, length);
        let states = decoder.next(embedded, &mut self.cache);
        let logits = decoder.logits(states);
        let [_, vocabulary] = logits.dims();
        // The likeliest token's probability is never rounded to zero, as that of others may be.
        let largest = logits.clone().max_dim(1);
        let shares = softmax(logits.clone()).max_dim(1);
        let values = |tensor: Tensor<2>| tensor.into_data().iter::<f64>().collect::<Vec<_>>();
        let (logits, largest, shares) = (values(logits), values(largest), values(shares));
        let rows = logits.chunks_exact(vocabulary);
        let rows = rows.zip(largest.iter().zip(shares)).map(|(row, (x, p))| {
            let total = x - p.ln();
            let finite = total.is_finite();
            finite.then(|| row.iter().map(|logit| logit - total).collect::<Vec<f64>>())
        });
        let rows: Option<Vec<_>> = rows.collect();
        rows.ok_or(ModelError::NotFinite { position: length })
    }

    /// One token more for each source: some hypotheses end, others live on.
    fn advance(&mut self, next: &[Vec<f64>], length: usize) {
        let (beam, end) = (self.config.beam, self.config.end);
        let before = self.active.len();
        let (mut active, mut sources, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let mut row = 0;
        for (place, mut source) in self.active.drain(..).enumerate() {
            let allowed =
                |token| token != self.model.padding && (length < source.longest || token == end);
            let candidates = best(2 * beam, source.candidates(&next[row..], allowed));
            let found = &mut self.found[source.index];
            for ended in candidates.iter().take(beam).filter(|c| c.token == end) {
                if found.len() < beam {
                    found.push(Hypothesis {
                        tokens: source.live[ended.parent].tokens.clone(),
                        score: self.config.by_length(ended.score, length + 1),
                    });
                }
            }
            let rows = source.live.len();
            if found.len() < beam && length < source.longest {
                let going_on = candidates.iter().filter(|c| c.token != end);
                let going_on: Vec<&Continuation> = going_on.take(beam).collect();
                sources.push(place as i64);
                targets.extend(going_on.iter().map(|c| (row + c.parent) as i64));
                source.live = going_on.iter().map(|c| source.followed(c)).collect();
                active.push(source);
            }
            row += rows;
        }
        self.active = active;
        if !self.active.is_empty() {
            let places = |places: Vec<i64>| {
                let count = places.len();
                Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &self.device)
            };
            let sources = (sources.len() < before).then(|| places(sources));
            self.cache.select(sources.as_ref(), &places(targets));
        }
    }
}

impl Source {
    /// All ways to go on by an allowed token, where the first row of `next` is that of the first live hypothesis.
    fn candidates(
        &self,
        next: &[Vec<f64>],
        allowed: impl Fn(usize) -> bool + Copy,
    ) -> impl Iterator<Item = Continuation> {
        let live = self.live.iter().zip(next).enumerate();
        live.flat_map(move |(parent, (live, row))| {
            let tokens = row.iter().enumerate();
            let tokens = tokens.filter(move |(token, _)| allowed(*token));
            tokens.map(move |(token, logarithm)| Continuation {
                parent,
                token,
                score: live.score + logarithm,
            })
        })
    }

    fn followed(&self, candidate: &Continuation) -> Live {
        let mut tokens = self.live[candidate.parent].tokens.clone();
        // A vocabulary has at most 2^24 ids.
        tokens.push(candidate.token as u32);
        Live {
            tokens,
            score: candidate.score,
        }
    }
}

/// The `count` likeliest, in order; of equally likely ones the first.
fn best(count: usize, candidates: impl Iterator<Item = Continuation>) -> Vec<Continuation> {
    let mut best: Vec<Continuation> = Vec::with_capacity(count + 1);
    for candidate in candidates {
        if best.len() == count
            && best
                .last()
                .is_some_and(|last| candidate.score <= last.score)
        {
            continue;
        }
        let place = best.partition_point(|other| other.score >= candidate.score);
        best.insert(place, candidate);
        best.truncate(count);
    }
    best
}
