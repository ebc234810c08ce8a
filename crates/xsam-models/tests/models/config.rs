//! What can and cannot be built.

use burn::tensor::Device;
use xsam_models::{ClassifierName, ModelConfig, ModelError};

#[test]
fn names_round_trip_and_unknown_ones_are_refused() {
    for name in ClassifierName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    let message = "resnet81"
        .parse::<ClassifierName>()
        .unwrap_err()
        .to_string();
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
        match config.init(0, &Device::flex()) {
            Err(ModelError::OutOfRange { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn width_and_image_must_suit_the_model() {
    for name in [ClassifierName::Vgg11Bn, ClassifierName::Densenet121] {
        let config = ModelConfig::new(name, 3, name.smallest_image(), 10);
        assert_eq!(config.check(), Ok(()));
        let wide = config.clone().with_width(8).check();
        let (model, width) = (name, 8);
        assert_eq!(wide, Err(ModelError::FixedWidth { model, width }));
        let small = ModelConfig {
            image_size: config.image_size - 1,
            ..config
        };
        let message = small.check().unwrap_err().to_string();
        assert!(message.contains(name.as_str()), "{message}");
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
        assert!(matches!(error, ModelError::TooLarge { .. }), "{error}");
        assert_eq!(error.field(), Some("width"));
        assert_eq!(config.init(0, &Device::flex()).unwrap_err(), error);
    }
}
