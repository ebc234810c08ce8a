//! The batched search with its caches against a plain one: one sentence at a time, the whole model anew
//! for each token.

use burn::module::Module;
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use xsam_models::{
    Hypothesis, ModelError, NormPlacement, SearchConfig, SharedEmbeddings, Transformer,
    TransformerConfig, cast, reference, state,
};

use super::{BEGIN, END, PADDING, VOCABULARY, but, filled, matrix, small, values, words};

fn config() -> SearchConfig {
    SearchConfig::new(BEGIN, END)
}

/// A few dozen sentences of different lengths.
fn sentences() -> Vec<Vec<i64>> {
    let sentence = |i: u64| [words(500 + i, (i as usize * 7) % 12), vec![END as i64]].concat();
    (0..30).map(sentence).collect()
}

fn batch(sentences: &[Vec<i64>]) -> Tensor<2, Int> {
    let width = sentences.iter().map(Vec::len).max().unwrap();
    matrix(sentences, width + 2)
}

fn longest(config: &SearchConfig, sentence: &[i64]) -> usize {
    (config.max_length_a * sentence.len() as f64) as usize + config.max_length_b
}

/// The logarithms of the probabilities of the token after `tokens`, from the whole model.
fn next(model: &Transformer, sentence: &[i64], tokens: &[u32]) -> Vec<f64> {
    let device = Device::flex();
    let row = |ids: Vec<i64>| {
        let shape = [1, ids.len()];
        Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device)
    };
    let so_far = [BEGIN as i64].into_iter();
    let so_far = so_far.chain(tokens.iter().map(|&token| i64::from(token)));
    let logits = model.forward(row(sentence.to_vec()), row(so_far.collect()));
    let logits = values(&logits.slice([0..1, tokens.len()..tokens.len() + 1]));
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|x| (x - largest).exp()).sum();
    logits.iter().map(|x| x - largest - total.ln()).collect()
}

fn plain_beam(model: &Transformer, sentence: &[i64], config: &SearchConfig) -> Vec<Hypothesis> {
    let mut live = vec![(Vec::new(), 0.0)];
    let mut found = Vec::new();
    for length in 0..=longest(config, sentence) {
        let mut candidates = Vec::new();
        for (tokens, score) in &live {
            for (token, logarithm) in next(model, sentence, tokens).into_iter().enumerate() {
                let may_go_on = length < longest(config, sentence);
                if token == END || (token != PADDING && may_go_on) {
                    candidates.push((tokens.clone(), token, score + logarithm));
                }
            }
        }
        candidates.sort_by(|a, b| b.2.total_cmp(&a.2));
        candidates.truncate(2 * config.beam);
        for (tokens, _, score) in candidates.iter().take(config.beam).filter(|c| c.1 == END) {
            found.push(Hypothesis {
                tokens: tokens.clone(),
                score: score / ((length + 1) as f64).powf(config.length_penalty),
            });
        }
        if found.len() >= config.beam {
            found.truncate(config.beam);
            break;
        }
        let going_on = candidates
            .into_iter()
            .filter(|c| c.1 != END)
            .take(config.beam);
        live = going_on
            .map(|(tokens, token, score)| ([tokens, vec![token as u32]].concat(), score))
            .collect();
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

/// Models whose searches end at different lengths.
fn models() -> Vec<Transformer> {
    let configs = [
        small(),
        but(|config| {
            config.norm_placement = NormPlacement::Pre;
            config.shared_embeddings = SharedEmbeddings::All;
        }),
        but(|config| config.shared_embeddings = SharedEmbeddings::None),
    ];
    let model =
        |(config, seed): (&TransformerConfig, u64)| filled(config, seed, FloatDType::F64).valid();
    configs.iter().zip(20..).map(model).collect()
}

#[test]
fn beam_search_agrees_with_a_plain_decoder() {
    let mut beyond_greedy = 0;
    let mut at_the_limit = Vec::new();
    let short = config().with_beam(2).with_length_penalty(0.6);
    // As many as there can be: a word each.
    let most = config().with_beam(VOCABULARY - 2).with_max_length(0.0, 2);
    let greedy = config().with_beam(1);
    let searches = [
        (0, config()),
        (1, short.with_max_length(0.5, 3)),
        (2, most),
        (0, greedy.clone()),
        (1, greedy.clone()),
        (2, greedy),
    ];
    let models = models();
    for (model, config) in searches {
        let model = &models[model];
        let found = model.search(batch(&sentences()), &config).unwrap();
        assert_eq!(found.len(), sentences().len());
        let greedy = config.clone().with_beam(1);
        let greedy = model.search(batch(&sentences()), &greedy).unwrap();
        for ((sentence, found), greedy) in sentences().iter().zip(&found).zip(greedy) {
            let expected = plain_beam(model, sentence, &config);
            assert_eq!(found.len(), config.beam);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.tokens, expected.tokens);
                assert!((found.score - expected.score).abs() < 1e-9);
            }
            beyond_greedy += usize::from(found[0].tokens != greedy[0].tokens);
            at_the_limit.push(found[0].tokens.len() == longest(&config, sentence));
        }
    }
    assert!(beyond_greedy > 10, "{beyond_greedy}");
    // Some translations end by themselves and some at the limit.
    assert!(at_the_limit.contains(&true) && at_the_limit.contains(&false));
}

#[test]
fn scores_in_single_precision_are_those_of_the_whole_model() {
    let model = filled(&small(), 31, FloatDType::F32);
    let (sentences, config) = (sentences(), config());
    for (sentence, found) in sentences
        .iter()
        .zip(model.search(batch(&sentences), &config).unwrap())
    {
        for hypothesis in found {
            let tokens = &hypothesis.tokens;
            let mut score = 0.0;
            for (length, &token) in tokens.iter().chain([&(END as u32)]).enumerate() {
                score += next(&model.valid(), sentence, &tokens[..length])[token as usize];
            }
            let score = score / (tokens.len() + 1) as f64;
            assert!((hypothesis.score - score).abs() < 1e-5);
        }
    }
}

#[test]
fn a_longer_length_penalty_gives_longer_translations() {
    let model = &models()[0];
    let total = |length_penalty| -> usize {
        let config = config().with_length_penalty(length_penalty);
        let found = model.search(batch(&sentences()), &config).unwrap();
        found.iter().map(|found| found[0].tokens.len()).sum()
    };
    assert!(total(0.0) < total(1.0));
}

#[test]
fn a_search_drops_nothing_and_keeps_no_graph() {
    // On an autodiff device and with dropout, as a model in training is.
    let model = filled(&but(|config| config.dropout = 0.9), 20, FloatDType::F64);
    let expected = models()[0].search(batch(&sentences()), &config()).unwrap();
    let found = model.search(batch(&sentences()), &config()).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn nothing_to_translate_is_nothing_found() {
    let model = &models()[0];
    let empty = batch(&sentences()).slice([0..0, 0..3]);
    assert!(model.search(empty, &config()).unwrap().is_empty());
}

#[test]
fn a_search_asks_before_each_token_whether_to_go_on() {
    let model = &models()[0];
    let source = batch(&sentences());
    let whole = model.search(source.clone(), &config()).unwrap();
    let tokens = whole.iter().flatten().map(|found| found.tokens.len() + 1);
    let tokens = tokens.max().unwrap();
    let mut asked = 0;
    let found = model.search_while(source.clone(), &config(), || {
        asked += 1;
        true
    });
    assert_eq!(found.unwrap(), Some(whole));
    assert!(asked >= tokens, "{asked} times for {tokens} tokens");
    let mut asked = 0;
    let found = model.search_while(source, &config(), || {
        asked += 1;
        asked < tokens
    });
    assert_eq!((found.unwrap(), asked), (None, tokens));
}

#[test]
fn a_search_that_cannot_be_is_known_without_a_model() {
    let check = |config: SearchConfig, vocabulary| {
        let checked = config.check(vocabulary, 0);
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(check(config().with_beam(8), 10), Ok(()));
    let error = check(config().with_beam(9), 10).unwrap_err();
    assert_eq!(error, "beam = 9 is outside 1..=8");
    let error = check(config(), 0).unwrap_err();
    assert!(error.starts_with("vocabulary = 0"), "{error}");
}

#[test]
fn logits_that_are_not_finite_are_an_error() {
    let model = filled(&small(), 1, FloatDType::F32);
    // Finite weights, but their products are not.
    let large = state::with_values(model, |_, entry| vec![1e30; entry.numel()]).unwrap();
    let error = large.search(batch(&sentences()), &config()).unwrap_err();
    assert_eq!(error, ModelError::NotFinite { position: 0 });
}

#[test]
fn a_learned_copy_is_found() {
    use burn::optim::{AdamConfig, GradientsParams};
    let device = Device::flex().autodiff();
    let config = small().with_sizes(32, 64, 4).with_layers(1, 1);
    let mut model = cast(config.init(1, &device).unwrap(), FloatDType::F32);
    let mut optim = AdamConfig::new().init();
    let pairs = |seed: u64| -> Vec<Vec<i64>> {
        let length = |i: u64| 1 + reference::targets(seed * 7 + i, 1, 5)[0] as usize;
        (0..32).map(|i| words(seed * 100 + i, length(i))).collect()
    };
    for step in 0..400 {
        let words = pairs(step + 1);
        let rows = |before: &[usize], after: &[usize]| {
            let ids = |ids: &[usize]| ids.iter().map(|&id| id as i64).collect::<Vec<_>>();
            let row = |words: &Vec<i64>| [ids(before), words.clone(), ids(after)].concat();
            matrix(&words.iter().map(row).collect::<Vec<_>>(), 6)
        };
        let target = xsam_models::TargetBatch {
            input: rows(&[BEGIN], &[]),
            output: rows(&[], &[END]),
        };
        let loss = model.loss(rows(&[], &[END]), target, 0.0, None).loss;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(2e-3, model, gradients);
    }
    let unseen = pairs(10_000);
    let ended = unseen.iter().map(|w| [&w[..], &[END as i64]].concat());
    let ended: Vec<Vec<i64>> = ended.collect();
    let found = model.search(matrix(&ended, 6), &self::config()).unwrap();
    let right = unseen.iter().zip(found).filter(|(words, found)| {
        let tokens = found[0].tokens.iter();
        tokens.map(|&t| i64::from(t)).eq(words.iter().copied())
    });
    let right = right.count();
    assert!(right >= 24, "{right} of 32");
}
