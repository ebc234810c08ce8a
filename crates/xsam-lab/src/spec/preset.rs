//! The specs that come with the program.

use xsam_names::unknown;

use super::{Compare, Spec, SpecError, TaskSpec};

/// A spec that comes with the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    name: &'static str,
    toml: &'static str,
    /// The label of one of its methods.
    method: Option<String>,
}

impl Preset {
    /// Of a name, which can be followed by `-METHOD` where it is asked for: a method or a label of the preset's
    /// `[compare]`.
    pub const fn new(name: &'static str, toml: &'static str) -> Self {
        Self {
            name,
            toml,
            method: None,
        }
    }

    /// The preset of that name, of one of its methods if the name ends in one.
    ///
    /// # Errors
    /// Names the nearest one, and all of them; or the labels of the preset whose method is not there.
    pub fn find(name: &str, among: &[Self]) -> Result<Self, SpecError> {
        if let Some(whole) = among.iter().find(|preset| preset.name == name) {
            return Ok(whole.clone());
        }
        // The longest one that the name begins with: names begin with one another.
        let begun = among.iter().filter_map(|preset| {
            let method = name.strip_prefix(preset.name)?.strip_prefix('-')?;
            Some(Self {
                method: Some(method.to_owned()),
                ..*preset
            })
        });
        if let Some(preset) = begun.max_by_key(|preset| preset.name.len()) {
            return Ok(preset);
        }
        let message = match among.is_empty() {
            true => format!("there is no preset `{name}`, and no other"),
            false => unknown("preset", name, among.iter().map(|preset| preset.name)),
        };
        Err(SpecError::new("", message))
    }

    /// Its name, without a method.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text of its spec.
    pub fn toml(&self) -> &'static str {
        self.toml
    }

    /// The spec with `settings` (`section.field=value` each), as [`Spec::parse`] has it, and the one method
    /// if it is of one.
    ///
    /// # Errors
    /// As of [`Spec::parse`]; and if there is no such method.
    pub fn parse<S: TaskSpec>(
        &self,
        settings: &[String],
    ) -> Result<(Spec<S>, Option<Compare>), SpecError> {
        let (spec, compare) = Spec::<S>::parse(self.toml, settings)?;
        let Some(label) = &self.method else {
            return Ok((spec, compare));
        };
        let mut compare = compare.unwrap_or_default();
        let spec = compare.of_label(&spec, label).map_err(|_| {
            let (name, labels) = (self.name, compare.labels().join(", "));
            let message = format!("the preset {name} has no method `{label}` (it has: {labels})");
            SpecError::new("", message)
        })?;
        compare.methods = vec![label.clone()];
        Ok((spec, Some(compare)))
    }
}
