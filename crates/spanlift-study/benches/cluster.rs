//! A hundred thousand profiles clustered: seconds and peak memory of each step.
//! `cargo bench -p spanlift-study --bench cluster`, a minute and a half on two cores.
//!
//! Profiles of 154 columns with eight clusters planted; first each result is checked against the truth, then its time is told. The last line learns
//! codes from the maps of 2,000 questions. Peak memory is what is resident at the most, the matrix itself included.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/matrices/mod.rs"]
mod matrices;

use std::time::Instant;

use matrices::{features, planted, uniform, wandering};
use spanlift_study::autoencoder::{Training, learn};
use spanlift_study::cluster::{Algorithm, Features, Labels, Options, adjusted_rand, cluster};
use spanlift_study::plane::plane;

const ROWS: usize = 100_000;
const COLUMNS: usize = 154;
const CLUSTERS: usize = 8;

fn main() {
    let (rows, truth) = planted(ROWS, COLUMNS, CLUSTERS, 1);
    let matrix = features(&rows);
    drop(rows);
    println!(
        "{ROWS} rows of {COLUMNS} columns, {:.0} MB; {} threads",
        8e-6 * (ROWS * COLUMNS) as f64,
        rayon::current_num_threads()
    );
    timed("ten components", || {
        let found = matrix.components(10).unwrap();
        let share = found.explained.iter().sum::<f64>();
        assert!(share > 0.5, "{share}");
        format!("{:.1} % of the variance", 100.0 * share)
    });
    // As a study has them: roles dealt twenty times, of 2,000 questions.
    let chance: Vec<Features> = (0..20)
        .map(|draw| features(&uniform(2_000, COLUMNS, 100 + draw)))
        .collect();
    for algorithm in Algorithm::ALL {
        timed(algorithm.name(), || {
            let found = cluster(&matrix, &Options::new(algorithm), &chance).unwrap();
            check(&found.labels, &truth);
            format!(
                "k {} of {:?}, silhouette {:.3} of {}, stability {:.3}, chance {:.3}",
                found.k,
                found.tried.iter().map(|(k, _)| *k).collect::<Vec<_>>(),
                found.silhouette,
                found.sampled,
                found.stability,
                found.by_chance.bar
            )
        });
    }
    timed("plane", || {
        let found = plane(&matrix, 1, 5_000).unwrap();
        let placed = found.tsne.iter().flatten().count();
        assert_eq!(placed, 5_000);
        format!("t-SNE of {placed}")
    });
    timed("autoencoder", || {
        let (maps, truth) = wandering(2_000, 4, 1);
        let learned = learn(
            &maps,
            &(0..maps.len()).collect::<Vec<_>>(),
            &Training::default(),
        )
        .unwrap();
        let codes = features(&learned.codes);
        let found = cluster(&codes, &Options::new(Algorithm::KMeans), &[]).unwrap();
        check(&found.labels, &truth);
        format!(
            "2,000 questions, {} epochs: error {:.1e}, mean map {:.1e}, components {:.1e}",
            learned.epochs, learned.error, learned.mean_error, learned.pca_error
        )
    });
}

fn check(labels: &Labels, truth: &Labels) {
    let index = adjusted_rand(labels, truth);
    assert!(index >= 0.95, "adjusted Rand index {index}");
}

fn timed(name: &str, run: impl FnOnce() -> String) {
    // Where that is not possible, the figure is the peak since the start: too high, never too low.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let start = Instant::now();
    let told = run();
    println!(
        "{name:<15} {:6.1} s {:6.0} MB  {told}",
        start.elapsed().as_secs_f64(),
        peak() / 1e6
    );
}

/// Bytes, from Linux's status of this process; NaN on other systems.
fn peak() -> f64 {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    read().map_or(f64::NAN, |kb| kb * 1024.0)
}
