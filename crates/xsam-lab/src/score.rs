//! What a model is scored by, and what is counted for it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::numbers;

/// Text of a declaration: written in the program, or read from a file.
pub type Text = Cow<'static, str>;

/// Which way a value is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The higher the better.
    Higher,
    /// The lower the better.
    Lower,
}

impl Better {
    /// The better one first, what is no number last.
    pub fn order(self, a: f64, b: f64) -> Ordering {
        match (a.is_nan(), b.is_nan(), self) {
            (false, false, Self::Higher) => b.total_cmp(&a),
            (false, false, Self::Lower) => a.total_cmp(&b),
            (a, b, _) => a.cmp(&b),
        }
    }

    /// Whether a value is better than another one.
    pub fn beats(self, value: f64, other: f64) -> bool {
        self.order(value, other) == Ordering::Less
    }

    /// What a difference is multiplied by so that more of it is better.
    pub fn sign(self) -> f64 {
        match self {
            Self::Higher => 1.0,
            Self::Lower => -1.0,
        }
    }

    /// What the best value is: `highest` or `lowest`.
    pub fn best(self) -> &'static str {
        match self {
            Self::Higher => "highest",
            Self::Lower => "lowest",
        }
    }
}

/// How the score of many items follows from the sum over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Average {
    /// It is the mean.
    #[default]
    Mean,
    /// The square root of the mean, as of squared errors.
    RootMean,
    /// The exponential of the mean, as of losses for a perplexity.
    ExpMean,
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What is learned from.
    Train,
    /// What hyper-parameters and epochs are chosen on.
    Validation,
    /// What methods are compared on.
    Test,
}

impl Part {
    /// In the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// With which the name of a column begins.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// How a sentence names the part: `training` for `train`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train => "training",
            part => part.name(),
        }
    }
}

/// A number that says how well a model does, as a task declares it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Its name within a sentence, as `accuracy` or `BLEU`.
    pub name: Text,
    /// Which way it is better.
    pub better: Better,
    /// What follows a value; empty for a bare number. A score in `%` is a share, which is shown times 100.
    pub unit: Text,
    /// Digits after the point of a mean over seeds.
    pub digits: usize,
    /// How it follows from a sum over items.
    pub average: Average,
    /// Whether it is too costly for every evaluation. The task says after which epochs it is computed, the last one
    /// among them.
    pub costly: bool,
    /// What it is, in a sentence without a full stop.
    pub meaning: Text,
}

impl Score {
    /// A bare number, with 3 digits after the point.
    pub fn new(name: impl Into<Text>, better: Better, meaning: impl Into<Text>) -> Self {
        Self {
            name: name.into(),
            better,
            unit: Text::default(),
            digits: 3,
            average: Average::Mean,
            costly: false,
            meaning: meaning.into(),
        }
    }

    /// A share, the higher the better, that is shown in percent.
    pub fn percent(name: impl Into<Text>, meaning: impl Into<Text>) -> Self {
        let score = Self::new(name, Better::Higher, meaning);
        score.with_unit("%").with_digits(1)
    }

    /// The loss, by which a model without another score is judged.
    pub fn loss() -> Self {
        Self::new("loss", Better::Lower, "Mean loss over the items")
    }

    /// The same score, in a unit that its values are written with.
    #[must_use]
    pub fn with_unit(mut self, unit: impl Into<Text>) -> Self {
        self.unit = unit.into();
        self
    }

    /// With so many digits after the point.
    #[must_use]
    pub fn with_digits(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }

    /// That follows so from a sum over items.
    #[must_use]
    pub fn with_average(mut self, average: Average) -> Self {
        self.average = average;
        self
    }

    /// That is too costly for every evaluation.
    #[must_use]
    pub fn costly(mut self) -> Self {
        self.costly = true;
        self
    }

    /// The name of its column for a part of the data, as `test_accuracy` or `train_bits_per_character`.
    pub fn column(&self, part: Part) -> String {
        let letters = self.name.chars().map(|c| match c.is_alphanumeric() {
            true => c.to_ascii_lowercase(),
            false => '_',
        });
        format!("{}_{}", part.name(), letters.collect::<String>())
    }

    /// A value of a single model with its unit.
    pub fn told(&self, value: f64) -> String {
        numbers::with_unit(value, &self.unit, self.digits)
    }

    /// A difference that is worth telling: a point of a score in percent, of any other a hundredth of its `best` value.
    pub fn margin(&self, best: f64) -> f64 {
        match &*self.unit {
            "%" => 0.01,
            _ => best.abs() / 100.0,
        }
    }

    /// The same in words.
    pub fn margin_in_words(&self, best: f64) -> String {
        match &*self.unit {
            "%" => "a point".to_owned(),
            _ => format!("1 % ({})", self.difference(self.margin(best))),
        }
    }

    /// A difference of two values, without its sign. Of a score in percent it is in points.
    pub fn difference(&self, value: f64) -> String {
        let unit = match &*self.unit {
            "%" => "points",
            unit => unit,
        };
        let value = self.bare(value.abs());
        match unit {
            "" => value,
            unit => format!("{value} {unit}"),
        }
    }

    /// A value, or a difference with its sign, in the unit of the score but without it.
    pub fn bare(&self, value: f64) -> String {
        numbers::TERMINAL.fixed(numbers::factor(&self.unit) * value, self.digits)
    }
}

/// The score that epochs are chosen by: the first one that every evaluation computes, or else the loss.
pub fn of_epochs(scores: &[Score]) -> Score {
    let first = scores.iter().find(|score| !score.costly);
    first.cloned().unwrap_or_else(Score::loss)
}

/// The score that runs are compared, tuned and tested by: the first costly one, which nobody computes for nothing, or
/// else the one that epochs are chosen by.
pub fn compared(scores: &[Score]) -> Score {
    let costly = scores.iter().find(|score| score.costly);
    costly.cloned().unwrap_or_else(|| of_epochs(scores))
}

/// How well a model does on a part of the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Mean loss over the items.
    pub loss: f64,
    /// The scores that were computed, by their names.
    #[serde(flatten)]
    pub values: BTreeMap<String, f64>,
}

/// How well a model does on the data that it does not learn from. As JSON it is the two parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// On the validation data.
    pub validation: Measured,
    /// On the test data.
    pub test: Measured,
    /// Names and texts of files that tell more, for the run's directory.
    #[serde(skip)]
    pub files: Vec<(&'static str, String)>,
    /// What a person should know of the evaluation, in sentences.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

impl Scores {
    /// Without more to tell.
    pub fn new(validation: Measured, test: Measured) -> Self {
        Self {
            validation,
            test,
            files: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
