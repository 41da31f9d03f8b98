//! The page: one file, nothing that acts, the explanation whole inside it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::{hostile, mill, none, scripts};
use spanlift_explanation::Explanation;
use spanlift_render::colour::{Palette, Ramp};
use spanlift_render::{Options, Scale, Unit, format_for};

fn html(explanation: &Explanation, options: &Options) -> String {
    let format = format_for("page.html".as_ref()).unwrap();
    String::from_utf8(format.write(explanation, options).unwrap().bytes).unwrap()
}

/// What stands between two texts, and what follows.
fn between<'a>(text: &'a str, open: &str, close: &str) -> (&'a str, &'a str) {
    let (_, rest) = text.split_once(open).unwrap();
    rest.split_once(close).unwrap()
}

const JSON: &str = "<script type=\"application/json\">";

#[test]
fn the_page_is_what_was_looked_at() {
    for (name, explanation) in [("mill", mill()), ("none", none()), ("hostile", hostile())] {
        let page = html(&explanation, &Options::default());
        let (component, _) = between(&page, "</spanlift-explanation>\n<script>", "</script>");
        let (hash, _) = between(&page, "'sha256-", "'");
        let (json, _) = between(&page, JSON, "</script>");
        let page = page
            .replace(component, "[component]")
            .replace(hash, "[hash]")
            .replace(json, "[json]");
        insta::assert_snapshot!(format!("page_{name}"), page);
    }
}

#[test]
fn the_explanation_is_whole() {
    for explanation in [mill(), none(), hostile(), scripts()] {
        let page = html(&explanation, &Options::default());
        let (json, _) = between(&page, JSON, "</script>");
        assert!(!json.contains(['<', '\u{2028}', '\u{2029}']));
        assert_eq!(Explanation::from_json(json).unwrap(), explanation);
    }
}

#[test]
fn nothing_foreign_acts() {
    let page = html(&hostile(), &Options::default());
    assert!(page.contains("alert(1)") && page.contains("alert(2)"));
    let (head, rest) = page.split_once(JSON).unwrap();
    let (_, rest) = rest.split_once("</script>").unwrap();
    let (body, rest) = rest.split_once("</spanlift-explanation>").unwrap();
    for text in [head, body] {
        assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        assert!(!text.contains(
            |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}')
        ));
    }
    // One more script, which nothing ends before its end.
    assert_eq!(rest.to_lowercase().matches("<script>").count(), 1);
    assert_eq!(rest.to_lowercase().matches("</script").count(), 1);
    assert!(!rest.contains("<!--"));
}

#[test]
fn the_page_reaches_nothing() {
    let page = html(&mill(), &Options::default());
    let (policy, _) = between(
        &page,
        "http-equiv=\"Content-Security-Policy\" content=\"",
        "\"",
    );
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("'self'"));
    for source in ["<link", "<img", "<iframe", " src=", "@import", "url("] {
        assert!(
            !page.split_once("<script").unwrap().0.contains(source),
            "{source}"
        );
    }
}

#[test]
fn the_page_says_what_was_asked_for() {
    let options = Options {
        scale: Scale::Shared,
        palette: Palette::ColourBlind,
        ramp: Ramp::Root,
        unit: Unit::Wordpieces,
        ..Options::default()
    };
    let page = html(&mill(), &options);
    assert!(page.contains("<spanlift-explanation unit=\"wordpieces\" scale=\"shared\" ramp=\"root\" palette=\"colour-blind\">"));
    assert!(
        html(&mill(), &Options::default())
            .contains("unit=\"words\" scale=\"layer\" ramp=\"linear\" palette=\"red-blue\"")
    );
}
