//! Names, shapes, order and replacement of the float tensors.

use burn::module::{Module, ParamId};
use burn::nn;
use burn::tensor::{Device, FloatDType, Tensor};
use xsam_models::state::{self, Kind, StateError};
use xsam_models::{ImageClassifier, Model, ModelConfig, ModelName, parameter_count};

fn build(name: ModelName) -> Model {
    ModelConfig::new(name, 3, 32, 10)
        .init(3, &Device::flex().autodiff())
        .unwrap()
}

fn small() -> Model {
    build(ModelName::SmallCnn)
}

fn has(model: &Model, expected: &[(usize, &str, &[usize])]) {
    let entries = state::entries(model);
    for (position, name, shape) in expected {
        assert_eq!(entries[*position].name, *name);
        assert_eq!(entries[*position].shape, *shape, "{name}");
    }
}

#[test]
fn resnet18_is_pytorchs() {
    let model = build(ModelName::Resnet18);
    // 20 convolutions, 20 normalizations of four tensors, one linear layer of two.
    assert_eq!(state::entries(&model).len(), 20 + 20 * 4 + 2);
    has(
        &model,
        &[
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
    );
    assert_eq!(parameter_count(&model), 11_173_962);
}

#[test]
fn vgg11_bn_is_pytorchs() {
    let model = build(ModelName::Vgg11Bn);
    has(
        &model,
        &[
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
    );
    assert_eq!(state::entries(&model).len(), 54);
    assert_eq!(parameter_count(&model), 28_149_514);
}

#[test]
fn densenet121_is_pytorchs() {
    let model = build(ModelName::Densenet121);
    has(
        &model,
        &[
            (0, "conv1.weight", &[64, 3, 3, 3]),
            (1, "dense1.0.bn1.weight", &[64]),
            (5, "dense1.0.conv1.weight", &[128, 64, 1, 1]),
            (6, "dense1.0.bn2.weight", &[128]),
            (10, "dense1.0.conv2.weight", &[32, 128, 3, 3]),
            (61, "trans1.bn.weight", &[256]),
            (65, "trans1.conv.weight", &[128, 256, 1, 1]),
        ],
    );
    let entries = state::entries(&model);
    let last: Vec<_> = entries
        .iter()
        .rev()
        .take(6)
        .map(|e| e.name.as_str())
        .collect();
    let expected = [
        "linear.bias",
        "linear.weight",
        "bn.running_var",
        "bn.running_mean",
        "bn.bias",
        "bn.weight",
    ];
    assert_eq!(last, expected);
    assert_eq!(entries.last().unwrap().kind, Kind::Bias);
    assert_eq!(parameter_count(&model), 6_956_298);
}

#[test]
fn small_models() {
    assert_eq!(parameter_count(&small()), 216 + 16 + 1152 + 32 + 170);
    has(
        &small(),
        &[
            (0, "conv1.weight", &[8, 3, 3, 3]),
            (10, "fc.weight", &[10, 16]),
        ],
    );
    let cnn = build(ModelName::Cnn);
    has(
        &cnn,
        &[
            (10, "conv3.weight", &[64, 32, 3, 3]),
            (11, "bn3.weight", &[64]),
        ],
    );
    has(
        &build(ModelName::Mlp),
        &[(0, "fc1.weight", &[32, 3072]), (3, "fc2.bias", &[10])],
    );
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
    assert_eq!(
        output.into_data().try_to_vec::<f32>().unwrap(),
        [210.0, 544.0]
    );
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
    let wanted: Vec<Vec<f64>> = state::entries(&model)
        .iter()
        .enumerate()
        .map(|(j, e)| {
            (0..e.numel())
                .map(|i| (j * 1000 + i) as f64 / 8.0)
                .collect()
        })
        .collect();
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
    assert!(
        before[3].1.iter().any(|&mean| mean != 0.0),
        "the pass counts"
    );

    let filled = state::with_values(model, |_, e| vec![0.25; e.numel()]).unwrap();
    assert_eq!(state::values(&clone), before);
    assert!(
        state::values(&filled)
            .iter()
            .all(|(_, v)| v.iter().all(|&x| x == 0.25))
    );
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
    let config = ModelConfig::new(ModelName::SmallCnn, 1, 8, 2);
    let model = config.init(0, &device).unwrap();
    let model = state::with_values(model, |_, e| vec![0.5; e.numel()]).unwrap();
    // Burn panics here if strategies are mixed.
    let loss = model.forward(Tensor::ones([2, 1, 8, 8], &device)).sum();
    loss.backward();
}
