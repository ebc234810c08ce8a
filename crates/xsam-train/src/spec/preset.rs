//! The specs that come with the program.

use super::{Compare, Spec, SpecError};
use crate::names::hint;

/// Names and texts.
const PRESETS: [(&str, &str); 10] = [
    (
        "digits-noise",
        include_str!("../../presets/digits-noise.toml"),
    ),
    (
        "digits-noise-rho",
        include_str!("../../presets/digits-noise-rho.toml"),
    ),
    (
        "cifar10-vgg11_bn",
        include_str!("../../presets/cifar10-vgg11_bn.toml"),
    ),
    (
        "cifar10-resnet18",
        include_str!("../../presets/cifar10-resnet18.toml"),
    ),
    (
        "cifar10-densenet121",
        include_str!("../../presets/cifar10-densenet121.toml"),
    ),
    (
        "cifar100-vgg11_bn",
        include_str!("../../presets/cifar100-vgg11_bn.toml"),
    ),
    (
        "cifar100-resnet18",
        include_str!("../../presets/cifar100-resnet18.toml"),
    ),
    (
        "cifar100-densenet121",
        include_str!("../../presets/cifar100-densenet121.toml"),
    ),
    (
        "tiny-imagenet-resnet18",
        include_str!("../../presets/tiny-imagenet-resnet18.toml"),
    ),
    (
        "iwslt14-transformer",
        include_str!("../../presets/iwslt14-transformer.toml"),
    ),
];

/// A spec that comes with the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    name: &'static str,
    toml: &'static str,
    /// The label of one of its methods.
    method: Option<String>,
}

impl Preset {
    /// The names of all there are, which can be followed by `-METHOD`: a method or a label of the
    /// preset's `[compare]`.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The preset of that name, of one of its methods if the name ends in one.
    ///
    /// # Errors
    /// Names the nearest one, and all of them; or the labels of the preset whose method is not there.
    pub fn find(name: &str) -> Result<Self, SpecError> {
        let whole = PRESETS.iter().find(|(preset, _)| *preset == name);
        // The longest one that the name begins with: names begin with one another.
        let begins = |preset: &str| {
            name.strip_prefix(preset)?
                .strip_prefix('-')
                .map(str::to_owned)
        };
        let parts = PRESETS
            .iter()
            .filter_map(|(preset, toml)| Some((preset, toml, begins(preset)?)));
        let part = parts.max_by_key(|(preset, ..)| preset.len());
        let found = match (whole, part) {
            (Some((name, toml)), _) => (name, toml, None),
            (None, Some((name, toml, method))) => (name, toml, Some(method)),
            (None, None) => {
                let names = Self::names().collect::<Vec<_>>().join(", ");
                let hint = hint(name, Self::names());
                let message = format!("there is no preset `{name}`{hint} (there are: {names})");
                return Err(SpecError::new("", message));
            }
        };
        let (name, toml, method) = found;
        Ok(Self { name, toml, method })
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
    pub fn parse(&self, settings: &[String]) -> Result<(Spec, Option<Compare>), SpecError> {
        let (mut spec, compare) = Spec::parse(self.toml, settings)?;
        let Some(label) = &self.method else {
            return Ok((spec, compare));
        };
        let compare = compare.unwrap_or_default();
        spec.method = compare.method(&spec.method, label).map_err(|_| {
            let (name, labels) = (self.name, compare.labels().join(", "));
            let message = format!("the preset {name} has no method `{label}` (it has: {labels})");
            SpecError::new("", message)
        })?;
        Ok((spec, Some(compare.only(label))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use toml::{Table, Value};

    use super::*;
    use crate::spec::MethodName;

    #[test]
    fn every_preset_can_be_resolved_with_every_method() {
        for (name, _) in PRESETS {
            let preset = Preset::find(name).unwrap();
            assert_eq!((preset.name(), preset.method.as_ref()), (name, None));
            let (spec, compare) = preset.parse(&[]).unwrap();
            spec.clone().resolved().unwrap();
            let compare = compare.unwrap();
            assert!(!compare.entries(&spec).unwrap().is_empty());
            for label in compare.labels() {
                let one = Preset::find(&format!("{name}-{label}")).unwrap();
                let (spec, compare) = one.parse(&[]).unwrap();
                spec.resolved().unwrap();
                assert_eq!(compare.unwrap().methods, [label]);
            }
        }
    }

    /// They would not follow when the other field is changed.
    #[test]
    fn no_preset_writes_a_default_that_depends_on_another_field() {
        let plain = Table::try_from(Spec::default()).unwrap();
        for (name, text) in PRESETS {
            let mut all: Table = text.parse().unwrap();
            let Some(Value::Table(compare)) = all.remove("compare") else {
                panic!("{name}");
            };
            let came_to = |table: Table| Spec::from_table(table).unwrap().resolved();
            let whole = came_to(all.clone()).unwrap();
            for (section, fields) in &all {
                for field in fields.as_table().unwrap().keys() {
                    // What a spec has in any case depends on nothing.
                    let depends = plain[section].get(field).is_none();
                    let mut without = all.clone();
                    let fields = without[section].as_table_mut().unwrap();
                    fields.remove(field);
                    let same = came_to(without).is_ok_and(|spec| spec == whole);
                    assert!(!(depends && same), "{name}: {section}.{field}");
                }
            }
            for (label, fields) in compare {
                let get = |field: &str| fields.get(field)?.as_float();
                let double = get("rho").map(|rho| 2.0 * rho);
                assert!(
                    double.is_none() || get("rho_max") != double,
                    "{name}: {label}"
                );
            }
        }
    }

    #[test]
    fn a_name_may_end_in_a_method_and_settings_come_last() {
        let preset = Preset::find("cifar100-resnet18-xsam-k3").unwrap();
        let (spec, _) = preset.parse(&["method.rho=0.2".to_owned()]).unwrap();
        assert_eq!(spec.method.name, MethodName::Xsam);
        assert_eq!(
            (spec.method.ascent_steps, spec.method.rho),
            (Some(3), Some(0.2))
        );
        // Not digits-noise with a method `rho`.
        let preset = Preset::find("digits-noise-rho").unwrap();
        assert_eq!((preset.name(), preset.method), ("digits-noise-rho", None));
    }

    #[test]
    fn what_is_not_there_is_met_with_what_is() {
        let error = Preset::find("cifar100-resnet").unwrap_err().to_string();
        assert!(
            error.contains("did you mean `cifar100-resnet18`?"),
            "{error}"
        );
        let preset = Preset::find("cifar100-resnet18-xsma").unwrap();
        let error = preset.parse(&[]).unwrap_err().to_string();
        assert!(
            error.contains("has no method `xsma` (it has: sgd, sam, asam, xsam, look-xsam, gsam"),
            "{error}"
        );
    }
}
