//! Names, shapes, order and replacement of the float tensors.

use burn::module::{Module, ParamId};
use burn::nn;
use burn::tensor::{Device, FloatDType, Tensor};
use xsam_models::state::{self, Kind, StateError};
use xsam_models::{ClassifierName, ImageClassifier, Model, ModelConfig, parameter_count};

use crate::common::values;

fn build(name: ClassifierName) -> Model {
    ModelConfig::new(name, 3, 32, 10)
        .init(3, &Device::flex().autodiff())
        .unwrap()
}

fn small() -> Model {
    build(ClassifierName::SmallCnn)
}

/// What is known of a model: how many tensors and learned values it has, and name and shape of some tensors by place.
struct Known<'a> {
    model: ClassifierName,
    tensors: usize,
    parameters: usize,
    some: &'a [(usize, &'a str, &'a [usize])],
}

#[test]
fn names_order_and_shapes_are_pytorchs() {
    let models = [
        Known {
            model: ClassifierName::Mlp,
            tensors: 4,
            parameters: 98_666,
            some: &[(0, "fc1.weight", &[32, 3072]), (3, "fc2.bias", &[10])],
        },
        Known {
            model: ClassifierName::SmallCnn,
            tensors: 12,
            parameters: 216 + 16 + 1152 + 32 + 170,
            some: &[
                (0, "conv1.weight", &[8, 3, 3, 3]),
                (10, "fc.weight", &[10, 16]),
            ],
        },
        Known {
            model: ClassifierName::Cnn,
            tensors: 17,
            parameters: 24_346,
            some: &[
                (10, "conv3.weight", &[64, 32, 3, 3]),
                (11, "bn3.weight", &[64]),
            ],
        },
        Known {
            model: ClassifierName::Resnet18,
            // 20 convolutions, 20 normalizations of four tensors, one linear layer of two.
            tensors: 20 + 20 * 4 + 2,
            parameters: 11_173_962,
            some: &[
                (0, "conv1.weight", &[64, 3, 3, 3]),
                (1, "bn1.weight", &[64]),
                (2, "bn1.bias", &[64]),
                (3, "bn1.running_mean", &[64]),
                (4, "bn1.running_var", &[64]),
                (5, "layer1.0.conv1.weight", &[64, 64, 3, 3]),
                (25, "layer2.0.conv1.weight", &[128, 64, 3, 3]),
                (35, "layer2.0.shortcut.0.weight", &[128, 64, 1, 1]),
                (39, "layer2.0.shortcut.1.running_var", &[128]),
                (40, "layer2.1.conv1.weight", &[128, 128, 3, 3]),
                (99, "layer4.1.bn2.running_var", &[512]),
                (100, "linear.weight", &[10, 512]),
                (101, "linear.bias", &[10]),
            ],
        },
        Known {
            model: ClassifierName::Vgg11Bn,
            tensors: 54,
            parameters: 28_149_514,
            some: &[
                (0, "features.0.weight", &[64, 3, 3, 3]),
                (1, "features.0.bias", &[64]),
                (2, "features.1.weight", &[64]),
                (5, "features.1.running_var", &[64]),
                (6, "features.4.weight", &[128, 64, 3, 3]),
                (47, "features.26.running_var", &[512]),
                (48, "classifier.0.weight", &[4096, 512]),
                (50, "classifier.3.weight", &[4096, 4096]),
                (53, "classifier.6.bias", &[10]),
            ],
        },
        Known {
            model: ClassifierName::Densenet121,
            tensors: 602,
            parameters: 6_956_298,
            some: &[
                (0, "conv1.weight", &[64, 3, 3, 3]),
                (1, "dense1.0.bn1.weight", &[64]),
                (5, "dense1.0.conv1.weight", &[128, 64, 1, 1]),
                (6, "dense1.0.bn2.weight", &[128]),
                (10, "dense1.0.conv2.weight", &[32, 128, 3, 3]),
                (61, "trans1.bn.weight", &[256]),
                (65, "trans1.conv.weight", &[128, 256, 1, 1]),
                (596, "bn.weight", &[1024]),
                (597, "bn.bias", &[1024]),
                (598, "bn.running_mean", &[1024]),
                (599, "bn.running_var", &[1024]),
                (600, "linear.weight", &[10, 1024]),
                (601, "linear.bias", &[10]),
            ],
        },
        Known {
            model: ClassifierName::WideResnet,
            // Stem, 24 convolutions, 3 projections, 25 normalizations, the linear layer.
            tensors: 1 + 24 + 3 + 25 * 4 + 2,
            parameters: 36_479_194,
            some: &[
                (0, "conv1.weight", &[16, 3, 3, 3]),
                (1, "block1.layer.0.bn1.weight", &[16]),
                (5, "block1.layer.0.conv1.weight", &[160, 16, 3, 3]),
                (6, "block1.layer.0.bn2.weight", &[160]),
                (10, "block1.layer.0.conv2.weight", &[160, 160, 3, 3]),
                (11, "block1.layer.0.convShortcut.weight", &[160, 16, 1, 1]),
                (12, "block1.layer.1.bn1.weight", &[160]),
                (124, "bn1.weight", &[640]),
                (128, "fc.weight", &[10, 640]),
                (129, "fc.bias", &[10]),
            ],
        },
        Known {
            model: ClassifierName::Vit,
            // Two tables, the patches, 12 tensors a block, the last norm, the linear layer.
            tensors: 2 + 2 + 12 * 12 + 2 + 2,
            parameters: 5_362_762,
            some: &[
                (0, "cls_token", &[1, 1, 192]),
                (1, "pos_embed", &[1, 65, 192]),
                (2, "patch_embed.proj.weight", &[192, 3, 4, 4]),
                (3, "patch_embed.proj.bias", &[192]),
                (4, "blocks.0.norm1.weight", &[192]),
                (6, "blocks.0.attn.qkv.weight", &[576, 192]),
                (7, "blocks.0.attn.qkv.bias", &[576]),
                (8, "blocks.0.attn.proj.weight", &[192, 192]),
                (10, "blocks.0.norm2.weight", &[192]),
                (12, "blocks.0.mlp.fc1.weight", &[768, 192]),
                (14, "blocks.0.mlp.fc2.weight", &[192, 768]),
                (148, "norm.weight", &[192]),
                (150, "head.weight", &[10, 192]),
                (151, "head.bias", &[10]),
            ],
        },
        Known {
            model: ClassifierName::Mixer,
            tensors: 2 + 8 * 12 + 2 + 2,
            parameters: 17_110_026,
            some: &[
                (0, "stem.proj.weight", &[512, 3, 4, 4]),
                (2, "blocks.0.norm1.weight", &[512]),
                (4, "blocks.0.mlp_tokens.fc1.weight", &[256, 64]),
                (6, "blocks.0.mlp_tokens.fc2.weight", &[64, 256]),
                (8, "blocks.0.norm2.weight", &[512]),
                (10, "blocks.0.mlp_channels.fc1.weight", &[2048, 512]),
                (12, "blocks.0.mlp_channels.fc2.weight", &[512, 2048]),
                (98, "norm.weight", &[512]),
                (100, "head.weight", &[10, 512]),
            ],
        },
    ];
    for known in models {
        let model = known.model;
        let module = build(model);
        let entries = state::entries(&module);
        assert_eq!(entries.len(), known.tensors, "{model}");
        assert_eq!(parameter_count(&module), known.parameters, "{model}");
        assert_eq!(entries[known.tensors - 1].kind, Kind::Bias, "{model}");
        for &(place, name, shape) in known.some {
            let entry = &entries[place];
            assert_eq!((&*entry.name, &*entry.shape), (name, shape), "{model}");
        }
    }
}

#[test]
fn linear_weights_are_read_and_written_in_pytorchs_memory_order() {
    let device = Device::flex();
    let layer = nn::LinearConfig::new(3, 2).init(&device);
    let layer = state::with_values(layer, |_, entry| {
        (0..entry.numel()).map(|i| i as f64).collect()
    })
    .unwrap();
    // PyTorch: y0 = w[0, :] x + b0 with w = [[0, 1, 2], [3, 4, 5]] and b = [0, 1].
    let output = layer.forward(Tensor::<2>::from_floats([[1.0, 10.0, 100.0]], &device));
    assert_eq!(values(&output), [210.0, 544.0]);
    let read = state::values(&layer);
    assert_eq!(read[0].0.shape, [2, 3]);
    assert_eq!(read[0].1, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn burns_own_normalization_gets_pytorchs_names() {
    let norm = nn::BatchNormConfig::new(2).init(&Device::flex());
    let entries = state::entries(&norm);
    let names: Vec<_> = entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["weight", "bias", "running_mean", "running_var"]);
    assert_eq!(entries[1].kind, Kind::NormBias);
    assert_eq!(parameter_count(&norm), 4);
}

#[test]
fn values_written_are_values_read() {
    let model = small();
    let value = |j: usize, i: usize| (j * 1000 + i) as f64 / 8.0;
    let wanted = state::entries(&model).into_iter().enumerate();
    let wanted = wanted.map(|(j, e)| (0..e.numel()).map(|i| value(j, i)).collect());
    let wanted: Vec<Vec<f64>> = wanted.collect();
    let model = state::with_values(model, |j, _| wanted[j].clone()).unwrap();
    let read: Vec<Vec<f64>> = state::values(&model).into_iter().map(|(_, v)| v).collect();
    assert_eq!(read, wanted);
}

#[test]
fn replacement_keeps_identity_type_device_and_gradient_setting() {
    let ids =
        |model: &Model| -> Vec<ParamId> { state::entries(model).iter().map(|e| e.id).collect() };
    let again = |model: Model| {
        let old = state::values(&model);
        state::with_values(model, |j, _| old[j].1.clone()).unwrap()
    };
    let Model::SmallCnn(mut inner) = small() else {
        panic!()
    };
    inner.conv1 = inner.conv1.freeze();
    inner.bn2 = inner.bn2.freeze();
    inner.fc.bias = inner
        .fc
        .bias
        .map(|bias| bias.map(|b| b.cast(FloatDType::F64).detach().require_grad()));
    let model = Model::SmallCnn(inner);
    let before = ids(&model);
    let Model::SmallCnn(inner) = again(model.clone()) else {
        panic!()
    };
    assert!(!inner.conv1.weight.is_require_grad() && inner.conv2.weight.is_require_grad());
    assert!(!inner.bn2.training.is_enabled() && inner.bn1.training.is_enabled());
    assert!(inner.bn1.running_mean.value().device().is_autodiff());
    let bias = inner.fc.bias.as_ref().unwrap().val();
    assert!(bias.is_require_grad() && bias.dtype() == FloatDType::F64.into());
    assert_eq!(ids(&Model::SmallCnn(inner)), before);

    // In evaluation and back.
    let Model::SmallCnn(inner) = again(model.valid()).train() else {
        panic!()
    };
    assert!(!inner.conv1.weight.is_require_grad() && inner.conv2.weight.is_require_grad());
    assert!(!inner.bn2.training.is_enabled() && inner.bn1.training.is_enabled());
}

#[test]
fn clones_are_not_altered_and_pending_statistics_do_not_return() {
    let device = Device::flex().autodiff();
    let model = small();
    let clone = model.clone();
    model.forward(Tensor::ones([2, 3, 8, 8], &device));
    let before = state::values(&clone);
    let means = &before[3].1;
    assert!(means.iter().any(|&mean| mean != 0.0), "the pass counts");

    let filled = state::with_values(model, |_, e| vec![0.25; e.numel()]).unwrap();
    assert_eq!(state::values(&clone), before);
    let filled = state::values(&filled);
    assert!(filled.iter().flat_map(|(_, v)| v).all(|&x| x == 0.25));
}

#[test]
fn wrong_values_are_typed_errors_that_name_the_tensor() {
    let length = state::with_values(small(), |j, e| vec![0.0; e.numel() + usize::from(j == 2)]);
    let expected = StateError::Length {
        name: "bn1.bias".into(),
        expected: 8,
        actual: 9,
    };
    assert_eq!(length.unwrap_err(), expected);

    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e39] {
        let result = state::with_values(small(), |_, e| {
            let mut values = vec![0.0; e.numel()];
            if e.name == "fc.weight" {
                values[17] = bad;
            }
            values
        });
        match result.unwrap_err() {
            StateError::NotFinite {
                name, index, dtype, ..
            } => {
                assert_eq!((name.as_str(), index, dtype), ("fc.weight", 17, "f32"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_device_that_checkpoints_gradients_still_does() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let config = ModelConfig::new(ClassifierName::SmallCnn, 1, 8, 2);
    let model = config.init(0, &device).unwrap();
    let model = state::with_values(model, |_, e| vec![0.5; e.numel()]).unwrap();
    // Burn panics here if strategies are mixed.
    let loss = model.forward(Tensor::ones([2, 1, 8, 8], &device)).sum();
    loss.backward();
}
