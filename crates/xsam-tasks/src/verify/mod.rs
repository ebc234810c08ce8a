//! Verification: this build's numbers against reference cases.
//!
//! A case says what goes in (by a formula, see [`xsam_models::reference`]) and what must come out.
//! Cases of the kinds `train`, `forward` and `hessian`, and scores of translations, are replayed; others are
//! skipped, and say so.

mod bleu;
mod case;
mod deviation;
mod forward;
mod hessian;
mod train;

#[cfg(test)]
mod hostile;

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use xsam_kernels::{Kernels, set_kernels};

use xsam_lab::spec::{DeviceName, Precision};
use xsam_lab::{Error, Place, TaskError};

use case::TrainCase;
use deviation::Deviations;

/// A reference case as text.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name: the file's, without extension.
    pub name: String,
    /// Its JSON, or why it could not be read.
    pub text: Result<String, String>,
}

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        vec![$(Case {
            name: $name.to_owned(),
            text: Ok(include_str!(concat!("../../cases/", $name, ".json")).to_owned()),
        }),+]
    };
}

impl Case {
    /// The cases that come with the program.
    pub fn embedded() -> Vec<Self> {
        embedded![
            "mlp-sgd",
            "mlp-sam",
            "mlp-xsam",
            "cnn-sgd",
            "cnn-sam",
            "cnn-sam-k3",
            "cnn-asam",
            "cnn-sgdplus",
            "cnn-xsam-fixed",
            "cnn-xsam",
            "cnn-xsam-k3",
            "cnn-xasam",
            "mlp-gsam",
            "mlp-wsam-decoupled",
            "mlp-looksam",
            "mlp-friendly-sam",
            "mlp-lookbehind-sam",
            "mlp-xsam-parabola",
            "mlp-xsam-parabola-end",
            "cnn-gsam",
            "cnn-wsam",
            "cnn-wsam-decoupled",
            "cnn-looksam",
            "cnn-friendly-sam",
            "cnn-msam",
            "cnn-lookbehind-sam",
            "cnn-sam-micro",
            "cnn-sam-accumulate",
            "cnn-xsam-accumulate",
            "cnn-xsam-friendly",
            "cnn-xsam-parabola",
            "cnn-stable-sam",
            "cnn-usam",
            "cnn-momentum-sam",
            "mlp-momentum-sam",
            "cnn-sampa",
            "mlp-sampa",
            "cnn-xsam-late",
            "cnn-sam-every",
            "cnn-sam-policy",
            "cnn-sam-budget",
            "cnn-xsam-budget",
            "cnn-xsam-measured",
            "cnn-sam-measured",
            "cnn-zsharp",
            "mlp-zsharp",
            "cnn-xsam-zsharp",
            "cnn-gam",
            "mlp-gam",
            "cnn-functional-sam",
            "mlp-functional-sam",
            "cnn-esam",
            "mlp-esam",
            "cnn-bsam",
            "mlp-bsam",
            "resnet18-xsam",
            "resnet18-xsam-k2",
            "wide_resnet-xsam",
            "vit-xsam",
            "vit-mean-sam",
            "mixer-xsam",
            "forward-resnet18",
            "forward-vgg11_bn",
            "forward-densenet121",
            "forward-wide_resnet",
            "forward-vit",
            "forward-mixer",
            "hessian-cnn-eval",
            "hessian-cnn-train",
            "bleu",
        ]
    }

    /// The cases in a directory, all its `.json` files, by name.
    ///
    /// # Errors
    /// If the directory cannot be read or has none.
    pub fn read_all(directory: &Path) -> Result<Vec<Self>, Error> {
        let entries =
            fs::read_dir(directory).map_err(Error::file("open the directory", directory))?;
        let mut cases = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::file("read", directory))?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                let stem = path.file_stem().unwrap_or_default();
                cases.push(Self {
                    name: stem.to_string_lossy().into_owned(),
                    text: xsam_lab::files::read(&path).map_err(|error| error.to_string()),
                });
            }
        }
        if cases.is_empty() {
            let path = directory.display();
            let message = format!("{path} holds no case: a case is a .json file with a `kind`");
            return Err(TaskError::new(message).into());
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cases)
    }
}

/// What became of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything within its tolerance.
    Pass,
    /// Something beyond its tolerance, or the case could not be replayed.
    #[default]
    Fail,
    /// Its kind, model or method is not there yet.
    Skipped,
}

/// The result of a case.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CaseOutcome {
    /// Name of the case.
    pub name: String,
    /// Its kind; empty if it does not say.
    pub kind: String,
    /// What became of it.
    pub verdict: Verdict,
    /// The deviation that is worst in relation to its tolerance.
    pub worst: Option<f64>,
    /// The tolerance of that deviation.
    pub tolerance: Option<f64>,
    /// Training steps that were replayed.
    pub steps: usize,
    /// Of what the worst deviation is, or why there is none.
    pub detail: String,
    /// How many values were compared.
    pub compared: usize,
}

/// Why a case was not compared.
enum Stop {
    Skip(String),
    Fail(String),
}

impl<E: std::error::Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fail(error.to_string())
    }
}

/// Replays a case, on these kernels. Where it cannot be computed (see [`check_device`](xsam_lab::check_device)) it fails.
pub fn verify(
    case: &Case,
    device: DeviceName,
    precision: Precision,
    kernels: Kernels,
) -> CaseOutcome {
    set_kernels(kernels);
    let mut outcome = CaseOutcome {
        name: case.name.clone(),
        ..CaseOutcome::default()
    };
    let place = Place::new(device, precision).map_err(Stop::from);
    match place.and_then(|place| replay(case, &place, &mut outcome)) {
        Ok(deviations) => deviations.judge(&mut outcome),
        Err(Stop::Skip(reason)) => {
            outcome.verdict = Verdict::Skipped;
            outcome.detail = reason;
        }
        Err(Stop::Fail(reason)) => outcome.detail = reason,
    }
    outcome
}

fn malformed(error: serde_json::Error) -> Stop {
    Stop::Fail(format!("is not a case: {error}"))
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Stop> {
    serde_json::from_value(value).map_err(malformed)
}

fn replay(case: &Case, place: &Place, outcome: &mut CaseOutcome) -> Result<Deviations, Stop> {
    let text = case.text.as_ref();
    let text = text.map_err(|error| Stop::Fail(format!("cannot be read: {error}")))?;
    let value: Value = serde_json::from_str(text).map_err(malformed)?;
    let kind = match value.get("kind").and_then(Value::as_str) {
        Some(kind) => kind.to_owned(),
        // Such a file does not say its kind, but is told by what it expects.
        None if value.pointer("/cases/0/bleu_13a").is_some() => "bleu".to_owned(),
        None => return Err(Stop::Skip("it has no `kind`".to_owned())),
    };
    outcome.kind.clone_from(&kind);
    match kind.as_str() {
        "train" => train::replay(&TrainCase::read(value)?, place, &mut outcome.steps),
        "forward" => forward::replay(&read(value)?, place),
        "hessian" => hessian::replay(&read(value)?, place),
        "bleu" => bleu::replay(&read(value)?, place),
        other => Err(Stop::Skip(format!(
            "cases of kind `{other}` are not replayed yet"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    pub(super) fn outcome(text: &str) -> CaseOutcome {
        let case = Case {
            name: "x".to_owned(),
            text: Ok(text.to_owned()),
        };
        verify(&case, DeviceName::Cpu, Precision::F32, Kernels::Fast)
    }

    pub(super) fn embedded(name: &str) -> String {
        let cases = Case::embedded().into_iter();
        let case = cases.into_iter().find(|case| case.name == name).unwrap();
        case.text.unwrap()
    }

    #[test]
    fn what_is_not_there_yet_is_skipped_and_says_so() {
        let skipped = |text: &str, reason: &str| {
            let outcome = outcome(text);
            assert_eq!(outcome.verdict, Verdict::Skipped, "{outcome:?}");
            assert!(outcome.detail.contains(reason), "{outcome:?}");
        };
        skipped(r#"{"kind": "landscape"}"#, "`landscape`");
        skipped(r#"{"cases": []}"#, "no `kind`");
        skipped("[]", "no `kind`");
        let case = embedded("mlp-sgd");
        for (there, yet) in [("mlp", "swin"), ("sgd", "dsam")] {
            let name = |name| format!("\"name\": \"{name}\"");
            skipped(&case.replace(&name(there), &name(yet)), &format!("`{yet}`"));
        }
    }

    /// The keys that the first cases had.
    #[test]
    fn a_case_in_the_first_form_is_replayed_as_well() {
        for (name, optimizer) in [
            (
                "mlp-sgd",
                json!({"method": "sgd", "rho": 0.0, "ascent_steps": 0}),
            ),
            (
                "cnn-asam",
                json!({"method": "sam", "rho": 1.0, "ascent_steps": 1, "adaptive": true}),
            ),
            (
                "cnn-xsam-fixed",
                json!({"method": "xsam", "rho": 0.15, "rho_max": 0.3, "ascent_steps": 1,
                       "dynamic": false, "alphas": [0.0, 1.0], "alpha": 0.7}),
            ),
            (
                "cnn-xsam-k3",
                json!({"method": "xsam", "rho": 0.3, "rho_max": 0.6, "ascent_steps": 3, "dynamic": true,
                       "alphas": (0..=20).map(|i| f64::from(i) / 10.0).collect::<Vec<_>>()}),
            ),
        ] {
            let mut case: Value = serde_json::from_str(&embedded(name)).unwrap();
            case["optimizer"] = optimizer;
            let outcome = outcome(&case.to_string());
            assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
        }
    }

    #[test]
    fn what_cannot_be_replayed_fails() {
        let broken = embedded("mlp-sgd").replace(r#""batch_size": 16"#, r#""batch_size": 0"#);
        for text in ["", "{", r#"{"kind": "train"}"#, &broken] {
            let outcome = outcome(text);
            assert_eq!(outcome.verdict, Verdict::Fail, "{outcome:?}");
        }
    }

    #[test]
    fn a_number_that_is_off_fails() {
        let case: Value = serde_json::from_str(&embedded("mlp-xsam")).unwrap();
        assert_eq!(outcome(&case.to_string()).verdict, Verdict::Pass);
        for (path, by) in [
            ("/expected/steps/7/loss", 1e-3),
            ("/expected/steps/3/update_norm", 3e-3),
            ("/expected/steps/0/search_losses/20", 1e-2),
            ("/expected/steps/5/psi", 3e-3),
            ("/expected/steps/4/alpha", 0.1),
            ("/expected/final/fc2.bias/first/1", 1e-3),
            ("/expected/final/fc1.weight/norm", 1e-2),
        ] {
            let mut case = case.clone();
            let value = case.pointer_mut(path).unwrap();
            *value = (value.as_f64().unwrap() + by).into();
            let outcome = outcome(&case.to_string());
            assert_eq!(outcome.verdict, Verdict::Fail, "{path}: {outcome:?}");
        }
    }
}
