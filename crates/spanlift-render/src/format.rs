//! The formats a file may have, and how its name chooses one.

use std::path::Path;

use spanlift_explanation::Explanation;

use crate::error::RenderError;
use crate::options::Options;
use crate::{html, json, png, svg};

/// What a file of a format holds, and what whoever asked for it should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Sentences for the user: characters without a glyph, a picture made smaller.
    pub warnings: Vec<String>,
}

/// One file format.
pub trait Format: Sync {
    /// Its name, as a user would say it.
    fn name(&self) -> &'static str;

    /// What names of its files end in, without the dot, lower-case; the first is the usual one.
    fn endings(&self) -> &'static [&'static str];

    /// The explanation in this format.
    ///
    /// # Errors
    ///
    /// An explanation that does not pass [`Explanation::validate`], options out of range, and what goes wrong
    /// in drawing.
    fn write(&self, explanation: &Explanation, options: &Options) -> Result<Rendered, RenderError>;
}

/// Every format: a new one is a file with its trait, and a line here.
pub static FORMATS: &[&dyn Format] = &[&json::Json, &svg::Svg, &png::Png, &html::Html];

/// The format of a file by the ending of its name, in either case.
///
/// # Errors
///
/// [`RenderError::Ending`], which lists the known ones.
///
/// ```
/// use spanlift_render::format_for;
///
/// assert_eq!(format_for("map.SVG".as_ref()).map(|format| format.name()).ok(), Some("SVG"));
/// let error = format_for("map.pdf".as_ref()).err().map(|error| error.to_string());
/// assert_eq!(error.as_deref(), Some(r#"unknown ending ".pdf": expected one of .json, .svg, .png, .html, .htm"#));
/// ```
pub fn format_for(path: &Path) -> Result<&'static dyn Format, RenderError> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().into_owned());
    let wanted = ending.as_deref().unwrap_or_default().to_lowercase();
    let found = FORMATS
        .iter()
        .find(|format| format.endings().contains(&wanted.as_str()));
    found.copied().ok_or_else(|| {
        let known: Vec<String> = FORMATS
            .iter()
            .flat_map(|format| format.endings())
            .map(|ending| format!(".{ending}"))
            .collect();
        RenderError::Ending {
            got: ending,
            known: known.join(", "),
        }
    })
}
