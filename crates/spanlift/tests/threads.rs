//! The same bits for any number of threads and any batch mates, METHOD section 7, and for a last layer that is computed in part,
//! section 6.
//!
//! Results are compared as text: Rust writes a float with as many digits as tell it from every other, and the sign of zero.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::{Sizes, random_encoder};
use serde_json::Value;
use spanlift::answer::AnswerOptions;
use spanlift::attribute::rules::{Preset, RESCALE, REVEAL_CANCEL, SOFTMAX_PATH};
use spanlift::attribute::{KeepEdges, Span, Target, attribute, target_tokens};
use spanlift::checkpoint::Source;
use spanlift::model::{Encoder, Family, Keep, Layout, forward, forward_pruned};
use spanlift::ops::{Real, embedding};
use spanlift::{Explained, Explainer, Item, Options};

const THREADS: [usize; 4] = [1, 2, 3, 7];
const PRESETS: [Preset; 3] = [RESCALE, REVEAL_CANCEL, SOFTMAX_PATH];

fn on<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(run)
}

/// The first place where the two differ, instead of megabytes.
#[track_caller]
fn same(what: &str, got: &str, want: &str) {
    if got != want {
        let at = got.bytes().zip(want.bytes()).take_while(|(a, b)| a == b);
        let at = at.count().saturating_sub(60);
        let part = |text: &str| {
            text.get(at..)
                .unwrap_or("")
                .chars()
                .take(160)
                .collect::<String>()
        };
        panic!("{what}: got …{}…, want …{}…", part(got), part(want));
    }
}

/// Large enough that every product is split over rows and over columns, and every head over its queries.
fn encoder<T: Real>(family: Family) -> Encoder<T> {
    random_encoder(3, Sizes::for_threads(family, 4.0))
}

struct Question {
    ids: Vec<u32>,
    reference: Vec<u32>,
    segments: Vec<u32>,
    target: Target,
}

fn question(s: usize) -> Question {
    let mixed = |from: usize| (0..s).map(|i| ((from + i * i) % 30) as u32).collect();
    let span = Span {
        start: s / 2,
        end: s / 2 + 1,
    };
    Question {
        ids: mixed(s),
        reference: mixed(s + 11),
        segments: (0..s).map(|i| u32::from(i > s / 3)).collect(),
        target: match s % 3 {
            0 => Target::Span(span),
            1 => Target::Margin(span),
            // At their end the two cancel.
            _ => Target::Versus(
                span,
                Span {
                    start: s / 2 - 1,
                    ..span
                },
            ),
        },
    }
}

/// How much of the last layer is computed.
#[derive(Clone, Copy, Debug)]
enum Last {
    All,
    /// Of so many sequences; of the others for the targets' tokens alone.
    Of(usize, Keep),
}

/// Logits, scores and edges of each question, all packed into one pass.
fn packed<T: Real>(encoder: &Encoder<T>, questions: &[&Question], preset: Preset) -> Vec<String> {
    passed(encoder, questions, preset, Last::All, false)
}

/// The same; of the logits those of the target's tokens alone, where that is said.
fn passed<T: Real>(
    encoder: &Encoder<T>,
    questions: &[&Question],
    preset: Preset,
    last: Last,
    of_target: bool,
) -> Vec<String> {
    let layout = Layout::new(questions.iter().map(|question| &question.segments[..]));
    let (both, many) = (layout.twice(), questions.len());
    let inputs = questions.iter().flat_map(|question| &question.ids);
    let references = questions.iter().flat_map(|question| &question.reference);
    let ids: Vec<u32> = inputs.chain(references).copied().collect();
    let targets: Vec<Target> = questions.iter().map(|question| question.target).collect();
    let tokens = target_tokens(&layout, &targets);
    let tokens = [&tokens[..], &tokens].concat();
    let words = embedding::words(&encoder.embeddings, &ids);
    let trace = match last {
        Last::All => forward(encoder, &both, words),
        Last::Of(full, keep) => forward_pruned(encoder, &both, words, keep, full, |logits| {
            assert_eq!(logits.rows(), both.starts[full]);
            tokens[full..].to_vec()
        }),
    };
    let found = attribute(
        encoder,
        &layout,
        trace.part(0..many),
        trace.part(many..2 * many),
        &targets,
        preset.rules,
        KeepEdges::All,
    );
    let logits = |b: usize| {
        let rows = [b, many + b].into_iter().flat_map(|b| {
            let wanted = |i: &usize| !of_target || tokens[b].contains(&(i - both.starts[b]));
            both.tokens(b).filter(wanted).collect::<Vec<_>>()
        });
        rows.map(|i| trace.logits.row(i)).collect::<Vec<_>>()
    };
    let text = |(b, found)| format!("{:?} {found:?}", logits(b));
    found.iter().enumerate().map(text).collect()
}

/// The last layer for the tokens of the targets alone, of references or of both, is as in a whole pass.
#[test]
fn a_last_layer_for_some_tokens_is_as_for_all() {
    let questions = [61, 7, 5, 48].map(question);
    let all: Vec<&Question> = questions.iter().collect();
    for family in Family::ALL {
        let encoder = encoder::<f32>(family);
        for preset in [RESCALE, REVEAL_CANCEL] {
            let run = |last| passed(&encoder, &all, preset, last, true);
            let want = run(Last::All);
            for full in [0, 4, 8] {
                for keep in [Keep::All, Keep::Inputs] {
                    let last = Last::Of(full, keep);
                    let got = run(last);
                    for (got, want) in got.iter().zip(&want) {
                        same(&format!("{family:?}, {}, {last:?}", preset.name), got, want);
                    }
                }
            }
        }
    }
}

fn check_encoders<T: Real>() {
    let questions = [61, 8, 150, 48].map(question);
    let all: Vec<&Question> = questions.iter().collect();
    for family in Family::ALL {
        let encoder = encoder::<T>(family);
        for preset in PRESETS {
            let what = format!("{family:?}, {}, {}", preset.name, T::NAME);
            let run = |questions: &[&Question], threads| {
                on(threads, || packed(&encoder, questions, preset))
            };
            let want = run(&all, THREADS[0]);
            for threads in &THREADS[1..] {
                for (got, want) in run(&all, *threads).iter().zip(&want) {
                    same(&format!("{what}, {threads} threads"), got, want);
                }
            }
            for (question, want) in all.iter().zip(&want) {
                let s = question.ids.len();
                let alone = run(&[question], 2);
                same(&format!("{what}, {s} tokens alone"), &alone[0], want);
                // Twice, with another neighbour on each side.
                let among = run(&[all[1], question, question, all[3]], 3);
                for got in &among[1..3] {
                    same(&format!("{what}, {s} tokens among others"), got, want);
                }
            }
        }
    }
}

#[test]
fn threads_and_batch_mates_change_no_bit_in_f32() {
    check_encoders::<f32>();
}

#[test]
fn threads_and_batch_mates_change_no_bit_in_f64() {
    check_encoders::<f64>();
}

const CHECKPOINTS: [&str; 8] = [
    "two-layers",
    "sharp",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "electra",
    "mobilebert",
    "deberta-v2",
];

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(model)
}

/// Questions and passages of a model's own cases, each passage three times over: some of one window, some of several.
fn texts(model: &str) -> Vec<[String; 2]> {
    let text = std::fs::read_to_string(folder(model).join("expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let part = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let three_times = |passage: String| [&passage[..]; 3].join(" ");
    let all = cases.iter().map(|case| {
        let passage = three_times(part(case, "passage"));
        [part(case, "question"), passage]
    });
    let mut texts: Vec<_> = all.collect();
    texts.sort();
    texts.dedup();
    texts.truncate(4);
    texts
}

/// From text to Explanation, attention and edges, the checkpoint loaded on as many threads.
fn check_checkpoints<T: Real>() {
    for model in CHECKPOINTS {
        let texts = texts(model);
        let items: Vec<Item<'_>> = texts
            .iter()
            .map(|[question, passage]| Item { question, passage })
            .collect();
        assert!(items.len() >= 2, "{model}");
        for preset in PRESETS {
            let options = Options {
                answering: AnswerOptions {
                    stride: 16,
                    ..AnswerOptions::default()
                },
                preset,
                edges: KeepEdges::All,
                attention: true,
                ..Options::default()
            };
            let run_with = |threads: usize, items: &[Item<'_>], options: &Options| {
                on(threads, || {
                    let folder = folder(model);
                    let explainer = Explainer::<T>::load(Source::Folder(&folder)).unwrap();
                    let found = explainer.explain_batch(items, options).into_iter();
                    found.map(Result::unwrap).collect::<Vec<_>>()
                })
            };
            let run = |threads: usize, items: &[Item<'_>]| -> Vec<String> {
                let found = run_with(threads, items, &options).into_iter();
                let text = |explained: Explained<T>| {
                    assert!(explained.edges.is_some() && !explained.attention.is_empty());
                    format!("{explained:?}")
                };
                found.map(text).collect()
            };
            let what = format!("{model}, {}, {}", preset.name, T::NAME);
            let want = run(1, &items);
            for threads in &THREADS[1..] {
                for (got, want) in run(*threads, &items).iter().zip(&want) {
                    same(&format!("{what}, {threads} threads"), got, want);
                }
            }
            for (item, want) in items.iter().zip(&want) {
                same(&format!("{what}, alone"), &run(2, &[*item])[0], want);
            }
            // Without the probabilities, where the answer of several windows is known before: alone the input's last layer is computed
            // for the target's tokens, beside a passage of one window for all.
            let without = Options {
                attention: false,
                ..options.clone()
            };
            let text = |x: &Explained<T>| format!("{:?} {:?}", x.explanation, x.edges);
            let together = run_with(2, &items, &without);
            for ((item, together), with) in items
                .iter()
                .zip(&together)
                .zip(run_with(2, &items, &options))
            {
                let alone = &run_with(2, &[*item], &without)[0];
                same(
                    &format!("{what}, no attention"),
                    &text(together),
                    &text(&with),
                );
                same(
                    &format!("{what}, no attention, alone"),
                    &text(alone),
                    &text(&with),
                );
            }
        }
    }
}

#[test]
fn explanations_are_the_same_in_f32() {
    check_checkpoints::<f32>();
}

#[test]
fn explanations_are_the_same_in_f64() {
    check_checkpoints::<f64>();
}
