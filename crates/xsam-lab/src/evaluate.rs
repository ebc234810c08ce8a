//! How well a trained model does on the data that it has not learned from.

use std::path::PathBuf;

use burn::module::Module;
use serde::Serialize;

use crate::error::Error;
use crate::place::Place;
use crate::score::{Score, Scores};
use crate::spec::{Precision, TaskSpec};
use crate::stop::StopSignal;
use crate::subject::Subject;
use crate::task::Task;
use crate::tasks::{Tasks, Visitor};

/// The scores of a trained model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationReport {
    /// The run, or where results about a file of weights go.
    pub run: PathBuf,
    /// The checkpoint or file of weights that was looked at.
    pub checkpoint: PathBuf,
    /// Epochs that the model has been trained for, as far as is known.
    pub epochs: usize,
    /// Name of the model.
    pub model: String,
    /// Number format the scores were computed in.
    pub precision: Precision,
    /// All of the data in one hash; empty if what they are is not looked at.
    pub data: String,
    /// What a person should know of the evaluation, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What the model is scored by, besides its loss.
    pub declared: Vec<Score>,
    /// Scores over all samples of the part.
    pub scores: Scores,
}

/// Scores a trained model on all of the validation and test data; nothing if `stop` asks for an end before that is done.
/// Nothing is written.
///
/// # Errors
/// If the model or its data cannot be loaded, or the data are not those of the run.
pub fn evaluate_trained<L: Tasks>(
    subject: &Subject<L::Spec>,
    stop: &StopSignal,
) -> Result<Option<EvaluationReport>, Error> {
    L::visit(&subject.task()?, Evaluation { subject, stop })
}

struct Evaluation<'a, S> {
    subject: &'a Subject<S>,
    stop: &'a StopSignal,
}

impl<S: TaskSpec> Visitor<S> for Evaluation<'_, S> {
    type Output = Option<EvaluationReport>;

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Self::Output, Error> {
        let trained = self.subject.load::<T>()?;
        let place = Place::new(trained.spec.train.device, trained.spec.train.precision)?;
        let (task, data) = trained.task(self.subject, &place)?;
        // As at the end of a run, when every score is due.
        let epochs = trained.spec.train.epochs;
        let Some(mut scores) = task.evaluate(&trained.model.valid(), epochs, self.stop)? else {
            return Ok(None);
        };
        let mut warnings = trained.warnings.clone();
        warnings.extend(data.warning());
        warnings.extend(task.warnings());
        warnings.append(&mut scores.warnings);
        Ok(Some(EvaluationReport {
            epochs: trained.epochs(),
            model: trained.spec.task.model_name(),
            precision: trained.spec.train.precision,
            data: data.digest,
            warnings,
            declared: T::scores(),
            scores,
            run: trained.run,
            checkpoint: trained.checkpoint,
        }))
    }
}
