//! The specs that come with the program `xsam`.

use xsam_lab::spec::Preset;

macro_rules! presets {
    ($($name:literal),+ $(,)?) => {
        &[$(Preset::new($name, include_str!(concat!("../presets/", $name, ".toml")))),+]
    };
}

/// All of them. The first one is what a comparison without a spec is of.
pub(crate) const PRESETS: &[Preset] = presets![
    "digits-noise",
    "cifar10-vgg11_bn",
    "cifar10-resnet18",
    "cifar10-densenet121",
    "cifar100-vgg11_bn",
    "cifar100-resnet18",
    "cifar100-densenet121",
    "tiny-imagenet-resnet18",
    "iwslt14-transformer",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use toml::{Table, Value};
    use xsam_lab::spec::{MethodSpec, SpecError};

    use super::*;
    use crate::spec::OurSpec;

    fn find(name: &str) -> Result<Preset, SpecError> {
        Preset::find(name, PRESETS)
    }

    /// The methods, and the labels of a preset that are none.
    fn labels(preset: &Preset) -> Vec<String> {
        let all: Table = preset.toml().parse().unwrap();
        let own = all["compare"].as_table().unwrap().iter();
        let own = own.filter(|(label, section)| {
            section.is_table() && !["sweep", "tune"].contains(&label.as_str())
        });
        let own = own.map(|(label, _)| label.as_str());
        let methods = MethodSpec::NAMES.iter().copied();
        methods.chain(own).map(str::to_owned).collect()
    }

    #[test]
    fn every_preset_can_be_resolved_with_every_method() {
        for whole in PRESETS {
            let name = whole.name();
            assert_eq!(find(name).as_ref(), Ok(whole));
            let (spec, compare): (OurSpec, _) = whole.parse(&[]).unwrap();
            spec.clone().resolved().unwrap();
            assert!(!compare.unwrap().entries(&spec).unwrap().is_empty());
            for label in labels(whole) {
                let one = find(&format!("{name}-{label}")).unwrap();
                let (spec, compare): (OurSpec, _) = one.parse(&[]).unwrap();
                assert_eq!(compare.unwrap().methods, [label.as_str()]);
                if spec.method.has_own_momentum() {
                    let error = spec.resolved().unwrap_err();
                    assert!(error.key.starts_with("optimizer."), "{error}");
                    let plain = ["name=\"sgd\"", "momentum=0", "weight_decay=0"];
                    let plain = plain.map(|setting| format!("optimizer.{setting}"));
                    let (spec, _): (OurSpec, _) = one.parse(&plain).unwrap();
                    spec.resolved().unwrap();
                } else {
                    spec.resolved().unwrap();
                }
            }
        }
    }

    /// They would not follow when the other field is changed.
    #[test]
    fn no_preset_writes_a_default_that_depends_on_another_field() {
        let mut plain = OurSpec::default().to_table().unwrap();
        let method = Value::try_from(MethodSpec::default()).unwrap();
        plain.insert("method".to_owned(), method);
        for preset in PRESETS {
            let name = preset.name();
            let mut all: Table = preset.toml().parse().unwrap();
            let Some(Value::Table(compare)) = all.remove("compare") else {
                panic!("{name}");
            };
            let came_to = |table: &Table| {
                let (spec, _) = OurSpec::parse(&table.to_string(), &[])?;
                spec.resolved()
            };
            let whole = came_to(&all).unwrap();
            for (section, fields) in &all {
                for field in fields.as_table().unwrap().keys() {
                    // What a spec has in any case depends on nothing.
                    let depends = plain[section].get(field).is_none();
                    let mut without = all.clone();
                    let fields = without[section].as_table_mut().unwrap();
                    fields.remove(field);
                    let same = came_to(&without).is_ok_and(|spec| spec == whole);
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
        let preset = find("cifar100-resnet18-xsam-k3").unwrap();
        assert_eq!(preset.name(), "cifar100-resnet18");
        let settings = ["method.rho=0.2".to_owned()];
        let (spec, _): (OurSpec, _) = preset.parse(&settings).unwrap();
        let method = spec.method;
        let asked = (method.name(), method.ascent_steps(), method.rho());
        assert_eq!(asked, ("xsam", Some(3), Some(0.2)));
    }

    #[test]
    fn what_is_not_there_is_met_with_what_is() {
        let error = find("cifar100-resnet").unwrap_err().to_string();
        assert!(
            error.contains("did you mean `cifar100-resnet18`?"),
            "{error}"
        );
        let preset = find("cifar100-resnet18-xsma").unwrap();
        let error = preset
            .parse::<crate::OurSections>(&[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("has no method `xsma` (it has: sgd, sam, asam, xsam, look-xsam, gsam"),
            "{error}"
        );
    }
}
