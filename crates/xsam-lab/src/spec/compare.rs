//! The `[compare]` section: which methods, from which seeds, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::fields::{check_filled, distinct, expect_table, fields_at, of_fields, unknown};
use super::tune::{Candidate, Tune};
use super::{Experiment, Spec, SpecError, TaskSpec, check_seed, label, method};
use crate::json;

/// Runs of a comparison, those that hyper-parameters are chosen by left aside.
const MOST_RUNS: usize = 100_000;

/// Which runs are compared.
///
/// ```toml
/// [compare]
/// methods = ["sgd", "sam", "xsam-3"]
/// seeds = [0, 1, 2]
///
/// [compare.sam]            # what sam has other than [method]
/// rho = 0.3
///
/// [compare.xsam-3]         # a label of one's own says what method it is of
/// name = "xsam"
/// ascent_steps = 3
/// ```
///
/// Its other fields are those of this struct; [`Tune`] is its section `[compare.tune]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compare {
    /// Labels, in the order of the table; the first one is what the others are measured against.
    pub methods: Vec<String>,
    /// Seeds; each method runs once from each.
    pub seeds: Vec<u64>,
    /// Values of rho: each method that has it is compared with each of them, in place of its own. As many
    /// rows, labelled `sam-rho0.1` and so on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rho: Vec<f64>,
    /// Numbers of ascent steps, in the same way: `sam-k2`, or `sam-rho0.1-k2` with both. In a label that ends in the
    /// method's own number they replace it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ascent_steps: Vec<usize>,
    /// Whether methods with fewer passes an epoch get more epochs, so that all have as many passes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub equal_compute: bool,
    /// Seeds that hyper-parameters are chosen on; those of the comparison if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tune_seeds: Vec<u64>,
    /// Hyper-parameters that are chosen on the validation data, for each method by itself, before it is compared.
    #[serde(skip_deserializing, skip_serializing_if = "Tune::is_empty")]
    pub tune: Tune,
    /// The sections of labels.
    #[serde(flatten, skip_deserializing)]
    pub(super) overrides: BTreeMap<String, Table>,
    /// The section `[method]` as it was given, with fields that its own method may lack.
    #[serde(skip)]
    pub(super) given: Option<Table>,
}

/// One of the methods that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareEntry<S> {
    /// Its label.
    pub label: String,
    /// What is chosen from: all combinations of the tuned values that the method can be run with. One if it is
    /// not tuned.
    pub candidates: Vec<Candidate<S>>,
    /// Combinations that cannot be run, and why.
    pub omitted: Vec<String>,
}

impl<S: TaskSpec> CompareEntry<S> {
    /// Its run from `seed`, as it is asked for; of a method that is tuned, that of its first candidate. With the epochs of
    /// the spec, at equal compute too. It can be [resolved](Spec::resolved).
    pub fn spec(&self, seed: u64) -> Spec<S> {
        self.candidates[0].run(seed).asked
    }
}

/// A method, with values of the listed fields.
struct Variant<S> {
    label: String,
    /// The label that it is made from.
    own: String,
    spec: Spec<S>,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            methods: ["sgd", "sam", "xsam"].map(str::to_owned).to_vec(),
            seeds: vec![0, 1, 2],
            rho: Vec::new(),
            ascent_steps: Vec::new(),
            equal_compute: false,
            tune_seeds: Vec::new(),
            tune: Tune::default(),
            overrides: BTreeMap::new(),
            given: None,
        }
    }
}

impl Compare {
    pub(super) fn from_table<S: TaskSpec>(mut table: Table) -> Result<Self, SpecError> {
        let tune = match table.remove("tune") {
            Some(tune) => Tune::from_table::<S>(expect_table("compare.tune", tune)?)?,
            None => Tune::default(),
        };
        let own = fields_at::<Self>(&[]);
        let (mut fields, mut overrides) = (Table::new(), BTreeMap::new());
        for (key, value) in table {
            let path = format!("compare.{key}");
            match value {
                value if own.contains(&key.as_str()) => {
                    if let Value::Array(list) = &value {
                        check_filled(&path, list)?;
                    }
                    fields.insert(key, value);
                }
                Value::Table(section) => {
                    // Now, even if the label is not used: a wrong key is wrong in any case.
                    label::check(&key, section.clone())?;
                    overrides.insert(key, section);
                }
                _ => {
                    let tune = "a section [compare.tune]";
                    let label = "and a section [compare.LABEL] for a method";
                    let names = own.iter().copied().chain([tune, label]);
                    return Err(unknown(&path, "field", names));
                }
            }
        }
        Ok(Self {
            tune,
            overrides,
            ..of_fields("compare", fields, Self::deserialize)?
        })
    }

    /// What the methods inherit from the section `[method]` of `spec`.
    pub(super) fn given<S>(&self, spec: &Spec<S>) -> Result<Table, SpecError> {
        match &self.given {
            Some(given) => Ok(given.clone()),
            None => method::asked(&spec.method, &spec.asked),
        }
    }

    /// All methods with their runs, with everything but method, seed and what is tuned as in `spec`.
    ///
    /// # Errors
    /// If there is no method or no seed, one occurs twice, a label says not what method it is of, a spec cannot
    /// be, or no method has a field that is to be varied or tuned.
    pub fn entries<S: TaskSpec>(&self, spec: &Spec<S>) -> Result<Vec<CompareEntry<S>>, SpecError> {
        self.check_size()?;
        check_filled("compare.methods", &self.methods)?;
        check_filled("compare.seeds", &self.seeds)?;
        distinct("compare.methods", &self.methods)?;
        distinct("compare.seeds", &self.seeds)?;
        distinct("compare.rho", &self.rho)?;
        distinct("compare.ascent_steps", &self.ascent_steps)?;
        distinct("compare.tune_seeds", &self.tune_seeds)?;
        for (key, seeds) in [
            ("compare.seeds", &self.seeds),
            ("compare.tune_seeds", &self.tune_seeds),
        ] {
            seeds.iter().try_for_each(|seed| check_seed(key, *seed))?;
        }
        if self.tune.is_empty() && !self.tune_seeds.is_empty() {
            let message = "is of no use without values to choose from, in [compare.tune]";
            return Err(SpecError::new("compare.tune_seeds", message));
        }
        for (listed, field) in [
            (!self.rho.is_empty(), "rho"),
            (!self.ascent_steps.is_empty(), "ascent_steps"),
        ] {
            if listed && self.tune.has("method", field) {
                let message = "is both varied and tuned: leave out one of them";
                return Err(SpecError::new(format!("compare.{field}"), message));
            }
        }
        let variants = self.variants(spec)?.into_iter();
        let entries = variants.map(|variant| self.entry(variant));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let candidates = entries.iter().flat_map(|entry| &entry.candidates);
        self.tune.check_used(candidates)?;
        Ok(entries)
    }

    /// Refuses more runs than anybody could want, before there is a spec for each.
    fn check_size(&self) -> Result<(), SpecError> {
        let rows = [self.rho.len().max(1), self.ascent_steps.len().max(1)];
        let runs = rows
            .into_iter()
            .chain([self.methods.len(), self.seeds.len()])
            .fold(1, usize::saturating_mul);
        match runs <= MOST_RUNS {
            true => Ok(()),
            false => {
                let message = format!("{runs} runs are more than {MOST_RUNS}");
                Err(SpecError::new("compare", message))
            }
        }
    }

    /// The seeds that hyper-parameters are chosen on.
    pub(crate) fn seeds_to_tune(&self) -> &[u64] {
        match self.tune_seeds.is_empty() {
            true => &self.seeds,
            false => &self.tune_seeds,
        }
    }

    fn entry<S: TaskSpec>(&self, variant: Variant<S>) -> Result<CompareEntry<S>, SpecError> {
        let Variant { label, spec, .. } = variant;
        let (candidates, omitted) = match self.tune.is_empty() {
            true => {
                let plain = Experiment::new(spec).map_err(|mut error| {
                    // A value from a list is no field of the method's own section.
                    if !self.methods.contains(&label) {
                        error.message.push_str(&format!(" (in {label})"));
                    }
                    error
                })?;
                (vec![Candidate::plain(plain)], Vec::new())
            }
            false => self.tune.candidates(&spec, &label)?,
        };
        Ok(CompareEntry {
            label,
            candidates,
            omitted,
        })
    }

    /// The methods with each of the listed values of the fields that they have.
    fn variants<S: TaskSpec>(&self, spec: &Spec<S>) -> Result<Vec<Variant<S>>, SpecError> {
        let mut variants: Vec<Variant<S>> = Vec::new();
        let (mut rho_used, mut steps_used) = (self.rho.is_empty(), self.ascent_steps.is_empty());
        for own in &self.methods {
            let of_label = self.of_label(spec, own)?;
            let own_steps = of_label.method.ascent_steps();
            let rhos = choices(&self.rho, of_label.method.rho().is_some(), &mut rho_used);
            let steps = choices(&self.ascent_steps, own_steps.is_some(), &mut steps_used);
            for &rho in &rhos {
                for &steps in &steps {
                    let mut label = stem(own, steps.and(own_steps)).to_owned();
                    let mut spec = of_label.clone();
                    if let Some(rho) = rho {
                        label.push_str(&format!("-rho{rho}"));
                        spec.method.set_rho(rho);
                        spec.asked.insert("rho");
                    }
                    if let Some(steps) = steps {
                        label.push_str(&format!("-k{steps}"));
                        spec.method.set_ascent_steps(steps);
                        spec.asked.insert("ascent_steps");
                    }
                    if let Some(first) = variants.iter().find(|other| other.label == label) {
                        let message = format!(
                            "`{}` and `{own}` would both be `{label}`: leave out one of them",
                            first.own
                        );
                        return Err(SpecError::new("compare.methods", message));
                    }
                    let own = own.clone();
                    variants.push(Variant { label, own, spec });
                }
            }
        }
        let given = self.given(spec)?;
        let has = |field: &str| {
            let methods = variants.iter().map(|variant| &variant.spec.method);
            let mut methods = methods.chain([&spec.method]);
            field == "name" || methods.any(|method| method.fields().contains(&field))
        };
        let of_section = given.keys().map(|key| (has(key), format!("method.{key}")));
        let listed = [
            (rho_used, "compare.rho".to_owned()),
            (steps_used, "compare.ascent_steps".to_owned()),
        ];
        let unused = listed.into_iter().chain(of_section).find(|(used, _)| !used);
        match unused {
            Some((_, key)) => Err(SpecError::new(key, "none of the methods has it")),
            None => Ok(variants),
        }
    }

    /// The experiment `spec` with this section, as TOML.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml<S: TaskSpec>(&self, spec: &Spec<S>) -> Result<String, SpecError> {
        let mut table = spec.to_table()?;
        table.insert("method".to_owned(), Value::Table(self.given(spec)?));
        table.insert("compare".to_owned(), Value::Table(json::table(self)?));
        Ok(toml::to_string(&table)?)
    }
}

/// What labels with other ascent steps begin with: the label of a method without its own, if it ends in them.
fn stem(label: &str, replaced: Option<usize>) -> &str {
    let without = replaced.and_then(|own| label.strip_suffix(&format!("-k{own}")));
    without.filter(|stem| !stem.is_empty()).unwrap_or(label)
}

/// The values of a list if the method has the field, and that it has been used; none of them otherwise.
fn choices<T: Copy>(values: &[T], has: bool, used: &mut bool) -> Vec<Option<T>> {
    if values.is_empty() || !has {
        return vec![None];
    }
    *used = true;
    values.iter().copied().map(Some).collect()
}
