//! The `[compare]` section: which methods, from which seeds, and how.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::fields::{
    check_count, check_filled, distinct, expect_table, fields_at, of_fields, unknown,
};
use super::values::{Candidate, MOST_COMBINATIONS, Purpose, STEPS, Values, suffix};
use super::{Spec, SpecError, TaskSpec, check_seed, is_chosen, label, method};
use crate::json;

/// Runs of a comparison, those that hyper-parameters are chosen by left aside.
const MOST_RUNS: usize = 100_000;

/// Fields of a sweep: what comes out of more can neither be drawn nor told in a sentence.
const MOST_SWEPT: usize = 2;

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
///
/// [compare.sweep]          # each method that has the field, once with each value
/// rho = [0.15, 0.3, 0.6, 1.2]
/// ```
///
/// Its other fields are those of this struct. `[compare.sweep]` and `[compare.tune]` are [`Values`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compare {
    /// Labels, in the order of the table; the first one is what the others are measured against.
    pub methods: Vec<String>,
    /// Seeds; each method runs once from each.
    pub seeds: Vec<u64>,
    /// Values of rho that are swept: short for `rho` in `[compare.sweep]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rho: Vec<f64>,
    /// Numbers of ascent steps that are swept, in the same way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ascent_steps: Vec<usize>,
    /// Whether methods with fewer passes an epoch get more epochs, so that all have as many passes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub equal_compute: bool,
    /// Seeds that hyper-parameters are chosen on; those of the comparison if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tune_seeds: Vec<u64>,
    /// Whether hyper-parameters are chosen by successive halving: after each of these seeds the worse half of a method's
    /// candidates is left out, by the mean over the seeds so far.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub halving: bool,
    /// Values that each method which has the field is compared with, in place of its own. Of two fields all combinations.
    /// Each is a row of its own, labelled `sam-rho0.1`; in a label that ends in the method's own number of ascent steps,
    /// `-k2`, another one replaces it.
    #[serde(skip_deserializing, skip_serializing_if = "Values::is_empty")]
    pub sweep: Values,
    /// Hyper-parameters that are chosen on the validation data, for each row by itself, before it is compared.
    #[serde(skip_deserializing, skip_serializing_if = "Values::is_empty")]
    pub tune: Values,
    /// The sections of labels.
    #[serde(flatten, skip_deserializing)]
    pub(super) overrides: BTreeMap<String, Table>,
    /// The section `[method]` as it was given, with fields that its own method may lack.
    #[serde(skip)]
    pub(super) given: Option<Table>,
}

/// A row of a comparison: a method, or one with values of the swept fields.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareEntry<S> {
    /// Label of the method, unique in the comparison.
    pub label: String,
    /// The label of its method, in `compare.methods`.
    pub method: String,
    /// The values of the swept fields that it has, by their names.
    pub values: Vec<(String, Value)>,
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

impl Default for Compare {
    fn default() -> Self {
        Self {
            methods: ["sgd", "sam", "xsam"].map(str::to_owned).to_vec(),
            seeds: vec![0, 1, 2],
            rho: Vec::new(),
            ascent_steps: Vec::new(),
            equal_compute: false,
            tune_seeds: Vec::new(),
            halving: false,
            sweep: Values::default(),
            tune: Values::default(),
            overrides: BTreeMap::new(),
            given: None,
        }
    }
}

impl Compare {
    pub(super) fn from_table<S: TaskSpec>(mut table: Table) -> Result<Self, SpecError> {
        let mut values = |name: &str, purpose| match table.remove(name) {
            Some(value) => {
                let section = expect_table(&format!("compare.{name}"), value)?;
                Values::from_table::<S>(purpose, section)
            }
            None => Ok(Values::default()),
        };
        let [sweep, tune] = LISTS.map(|(name, purpose)| values(name, purpose));
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
                    let lists = "sections [compare.sweep] and [compare.tune]";
                    let label = "and a section [compare.LABEL] for a method";
                    let names = own.iter().copied().chain([lists, label]);
                    return Err(unknown(&path, "field", names));
                }
            }
        }
        Ok(Self {
            sweep: sweep?,
            tune: tune?,
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

    /// All rows with their runs, with everything but method, seed, and what is swept or tuned as in `spec`.
    ///
    /// # Errors
    /// If there is no method or no seed, one occurs twice, a label says not what method it is of, a spec cannot
    /// be, or no method has a field that is to be swept or tuned.
    pub fn entries<S: TaskSpec>(&self, spec: &Spec<S>) -> Result<Vec<CompareEntry<S>>, SpecError> {
        check_filled("compare.methods", &self.methods)?;
        check_filled("compare.seeds", &self.seeds)?;
        distinct("compare.methods", &self.methods)?;
        distinct("compare.seeds", &self.seeds)?;
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
        if self.halving && (self.tune.is_empty() || self.seeds_to_tune().len() < 2) {
            let message = "needs values to choose from, in [compare.tune], and two seeds or more to choose on";
            return Err(SpecError::new("compare.halving", message));
        }
        let sweep = self.swept()?;
        self.check_sweep::<S>(&sweep)?;
        let entries = self.rows(spec, &sweep)?;
        let used = |of: &[(String, Value)]| of.iter().map(|(field, _)| field.clone()).collect();
        let swept: Vec<Vec<String>> = entries.iter().map(|entry| used(&entry.values)).collect();
        let swept: Vec<&str> = swept.iter().flatten().map(String::as_str).collect();
        self.check_method(spec, &entries)?;
        sweep
            .check_used(Purpose::Sweep, &swept)
            .map_err(|error| self.short_key(error))?;
        let candidates = entries.iter().flat_map(|entry| &entry.candidates);
        let tuned: Vec<Vec<String>> = candidates.map(|c| used(&c.values)).collect();
        let tuned: Vec<&str> = tuned.iter().flatten().map(String::as_str).collect();
        self.tune.check_used(Purpose::Tune, &tuned)?;
        Ok(entries)
    }

    /// Compares these methods on the experiment `spec` in place of others. What was swept for those and none of these has is
    /// swept no more.
    pub fn set_methods<S: TaskSpec>(&mut self, spec: &Spec<S>, methods: Vec<String>) {
        self.methods = methods;
        let labels = self.methods.iter();
        // What is wrong with a label is told where it is used.
        let methods = labels.filter_map(|label| self.of_label(spec, label).ok());
        let fields: Vec<&str> = methods.flat_map(|of| of.method.fields().to_vec()).collect();
        self.sweep.retain_of_method(|field| fields.contains(&field));
        if !fields.contains(&"rho") {
            self.rho.clear();
        }
        if !fields.contains(&STEPS) {
            self.ascent_steps.clear();
        }
    }

    /// Tunes these values too, in place of others of the same fields, be they tuned or swept.
    pub fn tune_instead(&mut self, tune: Values) {
        self.sweep.without(&tune);
        let has = |field: &str| tune.fields().any(|(name, _)| name == field);
        if has("rho") {
            self.rho.clear();
        }
        if has(STEPS) {
            self.ascent_steps.clear();
        }
        self.tune.extend(tune);
    }

    /// All values that are swept, those of the short forms among them.
    ///
    /// # Errors
    /// If a value is there twice, or a field in both forms.
    pub fn swept(&self) -> Result<Values, SpecError> {
        distinct("compare.rho", &self.rho)?;
        distinct("compare.ascent_steps", &self.ascent_steps)?;
        let mut all = self.sweep.clone();
        let rhos = self.rho.iter().map(|&rho| Value::Float(rho)).collect();
        let steps = self.ascent_steps.iter();
        let steps = steps.map(|&steps| Value::Integer(i64::try_from(steps).unwrap_or(i64::MAX)));
        for (field, values) in [("rho", rhos), (STEPS, steps.collect::<Vec<_>>())] {
            if values.is_empty() {
                continue;
            }
            if all.fields().any(|(name, _)| name == field) {
                let message = "is in [compare.sweep] as well: leave out one of them";
                return Err(SpecError::new(format!("compare.{field}"), message));
            }
            all.insert(field, values);
        }
        Ok(all)
    }

    /// Refuses a sweep of which nothing could be told, and more runs than anybody could want, before there is a spec for each.
    fn check_sweep<S: TaskSpec>(&self, sweep: &Values) -> Result<(), SpecError> {
        let rows = sweep.combinations().saturating_mul(self.methods.len());
        let runs = rows.saturating_mul(self.seeds.len());
        check_count("compare", (runs, "runs"), MOST_RUNS)?;
        let tuned = self.tune.combinations();
        Purpose::Tune.check_combinations(tuned)?;
        let specs = rows.saturating_mul(tuned);
        let of_all = "combinations of all methods";
        check_count("compare", (specs, of_all), MOST_COMBINATIONS)?;
        if !self.tune.is_empty() {
            let trials = specs.saturating_mul(self.seeds_to_tune().len());
            check_count("compare.tune", (trials, "runs to choose by"), MOST_RUNS)?;
        }
        let names: Vec<String> = sweep.fields().map(|(name, _)| name).collect();
        if names.len() > MOST_SWEPT {
            let message = format!(
                "{} are more than {MOST_SWEPT} fields: choose the others with [compare.tune]",
                names.join(", ")
            );
            return Err(SpecError::new("compare.sweep", message));
        }
        for name in &names {
            if self.tune.fields().any(|(tuned, _)| tuned == *name) {
                let message = "is both swept and tuned: leave out one of them";
                let error = SpecError::new(format!("compare.sweep.{name}"), message);
                return Err(self.short_key(error));
            }
            if self.equal_compute && !is_chosen::<S>(name) {
                let message = format!(
                    "is for runs with the same steps in an epoch, which those of a sweep over {name} need not have"
                );
                return Err(SpecError::new("compare.equal_compute", message));
            }
        }
        Ok(())
    }

    /// The error with the key of the short form, where a field was given in that.
    fn short_key(&self, error: SpecError) -> SpecError {
        let field = error.key.rsplit('.').next().unwrap_or_default();
        match field {
            "rho" if !self.rho.is_empty() => SpecError {
                key: "compare.rho".to_owned(),
                ..error
            },
            STEPS if !self.ascent_steps.is_empty() => SpecError {
                key: format!("compare.{STEPS}"),
                ..error
            },
            _ => error,
        }
    }

    /// The seeds that hyper-parameters are chosen on.
    pub(crate) fn seeds_to_tune(&self) -> &[u64] {
        match self.tune_seeds.is_empty() {
            true => &self.seeds,
            false => &self.tune_seeds,
        }
    }

    /// The methods with each combination of the swept values that they have.
    fn rows<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        sweep: &Values,
    ) -> Result<Vec<CompareEntry<S>>, SpecError> {
        let mut rows: Vec<CompareEntry<S>> = Vec::new();
        let mut labels: HashMap<String, &String> = HashMap::new();
        for own in &self.methods {
            let of_label = self.of_label(spec, own)?;
            let (points, impossible) = sweep.candidates(&of_label)?;
            if let Some(impossible) = impossible.into_iter().next() {
                let mut error = impossible.error;
                // A value of a list is no field of the method's own section.
                if !impossible.values.is_empty() {
                    let label = label_of(own, &of_label, &impossible.values);
                    error.message.push_str(&format!(" (in {label})"));
                }
                return Err(error);
            }
            for point in points {
                let label = label_of(own, &of_label, &point.values);
                if let Some(first) = labels.insert(label.clone(), own) {
                    let message = format!(
                        "`{first}` and `{own}` would both be `{label}`: leave out one of them"
                    );
                    return Err(SpecError::new("compare.methods", message));
                }
                let values = point.values.clone();
                let (candidates, omitted) = match self.tune.is_empty() {
                    true => (vec![point.plain()], Vec::new()),
                    false => self.tune.to_choose(point.asked(), &label)?,
                };
                rows.push(CompareEntry {
                    label,
                    method: own.clone(),
                    values,
                    candidates,
                    omitted,
                });
            }
        }
        Ok(rows)
    }

    /// Refuses a field of the section `[method]` that none of the methods has.
    fn check_method<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        entries: &[CompareEntry<S>],
    ) -> Result<(), SpecError> {
        let methods = || {
            let of_entries = entries.iter().flat_map(|entry| &entry.candidates);
            let of_entries = of_entries.map(|candidate| &candidate.asked().method);
            of_entries.chain([&spec.method])
        };
        let has = |field: &str| {
            field == "name" || methods().any(|method| method.fields().contains(&field))
        };
        match self.given(spec)?.keys().find(|field| !has(field)) {
            None => Ok(()),
            Some(field) => {
                let key = format!("method.{field}");
                Err(SpecError::new(key, "none of the methods has it"))
            }
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

/// The lists of values in sections of their own.
pub(super) const LISTS: [(&str, Purpose); 2] = [("sweep", Purpose::Sweep), ("tune", Purpose::Tune)];

/// The label of a method with values of swept fields. One that ends in the method's own ascent steps ends in the swept ones
/// in place of them.
fn label_of<S>(own: &str, spec: &Spec<S>, values: &[(String, Value)]) -> String {
    let is_replaced = values.iter().any(|(field, _)| field == STEPS);
    let steps = spec.method.ascent_steps().filter(|_| is_replaced);
    let stem = steps.and_then(|steps| own.strip_suffix(&format!("-k{steps}")));
    let stem = stem.filter(|stem| !stem.is_empty()).unwrap_or(own);
    format!("{stem}{}", suffix(values))
}
