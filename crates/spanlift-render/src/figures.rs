//! The paper's set of figures: one picture a layer and one for the output (arXiv 1910.06431, figures 1 to 13).

use std::collections::BTreeSet;

use spanlift_explanation::Explanation;

use crate::error::RenderError;
use crate::format::Rendered;
use crate::options::Options;
use crate::picture::sheet::sheet;
use crate::{png, svg};

/// The pictures with the names of their files, in the order of the layers: `layer-01.svg`, `layer-01.png`, …,
/// `output.svg`, `output.png`. Each has the colour scale and says what it shows.
///
/// # Errors
///
/// As [`Format::write`](crate::Format::write).
pub fn figures(
    explanation: &Explanation,
    options: &Options,
) -> Result<Vec<(String, Rendered)>, RenderError> {
    let mut figures = Vec::new();
    for (i, layer) in explanation.layers.iter().enumerate() {
        let name = match layer.name.parse::<usize>() {
            Ok(number) => format!("layer-{number:02}"),
            Err(_) => "output".to_owned(),
        };
        // The words come before the layers.
        let only = Some(i + 1);
        let png = png::rendered(explanation, options, only)?;
        let sheet = sheet(explanation, options, only, &BTreeSet::new())?;
        figures.push((format!("{name}.svg"), svg::rendered(sheet)));
        figures.push((format!("{name}.png"), png));
    }
    Ok(figures)
}
