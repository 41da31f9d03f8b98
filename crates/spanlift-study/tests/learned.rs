//! Codes learned from maps.

#![allow(clippy::unwrap_used)]

mod matrices;

use std::time::Instant;

use matrices::{STEPS, features, generator, normal, wandering};
use spanlift_study::StudyError;
use spanlift_study::autoencoder::{Training, learn};
use spanlift_study::cluster::{Algorithm, Options, Verdict, adjusted_rand, cluster};
use spanlift_study::maps::BINS;

/// Each question with a passage of its own.
fn each(maps: &[Vec<Vec<f32>>]) -> Vec<usize> {
    (0..maps.len()).collect()
}

fn noise(questions: usize, seed: u64) -> Vec<Vec<Vec<f32>>> {
    let mut rng = generator(seed);
    let mut map = || (0..BINS).map(|_| normal(&mut rng) as f32 / 20.0).collect();
    (0..questions)
        .map(|_| (0..STEPS).map(|_| map()).collect())
        .collect()
}

#[test]
fn structured_maps_are_learned_and_their_codes_cluster() {
    for seed in [1, 2] {
        let (maps, truth) = wandering(400, 4, seed);
        let training = Training {
            seed,
            epochs: 60,
            batch: 32,
            ..Training::default()
        };
        let start = Instant::now();
        let learned = learn(&maps, &each(&maps), &training).unwrap();
        println!(
            "seed {seed}: {} epochs in {:.1?}, error {:.2e}, mean {:.2e}, pca {:.2e}",
            learned.epochs,
            start.elapsed(),
            learned.error,
            learned.mean_error,
            learned.pca_error
        );
        assert!(learned.error < 0.25 * learned.mean_error, "{learned:?}");
        assert!(learned.pca_error < learned.mean_error);
        assert_eq!(learned.held_out, 60);
        let options = Options {
            seed,
            bootstraps: 6,
            draws: 10,
            ..Options::new(Algorithm::KMeans)
        };
        let found = cluster(&features(&learned.codes), &options, &[]).unwrap();
        let index = adjusted_rand(&found.labels, &truth);
        assert!(index >= 0.95, "k {}, adjusted Rand index {index}", found.k);
        assert_eq!(found.verdict, Verdict::Structure);
    }
}

#[test]
fn noise_is_not_learned() {
    let training = Training {
        epochs: 30,
        patience: 5,
        ..Training::default()
    };
    let maps = noise(400, 3);
    let learned = learn(&maps, &each(&maps), &training).unwrap();
    println!("{:.3e} {:.3e}", learned.error, learned.mean_error);
    assert!(
        learned.error > 0.95 * learned.mean_error,
        "{} {}",
        learned.error,
        learned.mean_error
    );
}

#[test]
fn the_error_of_principal_components_is_that_of_theory() {
    // Two numbers vary, independently and far more than the rest: two components leave the noise of the others alone.
    let mut rng = generator(5);
    let maps: Vec<Vec<Vec<f32>>> = (0..400)
        .map(|_| {
            let mut map: Vec<f32> = (0..20).map(|_| 0.1 * normal(&mut rng) as f32).collect();
            map[3] += 5.0 * normal(&mut rng) as f32;
            map[7] += 4.0 * normal(&mut rng) as f32;
            vec![map]
        })
        .collect();
    let training = Training {
        code: 2,
        epochs: 1,
        ..Training::default()
    };
    let learned = learn(&maps, &each(&maps), &training).unwrap();
    // 18 of 20 numbers with variance 0.01; all with (25 + 16) / 20 more.
    assert!(
        (learned.pca_error / (0.01 * 0.9) - 1.0).abs() < 0.1,
        "{}",
        learned.pca_error
    );
    assert!(
        (learned.mean_error / (41.0 / 20.0) - 1.0).abs() < 0.25,
        "{}",
        learned.mean_error
    );
}

#[test]
fn one_seed_gives_one_result_to_the_bit() {
    let (maps, _) = wandering(80, 2, 1);
    let of = |seed, threads| {
        let training = Training {
            seed,
            epochs: 4,
            ..Training::default()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        serde_json::to_string(&pool.install(|| learn(&maps, &each(&maps), &training).unwrap()))
            .unwrap()
    };
    let first = of(1, 1);
    assert_eq!(first, of(1, 1));
    assert_eq!(first, of(1, 3));
    assert_ne!(first, of(2, 1));
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let message = |maps: &[Vec<Vec<f32>>], training: &Training| -> String {
        let error: StudyError = learn(maps, &each(maps), training).unwrap_err();
        error.to_string()
    };
    let usual = Training::default();
    let (maps, _) = wandering(40, 2, 1);
    assert_eq!(
        message(&maps[..39], &usual),
        "autoencoder: expected at least 40 rows, got 39"
    );
    let mut bad = maps.clone();
    bad[3][2][1] = f32::NAN;
    assert_eq!(
        message(&bad, &usual),
        "maps of question 3: expected finite numbers, got NaN"
    );
    bad[3][2].pop();
    assert_eq!(
        message(&bad, &usual),
        "maps of question 3: expected 7 maps of 27 bins, got 7 of 26"
    );
    let training = Training { code: 0, ..usual };
    assert_eq!(
        message(&maps, &training),
        "code: expected at least 1, got 0"
    );
    assert_eq!(
        message(&vec![vec![]; 40], &usual),
        "maps of every question: expected at least 1 of at least 1 bin, got 0 of 0"
    );
    let same = vec![maps[0].clone(); 40];
    assert_eq!(
        message(&same, &usual),
        "none of 189 columns varies: nothing to cluster"
    );
}
