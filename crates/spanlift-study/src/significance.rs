//! Tests that are many.

use std::collections::HashMap;
use std::hash::Hash;

/// Adjusted for the number of tests in each family (Holm 1979); what is not a number is no test.
pub(crate) fn adjusted<F: Eq + Hash>(tests: impl Iterator<Item = (F, f64)>) -> Vec<f64> {
    let mut families: HashMap<F, Vec<(usize, f64)>> = HashMap::new();
    let mut adjusted = Vec::new();
    for (place, (family, p)) in tests.enumerate() {
        adjusted.push(p);
        if p.is_finite() {
            families.entry(family).or_default().push((place, p));
        }
    }
    for mut tests in families.into_values() {
        tests.sort_by(|x, y| x.1.total_cmp(&y.1));
        let (count, mut least) = (tests.len(), 0.0_f64);
        for (rank, (place, p)) in tests.into_iter().enumerate() {
            least = least.max(p * (count - rank) as f64).min(1.0);
            adjusted[place] = least;
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_adjusted_within_their_family() {
        let tests = [
            ('a', 0.01),
            ('b', 0.04),
            ('a', 0.04),
            ('a', f64::NAN),
            ('a', 0.03),
            ('b', 0.5),
        ];
        let found = adjusted(tests.into_iter());
        let expected = [0.03, 0.08, 0.06, f64::NAN, 0.06, 0.5];
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-12 || found.is_nan() && expected.is_nan(),
                "{found} {expected}"
            );
        }
    }
}
