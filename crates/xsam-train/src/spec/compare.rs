//! The `[compare]` section: which methods, from which seeds, and how.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::parse::{expect_table, section};
use super::tune::{Candidate, Tune};
use super::{MethodName, MethodSpec, Spec, SpecError};
use crate::method;
use crate::names::{self, Named};

/// Runs of a comparison, those that hyper-parameters are chosen by left aside.
const MOST_RUNS: usize = 100_000;
/// A run's folder has the label of its method and what was varied of it in its name, of which file systems allow 255 bytes.
const LONGEST_LABEL: usize = 100;

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
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// Labels, in the order of the table; the first one is what the others are measured against.
    pub methods: Vec<String>,
    /// Seeds; each method runs once from each.
    pub seeds: Vec<u64>,
    /// Values of rho: each method that has it is compared with each of them, in place of its own. As many
    /// rows, labelled `sam-rho0.1` and so on.
    pub rho: Vec<f64>,
    /// Numbers of ascent steps, in the same way: `sam-k2`, or `sam-rho0.1-k2` with both. In a label that ends in the
    /// method's own number they replace it.
    pub ascent_steps: Vec<usize>,
    /// Whether methods with fewer passes an epoch get more epochs, so that all have as many passes.
    pub equal_compute: bool,
    /// Hyper-parameters that are chosen on the validation data, for each method by itself, before it is compared.
    pub tune: Tune,
    /// Seeds that they are chosen on; those of the comparison if there are none.
    pub tune_seeds: Vec<u64>,
    overrides: BTreeMap<String, Table>,
}

/// One of the methods that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareEntry {
    /// Its label.
    pub label: String,
    /// Its runs, one for each seed, as they are asked for; of a method that is tuned, those of its first candidate. With
    /// the epochs of the spec, at equal compute too. All of them can be [resolved](Spec::resolved).
    pub specs: Vec<Spec>,
    /// What is chosen from: all combinations of the tuned values that the method can be run with. One if it is
    /// not tuned.
    pub candidates: Vec<Candidate>,
    /// Combinations that cannot be run, and why.
    pub omitted: Vec<String>,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            methods: ["sgd", "sam", "xsam"].map(str::to_owned).to_vec(),
            seeds: vec![0, 1, 2],
            rho: Vec::new(),
            ascent_steps: Vec::new(),
            equal_compute: false,
            tune: Tune::default(),
            tune_seeds: Vec::new(),
            overrides: BTreeMap::new(),
        }
    }
}

impl Compare {
    pub(super) fn from_table(mut table: Table) -> Result<Self, SpecError> {
        let mut compare = Self::default();
        if let Some(methods) = table.remove("methods") {
            compare.methods = list("compare.methods", methods)?;
        }
        if let Some(seeds) = table.remove("seeds") {
            compare.seeds = list("compare.seeds", seeds)?;
        }
        if let Some(rho) = table.remove("rho") {
            compare.rho = list("compare.rho", rho)?;
            distinct("compare.rho", &compare.rho)?;
        }
        if let Some(steps) = table.remove("ascent_steps") {
            compare.ascent_steps = list("compare.ascent_steps", steps)?;
            distinct("compare.ascent_steps", &compare.ascent_steps)?;
        }
        if let Some(equal) = table.remove("equal_compute") {
            let not = || SpecError::new("compare.equal_compute", "must be true or false");
            compare.equal_compute = equal.as_bool().ok_or_else(not)?;
        }
        if let Some(tune) = table.remove("tune") {
            compare.tune = Tune::from_table(expect_table("compare.tune", tune)?)?;
        }
        if let Some(seeds) = table.remove("tune_seeds") {
            compare.tune_seeds = list("compare.tune_seeds", seeds)?;
            distinct("compare.tune_seeds", &compare.tune_seeds)?;
        }
        for (label, value) in table {
            let key = format!("compare.{label}");
            if !value.is_table() {
                let message = "there is no such field (there are: methods, seeds, rho, ascent_steps, \
                               equal_compute, tune_seeds, a section [compare.tune], and a section \
                               [compare.LABEL] for a method)";
                return Err(SpecError::new(key, message));
            }
            let overrides = expect_table(&key, value)?;
            // Now, even if the label is not used: a wrong key is wrong in any case.
            section::<MethodSpec>(&key, overrides.clone())?;
            compare.overrides.insert(label, overrides);
        }
        Ok(compare)
    }

    /// All methods with their runs, with everything but method, seed and what is tuned as in `spec`.
    ///
    /// # Errors
    /// If there is no method or no seed, one occurs twice, a label says not what method it is of, a spec cannot
    /// be, or no method has a field that is to be varied or tuned.
    pub fn entries(&self, spec: &Spec) -> Result<Vec<CompareEntry>, SpecError> {
        self.check_size()?;
        distinct("compare.methods", &self.methods)?;
        distinct("compare.seeds", &self.seeds)?;
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
        let variants = self.variants(&spec.method)?;
        let entry = |(label, method): (String, MethodSpec)| self.entry(spec, label, method);
        let entries: Vec<_> = variants.into_iter().map(entry).collect::<Result<_, _>>()?;
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

    fn entry(
        &self,
        spec: &Spec,
        label: String,
        method: MethodSpec,
    ) -> Result<CompareEntry, SpecError> {
        let mut spec = spec.clone();
        spec.method = method;
        let (candidates, omitted) = match self.tune.is_empty() {
            true => (vec![Candidate::plain(spec)], Vec::new()),
            false => {
                let found = self.tune.candidates(&spec, &label)?;
                (found.possible, found.omitted)
            }
        };
        let first = candidates.iter().take(1);
        let runs = first.flat_map(|candidate| self.seeds.iter().map(|&seed| candidate.run(seed)));
        let specs: Vec<Spec> = runs.collect();
        for spec in &specs {
            spec.clone().resolved().map_err(|mut error| {
                // A value from a list is no field of the method's own section.
                if !self.methods.contains(&label) {
                    error.message.push_str(&format!(" (in {label})"));
                }
                error
            })?;
        }
        Ok(CompareEntry {
            label,
            specs,
            candidates,
            omitted,
        })
    }

    /// The methods with each of the listed values of the fields that they have.
    fn variants(&self, base: &MethodSpec) -> Result<Vec<(String, MethodSpec)>, SpecError> {
        let mut variants: Vec<(String, MethodSpec)> = Vec::new();
        let mut origins: Vec<&String> = Vec::new();
        let (mut rho_used, mut steps_used) = (self.rho.is_empty(), self.ascent_steps.is_empty());
        for own in &self.methods {
            let method = self.method(base, own)?;
            let used = method::resolved(&method)?;
            let rhos = choices(&self.rho, used.rho.is_some(), &mut rho_used);
            let steps = choices(
                &self.ascent_steps,
                used.ascent_steps.is_some(),
                &mut steps_used,
            );
            for &rho in &rhos {
                for &steps in &steps {
                    let mut label = stem(own, steps.and(used.ascent_steps)).to_owned();
                    let mut method = method.clone();
                    if let Some(rho) = rho {
                        label.push_str(&format!("-rho{rho}"));
                        method.rho = Some(rho);
                    }
                    if let Some(steps) = steps {
                        label.push_str(&format!("-k{steps}"));
                        method.ascent_steps = Some(steps);
                    }
                    if let Some(first) = variants.iter().position(|(other, _)| *other == label) {
                        let message = format!(
                            "`{}` and `{own}` would both be `{label}`: leave out one of them",
                            origins[first]
                        );
                        return Err(SpecError::new("compare.methods", message));
                    }
                    variants.push((label, method));
                    origins.push(own);
                }
            }
        }
        for (used, key) in [
            (rho_used, "compare.rho"),
            (steps_used, "compare.ascent_steps"),
        ] {
            if !used {
                return Err(SpecError::new(key, "none of the methods has it"));
            }
        }
        Ok(variants)
    }

    /// The experiment `spec` with this section, as TOML.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml(&self, spec: &Spec) -> Result<String, SpecError> {
        let error = |error: toml::ser::Error| SpecError::new("", error.to_string());
        let mut section = Table::new();
        let mut insert = |key: &str, value: Result<Value, toml::ser::Error>, there: bool| {
            if there {
                section.insert(key.to_owned(), value.map_err(error)?);
            }
            Ok::<_, SpecError>(())
        };
        let (rho, steps, tune_seeds) = (&self.rho, &self.ascent_steps, &self.tune_seeds);
        let (equal, tune) = (self.equal_compute, self.tune.to_table());
        insert("methods", Value::try_from(&self.methods), true)?;
        insert("seeds", Value::try_from(&self.seeds), true)?;
        insert("rho", Value::try_from(rho), !rho.is_empty())?;
        insert("ascent_steps", Value::try_from(steps), !steps.is_empty())?;
        insert("equal_compute", Ok(Value::Boolean(equal)), equal)?;
        insert(
            "tune_seeds",
            Value::try_from(tune_seeds),
            !tune_seeds.is_empty(),
        )?;
        let tuned = !tune.is_empty();
        insert("tune", Ok(Value::Table(tune)), tuned)?;
        for (label, overrides) in &self.overrides {
            section.insert(label.clone(), Value::Table(overrides.clone()));
        }
        let mut table = Table::try_from(spec).map_err(error)?;
        table.insert("compare".to_owned(), Value::Table(section));
        toml::to_string(&table).map_err(error)
    }

    /// The labels that there are: the methods, and those of its sections.
    pub(super) fn labels(&self) -> Vec<String> {
        let methods = MethodName::all().into_iter().map(|name| name.to_string());
        let mut labels: Vec<String> = methods.collect();
        let own = self
            .overrides
            .keys()
            .filter(|label| !labels.contains(label));
        let own: Vec<String> = own.cloned().collect();
        labels.extend(own);
        labels
    }

    /// The same with one method.
    pub(super) fn only(mut self, label: &str) -> Self {
        self.methods = vec![label.to_owned()];
        self
    }

    /// The method of this label.
    pub(super) fn method(&self, base: &MethodSpec, label: &str) -> Result<MethodSpec, SpecError> {
        let error = |message: String| SpecError::new("compare.methods", message);
        // Its runs have folders with this name, and it is printed in tables, on plots and on terminals.
        let odd = |c: char| c.is_control() || matches!(c, '/' | '\\');
        if label.trim().is_empty() || label.contains(odd) || label.starts_with('.') {
            let label = label.escape_debug();
            return Err(error(format!("`{label}` cannot be the name of a folder")));
        }
        if label.len() > LONGEST_LABEL {
            let message = format!("`{label}` is longer than {LONGEST_LABEL} bytes");
            return Err(error(message));
        }
        let overrides = self.overrides.get(label).cloned().unwrap_or_default();
        let mut table = Table::try_from(base).map_err(|e| error(e.to_string()))?;
        // The name is the label's own unless its section says otherwise.
        if !overrides.contains_key("name") {
            names::parse::<MethodName>(label).map_err(|message| {
                let section = format!("or give it a section [compare.{label}] with a name");
                error(format!("{message}; {section}"))
            })?;
        }
        table.insert("name".to_owned(), Value::String(label.to_owned()));
        table.extend(overrides);
        section(&format!("compare.{label}"), table)
    }
}

fn list<T: serde::de::DeserializeOwned>(key: &str, value: Value) -> Result<Vec<T>, SpecError> {
    Vec::<T>::deserialize(value)
        .map_err(|error| SpecError::new(key, format!("must be a list: {}", error.message().trim())))
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

pub(super) fn distinct<T: PartialEq + std::fmt::Display>(
    key: &str,
    values: &[T],
) -> Result<(), SpecError> {
    if values.is_empty() {
        return Err(SpecError::new(key, "must name at least one"));
    }
    for (i, value) in values.iter().enumerate() {
        if values[..i].contains(value) {
            return Err(SpecError::new(key, format!("`{value}` is there twice")));
        }
    }
    Ok(())
}
