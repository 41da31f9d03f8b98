//! `*.safetensors`: its tensors by name.

use safetensors::SafeTensors;

use super::{Named, Part, Problem, Tensor};

pub(super) fn tensors<'a>(part: &'a Part<'a>) -> Result<Named<'a>, Problem> {
    let bytes: &'a [u8] = &part.bytes;
    let file = SafeTensors::deserialize(bytes).map_err(|error| Problem::Header {
        file: part.name.clone(),
        bytes: bytes.len(),
        reason: error.to_string(),
    })?;
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let tensor = Tensor {
            part,
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data(),
            strides: None,
        };
        (name, tensor)
    });
    Ok(tensors.collect())
}
