//! Files that do not fit are refused with all that is wrong with them.

use std::collections::BTreeMap;

use super::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Tensors of a file, with the bytes of their values.
pub(super) type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

pub(super) fn tensors() -> Tensors {
    let entry = |(entry, values): (state::Entry, Vec<f64>)| {
        let bytes = values.iter().flat_map(|&v| (v as f32).to_le_bytes());
        (entry.name, (Dtype::F32, entry.shape, bytes.collect()))
    };
    state::values(&small(9)).into_iter().map(entry).collect()
}

pub(super) fn written(tensors: &Tensors) -> (TempDir, PathBuf) {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    file(
        "model.safetensors",
        &safetensors::serialize(views, None).unwrap(),
    )
}

fn refused(tensors: &Tensors) -> (Vec<Mismatch>, String) {
    let (_folder, path) = written(tensors);
    let error = load(&path).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()));
    match error {
        WeightsError::Mismatch { mismatches, .. } => (mismatches, text),
        other => panic!("{other}"),
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[test]
fn all_that_is_amiss_is_listed() {
    let mut tensors = tensors();
    tensors.remove("conv1.weight");
    tensors.remove("fc.bias");
    tensors.insert("fc.scale".into(), (Dtype::F32, vec![2], floats(&[1.0; 2])));
    tensors.insert("step".into(), (Dtype::I64, vec![], vec![0; 8]));
    // As many values, in another shape.
    tensors.get_mut("conv2.weight").unwrap().1 = vec![4, 2, 9];
    let not_numbers = [1.0, f32::NAN, f32::INFINITY, 1.0];
    let entry = (Dtype::F32, vec![4], floats(&not_numbers));
    tensors.insert("bn2.bias".into(), entry);
    tensors.insert("bn1.weight".into(), (Dtype::I32, vec![2], vec![0; 8]));

    let (mismatches, text) = refused(&tensors);
    let list = "
  missing: conv1.weight [2, 1, 3, 3]
  not of floating-point numbers: bn1.weight is I32
  misshapen: conv2.weight is [4, 2, 9], not [4, 2, 3, 3]
  not finite as f32: 2 values of bn2.bias, the first bn2.bias[1] = NaN
  missing: fc.bias [3]
  surplus: fc.scale [2]
  surplus: step []";
    let end = format!("does not fit the model:{list}");
    assert!(text.ends_with(&end), "{text}");
    assert_eq!(mismatches.len(), 7);
}

#[test]
fn nothing_amiss_is_loaded() {
    let (_folder, path) = written(&tensors());
    assert_eq!(values(&load(&path).unwrap()), values(&small(9)));
}

#[test]
fn a_value_that_becomes_infinite_in_the_model_is_refused() {
    let mut tensors = tensors();
    let values = [1.0_f64, 1e39, 0.0].iter().flat_map(|v| v.to_le_bytes());
    tensors.insert("fc.bias".into(), (Dtype::F64, vec![3], values.collect()));
    let expected = Mismatch::Values {
        name: "fc.bias".into(),
        fault: "not finite as f32".into(),
        count: 1,
        index: 1,
        value: 1e39,
    };
    assert_eq!(refused(&tensors).0, [expected]);
}

#[test]
fn a_running_variance_below_zero_is_refused() {
    let mut tensors = tensors();
    let variances = [0.5, -0.25, 0.0, -1e-9];
    let entry = (Dtype::F32, vec![4], floats(&variances));
    tensors.insert("bn2.running_var".into(), entry.clone());
    // Any other tensor may be what it likes.
    tensors.insert("bn2.running_mean".into(), entry.clone());
    tensors.insert("bn2.weight".into(), entry);
    let (mismatches, text) = refused(&tensors);
    let expected = Mismatch::Values {
        name: "bn2.running_var".into(),
        fault: "a variance below zero".into(),
        count: 2,
        index: 1,
        value: -0.25,
    };
    assert_eq!(mismatches, [expected]);
    let line =
        "a variance below zero: 2 values of bn2.running_var, the first bn2.running_var[1] = -0.25";
    assert!(text.contains(line), "{text}");
}

#[test]
fn another_number_of_classes_is_another_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    let other = ModelConfig::new(ClassifierName::SmallCnn, 1, 5, 4).with_width(2);
    write_weights(&other.init(0, &Device::flex()).unwrap(), &path).unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.ends_with(
        "\n  misshapen: fc.weight is [4, 4], not [3, 4]\n  misshapen: fc.bias is [4], not [3]"
    ));
}

#[test]
fn a_prefix_is_taken_off_only_if_all_names_have_it() {
    let renamed = |rename: fn(&str) -> String| -> Tensors {
        let tensors = tensors().into_iter();
        tensors
            .map(|(name, tensor)| (rename(&name), tensor))
            .collect()
    };
    let wrapped = renamed(|name| format!("_orig_mod.module.{name}"));
    let (_folder, path) = written(&wrapped);
    load(&path).unwrap();

    let partly = renamed(|name| match name {
        "fc.bias" => name.to_owned(),
        _ => format!("module.{name}"),
    });
    let (mismatches, text) = refused(&partly);
    assert_eq!(mismatches.len(), 2 * (partly.len() - 1));
    assert!(text.contains("surplus: module.fc.weight [3, 4]"));
}

#[test]
fn a_file_of_something_else_is_told_apart() {
    let (_folder, missing) = file("there.pt", b"");
    let missing = missing.with_file_name("missing.pt");
    let error = read_weights(&missing).unwrap_err();
    assert!(matches!(error, WeightsError::File { .. }), "{error}");
    // A pickle of {}.
    let empty: &[u8] = b"\x80\x02}.";
    for (name, content) in [
        ("a.pt", &b""[..]),
        ("a.pt", b"not weights"),
        ("a.pt", empty),
        ("a.safetensors", b""),
        ("a.safetensors", b"\x02\0\0\0\0\0\0\0{}"),
        ("a.safetensors", &fs::read(pytorchs("plain.pt")).unwrap()),
        ("a.bin", b"\x02\0\0\0\0\0\0\0{]"),
    ] {
        let (_folder, path) = file(name, content);
        let error = read_weights(&path).unwrap_err();
        assert!(matches!(error, WeightsError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(name));
    }
}
