//! One explanation of given ids with a given checkpoint, as JSON, for the comparison in `benches/peers`:
//! `cargo bench -p spanlift --bench peer -- FOLDER INPUT.json`.
//!
//! INPUT.json: `ids`, `reference` and `segments`, a number for each token; `start` and `end`, the span's tokens; `repeats`.
//! Printed: `threads`; `seconds` of one explanation and of one forward pass alone, medians; `memory`, bytes at the peak above the
//! loaded model; `error`, the worst |sum − Δt| / max(1, |Δt|) of all cuts; `delta`; `logits` and `reference_logits`, start and
//! end of each token.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;

use common::measure::{median, peak, reset_peak, resident};
use common::pass::{Question, checked, explain, forward_alone, logits};
use serde::Deserialize;
use serde_json::json;
use spanlift::attribute::Span;
use spanlift::checkpoint::{Source, load};

#[derive(Deserialize)]
struct Input {
    ids: Vec<u32>,
    reference: Vec<u32>,
    segments: Vec<u32>,
    start: usize,
    end: usize,
    repeats: usize,
}

fn main() {
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    let words: Vec<String> = words.collect();
    let [folder, input] = &words[..] else {
        println!("peer: driven by benches/peers/run.py with FOLDER INPUT.json; nothing to do");
        return;
    };
    let text = std::fs::read(input).unwrap_or_else(|error| panic!("{input}: {error}"));
    let input: Input =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{input}: {error}"));
    let question = Question {
        ids: input.ids,
        reference: input.reference,
        segments: input.segments,
        span: Span {
            start: input.start,
            end: input.end,
        },
    };
    let encoder = load::<f32>(Source::Folder(Path::new(folder)))
        .unwrap_or_else(|error| panic!("{error}"))
        .encoder;
    let threads = rayon::broadcast(|_| ()).len();

    let questions = [question];
    let loaded = resident();
    reset_peak();
    let first = explain(&encoder, &questions);
    let memory = peak() - loaded;
    checked(&first.found);
    let delta = first.found[0].delta();
    let error = |sum: f64| (sum - delta).abs() / delta.abs().max(1.0);
    let sums = first.found[0].sums();
    let worst = sums.iter().map(|cut| error(cut.sum)).fold(0.0, f64::max);

    let repeats = input.repeats.max(1);
    let seconds = median((0..repeats).map(|_| explain(&encoder, &questions).total));
    let forward = median((0..repeats).map(|_| forward_alone(&encoder, &questions[0])));
    let [logits, reference_logits] = logits(&encoder, &questions[0]);
    let found = json!({
        "threads": threads, "seconds": seconds, "forward": forward, "memory": memory, "error": worst, "delta": delta,
        "logits": logits.data(), "reference_logits": reference_logits.data()
    });
    println!("{found}");
}
