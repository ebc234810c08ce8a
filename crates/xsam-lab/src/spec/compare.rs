//! The `[compare]` section: which methods, from which seeds, and how.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::fields::expect_table;
use super::list::{distinct, list, not_empty};
use super::tune::{Candidate, Tune};
use super::{MethodSpec, Spec, SpecError, TaskSpec, method, overrides};

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
    pub(super) overrides: BTreeMap<String, Table>,
    /// The section `[method]` as it was given, with fields that its own method may lack.
    given: Option<Table>,
}

/// One of the methods that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareEntry<S> {
    /// Its label.
    pub label: String,
    /// Its runs, one for each seed, as they are asked for; of a method that is tuned, those of its first candidate. With
    /// the epochs of the spec, at equal compute too. All of them can be [resolved](Spec::resolved).
    pub specs: Vec<Spec<S>>,
    /// What is chosen from: all combinations of the tuned values that the method can be run with. One if it is
    /// not tuned.
    pub candidates: Vec<Candidate<S>>,
    /// Combinations that cannot be run, and why.
    pub omitted: Vec<String>,
}

/// A method, with values of the listed fields.
struct Variant {
    label: String,
    /// The label that it is made from.
    own: String,
    method: MethodSpec,
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
            given: None,
        }
    }
}

impl Compare {
    pub(super) fn from_table<S: TaskSpec>(mut table: Table) -> Result<Self, SpecError> {
        let mut compare = Self::default();
        if let Some(methods) = table.remove("methods") {
            compare.methods = list("compare.methods", methods)?;
        }
        if let Some(seeds) = table.remove("seeds") {
            compare.seeds = list("compare.seeds", seeds)?;
        }
        if let Some(rho) = table.remove("rho") {
            compare.rho = list("compare.rho", rho)?;
        }
        if let Some(steps) = table.remove("ascent_steps") {
            compare.ascent_steps = list("compare.ascent_steps", steps)?;
        }
        if let Some(equal) = table.remove("equal_compute") {
            let not = || SpecError::new("compare.equal_compute", "must be true or false");
            compare.equal_compute = equal.as_bool().ok_or_else(not)?;
        }
        if let Some(tune) = table.remove("tune") {
            compare.tune = Tune::from_table::<S>(expect_table("compare.tune", tune)?)?;
        }
        if let Some(seeds) = table.remove("tune_seeds") {
            compare.tune_seeds = list("compare.tune_seeds", seeds)?;
        }
        for (label, value) in table {
            let key = format!("compare.{label}");
            if !value.is_table() {
                let message = "there is no such field (there are: methods, seeds, rho, ascent_steps, \
                               equal_compute, tune_seeds, a section [compare.tune], and a section \
                               [compare.LABEL] for a method)";
                return Err(SpecError::new(key, message));
            }
            let own = expect_table(&key, value)?;
            // Now, even if the label is not used: a wrong key is wrong in any case.
            overrides::check(&key, &label, own.clone())?;
            compare.overrides.insert(label, own);
        }
        Ok(compare)
    }

    /// With the section `[method]` as it was given.
    pub(super) fn with_given(self, given: Table) -> Self {
        Self {
            given: Some(given),
            ..self
        }
    }

    /// What the methods inherit from the section `[method]`, of the method `base`.
    pub(super) fn given(&self, base: &MethodSpec) -> Result<Table, SpecError> {
        let given = self.given.clone();
        given.map_or_else(|| method::apart_from_defaults(base), Ok)
    }

    /// All methods with their runs, with everything but method, seed and what is tuned as in `spec`.
    ///
    /// # Errors
    /// If there is no method or no seed, one occurs twice, a label says not what method it is of, a spec cannot
    /// be, or no method has a field that is to be varied or tuned.
    pub fn entries<S: TaskSpec>(&self, spec: &Spec<S>) -> Result<Vec<CompareEntry<S>>, SpecError> {
        self.check_size()?;
        not_empty("compare.methods", &self.methods)?;
        not_empty("compare.seeds", &self.seeds)?;
        distinct("compare.methods", &self.methods)?;
        distinct("compare.seeds", &self.seeds)?;
        distinct("compare.rho", &self.rho)?;
        distinct("compare.ascent_steps", &self.ascent_steps)?;
        distinct("compare.tune_seeds", &self.tune_seeds)?;
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
        let entry = |variant: Variant| self.entry(spec, variant);
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

    fn entry<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        variant: Variant,
    ) -> Result<CompareEntry<S>, SpecError> {
        let mut spec = self.with_train(spec.clone(), &variant.own);
        let label = variant.label;
        spec.method = variant.method;
        let (candidates, omitted) = match self.tune.is_empty() {
            true => (vec![Candidate::plain(spec)], Vec::new()),
            false => {
                let found = self.tune.candidates(&spec, &label)?;
                (found.possible, found.omitted)
            }
        };
        let first = candidates.iter().take(1);
        let runs = first.flat_map(|candidate| self.seeds.iter().map(|&seed| candidate.run(seed)));
        let specs: Vec<Spec<S>> = runs.collect();
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
    fn variants(&self, base: &MethodSpec) -> Result<Vec<Variant>, SpecError> {
        let mut variants: Vec<Variant> = Vec::new();
        let (mut rho_used, mut steps_used) = (self.rho.is_empty(), self.ascent_steps.is_empty());
        for own in &self.methods {
            let method = self.method(base, own)?;
            let (has_rho, own_steps) = (method.rho().is_some(), method.ascent_steps());
            let rhos = choices(&self.rho, has_rho, &mut rho_used);
            let steps = choices(&self.ascent_steps, own_steps.is_some(), &mut steps_used);
            for &rho in &rhos {
                for &steps in &steps {
                    let mut label = stem(own, steps.and(own_steps)).to_owned();
                    let mut method = method.clone();
                    if let Some(rho) = rho {
                        label.push_str(&format!("-rho{rho}"));
                        method.set_rho(rho);
                    }
                    if let Some(steps) = steps {
                        label.push_str(&format!("-k{steps}"));
                        method.set_ascent_steps(steps);
                    }
                    if let Some(first) = variants.iter().find(|other| other.label == label) {
                        let message = format!(
                            "`{}` and `{own}` would both be `{label}`: leave out one of them",
                            first.own
                        );
                        return Err(SpecError::new("compare.methods", message));
                    }
                    variants.push(Variant {
                        label,
                        own: own.clone(),
                        method,
                    });
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
        for field in self.given(base)?.keys().filter(|field| *field != "name") {
            let mut methods = variants.iter().map(|variant| &variant.method).chain([base]);
            if !methods.any(|method| method.fields().contains(&field.as_str())) {
                let key = format!("method.{field}");
                return Err(SpecError::new(key, "none of the methods has it"));
            }
        }
        Ok(variants)
    }

    /// The experiment `spec` with this section, as TOML.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml<S: TaskSpec>(&self, spec: &Spec<S>) -> Result<String, SpecError> {
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
        let given = Value::Table(self.given(&spec.method)?);
        table.insert("method".to_owned(), given);
        table.insert("compare".to_owned(), Value::Table(section));
        toml::to_string(&table).map_err(error)
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
