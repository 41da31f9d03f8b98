//! Foreign text and numbers made fit for XML.

use std::fmt::Write as _;

use crate::text::visible;

/// Text for an element or an attribute: controls and what XML forbids replaced by `�`, and the five characters with a meaning by their entities.
///
/// What is left is in `Char` of XML 1.0: <https://www.w3.org/TR/xml/#charsets>.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A length, to a hundredth.
pub(crate) fn number(x: f32) -> String {
    let mut text = format!("{x:.2}");
    while text.ends_with('0') {
        text.pop();
    }
    if text.ends_with('.') {
        text.pop();
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// `name="length"` for each pair, a blank before each.
pub(crate) fn lengths(svg: &mut String, pairs: &[(&str, f32)]) {
    for &(name, x) in pairs {
        // Writing to a String cannot fail.
        let _ = write!(svg, " {name}=\"{}\"", number(x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, -0.001, 1.0, 10.0, 2.5, 3.456, -7.126].map(number);
        assert_eq!(numbers, ["0", "0", "1", "10", "2.5", "3.46", "-7.13"]);
    }

    #[test]
    fn every_character_is_one_of_xml() {
        assert_eq!(escape("<a & \"b'>"), "&lt;a &amp; &quot;b&#39;&gt;");
        let all: String = (0..=0x0010_ffff).filter_map(char::from_u32).collect();
        let document = format!("<a>{}</a>", escape(&all));
        assert!(roxmltree::Document::parse(&document).is_ok());
    }
}
