//! What a spec says, in words.

use serde::{Deserialize, Serialize};

use super::{MethodSpec, Spec, TaskSpec, TrainSpec};

/// What is told of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What is learned.
    pub learned: String,
    /// The experiment but for its method and seed, in a line.
    pub words: String,
    /// The method, with all its values.
    pub method: MethodSpec,
    /// How long it is, from which seed, and where.
    pub train: TrainSpec,
}

impl<S: TaskSpec> Spec<S> {
    /// What is told of it, once it is [resolved](Spec::resolved).
    pub fn about(&self) -> About {
        About {
            learned: self.task.learned(),
            words: self.in_words(),
            method: self.method.clone(),
            train: self.train.clone(),
        }
    }

    /// The experiment but for its method and seed, in a line.
    pub fn in_words(&self) -> String {
        let resolved = self.clone().resolved();
        let resolved = resolved.as_ref().unwrap_or(self);
        let train = &resolved.train;
        let batch = resolved.task.batch_in_words(train);
        let batch = batch.map_or_else(String::new, |batch| format!(", {batch}"));
        format!(
            "{}, {}, {} epochs{batch}, {} with lr {}",
            self.task.learned(),
            self.task.model_name(),
            train.epochs,
            self.optimizer.name,
            self.optimizer.lr,
        )
    }
}
