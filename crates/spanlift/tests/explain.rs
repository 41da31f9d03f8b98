//! From text to Explanation: windows, chosen spans, references, batches, and each error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod tiny;

use std::path::{Path, PathBuf};

use spanlift::answer::AnswerOptions;
use spanlift::attribute::rules::{GRADIENT, REVEAL_CANCEL};
use spanlift::attribute::{KeepEdges, Reference, ReferenceError};
use spanlift::check::{DRAWS, Verdict, WORDS};
use spanlift::checkpoint::Source;
use spanlift::ops::Matrix;
use spanlift::{AnswerChoice, ExplainError, Explained, Explainer, Item, Options, Place};
use spanlift_explanation::{Explanation, Part, TargetKind, Window};

const QUESTION: &str = "who moved the bridge ?";
const PASSAGE: &str =
    "the mayor moved the old bridge to the harbour . the keeper painted the tower .";

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(model)
}

fn explainer(model: &str) -> Explainer<f64> {
    Explainer::load(Source::Folder(&folder(model))).unwrap()
}

fn explain(options: &Options) -> Result<Explained<f64>, ExplainError> {
    explainer("four-layers").explain(QUESTION, PASSAGE, options)
}

fn explanation(options: &Options) -> Explanation {
    let explained = explain(options).unwrap();
    explained.explanation.validate().unwrap();
    assert!(explained.explanation.completeness.holds);
    explained.explanation
}

/// 160 words, of which a window of 64 tokens holds a third.
fn long_passage() -> String {
    [PASSAGE; 10].join(" ")
}

#[test]
fn only_replaced_words_score_at_the_words_and_in_map_1() {
    for (reference, replaced) in [
        (Reference::Unk, [false, true, true]),
        (Reference::Mask, [false, true, true]),
        (Reference::Mean, [false, true, true]),
        (Reference::Zero, [true, true, true]),
        (Reference::Passage, [false, false, true]),
        (Reference::Question, [false, true, false]),
    ] {
        let got = explanation(&Options {
            reference: reference.clone(),
            ..Options::default()
        });
        assert_eq!(got.method.reference, reference.name());
        for (i, token) in got.tokens.iter().enumerate() {
            let part = [Part::Special, Part::Question, Part::Passage];
            let replaced = part
                .iter()
                .zip(replaced)
                .any(|(&p, r)| r && p == token.part);
            assert_eq!(
                got.word_score[i] != 0.0,
                replaced,
                "{} {i}",
                reference.name()
            );
            assert_eq!(
                got.layers[0].score[i] != 0.0,
                replaced,
                "{} {i}",
                reference.name()
            );
            assert!(got.layers[1].score.iter().all(|&score| score != 0.0));
        }
    }
}

#[test]
fn several_references_are_averaged() {
    let ids = explain(&Options::default()).unwrap().encoding.ids;
    let filled = |id: u32| -> Vec<u32> {
        ids.iter()
            .map(|&i| if i == 2 || i == 3 { i } else { id })
            .collect()
    };
    let with = |lists: Vec<Vec<u32>>| {
        explanation(&Options {
            reference: Reference::Tokens(lists),
            ..Options::default()
        })
    };
    // [MASK] is id 4, [UNK] 1: as lists, they are the references of those names.
    let mask = explanation(&Options::default());
    assert_eq!(with(vec![filled(4)]).layers, mask.layers);
    let unk = explanation(&Options {
        reference: Reference::Unk,
        ..Options::default()
    });
    let both = with(vec![filled(4), filled(1)]);
    let named = explanation(&Options {
        reference: Reference::named("mask+unk").unwrap(),
        ..Options::default()
    });
    assert_eq!(named.layers, both.layers);
    assert_eq!(
        (named.method.references, named.method.reference.as_str()),
        (2, "mask+unk")
    );
    assert_eq!(named.method.label(), "deep-shap");
    assert_eq!(mask.method.label(), "deeplift");
    for wrong in ["mask+mask", "mask+", "+", "mask+tokens"] {
        assert_eq!(Reference::named(wrong), None, "{wrong}");
    }
    assert_eq!(
        (both.method.references, both.method.reference.as_str()),
        (2, "tokens")
    );
    let mean = |a: f32, b: f32| 0.5 * (a + b);
    let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} {b}");
    assert!((both.target.delta - 0.5 * (mask.target.delta + unk.target.delta)).abs() < 1e-12);
    for (l, layer) in both.layers.iter().enumerate() {
        for i in 0..ids.len() {
            near(
                layer.score[i],
                mean(mask.layers[l].score[i], unk.layers[l].score[i]),
            );
            near(
                layer.positive[i],
                mean(mask.layers[l].positive[i], unk.layers[l].positive[i]),
            );
        }
    }
    for l in 0..4 {
        for a in 0..3 {
            near(
                both.heads.score[l][a],
                mean(mask.heads.score[l][a], unk.heads.score[l][a]),
            );
        }
        assert!((both.mlp[l] - 0.5 * (mask.mlp[l] + unk.mlp[l])).abs() < 1e-12);
    }
    // The strongest edges are the mean's.
    let all = |reference| {
        let options = Options {
            reference,
            edges: KeepEdges::All,
            ..Options::default()
        };
        explain(&options).unwrap().edges.unwrap()
    };
    let (a, b) = (all(Reference::Mask), all(Reference::Unk));
    let top = &both.top_edges[0];
    let at = |edges: &Vec<Vec<spanlift::ops::attention::Edges<f64>>>| {
        let head = &edges[top.layer - 1][top.head - 1];
        (
            head.pattern.row(top.query)[top.key],
            head.content.row(top.query)[top.key],
        )
    };
    near(top.pattern, (0.5 * (at(&a).0 + at(&b).0)) as f32);
    near(top.content, (0.5 * (at(&a).1 + at(&b).1)) as f32);
}

#[test]
fn top_edges_are_the_strongest_of_all() {
    let options = Options {
        edges: KeepEdges::All,
        attention: true,
        ..Options::default()
    };
    let got = explain(&options).unwrap();
    let mut all: Vec<f64> = got
        .edges
        .iter()
        .flatten()
        .flatten()
        .flat_map(|e| e.pattern.data().iter().zip(e.content.data()))
        .map(|(p, c)| (p + c).abs())
        .collect();
    all.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(got.explanation.top_edges.len(), 200);
    for (edge, want) in got.explanation.top_edges.iter().zip(all) {
        assert!((f64::from(edge.pattern + edge.content).abs() - want).abs() < 1e-6);
        let of = &got.edges.as_ref().unwrap()[edge.layer - 1][edge.head - 1];
        let at = |edges: &Matrix<f64>| edges.row(edge.query)[edge.key] as f32;
        let place = (at(&of.pattern), at(&of.content));
        assert_eq!((edge.pattern, edge.content), place, "{edge:?}");
    }
    for heads in &got.attention {
        for row in heads
            .iter()
            .flat_map(|head| (0..head.rows()).map(|i| head.row(i)))
        {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
    let none = explain(&Options {
        edges: KeepEdges::None,
        ..Options::default()
    })
    .unwrap();
    assert!(
        none.explanation.top_edges.is_empty() && none.edges.is_none() && none.attention.is_empty()
    );
}

/// Layers made again give the same numbers; attention that was asked for is there all the same.
#[test]
fn a_lean_run_explains_the_same() {
    let explainer = explainer("four-layers");
    // Of several windows the answer is known before the pass that is walked back.
    for passage in [PASSAGE, &long_passage()] {
        for reference in [
            Reference::Mask,
            Reference::Several(vec![Reference::Mask, Reference::Unk]),
        ] {
            let of = |lean: bool, attention: bool| {
                let options = Options {
                    lean,
                    attention,
                    reference: reference.clone(),
                    ..Options::default()
                };
                explainer.explain(QUESTION, passage, &options).unwrap()
            };
            let want = of(false, true);
            assert_eq!(want.attention.len(), want.explanation.model.layers);
            for [lean, attention] in [[true, false], [true, true], [false, false]] {
                let got = of(lean, attention);
                assert_eq!(got.explanation, want.explanation);
                let kept = if attention { &want.attention[..] } else { &[] };
                assert_eq!(got.attention, kept);
            }
        }
    }
}

#[test]
fn a_given_answer_is_explained_in_place_of_the_model_s() {
    let own = explanation(&Options::default());
    let given = explanation(&Options {
        answer: AnswerChoice::Text("old bridge".to_owned()),
        ..Options::default()
    });
    assert_eq!(given.answer.text, "old bridge");
    assert_eq!((given.answer.start, given.answer.end), (Some(20), Some(30)));
    assert_eq!(given.tokens[given.target.start_token].text, "old");
    assert_eq!(given.tokens[given.target.end_token].text, "bridge");
    assert!((given.answer.score - given.target.value).abs() < 1e-12);
    assert_eq!(given.candidates, own.candidates);
    // Twice in the passage: the place with the higher score.
    let the = explanation(&Options {
        answer: AnswerChoice::Text("the".to_owned()),
        ..Options::default()
    });
    let places = [7, 10, 14, 17, 20];
    assert!(places.contains(&the.target.start_token));
    let none = explanation(&Options {
        answer: AnswerChoice::Text(String::new()),
        ..Options::default()
    });
    assert!(!none.answer.has_answer && none.answer.text.is_empty() && none.answer.start.is_none());
    assert_eq!((none.target.start_token, none.target.end_token), (0, 0));
    assert!((none.target.value - own.answer.null_score).abs() < 1e-12);
}

#[test]
fn versus_is_the_difference_of_two_spans() {
    let span = |text: &str| {
        explanation(&Options {
            answer: AnswerChoice::Text(text.to_owned()),
            ..Options::default()
        })
    };
    // The last two share an end, and a start, where their parts cancel.
    for [answer, other] in [
        ["mayor", "keeper"],
        ["mayor", ""],
        ["old bridge", "the old bridge"],
        ["the old", "the old bridge"],
    ] {
        let versus = explanation(&Options {
            target: TargetKind::Versus,
            versus: Some(other.to_owned()),
            answer: AnswerChoice::Text(answer.to_owned()),
            ..Options::default()
        });
        let (a, b) = (span(answer), span(other));
        assert!((versus.target.value - (a.target.value - b.target.value)).abs() < 1e-12);
        // The walk is linear in u and v: so are the scores.
        for (l, layer) in versus.layers.iter().enumerate() {
            for (i, score) in layer.score.iter().enumerate() {
                assert!((score - (a.layers[l].score[i] - b.layers[l].score[i])).abs() < 1e-5);
            }
        }
        assert_eq!(versus.target.versus.unwrap().text, other);
    }
}

#[test]
fn margin_is_the_best_span_minus_no_answer_also_where_there_is_none() {
    for null_threshold in [1e9, -1e9] {
        let answering = AnswerOptions {
            null_threshold,
            ..AnswerOptions::default()
        };
        let got = explanation(&Options {
            target: TargetKind::Margin,
            answering,
            ..Options::default()
        });
        assert_eq!(got.answer.has_answer, null_threshold > 0.0);
        let best = &got.candidates[0];
        assert_eq!(
            (got.target.start_token, got.target.end_token),
            (best.start_token, best.end_token)
        );
        assert!((got.target.value - (best.score - got.answer.null_score)).abs() < 1e-12);
    }
}

#[test]
fn a_long_passage_is_answered_over_all_windows_and_the_answer_s_is_explained() {
    let explainer = explainer("four-layers");
    let passage = long_passage();
    let answering = AnswerOptions {
        stride: 20,
        null_threshold: 1e9,
        ..AnswerOptions::default()
    };
    let options = Options {
        answering,
        ..Options::default()
    };
    let got = explainer
        .explain(QUESTION, &passage, &options)
        .unwrap()
        .explanation;
    got.validate().unwrap();
    assert!(got.completeness.holds);
    // 160 passage tokens; 56 fit beside 5 of the question and 3 special ones: 0, 20, …, 120 reach the end.
    assert_eq!(got.window.count, 7);
    assert!(got.tokens.len() <= 64);
    let text: String = passage
        .chars()
        .skip(got.answer.start.unwrap())
        .take(got.answer.end.unwrap() - got.answer.start.unwrap())
        .collect();
    assert_eq!(got.answer.text, text);
    // No window alone has a better span, and the null score is the smallest of all.
    let mut nulls = Vec::new();
    for index in 0..7 {
        let words: Vec<&str> = passage.split(' ').skip(20 * index).take(56).collect();
        let alone = explainer
            .answer(QUESTION, &words.join(" "), &answering)
            .unwrap();
        assert!(alone.answer.score <= got.answer.score + 1e-12);
        if index == got.window.index {
            assert!((alone.answer.score - got.answer.score).abs() < 1e-12);
        }
        nulls.push(alone.answer.null_score);
    }
    let least = nulls.iter().copied().fold(f64::INFINITY, f64::min);
    assert!((least - got.answer.null_score).abs() < 1e-12);
    // No answer: the window of that score is explained.
    let answering = AnswerOptions {
        null_threshold: -1e9,
        ..answering
    };
    let none = explainer.explain(
        QUESTION,
        &passage,
        &Options {
            answering,
            ..Options::default()
        },
    );
    let none = none.unwrap().explanation;
    assert_eq!(nulls[none.window.index], least);
    assert!((none.target.value - least).abs() < 1e-12);
    let answers = explainer.answer(QUESTION, &passage, &answering).unwrap();
    assert_eq!((answers.windows, &answers.answer), (7, &none.answer));
}

/// One window is explained, so both halves of the margin are its own: not the best and the null of all windows.
#[test]
fn margin_over_several_windows_is_that_of_the_explained_one() {
    let explainer = explainer("four-layers");
    let passage = long_passage();
    for null_threshold in [1e9, -1e9] {
        let answering = AnswerOptions {
            stride: 20,
            null_threshold,
            ..AnswerOptions::default()
        };
        let options = Options {
            target: TargetKind::Margin,
            answering,
            ..Options::default()
        };
        let got = explainer.explain(QUESTION, &passage, &options).unwrap();
        let got = got.explanation;
        assert_eq!(got.answer.has_answer, null_threshold > 0.0);
        let words: Vec<&str> = passage
            .split(' ')
            .skip(20 * got.window.index)
            .take(56)
            .collect();
        let alone = explainer
            .answer(QUESTION, &words.join(" "), &answering)
            .unwrap();
        let margin = alone.candidates[0].score - alone.answer.null_score;
        assert!((got.target.value - margin).abs() < 1e-12);
    }
}

#[test]
fn versus_takes_another_place_of_the_same_text() {
    let got = explanation(&Options {
        target: TargetKind::Versus,
        versus: Some("the".to_owned()),
        answer: AnswerChoice::Text("the".to_owned()),
        ..Options::default()
    });
    let other = got.target.versus.unwrap();
    assert_eq!(got.tokens[got.target.start_token].text, "the");
    assert_eq!(
        (
            other.text.as_str(),
            got.tokens[other.start_token].text.as_str()
        ),
        ("the", "the")
    );
    assert_ne!(got.target.start_token, other.start_token);
    assert!(got.answer.given && !explanation(&Options::default()).answer.given);
}

#[test]
fn versus_moves_to_a_window_that_holds_both() {
    let explainer = explainer("four-layers");
    // "spring" stands once, at the end; "mayor" everywhere.
    let passage = format!("{} spring", long_passage());
    let options = |answer: &str, versus: &str| Options {
        target: TargetKind::Versus,
        answer: AnswerChoice::Text(answer.to_owned()),
        versus: Some(versus.to_owned()),
        answering: AnswerOptions {
            stride: 20,
            ..AnswerOptions::default()
        },
        ..Options::default()
    };
    let got = explainer
        .explain(QUESTION, &passage, &options("mayor", "spring"))
        .unwrap();
    let got = got.explanation;
    assert_eq!(got.window.index, got.window.count - 1);
    assert_eq!(got.tokens[got.target.start_token].text, "mayor");
    assert_eq!(
        got.tokens[got.target.versus.unwrap().start_token].text,
        "spring"
    );
    // Too far apart for any window.
    let passage = format!("winter {} spring", long_passage());
    let error = explainer
        .explain(QUESTION, &passage, &options("winter", "spring"))
        .unwrap_err();
    assert!(
        matches!(error, ExplainError::FarApart { max_tokens: 64, .. }),
        "{error}"
    );
    // Longer than any window.
    let error = explainer
        .explain(QUESTION, &passage, &options(&long_passage(), "spring"))
        .unwrap_err();
    assert!(
        matches!(
            error,
            ExplainError::NotInWindow {
                field: "answer",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_batch_gives_what_each_gives_alone_and_an_error_stays_its_own() {
    let explainer = explainer("sharp");
    let long = long_passage();
    let items = [
        Item {
            question: QUESTION,
            passage: PASSAGE,
        },
        Item {
            question: "",
            passage: PASSAGE,
        },
        Item {
            question: "where is the school ?",
            passage: &long,
        },
        Item {
            question: "when was the tower opened ?",
            passage: "the old tower opened in 1893 .",
        },
    ];
    let options = Options {
        preset: REVEAL_CANCEL,
        attention: true,
        ..Options::default()
    };
    let together = explainer.explain_batch(&items, &options);
    assert_eq!(together.len(), 4);
    for (item, together) in items.iter().zip(together) {
        let alone = explainer.explain(item.question, item.passage, &options);
        match (together, alone) {
            (Ok(a), Ok(b)) => {
                let heads = |explained: &Explained<f64>| explained.attention.concat();
                for (a, b) in heads(&a).iter().zip(&heads(&b)) {
                    assert_eq!((a.rows(), a.cols()), (b.rows(), b.cols()));
                    for (a, b) in a.data().iter().zip(b.data()) {
                        assert!((a - b).abs() < 1e-9, "{a} {b}");
                    }
                }
                assert_eq!(heads(&a).len(), heads(&b).len());
                let (a, b) = (a.explanation, b.explanation);
                assert_eq!((&a.tokens, &a.answer.text), (&b.tokens, &b.answer.text));
                for (a, b) in a.layers.iter().zip(&b.layers) {
                    for (a, b) in a.score.iter().zip(&b.score) {
                        assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} {b}");
                    }
                }
            }
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
            (a, b) => panic!("{} {}", a.is_ok(), b.is_ok()),
        }
    }
    assert!(explainer.explain_batch(&[], &options).is_empty());
}

/// Of two windows of one pass the answer of one is the other span itself, which is no difference: the other one is explained as alone.
#[test]
fn a_question_that_cannot_be_explained_leaves_its_batch_mates_alone() {
    let explainer = explainer("four-layers");
    let answers = |question| {
        let options = AnswerOptions::default();
        let found = explainer.answer(question, PASSAGE, &options).unwrap();
        found.candidates[0].text.clone()
    };
    let questions = [
        QUESTION,
        "when was the tower opened ?",
        "who painted the tower ?",
        "the keeper ?",
        "where ?",
    ];
    let other = questions
        .iter()
        .find(|question| answers(question) != answers(QUESTION));
    let other = *other.expect("two answers");
    let options = Options {
        answering: AnswerOptions {
            null_threshold: 1e9,
            ..AnswerOptions::default()
        },
        target: TargetKind::Versus,
        versus: Some(answers(QUESTION)),
        ..Options::default()
    };
    let items = [QUESTION, other].map(|question| Item {
        question,
        passage: PASSAGE,
    });
    let [failed, explained] =
        <[_; 2]>::try_from(explainer.explain_batch(&items, &options)).unwrap();
    assert!(
        matches!(failed, Err(ExplainError::SameSpan { .. })),
        "{:?}",
        failed.map(|_| ())
    );
    let alone = explainer.explain(other, PASSAGE, &options).unwrap();
    assert_eq!(explained.unwrap().explanation, alone.explanation);
}

#[test]
fn the_gradient_preset_says_that_its_sums_do_not_hold() {
    let got = explain(&Options {
        preset: GRADIENT,
        ..Options::default()
    })
    .unwrap()
    .explanation;
    assert_eq!(
        (
            got.method.name.as_str(),
            got.method.rules["softmax"].as_str()
        ),
        ("gradient-x-input", "gradient")
    );
    assert!(!got.completeness.holds && got.completeness.worst > 1e-3);
}

#[test]
fn the_check_masks_words_and_repeats_itself() {
    let explainer = explainer("four-layers");
    let explained = explainer
        .explain(QUESTION, PASSAGE, &Options::default())
        .unwrap();
    let check = explainer.check(&explained).unwrap();
    assert_eq!((check.words.len(), check.draws.len()), (WORDS, DRAWS));
    assert_eq!(check, explainer.check(&explained).unwrap());
    // The drop by hand: the highest scores, masked in the text itself.
    let mut ranked: Vec<usize> = (0..explained.encoding.ids.len())
        .filter(|&i| explained.encoding.tokens[i].part != Part::Special)
        .collect();
    let score = |i: &usize| explained.explanation.word_score[*i];
    ranked.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let mut ids = explained.encoding.ids.clone();
    ranked[..WORDS].iter().for_each(|&i| ids[i] = 4);
    let tokens = Reference::Tokens(vec![ids]);
    let masked = explanation(&Options {
        reference: tokens,
        ..Options::default()
    });
    assert!(
        (masked.target.delta - check.drop).abs() < 1e-9,
        "{} {}",
        masked.target.delta,
        check.drop
    );
    assert_eq!(
        check.verdict() == Verdict::Passed,
        check.drop > 0.0 && check.draws.iter().filter(|&&d| check.drop > d).count() >= 9
    );
}

#[test]
fn each_error_names_what_is_wrong() {
    let error = |options: Options| explain(&options).unwrap_err();
    let answer = |text: &str| Options {
        answer: AnswerChoice::Text(text.to_owned()),
        ..Options::default()
    };
    let versus = |text: Option<&str>, answer: &str| Options {
        target: TargetKind::Versus,
        versus: text.map(str::to_owned),
        answer: AnswerChoice::Text(answer.to_owned()),
        ..Options::default()
    };
    let tokens = |lists| Options {
        reference: Reference::Tokens(lists),
        ..Options::default()
    };
    let message = |options| error(options).to_string();
    assert!(message(answer("castle")).starts_with("answer: expected a text of the passage"));
    assert!(
        message(versus(Some("castle"), "mayor"))
            .starts_with("versus: expected a text of the passage")
    );
    assert!(matches!(
        error(answer(" ")),
        ExplainError::NoToken {
            field: "answer",
            ..
        }
    ));
    assert!(matches!(
        error(versus(None, "mayor")),
        ExplainError::NoVersus
    ));
    assert!(matches!(
        error(versus(Some("mayor"), "mayor")),
        ExplainError::SameSpan { .. }
    ));
    let reference = |options| match error(options) {
        ExplainError::Reference(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!(reference(tokens(vec![])), ReferenceError::NoList);
    assert_eq!(
        reference(tokens(vec![vec![2; 24], vec![2; 5]])),
        ReferenceError::Length {
            list: 1,
            expected: 24,
            got: 5
        }
    );
    let mut ids = vec![2; 24];
    ids[7] = 56;
    assert_eq!(
        reference(tokens(vec![ids])),
        ReferenceError::Id {
            list: 0,
            at: 7,
            id: 56,
            rows: 56
        }
    );
    assert!(matches!(
        explainer("sharp").explain(QUESTION, "", &Options::default()),
        Err(ExplainError::Encode(_))
    ));
}

/// A tiny checkpoint, some of whose files are replaced.
fn tiny(change: impl Fn(tiny::Tiny) -> tiny::Tiny) -> Explainer<f32> {
    let folder = tempfile::tempdir().unwrap();
    change(tiny::Tiny::new()).write(folder.path());
    Explainer::load(Source::Folder(folder.path())).unwrap()
}

#[test]
fn a_vocabulary_without_the_token_refuses_the_reference() {
    // `[MASK]` and `[PAD]` are renamed in a vocabulary that keeps its length.
    let words = tiny::WORDS.map(|word| match word {
        "[MASK]" => "masked",
        "[PAD]" => "padded",
        word => word,
    });
    let lowered = r#"{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}"#;
    let explainer = tiny(|tiny| {
        tiny.without("tokenizer.json")
            .file("vocab.txt", words.join("\n"))
            .file("tokenizer_config.json", lowered)
    });
    for (reference, token) in [
        (Reference::Mask, "[MASK]"),
        (Reference::Passage, "[MASK]"),
        (Reference::Pad, "[PAD]"),
    ] {
        let options = Options {
            reference,
            ..Options::default()
        };
        let error = explainer.explain("where is the tower ?", "the old cafe .", &options);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains(&format!("needs the token {token}"))
        );
    }
    let options = Options {
        reference: Reference::Zero,
        ..Options::default()
    };
    let explained = explainer
        .explain("where is the tower ?", "the old cafe .", &options)
        .unwrap();
    assert!(
        explainer
            .check(&explained)
            .unwrap_err()
            .to_string()
            .contains("[MASK]")
    );
}

#[test]
fn numbers_that_overflow_are_an_error() {
    let explainer = tiny(|tiny| {
        let huge = |tiny: tiny::Tiny, at| tiny.set("qa_outputs.weight", at, 3e38);
        (0..2 * tiny::HIDDEN).fold(tiny, huge)
    });
    let error = explainer.explain(
        "where is the tower ?",
        "the old cafe .",
        &Options::default(),
    );
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            ExplainError::NotFinite {
                precision: "f32",
                ..
            }
        ),
        "{error}"
    );
}

fn place(explanation: &Explanation) -> Place {
    let answer = &explanation.answer;
    Place {
        window: explanation.window.clone(),
        characters: answer.start.zip(answer.end),
    }
}

#[test]
fn a_place_is_explained_and_no_other_of_the_same_text() {
    let passage = long_passage();
    let explainer = explainer("four-layers");
    let answering = AnswerOptions {
        null_threshold: 1e9,
        ..AnswerOptions::default()
    };
    let of = |answer| {
        let options = Options {
            answer,
            answering,
            ..Options::default()
        };
        let explained = explainer.explain(QUESTION, &passage, &options).unwrap();
        explained.explanation
    };
    // "old bridge" stands ten times, and in more than one window each: all of them can be had.
    let own = of(AnswerChoice::Own);
    let mut scores = Vec::new();
    for (start, _) in passage.match_indices("old bridge") {
        let mut windows = 0;
        for candidate in [0, own.window.count - 1, own.window.index] {
            let null = of(AnswerChoice::Place(Place {
                window: window_of(&explainer, &passage, candidate),
                characters: None,
            }));
            assert!(null.answer.given && !null.answer.has_answer);
            assert_eq!(null.window.index, candidate);
            let given = Place {
                window: null.window,
                characters: Some((start, start + 10)),
            };
            let inside = given.window.start <= start && start + 10 <= given.window.end;
            let options = Options {
                answer: AnswerChoice::Place(given.clone()),
                answering,
                ..Options::default()
            };
            match explainer.explain(QUESTION, &passage, &options) {
                Ok(found) => {
                    let found = found.explanation;
                    assert!(inside && found.answer.given && found.answer.has_answer);
                    assert_eq!(found.answer.text, "old bridge");
                    assert_eq!(place(&found), given);
                    assert!((found.answer.score - found.target.value).abs() < 1e-9);
                    scores.push(found.answer.score);
                    windows += 1;
                }
                Err(error) => {
                    assert!(!inside);
                    assert!(matches!(error, ExplainError::NotTokens { .. }), "{error}");
                }
            }
        }
        assert!(windows < 3);
    }
    assert!(scores.len() >= 6, "{scores:?}");
    // The text alone has the best of all windows.
    let best = of(AnswerChoice::Text("old bridge".to_owned()));
    assert!(scores.iter().all(|&score| score <= best.answer.score));
    // The model's own answer by its place is the model's own, but for who chose it.
    let mut again = of(AnswerChoice::Place(place(&own)));
    assert!(again.answer.given);
    again.answer.given = false;
    assert_eq!(again, own);
}

fn window_of(explainer: &Explainer<f64>, passage: &str, index: usize) -> Window {
    let vocabulary = &explainer.checkpoint().vocabulary;
    let encoded = vocabulary.encode(QUESTION, passage).unwrap();
    encoded.windows(vocabulary, 384, 128).unwrap().window(index)
}

#[test]
fn places_that_there_are_not_are_refused() {
    let whole = window_of(&explainer("four-layers"), PASSAGE, 0);
    let refused = |window: Window, characters| {
        let place = Place { window, characters };
        explain(&Options {
            answer: AnswerChoice::Place(place),
            ..Options::default()
        })
        .unwrap_err()
    };
    // Half a word, a blank, nothing, backwards, beyond the end.
    for characters in [(4, 7), (3, 4), (4, 4), (9, 4), (70, 90), (0, usize::MAX)] {
        let error = refused(whole.clone(), Some(characters));
        assert!(
            matches!(error, ExplainError::NotTokens { window: 0, start, end } if (start, end) == characters),
            "{error}"
        );
    }
    assert_eq!(
        refused(whole.clone(), Some((4, 7))).to_string(),
        "answer: expected characters that are whole tokens of window 1, got 4 to 7"
    );
    let other = |change: fn(&mut Window)| {
        let mut window = whole.clone();
        change(&mut window);
        window
    };
    for window in [
        other(|w| w.index = 1),
        other(|w| w.index = usize::MAX - 1),
        other(|w| w.count = 2),
        other(|w| w.start = 1),
        other(|w| w.end -= 1),
    ] {
        for characters in [None, Some((4, 9))] {
            let error = refused(window.clone(), characters);
            assert!(
                matches!(error, ExplainError::NoSuchWindow { count: 1, .. }),
                "{error}"
            );
        }
    }
}

/// Tokens of the random span, and of the model's best, as places of the explained window.
fn drawn(question: &str, passage: &str, seed: u64) -> (Explanation, std::ops::Range<usize>) {
    let options = Options {
        answer: AnswerChoice::Random(seed),
        ..Options::default()
    };
    let explained = explainer("four-layers").explain(question, passage, &options);
    let found = explained.unwrap().explanation;
    assert!(found.answer.given && found.answer.has_answer && found.completeness.holds);
    let tokens = found.answer.start_token..found.answer.end_token + 1;
    assert_eq!(
        (found.target.start_token, found.target.end_token + 1),
        (tokens.start, tokens.end)
    );
    (found, tokens)
}

#[test]
fn a_random_span_is_as_long_as_the_best_and_anywhere_else() {
    // 48 tokens, all in one window.
    let text = [PASSAGE; 3].join(" ");
    let own = explainer("four-layers").explain(QUESTION, &text, &Options::default());
    let own = own.unwrap().explanation;
    let best = &own.candidates[0];
    assert_eq!(own.window.count, 1);
    let best = best.start_token..best.end_token + 1;
    let first = own.tokens.iter().position(|t| t.part == Part::Passage);
    let passage = first.unwrap()..own.tokens.len() - 1;
    let mut places = std::collections::BTreeMap::new();
    for seed in 0..300 {
        let (found, tokens) = drawn(QUESTION, &text, seed);
        assert_eq!(tokens.len(), best.len());
        assert!(passage.start <= tokens.start && tokens.end <= passage.end);
        assert!(tokens.end <= best.start || best.end <= tokens.start);
        assert_eq!(
            (&found.tokens, &found.candidates),
            (&own.tokens, &own.candidates)
        );
        *places.entry(tokens.start).or_insert(0) += 1;
    }
    // Every place that keeps off it, about as often: 300 draws of n places have 300/n each, here within five deviations.
    let free = passage.start..=passage.end - best.len();
    let free: Vec<usize> = free
        .filter(|&s| s + best.len() <= best.start || best.end <= s)
        .collect();
    assert!(free.len() > 9, "{best:?}");
    assert_eq!(places.keys().copied().collect::<Vec<_>>(), free);
    let mean = 300.0 / free.len() as f64;
    for (place, count) in places {
        let off = (f64::from(count) - mean).abs();
        assert!(off < 5.0 * mean.sqrt(), "{place}: {count}, expected {mean}");
    }
}

#[test]
fn a_random_span_belongs_to_seed_question_and_passage() {
    let tokens = |question: &str, passage: &str, seed| drawn(question, passage, seed).1;
    let passage = long_passage();
    let many = |question: &str, passage: &str| -> Vec<_> {
        (0..12)
            .map(|seed| tokens(question, passage, seed))
            .collect()
    };
    let own = many(QUESTION, &passage);
    assert_eq!(many(QUESTION, &passage), own);
    assert!(own.iter().any(|tokens| *tokens != own[0]), "{own:?}");
    assert_ne!(many("who moved the tower ?", &passage), own);
    assert_ne!(many(QUESTION, &passage[4..]), own);
    // In the window that the model's own answer is explained in, whether there is one or none.
    for null_threshold in [1e9, -1e9] {
        let options = |answer| Options {
            answer,
            answering: AnswerOptions {
                null_threshold,
                ..AnswerOptions::default()
            },
            ..Options::default()
        };
        let explainer = explainer("four-layers");
        let of = |options: &Options| {
            let explained = explainer.explain(QUESTION, &passage, options).unwrap();
            explained.explanation
        };
        let own = of(&options(AnswerChoice::Own));
        assert_eq!(own.answer.has_answer, null_threshold > 0.0);
        let random = of(&options(AnswerChoice::Random(1)));
        assert_eq!(random.window, own.window);
        let best = &own.candidates[0];
        assert_eq!(
            random.answer.end_token - random.answer.start_token,
            best.end_token - best.start_token
        );
        // Batch mates change nothing.
        let item = Item {
            question: QUESTION,
            passage: &passage,
        };
        let mate = Item {
            question: "what ?",
            passage: PASSAGE,
        };
        let batch = explainer.explain_batch(&[mate, item, mate], &options(AnswerChoice::Random(1)));
        assert_eq!(batch[1].as_ref().unwrap().explanation, random);
    }
}

#[test]
fn a_window_that_the_answer_fills_has_a_random_span_all_the_same() {
    // One token: the answer can be nowhere else.
    let (found, tokens) = drawn(QUESTION, "bridge", 5);
    assert_eq!(found.answer.text, "bridge");
    assert_eq!(tokens.len(), 1);
}
