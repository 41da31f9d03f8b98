//! SVG: the map of every cut on one sheet.
//!
//! Text stays text, to be selected, searched and read aloud. No font is embedded: DejaVu Sans alone would make
//! every picture 0.7 MB larger, and a subset without its character map is no use to a browser. Instead the font
//! it was measured in is named first, Verdana second (the same proportions: DejaVu descends from Bitstream Vera,
//! which was drawn beside it), and each run carries its measured length, so that no font moves anything. The bytes
//! depend on the explanation and the options alone, not on the fonts of the machine.

use std::collections::BTreeSet;

use spanlift_explanation::Explanation;

use crate::error::RenderError;
use crate::format::{Format, Rendered};
use crate::options::Options;
use crate::picture::sheet::{Sheet, sheet};

/// How many characters a warning names.
const NAMED: usize = 8;

/// The format.
pub(crate) struct Svg;

impl Format for Svg {
    fn name(&self) -> &'static str {
        "SVG"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["svg"]
    }

    fn write(&self, explanation: &Explanation, options: &Options) -> Result<Rendered, RenderError> {
        Ok(rendered(sheet(
            explanation,
            options,
            None,
            &BTreeSet::new(),
        )?))
    }
}

/// The file of a sheet, with a warning where a viewer has to find another font.
pub(crate) fn rendered(sheet: Sheet) -> Rendered {
    let warnings = if sheet.missing.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "the built-in font lacks {}: a viewer shows them in a font of its own",
            characters(&sheet.missing)
        )]
    };
    Rendered {
        bytes: sheet.svg.into_bytes(),
        warnings,
    }
}

/// `3 characters (U+6771 東, U+4EAC 京, …)`.
pub(crate) fn characters(characters: &BTreeSet<char>) -> String {
    let mut named: Vec<String> = characters
        .iter()
        .take(NAMED)
        .map(|&c| {
            format!(
                "U+{:04X} {}",
                u32::from(c),
                crate::text::label(&c.to_string(), 4)
            )
        })
        .collect();
    if characters.len() > NAMED {
        named.push("…".to_owned());
    }
    let plural = if characters.len() == 1 { "" } else { "s" };
    format!(
        "{} character{plural} ({})",
        characters.len(),
        named.join(", ")
    )
}
