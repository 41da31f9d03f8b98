//! JSON: the explanation itself, as `spanlift-explanation` writes and reads it.

use spanlift_explanation::Explanation;

use crate::error::RenderError;
use crate::format::{Format, Rendered};
use crate::options::Options;

/// The format.
pub(crate) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "JSON"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn write(&self, explanation: &Explanation, _: &Options) -> Result<Rendered, RenderError> {
        Ok(Rendered {
            bytes: explanation.to_json()?.into_bytes(),
            warnings: Vec::new(),
        })
    }
}
