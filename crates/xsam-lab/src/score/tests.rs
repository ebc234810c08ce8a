#![allow(clippy::unwrap_used)]

use super::*;
use crate::tally::Tally;

#[test]
fn what_is_no_number_is_never_better() {
    for better in [Better::Higher, Better::Lower] {
        assert!(better.beats(1.0, f64::NAN) && !better.beats(f64::NAN, 1.0));
        assert!(!better.beats(f64::NAN, f64::NAN) && !better.beats(1.0, 1.0));
    }
    assert!(Better::Higher.beats(2.0, 1.0) && !Better::Higher.beats(1.0, 2.0));
    assert!(Better::Lower.beats(1.0, 2.0) && Better::Lower.beats(f64::NEG_INFINITY, 1.0));
}

#[test]
fn scores_follow_from_sums_over_items() {
    let squared = Score::new("error", Better::Lower, "").with_average(Average::RootMean);
    let perplexity = Score::new("perplexity", Better::Lower, "").with_average(Average::ExpMean);
    let accuracy = Score::percent("accuracy", "");
    let scores = [accuracy.clone(), squared, perplexity];
    let mut all = Tally::new(1, 2.0).with("accuracy", 1.0).with("error", 4.0);
    let more = Tally::new(3, 1.0).with("accuracy", 2.0);
    let more = more.with("error", 32.0).with("perplexity", 0.0);
    all.add(&more).unwrap();
    let measured = all.known().measured(&scores);
    assert_eq!(measured.loss, 0.75);
    let values: Vec<f64> = measured.values.into_values().collect();
    assert_eq!(values, [0.75, 3.0, 1.0]);
    // What was not counted is not there.
    let without = Tally::new(4, 1.0).known().measured(&scores);
    assert!(without.values.is_empty());
    assert_eq!(accuracy.told(0.75), "75.0 %");
}

#[test]
fn the_first_score_is_compared_unless_a_costly_one_is_there() {
    let accuracy = Score::percent("accuracy", "");
    let bits = Score::new("bits per character", Better::Lower, "").with_unit("bits");
    assert_eq!(bits.column(Part::Train), "train_bits_per_character");
    assert_eq!(bits.told(1.5), "1.500 bits");
    let both = [bits.clone(), accuracy.clone()];
    assert_eq!(
        (of_epochs(&both), compared(&both)),
        (bits.clone(), bits.clone())
    );
    let both = [accuracy.clone(), bits.clone().costly()];
    assert_eq!(
        (of_epochs(&both), compared(&both)),
        (accuracy, bits.costly())
    );
    assert_eq!(compared(&[]).column(Part::Test), "test_loss");
    let text = crate::json::line(&both).unwrap();
    assert_eq!(crate::json::parse::<[Score; 2]>(&text).unwrap(), both);
}
