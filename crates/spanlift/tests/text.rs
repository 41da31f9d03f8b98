//! Any text, any script, under every kind of tokenizer: tokens slice what was given, windows hold all of it, answers are
//! the passage's own characters, and every window's explanation passes its own check.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};
use spanlift::answer::AnswerOptions;
use spanlift::checkpoint::Source;
use spanlift::encode::{EncodeError, Encoded, find_span};
use spanlift::{AnswerChoice, ExplainError, Explainer, Item, Options, Place};
use spanlift_explanation::{Characters, Explanation, Merge, Part, Windows};

/// WordPiece, byte-level BPE, and SentencePiece of two families.
const MODELS: [&str; 4] = ["two-layers", "roberta", "xlm-roberta", "deberta-v2"];

fn explainers() -> Vec<Explainer<f32>> {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let load = |model| Explainer::load(Source::Folder(&oracle.join(model))).unwrap();
    MODELS.into_iter().map(load).collect()
}

/// Runs a property over texts from a fixed seed; `PROPTEST_CASES` for more of them, `PROPTEST_RNG_SEED` for others.
fn check<S: Strategy>(cases: u32, texts: S, property: impl Fn(S::Value) -> TestCaseResult) {
    let given = std::env::var_os("PROPTEST_CASES").is_some();
    let default = Config::default();
    let config = Config {
        cases: if given { default.cases } else { cases },
        rng_seed: match default.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed => fixed,
        },
        failure_persistence: None,
        ..default
    };
    let tested = TestRunner::new(config).run(&texts, property);
    tested.unwrap_or_else(|error| panic!("{error}"));
}

/// What real texts are made of, and what tokenizers and normalizers stumble over.
fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "the ",
        "bridge",
        "Who moved ",
        "1893, ",
        "?",
        ".",
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "\u{a0}",
        "\u{3000}",
        "\u{200b}",
        "\u{200d}",
        "\u{feff}",
        "\u{ad}",
        "\u{0}",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "\u{2066}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{301}",
        "e\u{301}\u{323}",
        "a\u{323}\u{302}\u{301}",
        "\u{344}",
        "ﬁ",
        "ﷺ",
        "Å",
        "Ω",
        "½",
        "①",
        "ǆ",
        "ß",
        "ẞ",
        "İ",
        "ı",
        "각",
        "ᄀ\u{1161}\u{11a8}",
        "한국어",
        "東京",
        "豈",
        "𠀀",
        "クラブ",
        "ﾊﾟ",
        "👩‍👩‍👧‍👦",
        "🏳\u{fe0f}‍🌈",
        "🇩🇪",
        "👍🏽",
        "❤\u{fe0f}",
        "Σίσυφος",
        "العربية",
        "שָׁלוֹם",
        "हिन्दी",
        "ไทย",
        "မြန်မာ",
        "தமிழ்",
        "ក្រុម",
        "[SEP]",
        "</s>",
        "<s>",
        "[MASK]",
        "<mask>",
        "<unk>",
        "▁",
        "Ġ",
        "##s",
    ]);
    let planes = prop::collection::vec(any::<char>(), 1..6);
    prop_oneof![
        6 => known.prop_map(str::to_owned),
        2 => planes.prop_map(String::from_iter),
        1 => "[\u{300}-\u{36f}\u{591}-\u{5bd}\u{64b}-\u{655}]{1,4}",
        1 => "[\u{5d0}-\u{5ea}\u{627}-\u{64a} ]{1,8}",
        1 => "[\u{1f300}-\u{1faff}\u{200d}\u{fe0f}]{1,6}",
        1 => "[\u{0}-\u{ff}]{1,6}",
    ]
}

fn text(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(pieces(), 0..most).prop_map(|pieces| pieces.concat())
}

/// Every token has characters of the text, in the order of the text.
fn tokens_slice(encoded: &Encoded, texts: [&str; 2]) -> TestCaseResult {
    for (tokens, text) in [&encoded.question, &encoded.passage].into_iter().zip(texts) {
        let characters = text.chars().count();
        for (i, token) in tokens.iter().enumerate() {
            prop_assert!(
                token.start < token.end && token.end <= characters,
                "{:?} of {} characters",
                token,
                characters
            );
            // Tokens of one character share it: a byte each, or what a normalizer made of it. Else they follow each other.
            let before = i.checked_sub(1).map(|i| &tokens[i]);
            prop_assert!(
                before.is_none_or(|before| before.start <= token.start && before.end <= token.end),
                "{:?} before {:?}",
                before,
                token
            );
        }
    }
    Ok(())
}

/// What can be wrong with a text that is not empty and a window that is not too small: nothing.
fn explicable(error: &EncodeError) -> bool {
    matches!(
        error,
        EncodeError::EmptyQuestion { .. }
            | EncodeError::EmptyPassage { .. }
            | EncodeError::NoRoom { .. }
    )
}

#[test]
fn tokens_slice_any_text_and_windows_hold_all_of_it() {
    let explainers = explainers();
    let texts = (text(6), text(40), 4_usize..40, 1_usize..20);
    check(512, texts, |(question, passage, max_tokens, stride)| {
        for explainer in &explainers {
            let vocabulary = &explainer.checkpoint().vocabulary;
            let encoded = match vocabulary.encode(&question, &passage) {
                Ok(encoded) => encoded,
                Err(error) => {
                    prop_assert!(explicable(&error), "{}", error);
                    continue;
                }
            };
            prop_assert_eq!(encoded.passage_characters, passage.chars().count());
            tokens_slice(&encoded, [&question, &passage])?;
            let all = encoded.passage.clone();
            let Ok(windows) = encoded.windows(vocabulary, max_tokens, stride) else {
                continue;
            };
            let mut held = 0;
            for window in windows.iter() {
                prop_assert!(window.passage_first <= held, "a gap");
                let passage = &window.tokens[window.passage_start..window.tokens.len() - 1];
                for (at, token) in passage.iter().enumerate() {
                    let (start, end) = (token.start.unwrap(), token.end.unwrap());
                    let same = &all[window.passage_first + at];
                    prop_assert_eq!((token.id, start, end), (same.id, same.start, same.end));
                    prop_assert!(window.window.start <= start && end <= window.window.end);
                    let position = window.passage_start + at;
                    let (first, last) = find_span(&window, start, end).unwrap();
                    prop_assert!(first <= position && position <= last);
                }
                held = window.passage_first + passage.len();
            }
            prop_assert_eq!(held, all.len());
        }
        Ok(())
    });
}

fn is_slice(passage: &str, text: &str, start: usize, end: usize) -> TestCaseResult {
    prop_assert!(start < end);
    prop_assert_eq!(Characters::new(passage).slice(start, end), Some(text));
    Ok(())
}

fn options(max_tokens: usize, stride: usize, null_threshold: f64) -> Options {
    let answering = AnswerOptions {
        max_tokens,
        stride,
        null_threshold,
        ..AnswerOptions::default()
    };
    Options {
        answering,
        ..Options::default()
    }
}

#[test]
fn answers_are_the_passages_own_characters() {
    let explainers = explainers();
    let texts = (text(6), text(40), 8_usize..40, 1_usize..20);
    check(96, texts, |(question, passage, max_tokens, stride)| {
        let options = options(max_tokens, stride, 1e9).answering;
        for explainer in &explainers {
            let found = match explainer.answer(&question, &passage, &options) {
                Ok(found) => found,
                Err(ExplainError::Encode(error)) => {
                    prop_assert!(explicable(&error), "{}", error);
                    continue;
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            let answer = &found.answer;
            prop_assert!(answer.has_answer);
            is_slice(
                &passage,
                &answer.text,
                answer.start.unwrap(),
                answer.end.unwrap(),
            )?;
            for candidate in &found.candidates {
                is_slice(&passage, &candidate.text, candidate.start, candidate.end)?;
            }
        }
        Ok(())
    });
}

#[test]
fn every_window_of_any_text_is_explained() {
    let explainers = explainers();
    let texts = (text(4), text(20), 12_usize..40, 3_usize..20, any::<bool>());
    check(
        24,
        texts,
        |(question, passage, max_tokens, stride, answer)| {
            let options = options(max_tokens, stride, if answer { 1e9 } else { -1e9 });
            let item = Item {
                question: &question,
                passage: &passage,
            };
            for explainer in &explainers {
                let windows = match explainer.explain_windows(item, &options, &mut |_, _| ()) {
                    Ok(windows) => windows,
                    Err(ExplainError::Encode(error)) => {
                        prop_assert!(explicable(&error), "{}", error);
                        continue;
                    }
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                };
                let mut merge = Merge::new(windows.answer_window());
                let mut explanations = Vec::new();
                for explained in windows {
                    let explained = explained.unwrap();
                    // Checks the explanation as well.
                    merge
                        .push(&explained.explanation, explained.encoding.passage_first)
                        .unwrap();
                    explanations.push(explained.explanation);
                }
                let document = merge.finish().unwrap();
                let passage: Vec<_> = explanations[0].tokens.iter().collect();
                prop_assert_eq!(&document.tokens[0], passage[0]);
                let answers: BTreeSet<bool> =
                    explanations.iter().map(|e| e.answer.has_answer).collect();
                prop_assert_eq!(answers, BTreeSet::from([answer]));
            }
            Ok(())
        },
    );
}

/// A passage of three windows of the model of two layers, and its explanations.
fn three_windows() -> (Options, String, Vec<Explanation>, Windows) {
    let explainer = &explainers()[0];
    let passage = "the mayor moved the old bridge to the harbour . the keeper painted the tower .";
    let options = options(16, 5, 0.0);
    let item = Item {
        question: "who moved the bridge ?",
        passage,
    };
    let mut watched = Vec::new();
    let mut watch = |done, count| watched.push((done, count));
    let windows = explainer
        .explain_windows(item, &options, &mut watch)
        .unwrap();
    assert_eq!((watched[0], watched.last()), ((0, 3), Some(&(3, 3))));
    let answer_window = windows.answer_window();
    assert_eq!((windows.windows(), windows.len()), (3, 3));
    let mut merge = Merge::new(answer_window);
    let mut explanations = Vec::new();
    for explained in windows {
        let explained = explained.unwrap();
        let first = explained.encoding.passage_first;
        merge.push(&explained.explanation, first).unwrap();
        explanations.push(explained.explanation);
    }
    let all = Windows {
        format: "spanlift.windows".to_owned(),
        version: 1,
        windows: explanations.clone(),
        document: merge.finish().unwrap(),
    };
    all.validate().unwrap();
    (options, passage.to_owned(), explanations, all)
}

fn near(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!(
            (got - want).abs() <= 1e-5 * want.abs().max(1.0),
            "{got} {want}"
        );
    }
}

#[test]
fn a_window_is_explained_as_if_it_were_alone_and_the_answers_as_the_passage() {
    let (options, passage, explanations, all) = three_windows();
    let explainer = &explainers()[0];
    let question = "who moved the bridge ?";
    let whole = explainer.explain(question, &passage, &options).unwrap();
    for (index, got) in explanations.iter().enumerate() {
        assert!(got.completeness.holds);
        if index == all.document.answer_window {
            let want = &whole.explanation;
            assert_eq!(
                (&got.answer, &got.candidates),
                (&want.answer, &want.candidates)
            );
            assert_eq!((&got.window, &got.tokens), (&want.window, &want.tokens));
            near(&got.word_score, &want.word_score);
            continue;
        }
        // The window's text alone: the same ids, so the same numbers.
        let text: String = passage
            .chars()
            .skip(got.window.start)
            .take(got.window.end - got.window.start)
            .collect();
        let alone = explainer.explain(question, &text, &options).unwrap();
        let want = alone.explanation;
        let ids = |e: &Explanation| e.tokens.iter().map(|t| t.id).collect::<Vec<_>>();
        assert_eq!(ids(got), ids(&want));
        assert_eq!(got.answer.text, want.answer.text);
        assert_eq!(got.answer.has_answer, want.answer.has_answer);
        assert!((got.answer.probability - want.answer.probability).abs() < 1e-5);
        assert!((got.target.delta - want.target.delta).abs() < 1e-5);
        near(&got.word_score, &want.word_score);
        for (got, want) in got.layers.iter().zip(&want.layers) {
            near(&got.score, &want.score);
        }
        assert_eq!(
            got.answer.start.map(|start| start - got.window.start),
            want.answer.start
        );
        assert!(got.candidates.iter().all(|c| c.window == index));
    }
}

#[test]
fn a_text_of_the_passage_cannot_be_explained_in_every_window() {
    let explainer = &explainers()[0];
    let item = Item {
        question: "who ?",
        passage: "the mayor moved the bridge .",
    };
    let given = |answer: Option<&str>, versus: Option<&str>| Options {
        answer: answer.map_or(AnswerChoice::Own, |text| {
            AnswerChoice::Text(text.to_owned())
        }),
        versus: versus.map(str::to_owned),
        ..Options::default()
    };
    for (options, field) in [
        (given(Some("mayor"), None), "answer"),
        (given(None, Some("bridge")), "versus"),
    ] {
        let error = explainer.explain_windows(item, &options, &mut |_, _| ());
        let error = error.unwrap_err();
        assert!(
            matches!(error, ExplainError::OneText { field: f, .. } if f == field),
            "{error}"
        );
    }
    let place = Place {
        window: spanlift_explanation::Window {
            index: 0,
            count: 1,
            start: 0,
            end: item.passage.len(),
        },
        characters: Some((4, 9)),
    };
    let placed = Options {
        answer: AnswerChoice::Place(place),
        ..Options::default()
    };
    let found = explainer.explain(item.question, item.passage, &placed);
    assert_eq!(found.unwrap().explanation.answer.text, "mayor");
    let error = explainer.explain_windows(item, &placed, &mut |_, _| ());
    assert!(matches!(error, Err(ExplainError::OnePlace { window: 0 })));
    // No answer is in every window.
    let options = given(Some(""), None);
    let mut windows = explainer
        .explain_windows(item, &options, &mut |_, _| ())
        .unwrap();
    let found = windows.next().unwrap().unwrap().explanation;
    assert!(!found.answer.has_answer && found.answer.given);
    assert!(windows.next().is_none());
}

/// A question of 40 of 64 tokens: windows of 21 passage tokens that do not share any where the stride is longer.
#[test]
fn a_long_question_leaves_small_windows() {
    let explainer = &explainers()[0];
    let question = "who ".repeat(40);
    let passage = "the mayor moved the old bridge to the harbour . ".repeat(20);
    let explained = explainer
        .explain(&question, &passage, &options(64, 128, 0.0))
        .unwrap();
    assert_eq!(explained.longest_whole, 1);
    assert_eq!(explained.explanation.window.count, 200_usize.div_ceil(21));
    let explained = explainer
        .explain(&question, &passage, &options(64, 11, 0.0))
        .unwrap();
    assert_eq!(explained.longest_whole, 11);
    let question = "who ".repeat(61);
    let error = explainer
        .explain(&question, &passage, &options(64, 128, 0.0))
        .unwrap_err();
    assert!(error.to_string().contains("61 tokens"), "{error}");
}

#[test]
fn every_part_of_a_document_is_of_one_window() {
    let (.., all) = three_windows();
    let document = &all.document;
    // Windows of 16 − 8 = 8 passage tokens from 0, 5 and 10 of 16; with T = 5, depth at 5, 6, 7: 2, 1, 0 in the first window
    // and 0, 1, 2 in the second, so 5 and 6 (a tie) are the first's; and 10, 11, 12 likewise.
    let passage: Vec<usize> = document
        .tokens
        .iter()
        .zip(&document.window)
        .filter(|(token, _)| token.part == Part::Passage)
        .map(|(_, &window)| window)
        .collect();
    assert_eq!(passage, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
}
