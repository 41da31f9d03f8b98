//! What can be typed of control runs: `--answers` and `--randomise`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use spanlift::checkpoint::{ModelPart, Parts, Randomise};

/// Which answers a run explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnswersArg {
    /// The model's own.
    Own,
    /// Random spans.
    Random(u64),
    /// Those of the run in this folder.
    Run(PathBuf),
}

/// `own`, `random`, `random:SEED`; anything else is a folder.
pub(crate) fn answers(text: &str) -> Result<AnswersArg, String> {
    match text.split_once(':') {
        None if text == "own" => Ok(AnswersArg::Own),
        None if text == "random" => Ok(AnswersArg::Random(0)),
        Some(("random", seed)) => seed_of(seed).map(AnswersArg::Random),
        _ => Ok(AnswersArg::Run(PathBuf::from(text))),
    }
}

/// More layers than any model is read with.
const MOST_LAYERS: usize = 1024;

/// `all`, or parts with commas between; behind them `:SEED`, or none for 0.
pub(crate) fn randomise(text: &str) -> Result<Randomise, String> {
    let (parts, seed) = match text.split_once(':') {
        Some((parts, seed)) => (parts, seed_of(seed)?),
        None => (text, 0),
    };
    if parts == "all" {
        let parts = Parts::All;
        return Ok(Randomise { parts, seed });
    }
    let mut some = BTreeSet::new();
    for part in parts.split(',') {
        match part {
            "embeddings" => drop(some.insert(ModelPart::Embeddings)),
            "head" => drop(some.insert(ModelPart::Head)),
            _ => {
                let (first, last) = part.split_once("..").unwrap_or((part, part));
                let layer = |text: &str| {
                    let layer = text.parse().ok();
                    layer.filter(|layer| *layer <= MOST_LAYERS)
                };
                let ends = layer(first).zip(layer(last));
                let (first, last) = ends.filter(|(first, last)| first <= last).ok_or_else(|| {
                    format!(
                        "expected all, or some of embeddings, layers (3, or 2..5 for 2 to 5) and head with commas between, got `{part}`"
                    )
                })?;
                some.extend((first..=last).map(ModelPart::Layer));
            }
        }
    }
    let parts = Parts::Some(some);
    Ok(Randomise { parts, seed })
}

fn seed_of(text: &str) -> Result<u64, String> {
    let seed = text.parse();
    seed.map_err(|_| format!("expected a whole number behind the colon, got `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_with_both_ends_of_a_range() {
        use ModelPart::{Embeddings, Head, Layer};
        let read = |text: &str| randomise(text).unwrap();
        let some = |parts: &[ModelPart], seed| Randomise {
            parts: Parts::Some(parts.iter().copied().collect()),
            seed,
        };
        let all = |seed| Randomise {
            parts: Parts::All,
            seed,
        };
        assert_eq!(read("all"), all(0));
        assert_eq!(read("all:7"), all(7));
        assert_eq!(read("3"), some(&[Layer(3)], 0));
        assert_eq!(read("5..6:2"), some(&[Layer(5), Layer(6)], 2));
        let mixed = [Embeddings, Layer(1), Layer(4), Layer(5), Head];
        assert_eq!(read("head,4..5,1,embeddings:9"), some(&mixed, 9));
        for bad in [
            "", "some", "5..4", "1..", "..", "all,head", "1,,2", "-1", "1..9999", "1 ",
        ] {
            let error = randomise(bad).unwrap_err();
            assert!(
                error.starts_with("expected all, or some of "),
                "{bad}: {error}"
            );
        }
        for bad in ["all:", "all:x", "1:-1", "1:2:3"] {
            let error = randomise(bad).unwrap_err();
            assert!(
                error.starts_with("expected a whole number"),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn answers_are_two_words_or_a_folder() {
        let read = |text: &str| answers(text).unwrap();
        assert_eq!(read("own"), AnswersArg::Own);
        assert_eq!(read("random"), AnswersArg::Random(0));
        assert_eq!(read("random:12"), AnswersArg::Random(12));
        for folder in ["run", "./random", "c:run", "owned"] {
            assert_eq!(read(folder), AnswersArg::Run(PathBuf::from(folder)));
        }
        assert!(answers("random:x").is_err());
    }
}
