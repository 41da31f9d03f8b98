//! Clusters that are there are found, and nothing is called nothing.

#![allow(clippy::unwrap_used)]

mod matrices;

use matrices::{features, gaussian, generator, normal, planted, uniform};
use spanlift_study::cluster::{
    Algorithm, Clustering, Features, Options, Verdict, adjusted_rand, cluster,
};

fn options(algorithm: Algorithm, seed: u64) -> Options {
    Options {
        seed,
        bootstraps: 6,
        seeds: 2,
        draws: 10,
        ..Options::new(algorithm)
    }
}

fn found(rows: &[Vec<f64>], algorithm: Algorithm, seed: u64) -> Clustering {
    cluster(&features(rows), &options(algorithm, seed), &[]).unwrap()
}

fn told(name: &str, seed: u64, found: &Clustering) -> String {
    format!(
        "{name}, {} seed {seed}: k {} silhouette {:.3} stability {:.3} chance {:?} {:?}",
        found.algorithm.name(),
        found.k,
        found.silhouette,
        found.stability,
        found.chance,
        found.verdict
    )
}

#[test]
fn planted_clusters_are_found_by_every_algorithm() {
    for (seed, k) in [(1, 3), (2, 5), (3, 4)] {
        let (rows, truth) = planted(300, 24, k, seed);
        for algorithm in Algorithm::ALL {
            let found = found(&rows, algorithm, seed);
            let told = told("planted", seed, &found);
            println!("{told}");
            let index = adjusted_rand(&found.labels, &truth);
            assert!(index >= 0.95, "{told}: adjusted Rand index {index}");
            assert_eq!(found.k, k, "{told}");
            assert_eq!(found.verdict, Verdict::Structure, "{told}");
            for cluster in &found.clusters {
                assert_eq!(cluster.verdict, Verdict::Structure, "{told} {cluster:?}");
                assert!(cluster.stability > 0.8, "{told}");
                assert!(cluster.effects[0].d.abs() > 1.0, "{told}");
            }
            assert!(
                found.clusters.windows(2).all(|w| w[0].size >= w[1].size),
                "{told}"
            );
        }
    }
}

#[test]
fn nothing_is_called_nothing_by_every_algorithm() {
    // A cloud in every direction, a box, a square (whose four corners any four centres share alike, every time), and a long cloud: one column
    // with a hidden cause seen in all, which any cut halves.
    let long = |seed: u64| -> Vec<Vec<f64>> {
        let mut rng = generator(seed);
        let row = |_: usize| {
            let cause = 3.0 * normal(&mut rng);
            (0..8).map(|_| cause + normal(&mut rng)).collect()
        };
        (0..200).map(row).collect()
    };
    for seed in 1..=2 {
        let matrices = [
            ("cloud", gaussian(200, 12, seed)),
            ("box", uniform(200, 12, seed)),
            ("square", uniform(200, 2, seed)),
            ("long", long(seed)),
        ];
        for (name, rows) in matrices {
            for algorithm in Algorithm::ALL {
                let found = found(&rows, algorithm, seed);
                println!("{}", told(name, seed, &found));
                assert_eq!(
                    found.verdict,
                    Verdict::Noise,
                    "{}",
                    told(name, seed, &found)
                );
            }
        }
    }
}

#[test]
fn a_cluster_that_is_none_says_so() {
    // Three heaps far from each other, and a haze that takes in none of them: k = 4 makes a cluster of the haze or cuts a heap.
    let (mut rows, _) = planted(300, 10, 3, 5);
    rows.extend(
        uniform(60, 10, 6)
            .into_iter()
            .map(|row| row.into_iter().map(|x| 12.0 * x).collect::<Vec<f64>>()),
    );
    let options = Options {
        k: Some(4),
        ..options(Algorithm::KMeans, 1)
    };
    let found = cluster(&features(&rows), &options, &[]).unwrap();
    let verdicts: Vec<Verdict> = found.clusters.iter().map(|c| c.verdict).collect();
    println!("{verdicts:?} {:?}", told("haze", 1, &found));
    assert!(verdicts.contains(&Verdict::Noise), "{verdicts:?}");
    assert!(verdicts.contains(&Verdict::Structure), "{verdicts:?}");
}

#[test]
fn a_handful_far_away_is_no_kind_of_row() {
    let (mut rows, _) = planted(300, 10, 2, 5);
    // Four rows nearly alike: better apart than any cluster of chance, and found again by every bootstrap that draws them.
    let far = gaussian(4, 10, 7);
    rows.extend(
        far.into_iter()
            .map(|row| row.into_iter().map(|x| 60.0 + x).collect()),
    );
    let options = Options {
        k: Some(3),
        ..options(Algorithm::KMeans, 1)
    };
    let found = cluster(&features(&rows), &options, &[]).unwrap();
    let clusters: Vec<(usize, Verdict)> =
        found.clusters.iter().map(|c| (c.size, c.verdict)).collect();
    assert_eq!(clusters[2], (4, Verdict::Noise), "{clusters:?}");
    assert_eq!(found.verdict, Verdict::Structure, "{clusters:?}");
}

#[test]
fn chance_is_what_the_caller_gives() {
    let (rows, _) = planted(300, 10, 3, 1);
    let options = options(Algorithm::KMeans, 1);
    let found = |chance: &[Features]| cluster(&features(&rows), &options, chance).unwrap();
    assert_eq!(found(&[]).verdict, Verdict::Structure);
    // What is given has the same clusters: then they are nothing beyond chance.
    let same: Vec<Features> = (0..5).map(|_| features(&rows)).collect();
    let same = found(&same);
    assert_eq!(same.verdict, Verdict::Noise);
    assert!((same.by_chance.mean - same.silhouette).abs() < 1e-9);
}

#[test]
fn a_given_k_is_kept_and_a_large_matrix_is_sampled() {
    let (rows, truth) = planted(900, 24, 3, 4);
    for algorithm in Algorithm::ALL {
        let options = Options {
            k: (algorithm != Algorithm::Hdbscan).then_some(3),
            sample: 300,
            redrawn: 200,
            ..options(algorithm, 1)
        };
        let found = cluster(&features(&rows), &options, &[]).unwrap();
        let told = told("sampled", 1, &found);
        assert_eq!(
            (found.k, found.labels.len(), found.sampled),
            (3, 900, 300),
            "{told}"
        );
        assert_eq!(found.tried.len(), 1, "{told}");
        assert_eq!(
            found.assigned,
            if algorithm == Algorithm::Agglomerative {
                600
            } else {
                0
            }
        );
        let index = adjusted_rand(&found.labels, &truth);
        assert!(index >= 0.95, "{told}: adjusted Rand index {index}");
        assert_eq!(found.verdict, Verdict::Structure, "{told}");
    }
}

#[test]
fn one_seed_gives_one_result_for_any_number_of_threads() {
    let (rows, _) = planted(300, 12, 3, 1);
    let features = features(&rows);
    for algorithm in Algorithm::ALL {
        let options = Options {
            sample: 200,
            redrawn: 150,
            ..options(algorithm, 7)
        };
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let found = pool
                .build()
                .unwrap()
                .install(|| cluster(&features, &options, &[]).unwrap());
            serde_json::to_string(&found).unwrap()
        };
        assert_eq!(on(1), on(3), "{}", algorithm.name());
    }
}

#[test]
fn what_cannot_be_clustered_is_refused() {
    let message = |rows: &[Vec<f64>], options: Options| {
        let error = cluster(&features(rows), &options, &[]).unwrap_err();
        error.to_string()
    };
    let of = |algorithm| options(algorithm, 1);
    assert_eq!(
        message(&gaussian(9, 2, 1), of(Algorithm::KMeans)),
        "clusters: expected at least 10 rows, got 9"
    );
    for k in [0, 1, 6, 21] {
        let options = Options {
            k: Some(k),
            ..of(Algorithm::Mixture)
        };
        assert_eq!(
            message(&gaussian(20, 2, 1), options),
            format!("k, the number of clusters: expected 2 to 5 for 20 rows, got {k}")
        );
    }
    assert_eq!(
        message(&vec![vec![1.0, 2.0]; 20], of(Algorithm::KMeans)),
        "none of 2 columns varies: nothing to cluster"
    );
    let options = Options {
        k: Some(3),
        ..of(Algorithm::Hdbscan)
    };
    assert_eq!(
        message(&gaussian(20, 2, 1), options),
        "k: expected none, as hdbscan finds its own, got 3"
    );
    let options = Options {
        components: 0,
        ..of(Algorithm::KMeans)
    };
    assert_eq!(
        message(&gaussian(20, 2, 1), options),
        "components: expected at least 1, got 0"
    );
}

#[test]
fn few_rows_alike_rows_and_far_rows_are_no_panic() {
    let alike: Vec<Vec<f64>> = (0..40).map(|i| vec![f64::from(i % 2), 1.0]).collect();
    let mut far = gaussian(60, 3, 1);
    far[7] = vec![1e9, -1e9, 1e9];
    for rows in [gaussian(10, 30, 1), alike, far] {
        for algorithm in Algorithm::ALL {
            let found = cluster(&features(&rows), &options(algorithm, 1), &[]);
            match found {
                Ok(found) => assert_eq!(found.labels.len(), rows.len()),
                Err(error) => assert!(error.to_string().contains("failed"), "{error}"),
            }
        }
    }
}
