//! What can and cannot be built.

use burn::tensor::Device;
use xsam_models::{
    NormPlacement, SearchConfig, SharedEmbeddings, TransformerConfig, parameter_count, state,
};

use super::{BEGIN, END, Pairs, VOCABULARY, but, small};

fn names(config: &TransformerConfig) -> Vec<String> {
    let model = config.init(0, &Device::flex()).unwrap();
    let entries = state::entries(&model).into_iter();
    entries.map(|entry| entry.name).collect()
}

#[test]
fn impossible_sizes_name_the_field() {
    type Breakage = fn(&mut TransformerConfig);
    let broken: [(&str, Breakage); 9] = [
        ("vocabulary", |c| c.vocabulary = 3),
        ("padding", |c| c.padding = VOCABULARY),
        ("dim", |c| c.dim = 0),
        ("feed_forward", |c| c.feed_forward = usize::MAX),
        ("heads", |c| c.heads = 0),
        ("encoder_layers", |c| c.encoder_layers = 0),
        ("decoder_layers", |c| c.decoder_layers = 2000),
        ("dropout", |c| c.dropout = 1.0),
        ("dropout", |c| c.dropout = f64::NAN),
    ];
    for (expected, breakage) in broken {
        let mut config = small();
        breakage(&mut config);
        let error = config.init(0, &Device::flex()).unwrap_err();
        assert_eq!(error.field(), Some(expected), "{error}");
    }
    let message = small().with_sizes(16, 24, 3).check().unwrap_err();
    assert_eq!(message.to_string(), "heads = 3 does not divide dim = 16");
}

#[test]
fn sizes_that_no_memory_holds_are_refused_before_they_are_allocated() {
    let config = TransformerConfig::new(1 << 24, 0).with_sizes(1 << 16, 1 << 16, 4);
    let error = config.init(0, &Device::flex()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("parameters, more than"), "{text}");
    assert_eq!(config.check().unwrap_err(), error);
}

#[test]
fn impossible_searches_name_the_field() {
    type Breakage = fn(&mut SearchConfig);
    let broken: [(&str, Breakage); 9] = [
        ("begin", |c| c.begin = VOCABULARY),
        ("begin", |c| c.begin = 0),
        ("end", |c| c.end = 0),
        ("beam", |c| c.beam = 0),
        ("beam", |c| c.beam = VOCABULARY - 1),
        ("length_penalty", |c| c.length_penalty = f64::INFINITY),
        ("max_length_a", |c| c.max_length_a = -1.0),
        ("max_length_a", |c| c.max_length_a = f64::NAN),
        ("max_length_b", |c| c.max_length_b = 0),
    ];
    let model = small().init(0, &Device::flex()).unwrap();
    for (expected, breakage) in broken {
        let mut config = SearchConfig::new(BEGIN, END);
        breakage(&mut config);
        let source = Pairs::new(1, &[(2, 2)]).source(0).inner();
        let message = model.search(source, &config).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn tensors_have_the_names_and_the_order_of_fairseq() {
    let pair = |name: String| ["weight", "bias"].map(|part| format!("{name}.{part}"));
    let layer = |half: &str, index: usize, attentions: &[&str]| -> Vec<String> {
        let mut modules = Vec::new();
        for attention in attentions {
            let parts = ["k_proj", "v_proj", "q_proj", "out_proj"];
            modules.extend(parts.map(|part| format!("{attention}.{part}")));
            modules.push(format!("{attention}_layer_norm"));
        }
        modules.extend(["fc1", "fc2", "final_layer_norm"].map(String::from));
        let names = modules.into_iter();
        let names = names.flat_map(|module| pair(format!("{half}.layers.{index}.{module}")));
        names.collect()
    };
    let encoder = [0, 1].map(|i| layer("encoder", i, &["self_attn"])).concat();
    let decoder = [0, 1].map(|i| layer("decoder", i, &["self_attn", "encoder_attn"]));
    let decoder = decoder.concat();
    let (source, target) = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight");
    let owned = |name: &str| vec![name.to_owned()];

    let usual = [
        owned(source),
        encoder.clone(),
        owned(target),
        decoder.clone(),
    ]
    .concat();
    assert_eq!(names(&small()), usual);

    let three = but(|config| config.shared_embeddings = SharedEmbeddings::None);
    let output = owned("decoder.output_projection.weight");
    assert_eq!(names(&three), [usual, output].concat());

    let one = but(|config| {
        config.shared_embeddings = SharedEmbeddings::All;
        config.norm_placement = NormPlacement::Pre;
    });
    let norm = |half: &str| pair(format!("{half}.layer_norm")).to_vec();
    let expected = [
        encoder,
        norm("encoder"),
        owned(target),
        decoder,
        norm("decoder"),
    ];
    assert_eq!(names(&one), expected.concat());
}

#[test]
fn the_default_is_as_large_as_fairseqs() {
    let model = TransformerConfig::new(100, 0)
        .init(0, &Device::flex())
        .unwrap();
    // Six layers each of 4 or 8 products of attention, two of the feed-forward network and two or three
    // norms, and a table of each language.
    let (d, f) = (512, 1024);
    let product = |inputs: usize, outputs: usize| inputs * outputs + outputs;
    let feed_forward = product(d, f) + product(f, d);
    let encoder = 4 * product(d, d) + feed_forward + 2 * 2 * d;
    let decoder = 8 * product(d, d) + feed_forward + 3 * 2 * d;
    assert_eq!(
        parameter_count(&model),
        6 * (encoder + decoder) + 2 * 100 * d
    );
    let entries = state::entries(&model);
    let shape = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name).unwrap();
        entry.shape.clone()
    };
    assert_eq!(shape("encoder.layers.0.fc1.weight"), [1024, 512]);
    assert_eq!(shape("decoder.embed_tokens.weight"), [100, 512]);
}
