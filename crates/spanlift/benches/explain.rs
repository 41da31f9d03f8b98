//! Explanations from end to end: time, share of the processor's peak, memory. `cargo bench -p spanlift --bench explain`.
//!
//! ```text
//! -- [sizes] [layers] [lean] [stream] [--models default,base] [--lengths 64,128,256,384,512] [--batches 1,8] [--questions 256]
//! ```
//!
//! *sizes*: the default model and random weights of BERT-base's size, packed questions of one length, and how the cost grows.
//! *layers*: memory over L at BERT-base's width. *lean*: BERT-large at S = 512, with all activations kept and with the layers' inputs alone. *stream*: questions of mixed lengths through `Explainer::explain_batch`.
//! Everything is checked first (the sums hold), then timed. *share* is the rate of the products that are needed
//! (`common/work.rs`) by that of a loop of multiply-adds on all threads in this run; *of all* counts as well the rows of the last layer that
//! nothing needs, though the reference's are not computed. Memory is what is resident at the peak above the loaded model, in a process of
//! its own: what an earlier model gave back would otherwise hide a part of it.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

mod common;

use std::process::{Command, Stdio};
use std::time::Instant;

use common::measure::{exponent, fma_peak, line, median, peak, reset_peak, resident};
use common::models::{base, default_folder, default_model, large};
use common::pass::{Question, checked, explain, explain_lean};
use common::work::{needed, unpruned};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spanlift::attribute::Span;
use spanlift::checkpoint::Source;
use spanlift::model::Encoder;
use spanlift::{Explainer, Item, Options};

/// What was asked for.
struct Args {
    parts: Vec<String>,
    models: Vec<String>,
    lengths: Vec<usize>,
    batches: Vec<usize>,
    questions: usize,
}

impl Args {
    fn read() -> Self {
        let mut args = Self {
            parts: Vec::new(),
            models: vec!["default".into(), "base".into()],
            lengths: vec![64, 128, 256, 384, 512],
            batches: vec![1, 8],
            questions: 256,
        };
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut values = || -> Vec<String> {
                let values = words
                    .next()
                    .unwrap_or_else(|| panic!("{word}: expected a value"));
                values.split(',').map(str::to_owned).collect()
            };
            let numbers = |values: Vec<String>| -> Vec<usize> {
                let number = |value: &String| {
                    value
                        .parse()
                        .unwrap_or_else(|_| panic!("expected a number, got `{value}`"))
                };
                values.iter().map(number).collect()
            };
            match &word[..] {
                "sizes" | "layers" | "lean" | "stream" => args.parts.push(word),
                "--models" => args.models = values(),
                "--lengths" => args.lengths = numbers(values()),
                "--batches" => args.batches = numbers(values()),
                "--questions" => args.questions = numbers(values())[0],
                _ => panic!("expected sizes, layers, lean, stream or an option, got `{word}`"),
            }
        }
        if args.parts.is_empty() {
            args.parts = ["stream", "layers", "lean", "sizes"]
                .map(str::to_owned)
                .to_vec();
        }
        // In this process the stream's memory is told only as long as no other model was here.
        args.parts.sort_by_key(|part| part != "stream");
        args
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(ONCE) {
        return once(&arguments.collect::<Vec<_>>());
    }
    let args = Args::read();
    // Measured again beside everything that is timed, and the best one counts: a machine that was busy must not flatter.
    let mut rate = fma_peak();
    println!("f32, {} threads", rayon::current_num_threads());
    for part in &args.parts {
        match &part[..] {
            "sizes" => sizes(&args, &mut rate),
            "layers" => layers(),
            "lean" => lean(),
            _ => stream(args.questions, &mut rate),
        }
    }
    println!("\nloop of multiply-adds: {:.0} GFLOP/s", rate / 1e9);
}

/// The argument that makes a run one explanation, checked: a model, its layers, S, how many questions.
const ONCE: &str = "--once";

fn model(name: &str, layers: usize) -> Encoder<f32> {
    match name {
        "default" => default_model(),
        "base" => base(layers),
        "large" | "large-lean" => large(),
        _ => panic!("--models: expected default or base, got `{name}`"),
    }
}

fn questions(s: usize, batch: usize) -> Vec<Question> {
    (0..batch).map(|_| Question::of_length(s)).collect()
}

fn once(arguments: &[String]) {
    let number = |i: usize| arguments[i].parse().unwrap();
    let encoder = model(&arguments[0], number(1));
    let questions = questions(number(2), number(3));
    rayon::broadcast(|_| ());
    let loaded = resident();
    reset_peak();
    let explain = if arguments[0] == "large-lean" {
        explain_lean
    } else {
        explain
    };
    let pass = explain(&encoder, &questions);
    let memory = peak() - loaded;
    let again = explain(&encoder, &questions).total;
    println!("{memory} {} {again}", checked(&pass.found));
}

/// Peak memory and worst error of an explanation in a process of its own, and the seconds that another one takes there.
fn apart(model: &str, layers: usize, s: usize, batch: usize) -> [f64; 3] {
    let this = std::env::current_exe().unwrap();
    let numbers = [layers, s, batch].map(|number| number.to_string());
    let output = Command::new(this)
        .args([ONCE, model])
        .args(numbers)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{model}, S = {s}, {batch}: failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    numbers.try_into().unwrap()
}

/// Medians of some seconds' runs: of all, both forward passes, the walk.
fn measure(encoder: &Encoder<f32>, questions: &[Question]) -> [f64; 3] {
    let mut runs = vec![explain(encoder, questions)];
    let repeats = (2.0 / runs[0].total).clamp(3.0, 15.0) as usize;
    runs.extend((1..repeats).map(|_| explain(encoder, questions)));
    [
        median(runs.iter().map(|run| run.total)),
        median(runs.iter().map(|run| run.forwards)),
        median(runs.iter().map(|run| run.walk)),
    ]
}

fn sizes(args: &Args, rate: &mut f64) {
    for name in &args.models {
        let encoder = model(name, 12);
        let (l, h) = (encoder.config.layers, encoder.config.hidden);
        let kind = if name == "base" {
            "random BERT-base"
        } else {
            "default model"
        };
        println!("\n{kind} (L = {l}, H = {h})");
        println!(
            "batch    S   ms a question  forward  walk   GFLOP needed  share  of all   peak MB   error"
        );
        let mut times = Vec::new();
        for &batch in &args.batches {
            for &s in &args.lengths {
                let [memory, worst, _] = apart(name, l, s, batch);
                let questions = questions(s, batch);
                let [total, forwards, walk] = measure(&encoder, &questions);
                *rate = rate.max(fma_peak());
                let many = batch as f64;
                let work = many * needed(&encoder.config, s, questions[0].span);
                let all = many * unpruned(&encoder.config, s);
                println!(
                    "{batch:5} {s:4} {:15.1} {:8.1} {:5.1} {:14.1} {:4.0} % {:5.0} % {:9.0}   {:.1e}",
                    1e3 * total / many,
                    1e3 * forwards / many,
                    1e3 * walk / many,
                    1e-9 * work / many,
                    100.0 * work / total / *rate,
                    100.0 * all / total / *rate,
                    1e-6 * memory,
                    worst
                );
                times.push((batch, s, total, work));
            }
        }
        growth(args, &times);
    }
}

/// Exponents of the cost over S and over the number of questions.
fn growth(args: &Args, times: &[(usize, usize, f64, f64)]) {
    if args.lengths.len() > 1 {
        for &batch in &args.batches {
            let at = || times.iter().filter(|row| row.0 == batch);
            let time: Vec<_> = at().map(|row| (row.1 as f64, row.2)).collect();
            let work: Vec<_> = at().map(|row| (row.1 as f64, row.3)).collect();
            println!(
                "cost ~ S^{:.2} in batches of {batch}; the needed products ~ S^{:.2}",
                exponent(&time),
                exponent(&work)
            );
        }
    }
    if args.batches.len() > 1 {
        for &s in &args.lengths {
            let at = times.iter().filter(|row| row.1 == s);
            let time: Vec<_> = at.map(|row| (row.0 as f64, row.2)).collect();
            println!("cost ~ questions^{:.2} at S = {s}", exponent(&time));
        }
    }
}

fn layers() {
    const S: usize = 384;
    println!("\nmemory over L, H = 768, S = {S}");
    let mut points = Vec::new();
    for layers in [3, 6, 9, 12] {
        let memory = 1e-6 * apart("base", layers, S, 1)[0];
        println!("L = {layers:2}  {memory:5.0} MB at the peak");
        points.push((layers as f64, memory));
    }
    let (slope, start) = line(&points);
    let off = |&(l, memory): &(f64, f64)| (start + slope * l - memory).abs() / memory;
    println!(
        "line: {start:.0} MB + {slope:.1} MB a layer; the farthest point is {:.1} % off",
        100.0 * points.iter().map(off).fold(0.0, f64::max)
    );
}

fn lean() {
    const S: usize = 512;
    println!("\nrandom BERT-large (L = 24, H = 1024), S = {S}");
    for (name, what) in [
        ("large", "all activations"),
        ("large-lean", "the layers' inputs"),
    ] {
        let [memory, worst, seconds] = apart(name, 24, S, 1);
        println!(
            "{what:18}  {:5.0} MB at the peak, {:5.0} ms, error {worst:.1e}",
            1e-6 * memory,
            1e3 * seconds
        );
    }
}

/// Whole words of the vocabulary that are one token each.
fn words(explainer: &Explainer<f32>) -> Vec<String> {
    let vocabulary = &explainer.checkpoint().vocabulary;
    (2000..6000)
        .filter_map(|id| vocabulary.text(id))
        .filter(|text| text.len() > 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect()
}

fn stream(count: usize, rate: &mut f64) {
    /// Questions that one call gets; it packs them itself.
    const CALL: usize = 32;
    const QUESTION: usize = 12;
    let explainer: Explainer<f32> = Explainer::load(Source::Folder(&default_folder()))
        .unwrap_or_else(|error| panic!("{error}"));
    let words = words(&explainer);
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let mut text = |tokens: usize| -> String {
        let words: Vec<_> = (0..tokens)
            .map(|_| &words[rng.random_range(0..words.len())][..])
            .collect();
        words.join(" ")
    };
    let lengths = &mut ChaCha8Rng::seed_from_u64(8);
    // Besides the words, [CLS] and two [SEP].
    let texts: Vec<(usize, String, String)> = (0..count)
        .map(|_| {
            let s = lengths.random_range(60..=384);
            (s, text(QUESTION), text(s - QUESTION - 3))
        })
        .collect();
    let items: Vec<_> = texts
        .iter()
        .map(|(_, question, passage)| Item { question, passage })
        .collect();
    let options = Options::default();
    let loaded = resident();
    reset_peak();
    let warm = explainer.explain_batch(&items[..items.len().min(2)], &options);
    assert!(warm.iter().all(Result::is_ok));

    let config = &explainer.checkpoint().encoder.config;
    let (mut seconds, mut work, mut all) = (0.0, 0.0, 0.0);
    let (mut done, mut worst, mut points) = (0, 0.0f64, Vec::new());
    // Of each quarter of the calls: a stream must not grow.
    let quarter = items.len().div_ceil(CALL).div_ceil(4);
    let mut peaks = vec![peak() - loaded];
    for call in items.chunks(CALL) {
        let start = Instant::now();
        let found = explainer.explain_batch(call, &options);
        seconds += start.elapsed().as_secs_f64();
        for (explained, (s, ..)) in found.into_iter().zip(&texts[done..]) {
            let explanation = explained
                .unwrap_or_else(|error| panic!("{error}"))
                .explanation;
            assert_eq!(explanation.tokens.len(), *s);
            assert!(explanation.completeness.holds, "the sums do not hold");
            worst = worst.max(explanation.completeness.worst);
            let (start, end) = (explanation.target.start_token, explanation.target.end_token);
            work += needed(config, *s, Span { start, end });
            all += unpruned(config, *s);
        }
        done += call.len();
        points.push((done as f64, seconds));
        if points.len().is_multiple_of(quarter) || done == items.len() {
            peaks.push(peak() - loaded);
            reset_peak();
        }
    }
    *rate = rate.max(fma_peak());
    let tokens: usize = texts.iter().map(|(s, ..)| s).sum();
    println!(
        "\nstream, default model: {count} questions of 60 to 384 tokens, {:.0} on average",
        tokens as f64 / count as f64
    );
    println!(
        "{:.1} questions/s, {:.0} tokens/s; {:.0} GFLOP needed, share {:.0} % ({:.0} % of all); {:.0} MB at the peak; error {worst:.1e}",
        count as f64 / seconds,
        tokens as f64 / seconds,
        1e-9 * work,
        100.0 * work / seconds / *rate,
        100.0 * all / seconds / *rate,
        1e-6 * peaks.iter().copied().fold(0.0, f64::max)
    );
    let peaks: Vec<String> = peaks[1..]
        .iter()
        .map(|peak| format!("{:.0}", 1e-6 * peak))
        .collect();
    println!("MB at the peak, quarter by quarter: {}", peaks.join(", "));
    if points.len() > 1 {
        println!("cost ~ questions^{:.2}", exponent(&points));
    }
}
