//! What can and cannot be built.

use burn::tensor::Device;
use xsam_models::{ClassifierName, ModelConfig, ModelError, Pooling, Variant};

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
        ("width", |c| c.variant.width = Some(0)),
        ("width", |c| c.variant.width = Some(usize::MAX)),
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

#[test]
fn what_a_model_leaves_open_must_suit_it() {
    let refused = |name, variant: Variant| {
        let config = ModelConfig::new(name, 3, 32, 10);
        let error = ModelConfig { variant, ..config }.check().unwrap_err();
        (error.field().unwrap(), error.to_string())
    };
    let with = |change: fn(&mut Variant)| {
        let mut variant = Variant::default();
        change(&mut variant);
        variant
    };
    for (name, variant, field, words) in [
        (
            ClassifierName::Resnet18,
            with(|v| v.depth = Some(34)),
            "depth",
            "resnet18 has a fixed depth",
        ),
        (
            ClassifierName::Mixer,
            with(|v| v.heads = Some(2)),
            "heads",
            "mixer has no heads",
        ),
        (
            ClassifierName::Cnn,
            with(|v| v.pooling = Some(Pooling::Mean)),
            "pooling",
            "pooling = mean is given, but cnn has no pooling",
        ),
        (
            ClassifierName::WideResnet,
            with(|v| v.depth = Some(20)),
            "depth",
            "depth = 20 is none of 10, 16, 22",
        ),
        (
            ClassifierName::WideResnet,
            with(|v| v.depth = Some(4)),
            "depth",
            "depth = 4 is none of",
        ),
        (
            ClassifierName::Vit,
            with(|v| v.patch = Some(5)),
            "patch",
            "patch = 5 does not divide the image, which is 32 pixels wide",
        ),
        (
            ClassifierName::Vit,
            with(|v| v.heads = Some(5)),
            "heads",
            "heads = 5 does not divide the width, 192",
        ),
        (
            ClassifierName::Vit,
            with(|v| v.patch = Some(0)),
            "patch",
            "patch = 0 is outside 1..=16384",
        ),
    ] {
        let (actual, message) = refused(name, variant);
        assert_eq!(actual, field);
        assert!(message.contains(words), "{message}");
    }
    let large = ModelConfig::new(ClassifierName::Mixer, 3, 4096, 10);
    let error = large.check().unwrap_err().to_string();
    assert!(error.contains("patch = 4 makes 1048576 patches"), "{error}");

    let wide = with(|v| v.width = Some(256));
    let vit = ClassifierName::Vit.resolved(&wide).unwrap();
    assert_eq!((vit.heads, vit.depth), (Some(4), Some(12)));
}
