//! Roles and profiles against what was worked out by hand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

mod common;

use common::record;
use spanlift_store::Record;
use spanlift_study::profile::{Measure, Profile};
use spanlift_study::roles::{Role, roles};
use spanlift_study::shuffles::{DRAWS, Shuffles};

const PASSAGE: &str = "Goats sleep. The old bridge, of 1904, was sold in May. Nobody came.";

fn role_names(question: &str, passage: &str, answer: &str) -> Vec<(String, &'static str)> {
    let record = record("q", question, passage, answer, 1, 1);
    let explanation = &record.explanation;
    let names = roles(explanation).into_iter().map(Role::name);
    explanation
        .tokens
        .iter()
        .map(|t| t.text.clone())
        .zip(names)
        .collect()
}

#[test]
fn every_token_has_the_first_role_that_fits() {
    let found = role_names("When was the BRIDGE sold?", PASSAGE, "in May");
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(text, role)| (text.as_str(), *role))
        .collect();
    let expected = [
        ("[CLS]", "cls"),
        ("When", "question-word"),
        ("was", "question-other"),
        ("the", "question-other"),
        ("BRIDGE", "question-keyword"),
        ("sold", "question-keyword"),
        ("?", "punctuation"),
        ("[SEP]", "question-sep"),
        ("Goats", "passage"),
        ("sleep", "passage"),
        (".", "punctuation"),
        ("The", "sentence"),
        ("old", "sentence"),
        ("bridge", "match"),
        (",", "punctuation"),
        ("of", "sentence"),
        ("1904", "sentence"),
        (",", "punctuation"),
        ("was", "sentence"),
        ("sold", "match"),
        ("in", "answer"),
        ("May", "answer"),
        (".", "punctuation"),
        ("Nobody", "passage"),
        ("came", "passage"),
        (".", "punctuation"),
        ("[SEP]", "final-sep"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_answer_comes_before_punctuation_and_matches_and_may_span_sentences() {
    let found = role_names(
        "Which bridge?",
        PASSAGE,
        "bridge, of 1904, was sold in May. Nobody",
    );
    let of = |role: &str| {
        found
            .iter()
            .filter(|(_, r)| *r == role)
            .map(|(t, _)| t.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("answer"),
        [
            "bridge", ",", "of", "1904", ",", "was", "sold", "in", "May", ".", "Nobody"
        ]
    );
    assert_eq!(of("sentence"), ["The", "old", "came"]);
    assert_eq!(of("match"), Vec::<&str>::new());
}

#[test]
fn no_answer_has_neither_answer_nor_sentence() {
    let found = role_names("When was it sold?", PASSAGE, "");
    assert!(
        found
            .iter()
            .all(|(_, role)| !["answer", "sentence"].contains(role))
    );
    assert_eq!(found.iter().filter(|(_, role)| *role == "match").count(), 1);
}

/// `[CLS] Who ? [SEP] Ada did . [SEP]`, answered by Ada.
fn scored(scores: [f32; 8]) -> Profile {
    Profile::of(&scored_record(scores), 0)
}

fn scored_record(scores: [f32; 8]) -> Record {
    let mut record = record("q", "Who?", "Ada did.", "Ada", 1, 2);
    record.explanation.layers[0].score = scores.to_vec();
    record.explanation.layers[1].score = vec![0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0];
    record.explanation.heads.score = vec![vec![3.0, -1.0]];
    record.attention[0] = vec![0.5, 0.0, 0.0, 0.25, 0.25, 0.0, 0.0, 0.0];
    record
}

#[test]
fn shares_are_of_each_measure() {
    let profile = scored([1.0, 2.0, -1.0, 0.0, 1.0, 0.0, -3.0, 0.0]);
    let cut = &profile.cuts[0];
    let share = |measure, role| cut.share(measure, role).unwrap();
    assert_eq!(share(Measure::Positive, Role::Cls), 0.25);
    assert_eq!(share(Measure::Positive, Role::QuestionWord), 0.5);
    assert_eq!(share(Measure::Positive, Role::Answer), 0.25);
    assert_eq!(share(Measure::Positive, Role::Punctuation), 0.0);
    assert_eq!(share(Measure::Negative, Role::Punctuation), 1.0);
    assert_eq!(share(Measure::Absolute, Role::Punctuation), 0.5);
    assert_eq!(cut.leader, Some(Role::QuestionWord));
    assert_eq!(profile.tokens[Role::Punctuation.index()], 0.25);
    // Where no score is negative there is nothing to share.
    assert_eq!(profile.cuts[1].share(Measure::Negative, Role::Answer), None);
    assert_eq!(profile.leads(), Some(1));
    assert_eq!(profile.heads.as_deref(), Some(&[0.75, -0.25][..]));
}

#[test]
fn spread_counts_tokens_and_shift_is_a_distance() {
    let profile = scored([1.0, -1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
    let spread = |measure: Measure| profile.cuts[0].spread[measure.index()].unwrap();
    assert!((spread(Measure::Absolute) - 4.0).abs() < 1e-6);
    assert!((spread(Measure::Positive) - 2.0).abs() < 1e-6);
    // Nothing in common with the output, which is the answer alone: as far as can be.
    assert!((profile.shift[0].unwrap() - 1.0).abs() < 1e-6);
    let same = scored([0.0, 0.0, 0.0, 0.0, -7.0, 0.0, 0.0, 0.0]);
    assert_eq!(same.shift[0], Some(0.0));
    // p = (1/2, 1/2), q = (0, 1): ½(½ log₂ 2 + ½ log₂ ⅔) + ½ log₂ 4⁄3.
    let half = scored([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    let expected =
        (0.5 * (0.5 + 0.5 * (2.0_f64 / 3.0).log2()) + 0.5 * (4.0_f64 / 3.0).log2()).sqrt();
    assert!((f64::from(half.shift[0].unwrap()) - expected).abs() < 1e-6);
    // Attention of (1/2, 1/4, 1/4): exp(½ ln 2 + ½ ln 4).
    let spread = half.attention[0].spread[Measure::Absolute.index()].unwrap();
    assert!((spread - 8.0_f32.sqrt()).abs() < 1e-6);
    assert_eq!(half.attention[0].shares[Measure::Positive.index()], None);
}

#[test]
fn a_map_of_zeros_or_of_no_numbers_has_no_shares() {
    for score in [0.0, f32::NAN, f32::INFINITY] {
        let profile = scored([score; 8]);
        assert_eq!(profile.cuts[0].shares, [None; 3], "{score}");
        assert_eq!(profile.cuts[0].spread, [None; 3], "{score}");
        assert_eq!(profile.shift, [None], "{score}");
    }
}

#[test]
fn features_are_named_and_shuffled_roles_keep_their_numbers() {
    let record = scored_record([1.0, 2.0, -1.0, 0.0, 1.0, 0.0, -3.0, 0.0]);
    let profile = Profile::of(&record, 0);
    let dealt = Profile::shuffled_features(&record, 20, 0);
    let names = Profile::layer_feature_names(1);
    let features = profile.layer_features();
    assert_eq!(names.len(), features.len());
    let at = |name: &str| features[names.iter().position(|n| n == name).unwrap()];
    assert_eq!(at("positive 1 question-word"), 0.5);
    assert_eq!(at("negative 1 punctuation"), 1.0);
    assert_eq!(at("positive output answer"), 1.0);
    let sums = |features: &[f32]| {
        features
            .chunks(11)
            .map(|c| c.iter().sum::<f32>())
            .collect::<Vec<_>>()
    };
    for shuffled in &dealt {
        assert_eq!(sums(shuffled), sums(&features));
    }
    assert!(dealt.iter().any(|shuffled| *shuffled != features));
    assert!(dealt[1..].iter().any(|other| *other != dealt[0]));
    assert_ne!(dealt, Profile::shuffled_features(&record, 20, 1));
}

/// 2,000 of 2,500 questions are kept, those seen last as likely as the first; the same whatever is seen at a time.
#[test]
fn roles_are_dealt_of_a_sample_of_many_questions() {
    let record = |i: usize| {
        let mut record = scored_record([0.0; 8]);
        // Each question can be told by its output map.
        record.explanation.layers[0].score = vec![i as f32, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        record
    };
    let records: Vec<Record> = (0..2_500).map(record).collect();
    let names = Profile::layer_feature_names(1);
    let of = |at_once: usize, count: usize| {
        let mut shuffles = Shuffles::new(7);
        for some in records[..count].chunks(at_once) {
            shuffles.extend(&some.iter().collect::<Vec<_>>());
        }
        shuffles.features(&names).unwrap()
    };
    let (few, many) = (of(64, 100), of(64, 2_500));
    assert_eq!((few.len(), few[0].rows()), (DRAWS, 100));
    assert_eq!((many.len(), many[3].rows()), (DRAWS, 2_000));
    assert_eq!(many[3].values(), of(1000, 2_500)[3].values());
    assert!(of(64, 0).is_empty());
}
