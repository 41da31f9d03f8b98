//! What the answer is worth without some of its words, against the definitions written out plainly.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

use std::path::{Path, PathBuf};

use spanlift::attribute::Reference;
use spanlift::checkpoint::Source;
use spanlift::model::{Layout, logits};
use spanlift::ops::embedding;
use spanlift::removal::{Removal, Worth};
use spanlift::{AnswerChoice, Explained, Explainer, Options};
use spanlift_explanation::{Part, TargetKind};

const QUESTION: &str = "who moved the bridge ?";
const PASSAGE: &str = "the mayor moved the old bridges to the harbour .";

fn explainer(model: &str) -> Explainer<f64> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(model);
    Explainer::load(Source::Folder(&folder)).unwrap()
}

fn explained(explainer: &Explainer<f64>, options: &Options) -> Explained<f64> {
    explainer.explain(QUESTION, PASSAGE, options).unwrap()
}

/// Of one sequence by itself, with the softmax written out.
fn plainly(
    explainer: &Explainer<f64>,
    ids: &[u32],
    segments: &[u32],
    (start, end): (usize, usize),
) -> Worth {
    let encoder = &explainer.checkpoint().encoder;
    let layout = Layout::new([segments]);
    let logits = logits(encoder, &layout, embedding::words(&encoder.embeddings, ids));
    let softmax = |c: usize, at: usize| {
        let sum: f64 = (0..ids.len()).map(|i| logits.row(i)[c].exp()).sum();
        logits.row(at)[c].exp() / sum
    };
    Worth {
        target: logits.row(start)[0] + logits.row(end)[1],
        probability: softmax(0, start) * softmax(1, end),
    }
}

fn close(got: Worth, expected: Worth) {
    assert!(
        (got.target - expected.target).abs() < 1e-12,
        "{got:?} {expected:?}"
    );
    assert!(
        (got.probability - expected.probability).abs() < 1e-12,
        "{got:?} {expected:?}"
    );
}

/// Sets that keep what a number's bits say, from nothing to all.
fn sets(tokens: usize) -> Vec<Vec<bool>> {
    let patterns = [
        0,
        u64::MAX,
        0x5555_5555,
        0x0f0f_0f0f,
        0x00ff_c3a5,
        0x7fff_fffe,
    ];
    patterns
        .map(|bits: u64| (0..tokens).map(|i| bits >> (i % 64) & 1 == 1).collect())
        .to_vec()
}

#[test]
fn a_mask_stands_in_the_place_of_what_is_taken() {
    let explainer = explainer("two-layers");
    let options = Options {
        answer: AnswerChoice::Text("old bridges".to_owned()),
        ..Options::default()
    };
    let explained = explained(&explainer, &options);
    let encoding = &explained.encoding;
    let answer = &explained.explanation.answer;
    let sets = sets(encoding.ids.len());
    let worths = explainer.worth(&explained, Removal::Mask, &sets).unwrap();
    for (set, worth) in sets.iter().zip(worths) {
        let id = |i: usize| {
            let stays = set[i] || encoding.tokens[i].part == Part::Special;
            if stays { encoding.ids[i] } else { 4 }
        };
        let ids: Vec<u32> = (0..set.len()).map(id).collect();
        close(
            worth,
            plainly(
                &explainer,
                &ids,
                &encoding.segments,
                (answer.start_token, answer.end_token),
            ),
        );
    }
    // With everything kept it is the target itself; with nothing kept, its value on the reference of masks.
    let ends = explainer
        .worth(
            &explained,
            Removal::Mask,
            &[sets[1].clone(), sets[0].clone()],
        )
        .unwrap();
    assert!((ends[0].target - explained.explanation.target.value).abs() < 1e-12);
    assert_eq!(options.reference, Reference::Mask);
    assert!((ends[1].target - explained.explanation.target.reference_value).abs() < 1e-12);
}

#[test]
fn what_is_deleted_is_gone_and_the_target_moves_up() {
    let explainer = explainer("two-layers");
    let options = Options {
        answer: AnswerChoice::Text("old bridges".to_owned()),
        ..Options::default()
    };
    let explained = explained(&explainer, &options);
    let encoding = &explained.encoding;
    let answer = &explained.explanation.answer;
    let (start, end) = (answer.start_token, answer.end_token);
    assert!(end > start);
    let sets = sets(encoding.ids.len());
    let worths = explainer.worth(&explained, Removal::Delete, &sets).unwrap();
    for (set, worth) in sets.iter().zip(worths) {
        let stays = |i: &usize| {
            set[*i] || encoding.tokens[*i].part == Part::Special || (start..=end).contains(i)
        };
        let left: Vec<usize> = (0..set.len()).filter(stays).collect();
        let ids: Vec<u32> = left.iter().map(|&i| encoding.ids[i]).collect();
        let segments: Vec<u32> = left.iter().map(|&i| encoding.segments[i]).collect();
        let place = |token: usize| left.iter().position(|&i| i == token).unwrap();
        close(
            worth,
            plainly(&explainer, &ids, &segments, (place(start), place(end))),
        );
    }
}

/// No answer, and answers against another: whatever has a part stays.
#[test]
fn every_target_survives_the_loss_of_everything() {
    let explainer = explainer("two-layers");
    let of = |target: TargetKind, answer: &str, versus: Option<&str>| Options {
        target,
        answer: AnswerChoice::Text(answer.to_owned()),
        versus: versus.map(str::to_owned),
        ..Options::default()
    };
    for options in [
        of(TargetKind::Span, "", None),
        of(TargetKind::Start, "mayor", None),
        of(TargetKind::Margin, "old bridges", None),
        of(TargetKind::Versus, "mayor", Some("harbour")),
    ] {
        let explained = explained(&explainer, &options);
        let tokens = explained.encoding.ids.len();
        let sets = [vec![true; tokens], vec![false; tokens]];
        let worths = explainer.worth(&explained, Removal::Delete, &sets).unwrap();
        let value = explained.explanation.target.value;
        assert!((worths[0].target - value).abs() < 1e-12, "{options:?}");
        assert!((worths[1].target - value).abs() > 1e-6, "{options:?}");
    }
}

/// More sets than fit one pack give what each gives by itself.
#[test]
fn packs_change_nothing() {
    let explainer = explainer("two-layers");
    let explained = explained(&explainer, &Options::default());
    let tokens = explained.encoding.ids.len();
    let sets: Vec<Vec<bool>> = (0..200)
        .map(|n| (0..tokens).map(|i| (n * 7 + i) % 5 < 3).collect())
        .collect();
    for removal in Removal::ALL {
        let together = explainer.worth(&explained, removal, &sets).unwrap();
        assert_eq!(together.len(), sets.len());
        for at in [0, 1, 99, 199] {
            let alone = explainer
                .worth(&explained, removal, &sets[at..=at])
                .unwrap();
            assert_eq!(together[at], alone[0]);
        }
    }
}
