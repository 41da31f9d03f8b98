//! All that a run needs to go on: weights, moments, and how far it is; one file, there whole or not at all.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use spanlift_store::write_whole;

use crate::TrainError;

/// The head of the file's own metadata.
const KEY: &str = "spanlift.train";

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Steps done.
    pub step: u64,
    /// The best F1 on the dev questions so far, and its step.
    pub best: Option<(f64, u64)>,
    /// Seconds of training so far.
    pub seconds: f64,
}

/// Weights and moments of every parameter, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// How far.
    pub mark: Mark,
    /// θ.
    pub values: Vec<Vec<f32>>,
    /// m of AdamW.
    pub first: Vec<Vec<f32>>,
    /// v.
    pub second: Vec<Vec<f32>>,
}

impl State {
    /// At the beginning.
    #[must_use]
    pub fn new(values: Vec<Vec<f32>>) -> Self {
        let zeros = || values.iter().map(|value| vec![0.0; value.len()]).collect();
        Self {
            first: zeros(),
            second: zeros(),
            mark: Mark::default(),
            values,
        }
    }

    /// Writes it; `names` are the parameters'.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn write(&self, path: &Path, names: &[String]) -> Result<(), TrainError> {
        let damaged = |reason: String| TrainError::State {
            path: path.to_owned(),
            reason,
        };
        let groups = [
            ("value", &self.values),
            ("first", &self.first),
            ("second", &self.second),
        ];
        let bytes: Vec<(String, Vec<u8>)> = groups
            .iter()
            .flat_map(|(group, tensors)| {
                let named = names.iter().zip(tensors.iter());
                named.map(move |(name, tensor)| (format!("{group}/{name}"), bytes_of(tensor)))
            })
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, data) in &bytes {
            let view = TensorView::new(Dtype::F32, vec![data.len() / 4], data);
            views.push((name, view.map_err(|error| damaged(error.to_string()))?));
        }
        let mark = serde_json::to_string(&self.mark).map_err(|error| damaged(error.to_string()))?;
        let head = HashMap::from([(KEY.to_owned(), mark)]);
        let file = serialize(views, Some(head)).map_err(|error| damaged(error.to_string()))?;
        Ok(write_whole(path, &file)?)
    }

    /// Reads one of a run with these parameters; `None` where there is no file.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is not of such a run.
    pub fn read(
        path: &Path,
        names: &[String],
        sizes: &[usize],
    ) -> Result<Option<Self>, TrainError> {
        if !path.exists() {
            return Ok(None);
        }
        let damaged = |reason: String| TrainError::State {
            path: path.to_owned(),
            reason,
        };
        let file = std::fs::read(path).map_err(|source| TrainError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let (_, head) = SafeTensors::read_metadata(&file).map_err(|e| damaged(e.to_string()))?;
        let mark = head.metadata().as_ref().and_then(|head| head.get(KEY));
        let mark = mark.ok_or_else(|| damaged(format!("metadata: expected `{KEY}`, got none")))?;
        let mark = serde_json::from_str(mark).map_err(|e| damaged(format!("metadata: {e}")))?;
        let tensors = SafeTensors::deserialize(&file).map_err(|e| damaged(e.to_string()))?;
        let group = |group: &str| -> Result<Vec<Vec<f32>>, TrainError> {
            let of = |(name, &size): (&String, &usize)| {
                let name = format!("{group}/{name}");
                let tensor = tensors.tensor(&name).map_err(|e| damaged(e.to_string()))?;
                let numbers = numbers_of(tensor.data());
                if tensor.dtype() != Dtype::F32 || numbers.len() != size {
                    let (dtype, got) = (tensor.dtype(), numbers.len());
                    return Err(damaged(format!(
                        "{name}: expected {size} numbers in F32, got {got} in {dtype:?}"
                    )));
                }
                Ok(numbers)
            };
            names.iter().zip(sizes).map(of).collect()
        };
        Ok(Some(Self {
            mark,
            values: group("value")?,
            first: group("first")?,
            second: group("second")?,
        }))
    }
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn numbers_of(bytes: &[u8]) -> Vec<f32> {
    let (four, _) = bytes.as_chunks::<4>();
    four.iter().map(|x| f32::from_le_bytes(*x)).collect()
}

/// A folder's file.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("state.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["a.weight".to_owned(), "a.bias".to_owned()]
    }

    fn state() -> State {
        let mut state = State::new(vec![vec![1.0, -0.0, f32::MIN_POSITIVE / 2.0], vec![3.5]]);
        state.first[0][1] = 1e-30;
        state.second[1][0] = 7.25;
        state.mark = Mark {
            step: 12,
            best: Some((61.5, 10)),
            seconds: 3.25,
        };
        state
    }

    #[test]
    fn what_is_read_is_what_was_written_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        assert_eq!(State::read(&path, &names(), &[3, 1]).unwrap(), None);
        state().write(&path, &names()).unwrap();
        let read = State::read(&path, &names(), &[3, 1]).unwrap().unwrap();
        let bits = |state: &State| -> Vec<u32> {
            let all = [&state.values, &state.first, &state.second];
            all.iter()
                .flat_map(|g| g.iter().flatten())
                .map(|x| x.to_bits())
                .collect()
        };
        assert_eq!(bits(&read), bits(&state()));
        assert_eq!(read.mark, state().mark);
    }

    #[test]
    fn a_damaged_file_names_itself_and_the_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        state().write(&path, &names()).unwrap();
        let error = State::read(&path, &names(), &[4, 1])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("state.safetensors")
                && error.contains("value/a.weight: expected 4 numbers"),
            "{error}"
        );
        let whole = std::fs::read(&path).unwrap();
        for end in [0, 4, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert!(State::read(&path, &names(), &[3, 1]).is_err(), "{end}");
        }
    }
}
