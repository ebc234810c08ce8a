//! What is written and read again is the same.

use burn::tensor::FloatDType;
use xsam_models::{TransformerConfig, cast};

use super::*;

const FILES: [&str; 3] = ["model.safetensors", "model.pt", "model.PTH"];

#[test]
fn every_model_comes_back_to_the_bit_and_with_its_logits() {
    for name in ClassifierName::ALL {
        let config = ModelConfig::new(name, 3, 32, 10);
        let init = |seed| config.init(seed, &Device::flex()).unwrap();
        // Running statistics as after training, too.
        let model = reference::fill(init(0), 5).unwrap();
        let shape = [2, 3, 32, 32];
        let images = reference::images(1, shape.iter().product()).into_iter();
        let images: Vec<f32> = images.map(|value| value as f32).collect();
        let wanted = logits(&model, images.clone(), shape);
        for file in FILES {
            let loaded = load_weights(init(1), &written_and_read(&model, file)).unwrap();
            assert_eq!(values(&loaded), values(&model), "{name}, {file}");
            assert_eq!(logits(&loaded, images.clone(), shape), wanted);
        }
    }
}

#[test]
fn double_precision_is_kept() {
    let model = cast(small(3), FloatDType::F64);
    let model = state::with_values(model, |_, entry| {
        (0..entry.numel()).map(|i| 1.0 / (3 + i) as f64).collect()
    })
    .unwrap();
    for file in FILES {
        let weights = written_and_read(&model, file);
        let loaded = load_weights(cast(small(4), FloatDType::F64), &weights).unwrap();
        assert_eq!(values(&loaded), values(&model));
        // And rounded where the model is of single precision.
        let rounded = load_weights(small(4), &weights).unwrap();
        assert_eq!(values(&rounded)[0].1[0], f64::from(1.0_f32 / 3.0));
    }
}

#[test]
fn a_transformer_is_a_module_like_any_other() {
    let config = TransformerConfig::new(10, 0)
        .with_sizes(8, 16, 2)
        .with_layers(1, 1);
    let init = |seed| config.init(seed, &Device::flex()).unwrap();
    let model = init(0);
    for file in FILES {
        let loaded = load_weights(init(1), &written_and_read(&model, file)).unwrap();
        assert_eq!(values(&loaded), values(&model));
    }
}

#[test]
fn an_update_of_running_statistics_that_burn_keeps_aside_is_written() {
    let config = ModelConfig::new(ClassifierName::SmallCnn, 1, 5, 3).with_width(2);
    let model = config.init(0, &Device::flex().autodiff()).unwrap();
    model.forward(Tensor::ones([2, 1, 5, 5], &Device::flex().autodiff()));
    let weights = written_and_read(&model, "model.pt");
    let mean = weights.tensors()["bn1.running_mean"].values.as_ref();
    assert!(mean.unwrap().iter::<f32>().all(|mean| mean != 0.0));
    let loaded = load_weights(small(1), &weights).unwrap();
    assert_eq!(values(&loaded), values(&model));
}

#[test]
fn loading_leaves_clones_as_they_are() {
    let model = small(2);
    let (clone, before) = (model.clone(), values(&model));
    let loaded = load_weights(model, &written_and_read(&small(1), "model.pt")).unwrap();
    assert_eq!(values(&clone), before);
    assert_ne!(values(&loaded), before);
}

#[test]
fn the_same_weights_give_the_same_bytes_and_replace_the_file() {
    for file in FILES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        fs::write(&path, "older").unwrap();
        write_weights(&small(1), &path).unwrap();
        let bytes = fs::read(&path).unwrap();
        write_weights(&small(2), &path).unwrap();
        assert_ne!(fs::read(&path).unwrap(), bytes);
        write_weights(&small(1), &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model", "model.bin", "model.pt.gz", ".pt"] {
        let path = folder.path().join(name);
        let error = write_weights(&small(0), &path).unwrap_err();
        assert!(matches!(error, WeightsError::Ending { .. }), "{error}");
        assert!(error.to_string().contains(".safetensors, .pt or .pth"));
    }
    // A folder cannot be replaced, nor one that is missing be written into.
    let taken = folder.path().join("taken.pt");
    fs::create_dir_all(taken.join("precious")).unwrap();
    for path in [taken, folder.path().join("missing/model.safetensors")] {
        let error = write_weights(&small(0), &path).unwrap_err();
        assert!(matches!(error, WeightsError::File { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
    // A model can be given what is not finite by its own fields.
    let Model::SmallCnn(mut model) = small(0) else {
        panic!()
    };
    model.bn2.weight = model.bn2.weight.map(|weight| weight / 0.0);
    let path = folder.path().join("model.pt");
    let error = write_weights(&Model::SmallCnn(model), &path).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("bn2.weight[0] = inf is not a finite f32"),
        "{text}"
    );

    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
