//! Whatever the text is, nothing panics and what is promised holds.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;
use xsam_data::text::{
    BatchSize, BleuConfig, BleuTokenization, EOS, Smoothing, Tokenizer, UNK, bleu, detokenize,
    evaluation_batches, training_batches,
};
use xsam_data::{DatasetName, Request, load};

/// Sentences of any characters, and of few that meet again and again.
fn sentence() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ab .,'\"1&;-]{0,40}",
        "(&quot;|&amp;|<s>|n't| '|\u{1c}|\u{a0}|„|-\n|5\\.|,|x| ){0,12}",
    ]
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_gives_the_words_of_training_text_back(
        lines in vec(sentence(), 1..8),
        merges in 0_usize..60,
        unseen in sentence(),
    ) {
        let has_words = lines.iter().any(|line| !words(line).is_empty());
        let trained = Tokenizer::train(lines.iter().map(String::as_str), merges);
        prop_assert_eq!(trained.is_ok(), has_words);
        if let Ok(tokenizer) = trained {
            for line in &lines {
                let ids = tokenizer.encode(line);
                prop_assert!(ids.iter().all(|&id| id > UNK && (id as usize) < tokenizer.len()));
                prop_assert_eq!(tokenizer.decode(&ids), words(line));
            }
            let ids = tokenizer.encode(&unseen);
            prop_assert!(ids.iter().all(|&id| id > EOS));
            let known = !ids.contains(&UNK);
            prop_assert_eq!(tokenizer.decode(&ids) == words(&unseen), known);
        }
    }

    #[test]
    fn any_ids_can_be_decoded(ids in vec(prop_oneof![0_u32..40, any::<u32>()], 0..50)) {
        let tokenizer = Tokenizer::train(["a dog and a dog"], 10).unwrap();
        let text = tokenizer.decode(&ids);
        prop_assert_eq!(words(&text), text);
    }

    #[test]
    fn a_tokenizer_survives_its_file(lines in vec("\\PC{1,20}x", 1..5), merges in 0_usize..60) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.json");
        let tokenizer = Tokenizer::train(lines.iter().map(String::as_str), merges).unwrap();
        tokenizer.save(&path).unwrap();
        prop_assert_eq!(Tokenizer::load(&path).unwrap(), tokenizer);
    }

    #[test]
    fn bleu_is_between_zero_and_hundred(
        pairs in vec((sentence(), sentence()), 1..6),
        plain in any::<bool>(),
        smooth in any::<bool>(),
        effective_order in any::<bool>(),
    ) {
        let (hypotheses, references): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let config = BleuConfig {
            tokenization: [BleuTokenization::V13a, BleuTokenization::None][usize::from(plain)],
            smoothing: [Smoothing::None, Smoothing::Exp][usize::from(smooth)],
            effective_order,
        };
        let score = bleu(&hypotheses, &references, &config).unwrap();
        prop_assert!((0.0..100.0001).contains(&score.score), "{score}");
        let same = bleu(&references, &references, &config).unwrap();
        let long = same.totals[3] > 0 || effective_order && same.totals[0] > 0;
        prop_assert_eq!(same.score > 99.9999, long, "{}", same);
    }

    #[test]
    fn detokenizing_keeps_every_letter(text in sentence(), language in "en|de|fr") {
        let letters = |text: &str| -> String {
            // An escape stands for another character.
            text.chars().filter(|c| c.is_alphabetic()).collect()
        };
        let joined = detokenize(&text, &language);
        if !text.contains(['&', '@']) {
            prop_assert_eq!(letters(&joined), letters(&text));
        }
    }

    #[test]
    fn any_bytes_as_files_are_read_or_refused(
        bytes in vec(prop_oneof![
            vec(any::<u8>(), 0..60),
            "[a\n\r\u{FEFF} ]{0,9}".prop_map(String::into_bytes),
        ], 6),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let names = ["train.a", "train.b", "val.a", "val.b", "test.a", "test.b"];
        for (name, bytes) in names.iter().zip(&bytes) {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let request = Request {
            dir: Some(directory.path().to_owned()),
            source: Some("a".to_owned()),
            target: Some("b".to_owned()),
            ..Request::default()
        };
        if let Ok(data) = load(DatasetName::ParallelText, &request) {
            let text = data.text().unwrap();
            for part in [&text.train, &text.validation, &text.test] {
                prop_assert_eq!(part.source().len(), part.target().len());
                prop_assert!(!part.is_empty());
            }
            let tokenizer = Tokenizer::train(text.train.sentences(), 5).unwrap();
            prop_assert_eq!(tokenizer.encode_pairs(&text.test).len(), text.test.len());
        }
        let file = directory.path().join(names[0]);
        prop_assert!(Tokenizer::load(&file).is_err());
    }

    #[test]
    fn batches_hold_every_pair_that_fits_once(
        lengths in vec((0_usize..70, 0_usize..70), 0..80),
        max_length in 1_usize..80,
        more in 0_usize..300,
        seed in any::<u64>(),
    ) {
        let budget = max_length + more;
        for size in [BatchSize::Tokens(budget), BatchSize::Sentences(1 + more)] {
            let epoch = training_batches(&lengths, size, max_length, seed, 1).unwrap();
            let longest = |batch: &[usize]| {
                batch.iter().map(|&i| lengths[i].0.max(lengths[i].1)).max().unwrap()
            };
            for batch in &epoch.batches {
                prop_assert!(longest(batch) <= max_length);
                match size {
                    BatchSize::Tokens(budget) => prop_assert!(batch.len() * longest(batch) <= budget),
                    BatchSize::Sentences(size) => prop_assert!(batch.len() <= size),
                }
            }
            let mut all = epoch.batches.concat();
            all.sort_unstable();
            let fits = |&i: &usize| lengths[i].0.max(lengths[i].1) <= max_length;
            prop_assert!(all.iter().copied().eq((0..lengths.len()).filter(fits)));
            prop_assert_eq!(all.len() + epoch.left_out, lengths.len());
            let mut evaluated = evaluation_batches(&lengths, size).unwrap().concat();
            evaluated.sort_unstable();
            prop_assert!(evaluated.into_iter().eq(0..lengths.len()));
        }
    }
}
