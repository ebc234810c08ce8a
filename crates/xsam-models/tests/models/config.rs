//! What can and cannot be built.

use burn::tensor::Device;
use xsam_models::{ClassifierName, ModelConfig, ModelError};

#[test]
fn names_round_trip_and_unknown_ones_are_refused() {
    for name in ClassifierName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    let error = "resnet81".parse::<ClassifierName>().unwrap_err();
    let message = error.to_string();
    assert!(message.contains("resnet81") && message.contains("resnet18"));
    assert!("Mlp".parse::<ClassifierName>().is_err());
}

#[test]
fn impossible_sizes_name_the_field() {
    let good = ModelConfig::new(ClassifierName::Resnet18, 3, 32, 10);
    assert_eq!(good.check(), Ok(()));
    type Breakage = fn(&mut ModelConfig);
    let broken: [(&str, Breakage); 5] = [
        ("channels", |c| c.channels = 0),
        ("classes", |c| c.classes = 0),
        ("image_size", |c| c.image_size = 0),
        ("width", |c| c.width = Some(0)),
        ("width", |c| c.width = Some(usize::MAX)),
    ];
    for (expected, breakage) in broken {
        let mut config = good.clone();
        breakage(&mut config);
        let error = config.init(0, &Device::flex()).unwrap_err();
        assert!(matches!(error, ModelError::OutOfRange { .. }), "{error}");
        assert_eq!(error.field(), Some(expected));
    }
}

#[test]
fn width_and_image_must_suit_the_model() {
    for name in [ClassifierName::Vgg11Bn, ClassifierName::Densenet121] {
        let config = ModelConfig::new(name, 3, name.smallest_image(), 10);
        assert_eq!(config.check(), Ok(()));
        let wide = config.clone().with_width(8).check();
        let expected = format!("width = 8 is given, but {name} has a fixed width; leave it out");
        assert_eq!(wide.unwrap_err().to_string(), expected);
        let small = ModelConfig {
            image_size: config.image_size - 1,
            ..config
        };
        let error = small.check().unwrap_err();
        assert_eq!(error.field(), Some("image_size"));
        let expected = format!("is too small for {name}");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn sizes_that_no_memory_holds_are_refused_before_they_are_allocated() {
    for (name, width) in [
        (ClassifierName::Mlp, 16_384),
        (ClassifierName::Resnet18, 16_384),
    ] {
        let config = ModelConfig::new(name, 1024, 16_384, 10).with_width(width);
        let error = config.check().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("parameters, more than"), "{text}");
        assert_eq!(error.field(), Some("width"));
        assert_eq!(config.init(0, &Device::flex()).unwrap_err(), error);
    }
}
