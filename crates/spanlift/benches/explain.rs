//! One explanation at S = 384: time, share of the products, peak memory. `cargo bench -p spanlift`.
//!
//! Runs the default model's checkpoint (its folder in `models/`) and random weights of BERT-base's size. First it checks
//! that the sums hold, then it times. Shares are ratios within this one run: the products alone (the same shapes through the
//! same code, nothing else), and the rate of a loop of multiply-adds on all threads, which no product can beat.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use rayon::prelude::*;
use spanlift::attribute::rules::RESCALE;
use spanlift::attribute::{Attribution, KeepEdges, Span, Target, attribute};
use spanlift::checkpoint::{Source, load};
use spanlift::model::{Activation, Encoder, Family, Layout, forward};
use spanlift::ops::product::multiply;
use spanlift::ops::{Matrix, Real, embedding};

const S: usize = 384;

fn main() {
    println!(
        "one explanation, S = {S}, f32, {} threads",
        rayon::current_num_threads()
    );
    let peak = fma_peak();
    println!("loop of multiply-adds: {:.0} GFLOP/s", peak / 1e9);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/minilm-l6-squad2");
    let model = load::<f32>(Source::Folder(&folder)).unwrap_or_else(|error| panic!("{error}"));
    report("default model (L = 6, H = 384)", &model.encoder, peak);
    drop(model);
    let base = common::Sizes {
        family: Family::Bert,
        layers: 12,
        heads: 12,
        hidden: 768,
        feed_forward: 3072,
        vocabulary: 30522,
        positions: 512,
        activation: Activation::Gelu,
        spread: 3.0,
    };
    report(
        "random BERT-base (L = 12, H = 768)",
        &common::random_encoder(1, base),
        peak,
    );
}

/// Seconds of forward passes and walk, and the result.
fn explain(encoder: &Encoder<f32>) -> (f64, f64, Attribution<f32>) {
    let ids: Vec<u32> = (0..S as u32).map(|i| 1000 + (i * 7919) % 20000).collect();
    let segments: Vec<u32> = (0..S).map(|i| u32::from(i > 12)).collect();
    let layout = Layout::new([&segments[..]]);
    let target = Target::Span(Span {
        start: 100,
        end: 103,
    });
    let start = Instant::now();
    let both: Vec<u32> = ids.into_iter().chain([103; S]).collect();
    let words = embedding::words(&encoder.embeddings, &both);
    let twice = layout.twice();
    let trace = forward(encoder, &twice, words);
    let forwards = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let rules = RESCALE.rules;
    let mut found = attribute(
        encoder,
        &layout,
        trace.part(&twice, 0..1),
        trace.part(&twice, 1..2),
        &[target],
        rules,
        KeepEdges::Strongest,
    );
    let walk = start.elapsed().as_secs_f64();
    trace.recycle();
    (forwards, walk, found.remove(0))
}

fn report(name: &str, encoder: &Encoder<f32>, peak: f64) {
    let before = resident("VmRSS");
    reset_peak();
    let (.., found) = explain(encoder);
    let memory = resident("VmHWM")
        .zip(before)
        .map(|(peak, before)| peak - before);
    let worst = found
        .sums()
        .into_iter()
        .map(|cut| cut.relative)
        .fold(0.0, f64::max);
    assert!(worst <= f32::BOUND, "{name}: the sums do not hold: {worst}");

    let runs: Vec<(f64, f64)> = (0..7)
        .map(|_| explain(encoder))
        .map(|(f, w, _)| (f, w))
        .collect();
    let (forwards, walk) = (
        median(runs.iter().map(|r| r.0)),
        median(runs.iter().map(|r| r.1)),
    );
    let total = median(runs.iter().map(|r| r.0 + r.1));
    let (operations, alone) = products(encoder);
    println!(
        "\n{name}: worst error {worst:.1e} of bound {:.0e}",
        f32::BOUND
    );
    println!(
        "  time        {:.0} ms: two forward passes {:.0}, walk {:.0}",
        total * 1e3,
        forwards * 1e3,
        walk * 1e3
    );
    println!(
        "  products    {:.1} GFLOP, alone {:.0} ms: {:.0} % of the time",
        operations / 1e9,
        alone * 1e3,
        100.0 * alone / total
    );
    println!(
        "  rate        {:.0} GFLOP/s of needed products: {:.0} % of the loop of multiply-adds ({:.0} % while in products)",
        operations / total / 1e9,
        100.0 * operations / total / peak,
        100.0 * operations / alone / peak
    );
    match memory {
        Some(bytes) => println!(
            "  memory      {:.0} MB at the peak above the loaded model",
            bytes / 1e6
        ),
        None => println!("  memory      not known on this system"),
    }
}

/// Operations of the products that one explanation needs, and seconds that they take alone.
fn products(encoder: &Encoder<f32>) -> (f64, f64) {
    let (h, f, a) = (
        encoder.config.hidden,
        encoder.config.feed_forward,
        encoder.config.heads,
    );
    // (m, k, n), how often in a forward pass, how often in the walk.
    let linear = [
        ((S, h, 3 * h), 1, 0),
        ((S, 3 * h, h), 0, 1),
        ((S, h, h), 1, 1),
        ((S, h, f), 1, 1),
        ((S, f, h), 1, 1),
    ];
    let heads = [((S, h / a, S), 1, 2), ((S, S, h / a), 1, 3)];
    let (mut operations, mut seconds) = (0.0, 0.0);
    let mut count = |(m, k, n): (usize, usize, usize), forward: usize, walk: usize, many: usize| {
        let times = (encoder.config.layers * (2 * forward + walk)) as f64;
        operations += times * 2.0 * (m * k * n * many) as f64;
        let inputs: Vec<_> = (0..many).map(|_| (filled(m, k), filled(k, n))).collect();
        let run = || {
            let start = Instant::now();
            inputs.par_iter().for_each(|(x, w)| {
                let mut y = Matrix::<f32>::zeros(m, n);
                multiply(y.view_mut(), false, 1.0, x.view(), w.view());
                black_box(y);
            });
            start.elapsed().as_secs_f64()
        };
        seconds += times * median((0..9).map(|_| run()));
    };
    for (shape, forward, walk) in linear {
        count(shape, forward, walk, 1);
    }
    for (shape, forward, walk) in heads {
        count(shape, forward, walk, a);
    }
    (operations, seconds)
}

fn filled(rows: usize, cols: usize) -> Matrix<f32> {
    Matrix::from_vec(
        rows,
        cols,
        (0..rows * cols)
            .map(|i| (i % 97) as f32 * 0.01 - 0.5)
            .collect(),
    )
}

/// Operations a second of multiply-adds in registers, on all threads: twice their number.
fn fma_peak() -> f64 {
    const CHAINS: usize = 16;
    struct Loop(usize);
    impl pulp::WithSimd for Loop {
        type Output = usize;
        #[inline(always)]
        fn with_simd<I: pulp::Simd>(self, simd: I) -> usize {
            let (a, b) = (
                simd.splat_f32s(black_box(0.999)),
                simd.splat_f32s(black_box(0.001)),
            );
            let mut sums = [simd.splat_f32s(1.0); CHAINS];
            for _ in 0..self.0 {
                for sum in &mut sums {
                    *sum = simd.mul_add_f32s(*sum, a, b);
                }
            }
            black_box(sums);
            I::F32_LANES
        }
    }
    let rounds = 10_000_000;
    let once = || {
        let start = Instant::now();
        let lanes = rayon::broadcast(|_| pulp::Arch::new().dispatch(Loop(rounds)));
        let operations = lanes.iter().sum::<usize>() * rounds * CHAINS * 2;
        operations as f64 / start.elapsed().as_secs_f64()
    };
    (0..9).map(|_| once()).fold(0.0, f64::max)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Bytes, from Linux's status of this process.
fn resident(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<f64>()
        .ok()
        .map(|kb| kb * 1024.0)
}

/// Makes the peak start again from what is resident now.
fn reset_peak() {
    // Where that is not possible, the figure is the peak since the start: too high, never too low.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
