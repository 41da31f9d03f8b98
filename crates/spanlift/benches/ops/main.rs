//! Each operation alone, at BERT-base's sizes: `cargo bench -p spanlift --bench ops`.
//!
//! ```text
//! -- [--tokens 384] [--hidden 768] [--feed-forward 3072] [--heads 12] [--layers 12]
//! ```
//!
//! Each is checked against its plain form (`plain.rs`; a product in some of its rows, attention in two of its heads),
//! then timed. *off* is the largest distance from that form, by the form's largest number. *share* is a product's rate by that
//! of a loop of multiply-adds on all threads in this run. What is no product has the bytes that it must read and write, a
//! second, beside those of a copy. *each* is how often an explanation runs it: forwards take input and
//! reference together, so twice the rows, also in the last layer, where of the reference a few are computed; what the walk's last layer needs for the target's tokens alone is not counted. At the end the sum of all by kind, beside an explanation measured whole.
//! Attention has its softmax, and the feed-forward block its GELU: what is a part of another has no *each*.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

mod attention;
#[path = "../common/mod.rs"]
mod common;
mod linear;
mod plain;
mod rows;

use std::hint::black_box;
use std::time::Instant;

use common::measure::{fma_peak, median};
use common::models::encoder;
use common::pass::{Question, checked, explain};
use plain::Rows;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use spanlift::attribute::rules::RESCALE;
use spanlift::model::Encoder;
use spanlift::ops::Matrix;

/// Farther from the plain form than this, in parts of its largest number, is wrong.
const BOUND: f64 = 2e-5;

#[derive(Clone, Copy)]
struct Sizes {
    tokens: usize,
    hidden: usize,
    feed_forward: usize,
    heads: usize,
    layers: usize,
}

impl Sizes {
    fn read() -> Self {
        let mut sizes = Self {
            tokens: 384,
            hidden: 768,
            feed_forward: 3072,
            heads: 12,
            layers: 12,
        };
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let size = match &word[..] {
                "--tokens" => &mut sizes.tokens,
                "--hidden" => &mut sizes.hidden,
                "--feed-forward" => &mut sizes.feed_forward,
                "--heads" => &mut sizes.heads,
                "--layers" => &mut sizes.layers,
                _ => panic!(
                    "expected --tokens, --hidden, --feed-forward, --heads or --layers, got `{word}`"
                ),
            };
            let value = words.next().and_then(|value| value.parse().ok());
            *size = value
                .filter(|&value| value > 0)
                .unwrap_or_else(|| panic!("{word}: expected a whole number of at least 1"));
        }
        assert!(
            sizes.hidden.is_multiple_of(sizes.heads),
            "--heads: expected a divisor of {}, got {}",
            sizes.hidden,
            sizes.heads
        );
        assert!(
            (16..=512).contains(&sizes.tokens),
            "--tokens: expected 16 to 512, got {}",
            sizes.tokens
        );
        sizes
    }
}

/// What an operation has to do.
enum Work {
    /// Operations of products, a multiply-add counted as two.
    Product(f64),
    /// Numbers of its result, and how many it reads and writes for each.
    Pass(usize, usize),
}

/// A line of the table: its kind in the closing one, the times an explanation runs it, and its name.
type Op<'a> = (&'static str, usize, &'a str);

/// Kinds of the closing table.
const KINDS: [&str; 8] = [
    "linear, forward",
    "linear, back",
    "attention, forward",
    "attention, back",
    "LayerNorm",
    "GELU, back",
    "contributions",
    "embeddings",
];

struct Bench {
    sizes: Sizes,
    encoder: Encoder<f32>,
    rng: ChaCha8Rng,
    /// Of each kind, seconds of one explanation.
    kinds: [f64; KINDS.len()],
    rate: f64,
}

fn main() {
    let sizes = Sizes::read();
    let mut bench = Bench {
        sizes,
        encoder: encoder(sizes.layers, sizes.heads, sizes.hidden, sizes.feed_forward),
        rng: ChaCha8Rng::seed_from_u64(1),
        kinds: [0.0; KINDS.len()],
        rate: fma_peak(),
    };
    println!(
        "f32, {} threads; S = {}, H = {}, F = {}, {} heads, {} layers",
        rayon::current_num_threads(),
        sizes.tokens,
        sizes.hidden,
        sizes.feed_forward,
        sizes.heads,
        sizes.layers
    );
    println!("a copy: {:.1} GB/s read and written\n", 1e-9 * bench.copy());
    println!(
        "operation                                     ms   GFLOP/s  share     GB/s  elements/ns  each      off"
    );
    bench.embeddings();
    bench.linear();
    bench.attention();
    bench.softmax();
    bench.layer_norm();
    bench.gelu();
    bench.contributions();
    bench.whole();
}

/// Median seconds of `run` on what `prepare` makes, which is not timed, nor is the end of what comes of it.
fn seconds<X, Y>(prepare: impl Fn() -> X, mut run: impl FnMut(X) -> Y) -> f64 {
    let mut once = || {
        let x = prepare();
        let start = Instant::now();
        let y = run(black_box(x));
        let seconds = start.elapsed().as_secs_f64();
        drop(black_box(y));
        seconds
    };
    let (first, second) = (once(), once());
    let repeats = (0.6 / first.min(second)).clamp(5.0, 101.0) as usize;
    median((0..repeats).map(|_| once()))
}

/// The largest distance, by the largest number of what is wanted.
fn off(got: &Rows, want: &Rows) -> f64 {
    assert_eq!(got.len(), want.len(), "rows");
    let (mut off, mut top) = (0.0, 0.0);
    for (got, want) in got.iter().zip(want) {
        assert_eq!(got.len(), want.len(), "columns");
        for (got, want) in got.iter().zip(want) {
            // Not a number must show.
            off = if (got - want).abs() <= off {
                off
            } else {
                (got - want).abs()
            };
            top = want.abs().max(top);
        }
    }
    off / top
}

/// Some rows: the first and last of tiles and tasks.
fn some(rows: usize) -> Vec<usize> {
    let all = [0, 1, 5, 11, 12, 95, 96, 191, 192, rows / 2, rows - 1];
    all.into_iter().filter(|&i| i < rows).collect()
}

impl Bench {
    /// Times and prints; `off` is what the check found.
    fn time<X, Y>(
        &mut self,
        (kind, each, name): Op<'_>,
        work: Work,
        off: f64,
        prepare: impl Fn() -> X,
        run: impl FnMut(X) -> Y,
    ) {
        // Not a number must fail as well.
        assert!(off <= BOUND, "{name}: off by {off:e} of the largest number");
        let seconds = seconds(prepare, run);
        if let Some(at) = KINDS.iter().position(|&other| other == kind) {
            self.kinds[at] += each as f64 * seconds;
        }
        let rates = match work {
            Work::Product(operations) => {
                self.rate = self.rate.max(fma_peak());
                let rate = operations / seconds;
                format!(
                    "{:9.0} {:4.0} % {:22}",
                    1e-9 * rate,
                    100.0 * rate / self.rate,
                    ""
                )
            }
            Work::Pass(elements, numbers) => {
                let bytes = elements as f64 * numbers as f64 * size_of::<f32>() as f64;
                let [bytes, elements] = [bytes, elements as f64].map(|n| 1e-9 * n / seconds);
                format!("{:16} {bytes:8.1} {elements:12.2} ", "")
            }
        };
        let each = if each > 0 {
            each.to_string()
        } else {
            String::new()
        };
        println!(
            "{name:38} {:8.3} {rates} {each:>5} {off:8.0e}",
            1e3 * seconds
        );
    }

    fn matrix(&mut self, rows: usize, cols: usize) -> Matrix<f32> {
        let numbers = (0..rows * cols).map(|_| self.rng.random_range(-1.0..1.0_f32));
        Matrix::from_vec(rows, cols, numbers.collect())
    }

    /// Bytes a second that a copy on all threads reads and writes.
    fn copy(&mut self) -> f64 {
        let from = self.matrix(2 * self.sizes.tokens, self.sizes.feed_forward);
        let mut to = from.clone();
        let part = from.data().len().div_ceil(8 * rayon::current_num_threads());
        let seconds = seconds(
            || (),
            |()| {
                let to = to.data_mut().par_chunks_mut(part);
                to.zip(from.data().par_chunks(part))
                    .for_each(|(to, from)| to.copy_from_slice(from));
            },
        );
        2.0 * size_of_val(from.data()) as f64 / seconds
    }

    /// The times by kind, and an explanation.
    fn whole(&mut self) {
        let questions = [Question::of_length(self.sizes.tokens)];
        checked(&explain(&self.encoder, &questions).found);
        let whole = median((0..5).map(|_| explain(&self.encoder, &questions).total));
        let sum: f64 = self.kinds.iter().sum();
        println!("\none explanation, rule {}", RESCALE.name);
        for (kind, seconds) in KINDS.iter().zip(self.kinds) {
            println!(
                "{kind:20} {:8.1} ms {:5.1} %",
                1e3 * seconds,
                100.0 * seconds / whole
            );
        }
        println!(
            "{:20} {:8.1} ms {:5.1} %",
            "all of these",
            1e3 * sum,
            100.0 * sum / whole
        );
        println!(
            "{:20} {:8.1} ms {:5.1} %",
            "all else",
            1e3 * (whole - sum),
            100.0 * (1.0 - sum / whole)
        );
        println!("{:20} {:8.1} ms", "measured whole", 1e3 * whole);
        println!("\nloop of multiply-adds: {:.0} GFLOP/s", self.rate / 1e9);
    }
}
