//! All oracle cases: float64 values made independently of this code, for every map, head, edge and probability.
//!
//! Each array must agree to max|got − want| ≤ 1e-3·max(max|want|, 1e-3) in f32 and ≤ 1e-9·max|want| in f64.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use spanlift::attribute::rules::{Preset, RESCALE, REVEAL_CANCEL};
use spanlift::attribute::{Attribution, KeepEdges, Reference, Span, Target, attribute, sum};
use spanlift::checkpoint::Source;
use spanlift::encode::Encoding;
use spanlift::model::{Layout, Trace, forward};
use spanlift::ops::contribution::Contribution;
use spanlift::ops::{Real, embedding};
use spanlift::{Explainer, Options};
use spanlift_explanation::TargetKind;

const MODELS: [&str; 3] = ["two-layers", "four-layers", "sharp"];

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(model)
}

fn cases(model: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder(model).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// All numbers of a nested array, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn index(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// Compares arrays and counts them.
struct Check {
    relative: f64,
    floor: f64,
    arrays: usize,
}

impl Check {
    fn array(&mut self, name: &str, got: &[f64], want: &Value) {
        let want = numbers(want);
        assert_eq!(got.len(), want.len(), "{name}");
        let top = want.iter().fold(self.floor, |top, w| top.max(w.abs()));
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let off = (got - want).abs();
            assert!(
                off <= self.relative * top,
                "{name}[{i}]: got {got}, want {want}, largest {top}"
            );
        }
        self.arrays += 1;
    }

    fn tokens(&mut self, name: &str, got: &[Contribution], want: [&Value; 3]) {
        let part = |f: fn(&Contribution) -> f64| got.iter().map(f).collect::<Vec<_>>();
        self.array(&format!("{name} score"), &part(|c| c.score()), want[0]);
        self.array(&format!("{name} positive"), &part(|c| c.positive), want[1]);
        self.array(&format!("{name} negative"), &part(|c| c.negative), want[2]);
    }
}

fn preset(case: &Value) -> Preset {
    match case["method"]["rule"].as_str().unwrap() {
        "rescale" => RESCALE,
        "reveal-cancel" => REVEAL_CANCEL,
        other => panic!("rule {other}"),
    }
}

fn reference(case: &Value) -> Reference {
    Reference::named(case["method"]["reference"].as_str().unwrap()).unwrap()
}

fn target(case: &Value) -> Target {
    let target = &case["target"];
    let span = Span {
        start: index(&target["start_token"]),
        end: index(&target["end_token"]),
    };
    match target["kind"].as_str().unwrap() {
        "span" => Target::Span(span),
        "start" => Target::Start(span),
        "end" => Target::End(span),
        "margin" => Target::Margin(span),
        other => panic!("target {other}"),
    }
}

fn run<T: Real>(
    explainer: &Explainer<T>,
    encoding: &Encoding,
    case: &Value,
) -> (Trace<T>, Attribution<T>) {
    let checkpoint = explainer.checkpoint();
    let encoder = &checkpoint.encoder;
    let layout = Layout::new([&encoding.segments[..]]);
    let input = forward(
        encoder,
        &layout,
        embedding::words(&encoder.embeddings, &encoding.ids),
    );
    let words = reference(case)
        .words(0, encoder, &checkpoint.vocabulary, encoding)
        .unwrap();
    let base = forward(encoder, &layout, words);
    let rules = preset(case).rules;
    let mut found = attribute(
        encoder,
        &layout,
        &input,
        &base,
        &[target(case)],
        rules,
        KeepEdges::All,
    );
    (input, found.remove(0))
}

fn check_case<T: Real>(explainer: &Explainer<T>, case: &Value, check: &mut Check) {
    let (question, passage) = (
        case["question"].as_str().unwrap(),
        case["passage"].as_str().unwrap(),
    );
    let vocabulary = &explainer.checkpoint().vocabulary;
    let encoding = vocabulary
        .encode(question, passage)
        .unwrap()
        .windows(vocabulary, 64, 128)
        .unwrap()
        .encoding(0);
    assert_eq!(
        encoding
            .ids
            .iter()
            .map(|&id| f64::from(id))
            .collect::<Vec<_>>(),
        numbers(&case["ids"])
    );

    let answers = explainer
        .answer(question, passage, &Options::default().answering)
        .unwrap();
    let (answer, want) = (answers.answer, &case["answer"]);
    assert_eq!(
        (answer.start_token, answer.end_token),
        (index(&want["start_token"]), index(&want["end_token"]))
    );
    assert_eq!(answer.has_answer, want["has_answer"].as_bool().unwrap());
    check.array(
        "answer",
        &[answer.score, answer.null_score],
        &Value::from(vec![want["score"].clone(), want["null_score"].clone()]),
    );

    let (input, got) = run(explainer, &encoding, case);
    let column = |c: usize| {
        (0..encoding.ids.len())
            .map(|i| input.logits.row(i)[c].f64())
            .collect::<Vec<_>>()
    };
    check.array("start logits", &column(0), &case["start_logits"]);
    check.array("end logits", &column(1), &case["end_logits"]);
    check.array("value", &[got.value], &case["target"]["value"]);
    check.array(
        "reference value",
        &[got.reference_value],
        &case["target"]["reference_value"],
    );
    check.array("delta", &[got.delta()], &case["target"]["delta"]);

    let layers = case["layers"].as_array().unwrap();
    assert_eq!(layers.len(), got.cuts.len());
    for (tokens, want) in got.cuts.iter().zip(layers) {
        let name = format!("layer {}", want["name"]);
        check.tokens(
            &name,
            tokens,
            [&want["score"], &want["positive"], &want["negative"]],
        );
        check.array(&format!("{name} sum"), &[sum(tokens)], &want["sum"]);
    }
    let words: Vec<f64> = got.words.iter().map(|c| c.score()).collect();
    check.array("words", &words, &case["word_score"]);
    let heads = &case["heads"];
    check.array("heads", &got.head_scores().concat(), &heads["score"]);
    check.array(
        "heads by token",
        &got.heads.concat().concat(),
        &heads["by_token"],
    );
    let residual: Vec<f64> = got.residual.iter().map(|tokens| sum(tokens)).collect();
    check.array("residual", &residual, &heads["residual"]);

    if let Some(edges) = case.get("edges") {
        let all = got.edges.as_ref().unwrap();
        let of = |part: fn(&spanlift::ops::attention::Edges<T>) -> &[T]| -> Vec<f64> {
            all.iter()
                .flatten()
                .flat_map(|e| part(e).iter().map(|x| x.f64()))
                .collect()
        };
        check.array("pattern", &of(|e| e.pattern.data()), &edges["pattern"]);
        check.array("content", &of(|e| e.content.data()), &edges["content"]);
        let probs = input
            .layers
            .iter()
            .flat_map(|l| &l.heads)
            .flat_map(|h| h.probs().data().to_vec());
        check.array(
            "attention",
            &probs.map(|p| p.f64()).collect::<Vec<_>>(),
            &case["attention"],
        );
    }
}

fn check_all<T: Real>(relative: f64, floor: f64) {
    let (mut seen, mut with_edges) = (0, 0);
    let mut check = Check {
        relative,
        floor,
        arrays: 0,
    };
    for model in MODELS {
        let explainer = Explainer::<T>::load(Source::Folder(&folder(model))).unwrap();
        for case in cases(model) {
            check_case(&explainer, &case, &mut check);
            seen += 1;
            with_edges += usize::from(case.get("edges").is_some());
        }
    }
    assert_eq!((seen, with_edges), (69, 3));
    assert!(check.arrays > 69 * 20);
}

#[test]
fn every_case_in_f64() {
    check_all::<f64>(1e-9, 0.0);
}

#[test]
fn every_case_in_f32() {
    check_all::<f32>(1e-3, 1e-3);
}

/// The way a user goes: text in, Explanation out.
#[test]
fn the_explanation_carries_the_same_numbers() {
    for model in MODELS {
        let explainer = Explainer::<f32>::load(Source::Folder(&folder(model))).unwrap();
        for case in cases(model) {
            let kind = match target(&case) {
                Target::Start(_) => TargetKind::Start,
                Target::End(_) => TargetKind::End,
                Target::Margin(_) => TargetKind::Margin,
                Target::Span(_) | Target::Versus(..) => TargetKind::Span,
            };
            let options = Options {
                reference: reference(&case),
                preset: preset(&case),
                target: kind,
                ..Options::default()
            };
            let texts = [&case["question"], &case["passage"]].map(|text| text.as_str().unwrap());
            let got = explainer
                .explain(texts[0], texts[1], &options)
                .unwrap()
                .explanation;
            assert!(got.completeness.holds, "{:?}", got.completeness);
            let mut check = Check {
                relative: 1e-3,
                floor: 1e-3,
                arrays: 0,
            };
            let wide = |v: &[f32]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            for (layer, want) in got.layers.iter().zip(case["layers"].as_array().unwrap()) {
                assert_eq!(Value::from(layer.name.as_str()), want["name"]);
                check.array("score", &wide(&layer.score), &want["score"]);
                check.array("positive", &wide(&layer.positive), &want["positive"]);
                check.array("negative", &wide(&layer.negative), &want["negative"]);
            }
            check.array("words", &wide(&got.word_score), &case["word_score"]);
            check.array(
                "heads",
                &wide(&got.heads.by_token.concat().concat()),
                &case["heads"]["by_token"],
            );
            check.array("delta", &[got.target.delta], &case["target"]["delta"]);
            got.validate().unwrap();
        }
    }
}
