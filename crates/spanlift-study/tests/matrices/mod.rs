//! Matrices with known clusters, and with none.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use spanlift_study::cluster::{Features, Labels};
use spanlift_study::maps::BINS;

/// Maps of a question.
pub const STEPS: usize = 7;

pub fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

pub fn features(rows: &[Vec<f64>]) -> Features {
    let names = (0..rows[0].len()).map(|i| format!("column {i}")).collect();
    Features::new(names, rows).unwrap()
}

/// Gaussians of unit variance around `k` centres, of unlike sizes, in most of the columns; the rest is noise.
pub fn planted(rows: usize, columns: usize, k: usize, seed: u64) -> (Vec<Vec<f64>>, Labels) {
    let mut rng = generator(seed);
    let telling = columns - columns / 8;
    // Centres are 15 standard deviations apart, or drawn anew.
    let mut centres: Vec<Vec<f64>> = Vec::new();
    while centres.len() < k {
        let centre: Vec<f64> = (0..telling).map(|_| 4.0 * normal(&mut rng)).collect();
        let apart = |other: &Vec<f64>| {
            let squares = centre.iter().zip(other).map(|(x, y)| (x - y).powi(2));
            squares.sum::<f64>() > 15.0 * 15.0
        };
        if centres.iter().all(apart) {
            centres.push(centre);
        }
    }
    // Cluster c has a share in proportion to c + 2.
    let weights: Vec<usize> = (0..k).flat_map(|c| vec![c; c + 2]).collect();
    let truth: Vec<usize> = (0..rows).map(|row| weights[row % weights.len()]).collect();
    let row = |&cluster: &usize| -> Vec<f64> {
        let centre = |column: usize| centres[cluster].get(column).copied().unwrap_or(0.0);
        (0..columns)
            .map(|column| centre(column) + normal(&mut rng))
            .collect()
    };
    let rows = truth.iter().map(row).collect();
    (rows, truth.into_iter().map(Some).collect())
}

pub fn gaussian(rows: usize, columns: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = generator(seed);
    (0..rows)
        .map(|_| (0..columns).map(|_| normal(&mut rng)).collect())
        .collect()
}

pub fn uniform(rows: usize, columns: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = generator(seed);
    (0..rows)
        .map(|_| (0..columns).map(|_| rng.random_range(-1.0..1.0)).collect())
        .collect()
}

/// Maps whose mass wanders: of each kind along a path of its own over the bins, of each question with a phase, a width and noise of its own.
pub fn wandering(questions: usize, kinds: usize, seed: u64) -> (Vec<Vec<Vec<f32>>>, Labels) {
    let mut rng = generator(seed);
    let paths: Vec<Vec<f64>> = (0..kinds)
        .map(|_| (0..STEPS).map(|_| rng.random_range(0.0..27.0)).collect())
        .collect();
    let mut question = |kind: usize| -> Vec<Vec<f32>> {
        let shift = 0.7 * normal(&mut rng);
        let width = rng.random_range(1.5..2.5);
        let map = |centre: &f64| -> Vec<f32> {
            let bump = |bin: usize| (-((bin as f64 - centre - shift) / width).powi(2) / 2.0).exp();
            let bumps: Vec<f64> = (0..BINS)
                .map(|bin| bump(bin) + 0.03 * normal(&mut rng))
                .collect();
            let whole: f64 = bumps.iter().map(|b| b.abs()).sum();
            bumps.iter().map(|b| (b / whole) as f32).collect()
        };
        paths[kind].iter().map(map).collect()
    };
    let truth: Vec<usize> = (0..questions).map(|i| i % kinds).collect();
    let maps = truth.iter().map(|&kind| question(kind)).collect();
    (maps, truth.into_iter().map(Some).collect())
}
