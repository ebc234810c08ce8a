#![allow(clippy::unwrap_used)]

use super::super::Compare;
use crate::toy::Spec;

fn parse(settings: &[&str]) -> Result<(Spec, Option<Compare>), super::SpecError> {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    Spec::parse("", &settings)
}

#[test]
fn where_a_run_begins_and_how_its_batches_ascend_can_be_tuned() {
    let (spec, compare) = parse(&[
        "compare.methods=['sgd', 'sam']",
        "compare.tune.train.init=['a/b.pt', 'c.pt']",
        "compare.tune.train.m_sharpness=[2, 4]",
    ])
    .unwrap();
    let entries = compare.unwrap().entries(&spec).unwrap();
    let [sgd, sam] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!((sgd.candidates.len(), sam.candidates.len()), (2, 4));
    // It does not ascend.
    assert_eq!(sgd.candidates[0].words(), "train.init = a/b.pt");
    let words = sam.candidates[3].words();
    assert_eq!(words, "train.init = c.pt, train.m_sharpness = 4");
    assert_eq!(sgd.candidates[0].suffix(), "-train.inita_b.pt");
    let train = sam.candidates[3].run(7).spec.train;
    assert_eq!(train.init, Some("c.pt".into()));
    assert_eq!((train.m_sharpness, train.seed), (Some(4), 7));

    let error = parse(&["compare.tune.train.seed=[1]"])
        .unwrap_err()
        .to_string();
    let expected =
        "`compare.tune.train.seed`: cannot be tuned (of [train], these can: init, m_sharpness)";
    assert_eq!(error, expected);
}
