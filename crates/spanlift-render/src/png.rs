//! PNG: the SVG of the same name drawn by `resvg`, [`Options::zoom`] pixels for a unit.
//!
//! Text is drawn in the built-in font whatever the machine has under the same name. Only where it lacks a
//! character are the machine's fonts looked through; where none has it either, a box stands for it, in the room of the
//! character. A font that claims to have everything has nothing: one with a glyph for a character that can never be (a last
//! resort, a font of blanks) is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use harfrust::{FontRef, ShapeOptions, ShaperData, UnicodeBuffer};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use spanlift_explanation::Explanation;

use crate::error::RenderError;
use crate::format::{Format, Rendered};
use crate::options::Options;
use crate::picture::font::Face;
use crate::picture::sheet::sheet;
use crate::svg::characters;

/// The most pixels a picture gets (four bytes each while it is drawn); beyond, it is drawn smaller.
const PIXELS: f32 = 80e6;

/// The format.
pub(crate) struct Png;

impl Format for Png {
    fn name(&self) -> &'static str {
        "PNG"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["png"]
    }

    fn write(&self, explanation: &Explanation, options: &Options) -> Result<Rendered, RenderError> {
        rendered(explanation, options, None)
    }
}

/// Which font has a character, where any has.
type Found = BTreeMap<char, Option<fontdb::ID>>;

/// A noncharacter: no text holds it, and a font that has it has placeholders alone.
const NEVER: char = '\u{fdd0}';

/// Draws the map of every cut, or of one.
pub(crate) fn rendered(
    explanation: &Explanation,
    options: &Options,
    only: Option<usize>,
) -> Result<Rendered, RenderError> {
    let (least, most) = (*Options::ZOOM.start(), *Options::ZOOM.end());
    if !Options::ZOOM.contains(&options.zoom) {
        let got = options.zoom;
        return Err(RenderError::Zoom { got, least, most });
    }
    let mut sheet = sheet(explanation, options, only, &BTreeSet::new())?;
    let mut database = fontdb::Database::new();
    let mut builtin = Vec::new();
    for face in [Face::Regular, Face::Bold] {
        let source = fontdb::Source::Binary(Arc::new(face.data()));
        builtin.extend(database.load_font_source(source));
    }
    if !sheet.missing.is_empty() {
        database.load_system_fonts();
    }
    let found = looked_for(&sheet.missing, &builtin, &database);
    let lost: BTreeSet<char> = found
        .iter()
        .filter(|(_, id)| id.is_none())
        .map(|(&c, _)| c)
        .collect();
    let mut warnings = warnings(&sheet.missing, &lost);
    if !lost.is_empty() {
        sheet = self::sheet(explanation, options, only, &lost)?;
    }
    let parse = usvg::Options {
        fontdb: Arc::new(database),
        font_resolver: resolver(builtin, found),
        ..usvg::Options::default()
    };
    let failed = |cause: String| RenderError::Png { cause };
    let tree =
        usvg::Tree::from_str(&sheet.svg, &parse).map_err(|error| failed(error.to_string()))?;
    let size = tree.size();
    let mut zoom = options.zoom;
    let fits = (PIXELS / (size.width() * size.height())).sqrt();
    if zoom > fits {
        warnings.push(format!(
            "drawn {fits:.2} and not {zoom} times as large: it would not fit into memory"
        ));
        zoom = fits;
    }
    let pixels = |length: f32| (length * zoom).ceil() as u32;
    let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or_else(|| failed(format!("no picture of {size:?}")))?;
    resvg::render(
        &tree,
        Transform::from_scale(zoom, zoom),
        &mut pixmap.as_mut(),
    );
    let bytes = pixmap
        .encode_png()
        .map_err(|error| failed(error.to_string()))?;
    Ok(Rendered { bytes, warnings })
}

/// The font of each character that the built-in one lacks: few for all, so that a text looks of one piece.
fn looked_for(
    missing: &BTreeSet<char>,
    builtin: &[fontdb::ID],
    database: &fontdb::Database,
) -> Found {
    let mut found = Found::new();
    for &c in missing {
        let before: BTreeSet<fontdb::ID> = found.values().flatten().copied().collect();
        found.insert(c, fallback(c, builtin, &before, database));
    }
    found
}

fn resolver(builtin: Vec<fontdb::ID>, found: Found) -> usvg::FontResolver<'static> {
    usvg::FontResolver {
        // Regular, bold: as loaded.
        select_font: Box::new(move |font, _| {
            builtin.get(usize::from(font.weight() >= 600)).copied()
        }),
        select_fallback: Box::new(move |c, used, _| {
            let id = found.get(&c).copied().flatten();
            id.filter(|id| !used.contains(id))
        }),
    }
}

/// The machine's font for a character: one that served before, or an upright sans of normal weight.
fn fallback(
    c: char,
    used: &[fontdb::ID],
    before: &BTreeSet<fontdb::ID>,
    database: &fontdb::Database,
) -> Option<fontdb::ID> {
    let rank = |face: &&fontdb::FaceInfo| {
        let sans = face.families.iter().any(|(name, _)| name.contains("Sans"));
        let weight = face.weight.0.abs_diff(fontdb::Weight::NORMAL.0);
        let slanted = face.style != fontdb::Style::Normal;
        (!before.contains(&face.id), slanted, !sans, weight)
    };
    let faces = database.faces().filter(|face| !used.contains(&face.id));
    let mut faces: Vec<&fontdb::FaceInfo> = faces.collect();
    faces.sort_by_key(rank);
    let has = |face: &&fontdb::FaceInfo| {
        let has = database.with_face_data(face.id, |data, index| {
            covers(data, index, c) && !covers(data, index, NEVER)
        });
        has.unwrap_or(false)
    };
    faces.into_iter().find(has).map(|face| face.id)
}

/// Whether a font has a glyph for a character.
fn covers(data: &[u8], index: u32, c: char) -> bool {
    let Ok(font) = FontRef::from_index(data, index) else {
        return false;
    };
    let data = ShaperData::new(&font);
    let mut buffer = UnicodeBuffer::new();
    buffer.add(c, 0);
    buffer.guess_segment_properties();
    let glyphs = data
        .shaper(&font)
        .build()
        .shape(buffer, ShapeOptions::new());
    glyphs.glyph_infos().iter().all(|info| info.glyph_id != 0)
}

fn warnings(missing: &BTreeSet<char>, lost: &BTreeSet<char>) -> Vec<String> {
    let drawn: BTreeSet<char> = missing.difference(lost).copied().collect();
    let mut warnings = Vec::new();
    if !drawn.is_empty() {
        warnings.push(format!(
            "the built-in font lacks {}: drawn in fonts of this machine",
            characters(&drawn)
        ));
    }
    if !lost.is_empty() {
        warnings.push(format!(
            "no font of this machine has {}: drawn as boxes",
            characters(lost)
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fonts of one box: `east.ttf` has U+6771, `anything.ttf` U+6771, U+4EAC and the noncharacter U+FDD0.
    const EAST: &[u8] = include_bytes!("../tests/data/east.ttf");
    const ANYTHING: &[u8] = include_bytes!("../tests/data/anything.ttf");

    fn found(fonts: &[&[u8]], c: char) -> Option<String> {
        let mut database = fontdb::Database::new();
        for font in fonts {
            database.load_font_data(font.to_vec());
        }
        let looked_for = looked_for(&BTreeSet::from([c]), &[], &database);
        let face = database.face(looked_for[&c]?)?;
        Some(face.families.first()?.0.clone())
    }

    #[test]
    fn a_font_of_placeholders_has_nothing() {
        assert_eq!(found(&[ANYTHING, EAST], '東').as_deref(), Some("East Sans"));
        assert_eq!(found(&[EAST], '京'), None);
        assert_eq!(found(&[ANYTHING], '東'), None);
        assert_eq!(found(&[ANYTHING], '京'), None);
        let lost = BTreeSet::from(['京']);
        let said = warnings(&BTreeSet::from(['東', '京']), &lost);
        assert_eq!(said.len(), 2);
        assert!(
            said[0].contains("U+6771") && said[1].contains("U+4EAC") && said[1].contains("boxes")
        );
    }

    #[test]
    fn a_box_stands_in_the_room_of_its_character() -> Result<(), Box<dyn std::error::Error>> {
        let json = include_str!("../tests/data/mill.json").replace("in 1877", "東京 👩\u{200d}🚀");
        let mut explanation: Explanation = serde_json::from_str(&json)?;
        // Eight characters before, seven now.
        explanation.passage.push(' ');
        explanation.validate()?;
        let options = Options::default();
        let of = |lost: &[char]| {
            sheet(
                &explanation,
                &options,
                Some(1),
                &lost.iter().copied().collect(),
            )
        };
        let (all, boxed) = (of(&[])?, of(&['東', '京', '👩', '🚀'])?);
        assert!(all.svg.contains("👩") && !all.svg.contains('□'));
        assert!(!boxed.svg.contains('京') && !boxed.svg.contains("👩"));
        // Two signs and one emoji of three characters, the latter in the list of the strongest again; each run stretched to the width that it had.
        let runs = |svg: &str, c: char| -> Vec<String> {
            let lines = svg
                .lines()
                .filter(|line| line.starts_with("<text") && line.contains(c));
            lines.map(str::to_owned).collect()
        };
        let boxes = runs(&boxed.svg, '□');
        assert_eq!(
            boxes
                .iter()
                .map(|line| line.matches('□').count())
                .sum::<usize>(),
            4
        );
        let width = |line: &str| {
            line.split("textLength=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .map(str::to_owned)
        };
        let before: Vec<_> = all
            .svg
            .lines()
            .filter(|line| line.contains(['東', '京', '👩']))
            .filter_map(width)
            .collect();
        assert_eq!(
            boxes
                .iter()
                .filter_map(|line| width(line))
                .collect::<Vec<_>>(),
            before
        );
        assert!(
            boxes.iter().all(|line| line.contains("spacingAndGlyphs")),
            "{boxes:?}"
        );
        Ok(())
    }
}
