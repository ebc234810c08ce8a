//! What the ranks of a step do together.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};

use super::means::{Means, Place};
use super::{AscentOver, Collective};
use crate::error::{CollectiveError, StepError};
use crate::loss_scale::LossScale;
use crate::method::parameters;
use crate::number::Number;
use crate::pass::Gradient;
use crate::random::Randomness;
use crate::report::StepReport;
use crate::update::{Then, Update};
use crate::vector::{ParamVector, Reductions};

/// Numbers that a rank has to say in a round.
const WORDS: usize = 6;
type Words = [f64; WORDS];

/// The round that it is in, which is not 0, and its words.
const ROW: usize = WORDS + 1;

/// What a round of a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Begin = 1,
    Pass,
    Losses,
    Question,
    Update,
    Report,
    End,
}

impl Round {
    const ALL: [Self; 7] = [
        Self::Begin,
        Self::Pass,
        Self::Losses,
        Self::Question,
        Self::Update,
        Self::Report,
        Self::End,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Begin => "at the beginning of a step",
            Self::Pass => "in a pass",
            Self::Losses => "in a search",
            Self::Question => "before a search",
            Self::Update => "at the update",
            Self::Report => "at the report",
            Self::End => "at the end of a step",
        }
    }
}

/// The ranks in one step.
///
/// The step goes in rounds, each of which begins with a table of all ranks' words. A rank that cannot go on says so in
/// the next round, whichever the others are in, and leaves; so do they.
pub(crate) struct Ranks<'a> {
    collective: &'a dyn Collective,
    over: AscentOver,
    /// The parameters in the order in which the model is walked, which is the same on all ranks; their ids need not be.
    places: Vec<Place>,
    /// A number for the sizes of all of them.
    model: f64,
    /// Why the step has ended for this rank.
    left: Option<StepError>,
}

impl<'a> Ranks<'a> {
    pub(crate) fn of<M: Module>(
        collective: &'a dyn Collective,
        over: AscentOver,
        model: &M,
    ) -> Self {
        struct Walk(Vec<Place>, HashSet<ParamId>);
        impl ModuleVisitor for Walk {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if self.1.insert(param.id) {
                    let tensor = param.base();
                    self.0.push(Place {
                        id: param.id,
                        elements: tensor.shape().num_elements(),
                        dtype: tensor.dtype(),
                        device: tensor.device().inner(),
                    });
                }
            }
        }
        let mut walk = Walk(Vec::new(), HashSet::new());
        model.visit(&mut walk);
        let sizes = walk.0.iter().map(|place| (place.elements, place.dtype));
        Self {
            collective,
            over,
            model: fingerprint(sizes),
            places: walk.0,
            left: None,
        }
    }

    /// Which rank this is.
    pub(crate) fn rank(&self) -> usize {
        self.collective.rank()
    }

    /// Sees to it that all ranks have the same weights and draw masks that follow from one number: that of rank 0. Asked
    /// once, since what is the same stays so.
    pub(crate) fn begin<M: Module>(
        &mut self,
        model: &M,
        randomness: Randomness,
    ) -> Result<Randomness, StepError> {
        let drawn = randomness.drawn();
        let number = drawn.unwrap_or_default();
        let halves = [number >> 32, number & u64::from(u32::MAX)].map(|half| half as f64);
        let weights = self.weights(model);
        let square = Reductions::default().dot(&weights, &weights).read();
        let [square] = square.map_err(|error| self.leave(error))?;
        let mine = [self.model, square, halves[0], halves[1], 0.0, 0.0];
        let table = self.meet(Round::Begin, mine)?;
        self.same_model(table.iter().map(|words| words[0]))?;
        let other = |words: &Words| words[1].to_bits() != table[0][1].to_bits();
        if let Some(rank) = table.iter().position(other) {
            let (first, theirs) = (table[0][1].sqrt(), table[rank][1].sqrt());
            return Err(self.lost(format!(
                "the weights of rank {rank} have the norm {theirs}, those of rank 0 {first}: ranks must begin with the same \
                 weights. Seed the device alike on all, or load the same record"
            )));
        }
        let [_, _, high, low, ..] = table[0];
        let first = (high as u64) << 32 | low as u64;
        Ok(match randomness {
            Randomness::Drawn(_) => Randomness::Drawn(drawn.map(|_| first)),
            other => other,
        })
    }

    /// The weights that are trained: running statistics may differ.
    fn weights<M: Module>(&self, model: &M) -> ParamVector {
        let trained = parameters::trainable(model);
        let places = self
            .places
            .iter()
            .filter(|place| trained.contains(&place.id));
        let nothing = |place: &Place| (place.id, Tensor::empty([0], &place.device));
        parameters::weight_vector(model, &ParamVector::new(places.map(nothing).collect()))
    }

    /// Loss and gradient of a pass: their means over the ranks, where it is they who ascend.
    pub(crate) fn gradient<O>(&mut self, found: Gradient<O>) -> Result<Gradient<O>, StepError> {
        if self.over == AscentOver::Rank {
            return Ok(found);
        }
        let [loss] = Reductions::default().scalar(found.loss.clone()).read()?;
        let present = self.present(&found.vector);
        let mine = [loss, self.model, fingerprint(&present), 0.0, 0.0, 0.0];
        let table = self.meet(Round::Pass, mine)?;
        self.same_model(table.iter().map(|words| words[1]))?;
        let loss = self.mean(table.iter().map(|words| words[0]), found.loss.dtype());
        let same = table.iter().all(|words| words[2] == table[0][2]);
        let vector = self.mean_vector(found.vector, present, same)?;
        let options = (&found.loss.device(), found.loss.dtype());
        Ok(Gradient {
            loss: Tensor::from_data(TensorData::new(vec![loss], [1]), options),
            vector,
            output: found.output,
        })
    }

    /// The means over the ranks of the losses of a search, which were computed in the precision `dtype`.
    pub(crate) fn losses(
        &mut self,
        mut losses: Vec<f64>,
        dtype: DType,
    ) -> Result<Vec<f64>, StepError> {
        let count = losses.len() as f64;
        let counts = self.collect(Round::Losses, count)?;
        if counts.iter().any(|other| *other != count) {
            return Err(self.lost("ranks search at different numbers of positions".to_owned()));
        }
        let summed = self.collective.sum_f64(&mut losses);
        self.kept(summed)?;
        let share = 1.0 / self.collective.size() as f64;
        let mean = |sum: f64| rounded(sum, dtype) * share;
        Ok(losses.into_iter().map(mean).collect())
    }

    /// Whether `here` holds on all ranks.
    pub(crate) fn all(&mut self, here: bool) -> Result<bool, StepError> {
        // Of one gradient all see the same.
        if self.over == AscentOver::All {
            return Ok(here);
        }
        let mine = [f64::from(here), 0.0, 0.0, 0.0, 0.0, 0.0];
        let table = self.meet(Round::Question, mine)?;
        Ok(table.iter().all(|words| words[0] != 0.0))
    }

    /// The mean over the ranks of what each has made of its own gradient; and of what each has measured.
    pub(crate) fn update(
        &mut self,
        update: Update,
        report: StepReport<Number>,
    ) -> Result<(Update, StepReport<Number>), StepError> {
        if self.over == AscentOver::All {
            return Ok((update, report));
        }
        let (kind, mut further, share) = match update.then {
            Then::Nothing => (0.0, Vec::new(), f64::NAN),
            Then::Subtract(besides) => (1.0, vec![besides], f64::NAN),
            Then::Interpolate { further, share } => (2.0, further, share),
        };
        let mine = [kind, further.len() as f64, share, self.model, 0.0, 0.0];
        let table = self.meet(Round::Update, mine)?;
        self.same_model(table.iter().map(|words| words[3]))?;
        // A rank with nothing to ascend along may have made less of it: what it has not is zero. (No number is below NaN.)
        let most = |i: usize| table.iter().map(|words| words[i]).fold(f64::NAN, f64::max);
        let (kind, count, share) = (most(0), most(1) as usize, most(2));
        let gradient = self.mean_of(update.gradient)?;
        further.resize_with(count, ParamVector::default);
        let further = further.into_iter().map(|vector| self.mean_of(vector));
        let mut further = further.collect::<Result<Vec<_>, _>>()?;
        let then = match kind {
            2.0 => Then::Interpolate { further, share },
            1.0 => further.pop().map_or(Then::Nothing, Then::Subtract),
            _ => Then::Nothing,
        };
        let update = Update {
            gradient,
            norm: None,
            then,
        };
        Ok((update, self.report(report.read()?)?))
    }

    /// The report of all ranks: means, as those over the parts of a batch; alpha is the same on all.
    fn report(&mut self, mine: StepReport) -> Result<StepReport<Number>, StepError> {
        let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let words = [
            mine.loss,
            mine.grad_norm,
            mine.rho,
            known(mine.ascent_loss),
            known(mine.ascent_grad_norm),
            known(mine.psi),
        ];
        let table = self.meet(Round::Report, words)?;
        let share = 1.0 / table.len() as f64;
        let known = |value: f64| (!value.is_nan()).then(|| value.into());
        let part = |[loss, grad_norm, rho, ascent_loss, ascent_grad_norm, psi]: Words| StepReport::<
            Number,
        > {
            loss: loss.into(),
            grad_norm: grad_norm.into(),
            rho: rho.into(),
            ascent_loss: known(ascent_loss),
            ascent_grad_norm: known(ascent_grad_norm),
            psi: known(psi),
            alpha: mine.alpha.filter(|_| !psi.is_nan()),
            ..StepReport::default()
        };
        let parts = table.into_iter().map(part);
        let mean = parts.fold(StepReport::default(), |sum, part| sum.plus(part, share));
        Ok(StepReport {
            alpha: mean.alpha.or(mine.alpha),
            search: mine.search,
            steps_without_epoch: mine.steps_without_epoch,
            passes: mine.passes,
            ..mean
        })
    }

    /// Ends the step, which succeeds on all ranks or on none, and brings their loss scales together: `scale` is that in what was
    /// made.
    pub(crate) fn end<T>(
        &mut self,
        made: Result<T, StepError>,
        scale: impl Fn(&mut T) -> &mut Option<LossScale>,
    ) -> Result<T, StepError> {
        let mut made = made.map_err(|error| self.leave(error))?;
        let scale = scale(&mut made);
        let (value, overflowed) = scale.as_ref().map_or((1.0, false), LossScale::in_step);
        let words = [value, f64::from(overflowed), 0.0, 0.0, 0.0, 0.0];
        let table = self.meet(Round::End, words)?;
        if let Some(scale) = scale {
            let least = table
                .iter()
                .fold(f64::INFINITY, |least, words| least.min(words[0]));
            scale.agree(least, table.iter().any(|words| words[1] != 0.0));
        }
        Ok(made)
    }

    /// Leaves the step for an error, and tells the others in whichever round they are.
    pub(crate) fn leave(&mut self, error: StepError) -> StepError {
        if let Some(left) = &self.left {
            return left.clone();
        }
        let mut nothing = self.table();
        // That they are gone too is no news.
        let _ = self.collective.sum_f64(&mut nothing);
        self.left = Some(error.clone());
        error
    }

    /// What all ranks have to say in a round.
    fn meet(&mut self, round: Round, mine: Words) -> Result<Vec<Words>, StepError> {
        if let Some(error) = &self.left {
            return Err(error.clone());
        }
        let rank = self.rank();
        let mut table = self.table();
        let row = &mut table[rank * ROW..][..ROW];
        row[0] = f64::from(round as u32);
        row[1..].copy_from_slice(&mine);
        let summed = self.collective.sum_f64(&mut table);
        self.kept(summed)?;
        let (rows, _) = table.as_chunks::<ROW>();
        if let Some(rank) = rows.iter().position(|row| row[0] == 0.0) {
            let error = StepError::OtherRank { rank };
            self.left = Some(error.clone());
            return Err(error);
        }
        if let Some(other) = rows.iter().position(|row| row[0] != rows[rank][0]) {
            let named = |row: &[f64; ROW]| {
                let mut rounds = Round::ALL.iter();
                let found = rounds.find(|round| f64::from(**round as u32) == row[0]);
                found.map_or("somewhere else", |round| round.words())
            };
            return Err(self.lost(format!(
                "rank {rank} is {}, rank {other} {}: all ranks must make the same calls",
                named(&rows[rank]),
                named(&rows[other])
            )));
        }
        Ok(rows.iter().map(|[_, words @ ..]| *words).collect())
    }

    /// A row for each rank, which is empty so far.
    fn table(&self) -> Vec<f64> {
        vec![0.0; self.collective.size() * ROW]
    }

    /// A number of each rank.
    fn collect(&mut self, round: Round, mine: f64) -> Result<Vec<f64>, StepError> {
        let table = self.meet(round, [mine, 0.0, 0.0, 0.0, 0.0, 0.0])?;
        Ok(table.into_iter().map(|words| words[0]).collect())
    }

    fn same_model(&mut self, models: impl Iterator<Item = f64>) -> Result<(), StepError> {
        let own = self.model;
        match models.enumerate().find(|(_, model)| *model != own) {
            None => Ok(()),
            Some((rank, _)) => Err(self.lost(format!(
                "rank {rank} has a model with other parameters than rank {}",
                self.rank()
            ))),
        }
    }

    fn lost(&mut self, reason: String) -> StepError {
        let error = StepError::Ranks(CollectiveError(reason));
        self.left = Some(error.clone());
        error
    }

    fn kept(&mut self, result: Result<(), CollectiveError>) -> Result<(), StepError> {
        result.map_err(|CollectiveError(reason)| self.lost(reason))
    }

    fn mean(&self, values: impl Iterator<Item = f64>, dtype: DType) -> f64 {
        rounded(values.sum(), dtype) / self.collective.size() as f64
    }

    /// Which parameters have an entry.
    fn present(&self, vector: &ParamVector) -> Vec<bool> {
        let here = vector.by_id();
        self.places
            .iter()
            .map(|place| here.contains_key(&place.id))
            .collect()
    }

    fn mean_of(&mut self, vector: ParamVector) -> Result<ParamVector, StepError> {
        let present = self.present(&vector);
        let table = self.collect(Round::Update, fingerprint(&present))?;
        let same = table.iter().all(|other| *other == table[0]);
        self.mean_vector(vector, present, same)
    }

    /// The mean of a vector, of which all ranks have the `same` entries or not.
    fn mean_vector(
        &mut self,
        vector: ParamVector,
        present: Vec<bool>,
        same: bool,
    ) -> Result<ParamVector, StepError> {
        let mut wanted = present;
        if !same {
            // What one rank has all must sum: in its part of the batch another may have left a layer out.
            let mut counts: Vec<f64> = wanted.iter().map(|here| f64::from(*here)).collect();
            let counted = self.collective.sum_f64(&mut counts);
            self.kept(counted)?;
            wanted = counts.into_iter().map(|count| count > 0.0).collect();
        }
        let mut entries: HashMap<ParamId, Tensor<1>> = vector.into_entries().into_iter().collect();
        let mut means = Means::new(self.collective);
        let wanted = self.places.iter().zip(wanted).filter(|(_, wanted)| *wanted);
        let mut added = wanted.map(|(place, _)| means.add(place, entries.remove(&place.id)));
        let made = added
            .find_map(Result::err)
            .map_or_else(|| means.finish(), Err);
        if let Err(error) = &made {
            // The others are in the middle of a sum, which this rank leaves.
            self.collective.abort(&error.to_string());
            self.left = Some(error.clone());
        }
        made
    }
}

/// A sum of losses, as it would be in their own precision.
fn rounded(sum: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => sum,
        _ => f64::from(sum as f32),
    }
}

/// A number that differs, as a rule, where `parts` do; every float holds it.
fn fingerprint<T: Hash>(parts: impl IntoIterator<Item = T>) -> f64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        part.hash(&mut hasher);
    }
    (hasher.finish() >> 12) as f64
}
