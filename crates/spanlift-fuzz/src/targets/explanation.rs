//! The Explanation's JSON; what validates is written back and drawn in every format.

use spanlift_explanation::Explanation;
use spanlift_render::colour::Ramp;
use spanlift_render::{
    ColourDepth, FORMATS, Options, Scale, TerminalOptions, Unit, figures, terminal,
};

use crate::mutate::Shape;
use crate::run::{Bound, Outcome, Probe, Target};

/// A number of two bytes (`0,`) becomes one of 4 or 8 in a list that doubles; a list in a list of three (`[],`) one of 24.
const READ: Bound = Bound {
    factor: 64,
    constant: 1 << 18,
};

/// A token is a box with a text in the pictures, a cut of each layer in the page: some kilobytes for some hundred bytes of
/// file. The constant is the page's program and fonts.
const SHOW: Bound = Bound {
    factor: 512,
    constant: 16 << 20,
};

/// The pixels of a picture, which are limited, and the machine's fonts.
const DRAW: Bound = Bound {
    factor: 512,
    constant: 1 << 30,
};

/// One of so many that validate is drawn in pixels, which takes longest.
const DRAWN: usize = 101;

const WORDS: &[&str] = &[
    "\"format\"",
    "\"version\"",
    "\"layers\"",
    "\"heads\"",
    "\"hidden\"",
    "\"tokens\"",
    "\"start\"",
    "\"end\"",
    "\"special\"",
    "\"passage\"",
    "\"versus\"",
    r#"{"text":"x","start_token":0,"end_token":1}"#,
    "\"margin\"",
    "\"given\"",
    "\"completeness\"",
    "\"bound\"",
    "1e308",
    "-1e308",
    "3.4e38",
    "-3.4e38",
    "1e-45",
    "\"</script><script>\"",
    "\"\\u001b[31m\"",
    "\"&<>\\\"'\"",
    "\"\\u202e\\u0000\"",
    "18446744073709551615",
];

pub(super) fn targets() -> Vec<Target> {
    let mill = include_str!("../../../spanlift-render/tests/data/mill.json");
    let none = least(0);
    vec![Target {
        name: "explanation.json",
        inputs: 1_000_000,
        shape: Shape::Json,
        seeds: vec![mill.into(), mill.into(), none, least(1)],
        words: WORDS,
        run: Box::new(shown),
    }]
}

/// The least Explanation, of so many layers.
fn least(layers: usize) -> Vec<u8> {
    let list = |one: &str| vec![one; layers].join(",");
    let names: Vec<String> = (1..=layers).map(|n| n.to_string()).collect();
    let cuts = names.iter().map(String::as_str).chain(["output"]);
    let cuts: Vec<String> = cuts
        .map(|name| format!(r#"{{"name":"{name}","score":[0,1,-1,0],"positive":[0,1,0,0],"negative":[0,0,-1,0],"sum":0,"error":0}}"#))
        .collect();
    let token = |text: &str, part: &str, at: &str| {
        format!(r#"{{"text":"{text}","id":1,"part":"{part}","start":{at}}}"#)
    };
    let tokens = [
        token("[CLS]", "special", "null,\"end\":null"),
        token("a", "question", "0,\"end\":1"),
        token("b", "passage", "0,\"end\":1"),
        token("[SEP]", "special", "null,\"end\":null"),
    ];
    format!(
        r#"{{"format":"spanlift.explanation","version":1,"model":{{"name":"m","family":"bert","layers":{layers},"heads":1,"hidden":1}},"method":{{"name":"deeplift","rule":"rescale","reference":"mask","references":1,"rules":{{}}}},"question":"a","passage":"b","window":{{"index":0,"count":1,"start":0,"end":1}},"answer":{{"text":"b","start":0,"end":1,"start_token":2,"end_token":2,"score":1,"null_score":0,"has_answer":true,"probability":0.5}},"candidates":[],"tokens":[{}],"target":{{"kind":"span","start_token":2,"end_token":2,"value":1,"reference_value":0,"delta":1}},"layers":[{}],"word_score":[0,1,-1,0],"word_sum":0,"word_error":0,"heads":{{"score":[{}],"by_token":[{}],"residual":[{}],"error":[{}]}},"mlp":[{}],"mlp_residual":[{}],"mlp_error":[{}],"top_edges":[],"completeness":{{"bound":0.001,"worst":0,"cut":"output","holds":true}}}}"#,
        tokens.join(","),
        cuts.join(","),
        list("[0.5]"),
        list("[[0,1,-1,0]]"),
        list("0"),
        list("0"),
        list("0"),
        list("0"),
        list("0"),
    )
    .into_bytes()
}

fn shown(input: &[u8], probe: &mut Probe) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else {
        return Outcome::Refused;
    };
    let length = input.len();
    let explanation = match probe.step("read", length, READ, || Explanation::from_json(text)) {
        Ok(explanation) => explanation,
        Err(error) => {
            drop(error.to_string());
            return Outcome::Refused;
        }
    };
    // What was read can be written, and reads back as the same.
    let again = explanation
        .to_json()
        .map(|text| Explanation::from_json(&text));
    match again {
        Ok(Ok(again)) if again == explanation => {}
        other => {
            return Outcome::Wrong(format!(
                "written and read again: {:.300}",
                format!("{other:?}")
            ));
        }
    }
    let sum: usize = input.iter().map(|&byte| usize::from(byte)).sum();
    let bit = |bit: usize| sum >> bit & 1 == 1;
    let scale = if bit(0) { Scale::Shared } else { Scale::Layer };
    let unit = if bit(1) {
        Unit::Words
    } else {
        Unit::Wordpieces
    };
    let ramp = if bit(2) { Ramp::Root } else { Ramp::Linear };
    let colours = [
        ColourDepth::None,
        ColourDepth::Ansi256,
        ColourDepth::TrueColour,
    ];
    let page = TerminalOptions {
        width: [0, 24, 80, 200][sum >> 3 & 3],
        colour: colours[sum % 3],
        scale,
        ramp,
        unit,
    };
    let shown = probe.step("terminal", length, SHOW, || terminal(&explanation, &page));
    if page.colour == ColourDepth::None && shown.chars().any(|c| c.is_control() && c != '\n') {
        return Outcome::Wrong(format!("a control character in {shown:.200?}"));
    }
    let options = Options {
        scale,
        ramp,
        unit,
        zoom: 0.25,
        ..Options::default()
    };
    let pixels = sum.is_multiple_of(DRAWN);
    for format in FORMATS {
        let (bound, draws) = match format.name() {
            "PNG" => (DRAW, true),
            _ => (SHOW, false),
        };
        if draws && !pixels {
            continue;
        }
        let written = probe.step(format.name(), length, bound, || {
            format.write(&explanation, &options)
        });
        match written {
            Ok(rendered) if rendered.bytes.is_empty() => {
                return Outcome::Wrong(format!("an empty {}", format.name()));
            }
            Ok(_) => {}
            Err(error) => return Outcome::Wrong(format!("{}: {error}", format.name())),
        }
    }
    if pixels
        && sum.is_multiple_of(7)
        && let Err(error) = probe.step("figures", length, DRAW, || figures(&explanation, &options))
    {
        return Outcome::Wrong(format!("figures: {error}"));
    }
    Outcome::Read
}
