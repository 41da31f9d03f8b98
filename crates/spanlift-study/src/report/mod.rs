//! The report: the tables of a study and the maps of its questions as one page that needs nothing else.
//!
//! ```text
//!  Table ──columns.rs──> columns, short      ──┐
//!  Record ──map.rs─────> QuestionMap, packed ──┴──> JSON ──spanlift_render::page──> HTML with the component of web/src/study
//! ```
//!
//! What a question, a passage or a title says is other people's text: in the JSON and outside of it it is text alone.

pub(crate) mod columns;
mod map;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use spanlift_render::page::{Page, escape};
use spanlift_store::Plan;

use crate::roles::Role;
use crate::table::Table;
use crate::{StudyError, Values};
use columns::Columns;
pub(crate) use map::Packed;
use map::Passage;
pub use map::QuestionMap;

/// The built web component.
const COMPONENT: &str = include_str!("../../../../web/dist/spanlift-study.js");

/// What makes a table that a study may lack.
const MADE_BY: [(&str, &str); 4] = [
    ("claims", "`spanlift study claims` tests them."),
    ("clusterings", "`spanlift study cluster` makes them."),
    (
        "cluster_shares",
        "Only clusters of the layer profiles have them.",
    ),
    ("heads", "The run has no scores of heads."),
];

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct ReportData<'a> {
    /// What was run, on what.
    pub facts: Facts,
    /// The tables, in the order of the page's list; any may be missing.
    pub tables: &'a [Table],
    /// What would make a table that is not among them, where it is not the usual: its name, and a sentence with commands
    /// between back quotes.
    pub missing: &'a [(&'a str, &'a str)],
    /// The questions whose heatmaps are in the page.
    pub maps: &'a [QuestionMap],
}

/// What was run, on what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// The run's folder, without the folders above it.
    pub run: String,
    /// The model's name.
    pub model: String,
    /// Its family.
    pub family: String,
    /// L.
    pub layers: usize,
    /// A.
    pub heads: usize,
    /// Method and rule.
    pub method: String,
    /// What the input was compared with.
    pub reference: String,
    /// The data set's file.
    pub data: String,
    /// Questions of the study.
    pub questions: usize,
    /// The version of the program that made the run.
    pub version: String,
    /// What else was chosen: name and value.
    pub options: Vec<(String, String)>,
    /// What the claims were held against.
    pub controls: Controls,
}

/// The runs that the claims were held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Controls {
    /// One that explains random spans.
    pub spans: bool,
    /// One of re-initialised weights.
    pub weights: bool,
}

impl Facts {
    /// Those of a run: `run` is its folder's name, `questions` what of it was studied, `options` how.
    #[must_use]
    pub fn new(
        run: &str,
        plan: &Plan,
        questions: usize,
        options: &[(&str, String)],
        controls: Controls,
    ) -> Self {
        let (model, method) = (&plan.model.info, &plan.method.info);
        let options = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Self {
            run: run.to_owned(),
            model: model.name.clone(),
            family: model.family.clone(),
            layers: model.layers,
            heads: model.heads,
            method: format!("{}, {}", method.name, method.rule),
            reference: method.reference.clone(),
            data: plan.data.name.clone(),
            questions,
            version: plan.spanlift.clone(),
            options: options.collect(),
            controls,
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    facts: &'a Facts,
    tables: Vec<Columns<'a>>,
    missing: Vec<Missing<'a>>,
    #[serde(flatten)]
    shared: Shared<'a>,
    maps: Vec<Packed<'a>>,
}

#[derive(Serialize)]
struct Missing<'a> {
    table: &'a str,
    how: &'a str,
}

/// Each different value once, and its place.
struct Once<T> {
    values: Vec<T>,
    places: BTreeMap<T, usize>,
}

impl<T: Ord + Copy> Once<T> {
    fn new() -> Self {
        Self {
            values: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    fn place(&mut self, value: T) -> usize {
        *self.places.entry(value).or_insert_with(|| {
            self.values.push(value);
            self.values.len() - 1
        })
    }
}

/// What maps share with each other, each once.
pub(crate) struct Pack<'a> {
    titles: Once<&'a str>,
    passages: Once<&'a Passage>,
    specials: Once<&'a [Vec<String>; 3]>,
}

/// The same, to be written down.
#[derive(Serialize)]
pub(crate) struct Shared<'a> {
    roles: [&'static str; Role::ALL.len()],
    titles: Vec<&'a str>,
    passages: Vec<&'a Passage>,
    specials: Vec<&'a [Vec<String>; 3]>,
}

impl<'a> Pack<'a> {
    pub(crate) fn new() -> Self {
        Self {
            titles: Once::new(),
            passages: Once::new(),
            specials: Once::new(),
        }
    }

    pub(crate) fn add(&mut self, map: &'a QuestionMap) -> Packed<'a> {
        map.packed(
            self.titles.place(map.title.as_str()),
            self.passages.place(&map.passage),
            self.specials.place(&map.specials),
        )
    }

    pub(crate) fn shared(self) -> Shared<'a> {
        Shared {
            roles: Role::ALL.map(Role::name),
            titles: self.titles.values,
            passages: self.passages.values,
            specials: self.specials.values,
        }
    }
}

/// The page's data: `{"format": "spanlift.study", "version": 1, …}`.
///
/// # Errors
///
/// [`StudyError::Write`] where a table's columns differ in length.
pub fn json(data: &ReportData<'_>) -> Result<String, StudyError> {
    let mut pack = Pack::new();
    let maps = data.maps.iter().map(|map| pack.add(map)).collect();
    let tables: Result<_, _> = data.tables.iter().map(Columns::of).collect();
    let given = data.missing.iter().copied();
    let usual = MADE_BY
        .into_iter()
        .filter(|(table, _)| data.missing.iter().all(|(given, _)| given != table));
    let missing = given
        .chain(usual)
        .filter(|(table, _)| {
            data.tables
                .iter()
                .all(|t| t.name != *table || t.rows() == 0)
        })
        .map(|(table, how)| Missing { table, how });
    let document = Document {
        format: "spanlift.study",
        version: 1,
        facts: &data.facts,
        tables: tables?,
        missing: missing.collect(),
        shared: pack.shared(),
        maps,
    };
    written(&document, "questions")
}

/// A page's data as JSON; `table` is what an error is said of.
pub(crate) fn written(
    document: &impl Serialize,
    table: &'static str,
) -> Result<String, StudyError> {
    serde_json::to_string(document).map_err(|error| StudyError::Write {
        table,
        format: "html",
        reason: error.to_string(),
    })
}

/// A page of the component with its data; `readable` is for where its script does not run.
pub(crate) fn component(title: &str, json: &str, readable: &str) -> String {
    let page = Page {
        tag: "spanlift-study",
        attributes: "",
        component: COMPONENT,
        title,
        json,
        readable,
    };
    page.html()
}

/// The page.
///
/// # Errors
///
/// [`StudyError::Write`] where a table's columns differ in length.
pub fn page(data: &ReportData<'_>) -> Result<String, StudyError> {
    let title = format!("Study of {}", data.facts.run);
    Ok(component(&title, &json(data)?, &readable(data)))
}

/// What was run, and the verdicts: for where the script does not run.
fn readable(data: &ReportData<'_>) -> String {
    let facts = &data.facts;
    let mut html = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        html,
        "<h1 dir=\"auto\">Study of {}</h1>\n\
         <p>{} questions of {}, {} ({} layers, {} heads), {}, reference {}, spanlift {}</p>",
        escape(&facts.run),
        facts.questions,
        escape(&facts.data),
        escape(&facts.model),
        facts.layers,
        facts.heads,
        escape(&facts.method),
        escape(&facts.reference),
        escape(&facts.version),
    );
    if let Some(verdicts) = data.tables.iter().find(|table| table.name == "verdicts") {
        let text = |column: &str, row: usize| match verdicts.column(column) {
            Some(Values::Text(values)) => {
                escape(values.get(row).and_then(Option::as_deref).unwrap_or(""))
            }
            _ => String::new(),
        };
        html.push_str("<table>\n");
        for row in 0..verdicts.rows() {
            let [claim, statement, verdict, why] =
                ["claim", "statement", "verdict", "why"].map(|column| text(column, row));
            let _ = writeln!(
                html,
                "<tr><th>({claim}) {verdict}</th><td>{statement}</td><td>{why}</td></tr>"
            );
        }
        html.push_str("</table>\n");
    }
    html.push_str("<p>Charts, heatmaps and tables are drawn by the page\u{2019}s script.</p>\n");
    html
}
