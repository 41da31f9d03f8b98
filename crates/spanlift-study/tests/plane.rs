//! Rows on a plane.

#![allow(clippy::unwrap_used)]

mod matrices;

use matrices::{features, planted};
use spanlift_study::cluster::Labels;
use spanlift_study::plane::{Plane, plane};

fn gap(plane: &Plane, truth: &Labels, tsne: bool) -> f64 {
    // Mean distance to the own kind's centre over that between the centres.
    let at = |row: usize| {
        if tsne {
            plane.tsne[row].unwrap()
        } else {
            plane.pca[row]
        }
    };
    let centre = |kind| {
        let rows: Vec<usize> = (0..truth.len())
            .filter(|&r| truth[r] == Some(kind))
            .collect();
        let mean = |c: usize| rows.iter().map(|&r| at(r)[c]).sum::<f64>() / rows.len() as f64;
        [mean(0), mean(1)]
    };
    let centres = [centre(0), centre(1)];
    let distance = |x: [f64; 2], y: [f64; 2]| (x[0] - y[0]).hypot(x[1] - y[1]);
    let own: f64 = (0..truth.len())
        .map(|row| distance(at(row), centres[truth[row].unwrap()]))
        .sum();
    own / truth.len() as f64 / distance(centres[0], centres[1])
}

#[test]
fn a_plane_keeps_kinds_apart_and_is_the_same_each_time() {
    let (rows, truth) = planted(200, 12, 2, 1);
    let features = features(&rows);
    let on = |threads: usize, seed: u64, most: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| plane(&features, seed, most).unwrap())
    };
    let found = on(1, 1, 1000);
    assert_eq!(found, on(3, 1, 1000));
    assert!(
        gap(&found, &truth, false) < 0.3,
        "{}",
        gap(&found, &truth, false)
    );
    assert!(
        gap(&found, &truth, true) < 0.5,
        "{}",
        gap(&found, &truth, true)
    );
    assert!(found.explained[0] > found.explained[1]);
    let sampled = on(2, 1, 50);
    assert_eq!(sampled.tsne.iter().flatten().count(), 50);
    assert_eq!(sampled.pca, found.pca);
    assert_ne!(sampled.tsne, on(2, 2, 50).tsne);
}

#[test]
fn a_plane_of_few_rows_or_one_column() {
    let rows: Vec<Vec<f64>> = (0..10).map(|i| vec![f64::from(i * i)]).collect();
    let found = plane(&features(&rows), 1, 100).unwrap();
    assert!(found.pca.iter().all(|at| at[1] == 0.0));
    let error = plane(&features(&rows[..9]), 1, 100)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "t-SNE: expected at least 10 rows, got 9");
    let error = plane(&features(&rows), 1, 0).unwrap_err().to_string();
    assert_eq!(error, "t-SNE: expected at least 10 rows, got 0");
}
