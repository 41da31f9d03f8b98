//! Rows on a plane, to be looked at: the first two principal components, and t-SNE.
//!
//! t-SNE (van der Maaten and Hinton 2008; Barnes–Hut, van der Maaten 2014) of `bhtsne`, from the first ten components, begun from the first two (Kobak and
//! Berens 2019), so that nothing in it is random but the rows drawn where there are many. It runs on one thread, as the crate's sums depend on their number.

use bhtsne::tSNE;
use serde::Serialize;

use crate::StudyError;
use crate::cluster::{Features, drawn};

/// Components that t-SNE sees.
const COMPONENTS: usize = 10;

/// Accuracy of the Barnes–Hut tree.
const THETA: f64 = 0.5;

/// Neighbours that count, in effect; fewer where there are few rows.
const PERPLEXITY: f64 = 30.0;

/// The fewest rows that t-SNE places.
const LEAST: usize = 10;

/// Standard deviation of the first coordinate that t-SNE begins from.
const BEGIN: f64 = 1e-4;

/// Two coordinates for each row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plane {
    /// The first two principal components, in standard deviations; the second 0 where there is one alone.
    pub pca: Vec<[f64; 2]>,
    /// Their shares of the variance.
    pub explained: [f64; 2],
    /// Of t-SNE; without a unit, none for a row that is not among those drawn.
    pub tsne: Vec<Option<[f64; 2]>>,
}

/// Places every row by principal components and at most `most` rows, drawn by the seed, by t-SNE (5,000 take some five seconds).
///
/// # Errors
///
/// [`StudyError::Rows`] for fewer than ten rows to place, [`StudyError::Constant`], [`StudyError::Failed`].
pub fn plane(features: &Features, seed: u64, most: usize) -> Result<Plane, StudyError> {
    let rows = drawn(features.rows(), most, seed, 0);
    if rows.len() < LEAST {
        return Err(StudyError::Rows {
            what: "t-SNE",
            expected: LEAST,
            got: rows.len(),
        });
    }
    let components = features.components(COMPONENTS)?;
    let scores = &components.scores;
    let first = |row: usize| [0, 1].map(|c| scores.get([row, c]).copied().unwrap_or(0.0));
    let pca: Vec<[f64; 2]> = (0..features.rows()).map(first).collect();
    let points: Vec<Vec<f64>> = rows.iter().map(|&row| scores.row(row).to_vec()).collect();
    let sd = scores.column(0).std(0.0);
    let begin: Vec<f64> = rows
        .iter()
        .flat_map(|&row| pca[row].map(|x| BEGIN * x / sd))
        .collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| StudyError::Failed {
        what: "t-SNE",
        reason: error.to_string(),
    })?;
    let placed = pool.install(|| {
        let mut tsne = tSNE::<f64, Vec<f64>, 2>::new(&points);
        tsne.perplexity(PERPLEXITY.min(((rows.len() - 1) / 3) as f64))
            .initial_embedding(begin)
            .barnes_hut(THETA, |x: &Vec<f64>, y: &Vec<f64>| {
                let squares = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y));
                squares.sum::<f64>().sqrt()
            });
        tsne.embedding()
    });
    if placed.iter().any(|x| !x.is_finite()) {
        return Err(StudyError::Failed {
            what: "t-SNE",
            reason: "a coordinate is not finite".to_owned(),
        });
    }
    let mut tsne = vec![None; features.rows()];
    for (&row, at) in rows.iter().zip(placed.chunks_exact(2)) {
        tsne[row] = Some([at[0], at[1]]);
    }
    let explained = [0, 1].map(|c| components.explained.get(c).copied().unwrap_or(0.0));
    Ok(Plane {
        pca,
        explained,
        tsne,
    })
}
