//! The ranks that a run is shared out over.

use std::sync::Arc;

use burn::module::Module;
use xsam::collective::mean_statistics;
use xsam::{AscentOver, Collective, SharpnessAware};
use xsam_kernels::BatchNormRanks;

use crate::error::Error;
use crate::method;
use crate::place::Place;
use crate::score::Score;
use crate::spec::{DeviceName, Precision, Spec, SpecError, TrainSpec};
use crate::tally::Totals;

/// The processes that a run is shared out over; by default it is one.
///
/// The spec says what is computed, and they where: the batch of the spec is that of all ranks together, in the same order as
/// on one, and each rank takes its share. All ranks have the same weights at all times. The first one writes.
#[derive(Clone, Debug, Default)]
pub struct Ranks {
    /// What they speak to each other by, if they are several.
    collective: Option<Arc<dyn Collective>>,
    /// If batch norm takes the statistics of all.
    batch_norm: Option<BatchNormRanks>,
    /// Which of those on this machine this is, from 0.
    local: usize,
}

impl Ranks {
    /// The ranks that `collective` joins.
    pub fn new(collective: Arc<dyn Collective>) -> Self {
        Self {
            collective: (collective.size() > 1).then_some(collective),
            batch_norm: None,
            local: 0,
        }
    }

    /// The same, of which this is number `local` on its machine: of several cards of `cuda` or `rocm` it takes the one of
    /// that number, and of fewer cards than ranks the ranks take turns.
    pub fn on_this_machine(self, local: usize) -> Self {
        Self { local, ..self }
    }

    /// The device of this rank.
    ///
    /// # Errors
    /// As [`Place::new`].
    pub fn place(&self, device: DeviceName, precision: Precision) -> Result<Place, SpecError> {
        Place::numbered(device, precision, self.local)
    }

    /// The same ranks in a run.
    pub(crate) fn of_run(mut self, train: &TrainSpec) -> Self {
        let shared = self.collective.clone().filter(|_| train.sync_batch_norm);
        self.batch_norm =
            shared.map(|ranks| BatchNormRanks::new(move |values| ranks.sum_f64(values)));
        self
    }

    /// Makes a forward pass in training, whose batch `counts`, or is there for the sake of the other ranks.
    pub(crate) fn pass<R>(&self, counts: bool, pass: impl FnOnce() -> R) -> R {
        match &self.batch_norm {
            None => pass(),
            Some(ranks) if counts => ranks.share(pass),
            Some(ranks) => ranks.attend(pass),
        }
    }

    /// Refuses a model, after a pass over it, that has no statistics to share.
    pub(crate) fn check_batch_norm(&self) -> Result<(), SpecError> {
        match &self.batch_norm {
            Some(ranks) if !ranks.were_used() => {
                let message = "the model has no batch norm of xsam-models or xsam-kernels, whose statistics could be those of \
                               all ranks: leave it out";
                Err(SpecError::new("train.sync_batch_norm", message))
            }
            _ => Ok(()),
        }
    }

    /// Which of them this is, from 0.
    pub fn rank(&self) -> usize {
        self.collective.as_ref().map_or(0, |ranks| ranks.rank())
    }

    /// How many they are.
    pub fn size(&self) -> usize {
        self.collective.as_ref().map_or(1, |ranks| ranks.size())
    }

    /// Whether this is the one that writes.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// What they speak to each other by, if they are several.
    pub fn collective(&self) -> Option<&Arc<dyn Collective>> {
        self.collective.as_ref()
    }

    /// One item in as many as there are ranks, for this rank: what all do together is done once.
    pub fn share<I: Iterator>(&self, items: I) -> impl Iterator<Item = I::Item> {
        items.skip(self.rank()).step_by(self.size())
    }

    /// What was counted by all ranks; nothing if one of them has none. `scores` are those that may have been counted.
    ///
    /// # Errors
    /// If a rank is gone.
    pub fn totals(&self, own: Option<Totals>, scores: &[Score]) -> Result<Option<Totals>, Error> {
        let Some(ranks) = &self.collective else {
            return Ok(own);
        };
        let (mut numbers, missing) = match &own {
            Some(totals) => (totals.numbers(scores), 0.0),
            None => (Totals::default().numbers(scores), 1.0),
        };
        numbers.push(missing);
        ranks.sum_f64(&mut numbers)?;
        let missing = numbers.pop().unwrap_or_default();
        Ok((missing == 0.0).then(|| Totals::of_numbers(&numbers, scores)))
    }

    /// Whether it holds on any rank. All of them must ask.
    ///
    /// # Errors
    /// If a rank is gone.
    pub fn any(&self, here: bool) -> Result<bool, Error> {
        let Some(ranks) = &self.collective else {
            return Ok(here);
        };
        let mut count = [f64::from(here)];
        ranks.sum_f64(&mut count)?;
        Ok(count[0] > 0.0)
    }

    /// Gathers the bytes of every rank, in their order.
    ///
    /// # Errors
    /// If a rank is gone.
    pub fn gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, Error> {
        let Some(ranks) = &self.collective else {
            return Ok(vec![own]);
        };
        let mut lengths = vec![0.0; ranks.size()];
        lengths[ranks.rank()] = own.len() as f64;
        ranks.sum_f64(&mut lengths)?;
        let mut own = Some(own);
        let mut all = Vec::with_capacity(lengths.len());
        for (rank, length) in lengths.into_iter().enumerate() {
            let mut bytes = match own.take_if(|_| rank == ranks.rank()) {
                Some(own) => own,
                None => vec![0; length as usize],
            };
            ranks.broadcast(rank, &mut bytes)?;
            all.push(bytes);
        }
        Ok(all)
    }

    /// Waits until all ranks are here.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        self.any(false).map(drop)
    }

    /// Refuses what cannot be shared out.
    pub(crate) fn check(&self, train: &TrainSpec) -> Result<(), SpecError> {
        let size = self.size();
        match train.m_sharpness {
            Some(parts) if !parts.is_multiple_of(size) => {
                let message =
                    format!("{parts} must be a multiple of the number of ranks, which is {size}");
                Err(SpecError::new("train.m_sharpness", message))
            }
            _ => Ok(()),
        }
    }

    /// The optimizer of a resolved spec with epochs of so many steps, joined with the other ranks. With m-sharpness each ascends along its own gradient.
    ///
    /// # Errors
    /// As [`method::optimizer`]; also if the method cannot ascend so.
    pub(crate) fn optimizer<S>(
        &self,
        spec: &Spec<S>,
        steps_per_epoch: usize,
    ) -> Result<SharpnessAware, SpecError> {
        let length = spec.train.epochs.saturating_mul(steps_per_epoch);
        let optim = method::optimizer(spec, length)?;
        let Some(ranks) = &self.collective else {
            return Ok(optim);
        };
        let over = match spec.train.m_sharpness {
            Some(_) => AscentOver::Rank,
            None => AscentOver::All,
        };
        let method = optim.method();
        let joined = optim.with_collective(ranks.clone(), over);
        joined.map_err(|_| {
            let message = format!(
                "{method}, as it is here, keeps something of its gradients from step to step, of which each rank would have its \
                 own: leave it out, or train on one rank"
            );
            SpecError::new("train.m_sharpness", message)
        })
    }

    /// In how many parts this rank goes through its share of a batch.
    pub(crate) fn parts(&self, train: &TrainSpec) -> usize {
        let all = train.m_sharpness.unwrap_or(train.micro_batches);
        all.div_ceil(self.size()).max(1)
    }

    /// The model with the running statistics of all ranks.
    pub(crate) fn mean_statistics<M: Module>(&self, model: M) -> Result<M, Error> {
        match &self.collective {
            Some(ranks) => Ok(mean_statistics(model, &**ranks)?),
            None => Ok(model),
        }
    }
}
