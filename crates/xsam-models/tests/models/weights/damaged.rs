//! Damaged files end in an error, not in a panic, and not in the memory of the machine.

use std::sync::OnceLock;

use proptest::prelude::*;
use xsam_models::weights::WeightTensor;

use super::*;

/// Files of PyTorch and of ours.
fn whole() -> &'static [Vec<u8>] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let torch = super::torch::FILES.iter();
        let torch = torch.map(|(name, _)| fs::read(pytorchs(name)).unwrap());
        let ours = ["model.pt", "model.safetensors"].map(|name| {
            let (_folder, path) = file(name, b"");
            write_weights(&small(0), &path).unwrap();
            fs::read(path).unwrap()
        });
        torch.chain(ours).collect()
    })
}

/// Reads `content` under both kinds of name; whether it is read is all the same, but what is loaded is
/// finite, and what is read of it small.
fn read(content: &[u8]) {
    for name in ["model.pt", "model.safetensors"] {
        let (_folder, path) = file(name, content);
        let Ok(weights) = read_weights(&path) else {
            continue;
        };
        let values = |tensor: &WeightTensor| tensor.values.as_ref().map_or(0, |v| v.num_elements());
        let all: usize = weights.tensors().values().map(values).sum();
        assert!(all < 1 << 20, "{all} values from {} bytes", content.len());
        if let Ok(model) = load_weights(small(0), &weights) {
            let read = state::values(&model);
            assert!(read.iter().flat_map(|(_, v)| v).all(|v| v.is_finite()));
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    for content in whole() {
        for end in 0..content.len() {
            let (_folder, path) = file("weights", &content[..end]);
            let error = read_weights(&path).unwrap_err();
            assert!(
                matches!(error, WeightsError::Damaged { .. }),
                "{end}: {error}"
            );
        }
    }
}

#[test]
fn any_byte_may_be_any_other() {
    for content in whole() {
        for place in 0..content.len() {
            let mut content = content.clone();
            content[place] ^= [0x01, 0x80, 0xff][place % 3];
            read(&content);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn several_damages_at_once(
        file in 0..8_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        moved in any::<(prop::sample::Index, prop::sample::Index, u8)>(),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut content = whole()[file].clone();
        for (place, value) in flips {
            let place = place.index(content.len());
            content[place] = value;
        }
        // A piece of the file in another place, which makes names and numbers that mean something.
        let (from, to, length) = moved;
        let (from, to) = (from.index(content.len()), to.index(content.len()));
        let length = usize::from(length % 32).min(content.len() - from.max(to));
        content.copy_within(from..from + length, to);
        if let Some(end) = end {
            content.truncate(end.index(content.len()));
        }
        read(&content);
    }
}

#[test]
fn a_few_bytes_cannot_claim_all_memory() {
    let error = read_weights(&pytorchs("repeated.pt")).unwrap_err();
    assert!(matches!(error, WeightsError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("repeat their values"));
}

#[test]
fn nothing_of_a_file_is_run() {
    // pickle.dumps of an object whose __reduce__ is (os.system, ("touch pwned",))
    let pickle = b"\x80\x02cposix\nsystem\nX\x0b\0\0\0touch pwned\x85R.";
    let (folder, path) = file("model.pt", pickle);
    assert!(read_weights(&path).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(!Path::new("pwned").exists());
}
