//! `spanlift render`: a saved explanation, drawn again; and what `explain` shares with it.

use anyhow::{Context, ensure};

use spanlift_explanation::Explanation;
use spanlift_render::{Rendered, figures, format_for, terminal};

use crate::args::{PictureArgs, RenderArgs};
use crate::output::{self, Outcome};

pub(crate) fn run(args: &RenderArgs) -> anyhow::Result<Outcome> {
    let pictures = &args.pictures;
    let targets: Vec<_> = pictures
        .outputs
        .iter()
        .map(|path| ("--output", path.as_path()))
        .collect();
    check(pictures)?;
    output::check_targets(&targets, &[&args.explanation])?;
    let name = args.explanation.display();
    let text = std::fs::read_to_string(&args.explanation)
        .with_context(|| format!("`{name}` cannot be read"))?;
    let explanation =
        Explanation::from_json(&text).with_context(|| format!("`{name}` is no explanation"))?;
    // A picture says whether the sums hold: not by the word of a file that its own scores contradict.
    explanation.check_sums().with_context(|| {
        format!(
            "`{name}` contradicts itself: its sums are not those of its scores, and it is not drawn"
        )
    })?;
    let written = write(pictures, &explanation);
    if pictures.outputs.is_empty() && pictures.figures.is_none() {
        output::print(&terminal(&explanation, &pictures.terminal()))?;
    }
    written?;
    Ok(crate::explain::completeness(&explanation))
}

/// Refuses a format that there is not, and a folder that cannot be one, before the work.
pub(crate) fn check(args: &PictureArgs) -> anyhow::Result<()> {
    for path in &args.outputs {
        format_for(path).with_context(|| format!("--output: `{}`", path.display()))?;
    }
    if let Some(folder) = &args.figures {
        output::check_folder("--figures", folder)?;
    }
    Ok(())
}

/// Writes every file that was asked for; one that fails does not keep the others from being written.
pub(crate) fn write(args: &PictureArgs, explanation: &Explanation) -> anyhow::Result<()> {
    let options = args.options();
    let (mut failed, mut notes) = (Vec::new(), Notes::default());
    for path in &args.outputs {
        let rendered = format_for(path)
            .and_then(|format| format.write(explanation, &options))
            .with_context(|| format!("--output: `{}`", path.display()));
        let written = rendered.and_then(|rendered| {
            notes.add("--output", path, &rendered);
            output::write_whole("--output", path, &rendered.bytes)
        });
        failed.extend(written.err().map(|error| format!("{error:#}")));
    }
    if let Some(folder) = &args.figures {
        let rendered = figures(explanation, &options)
            .with_context(|| format!("--figures: `{}`", folder.display()));
        match rendered {
            Ok(rendered) => {
                for (name, rendered) in rendered {
                    notes.add("--figures", folder, &rendered);
                    let path = folder.join(name);
                    let written = output::write_whole("--figures", &path, &rendered.bytes);
                    failed.extend(written.err().map(|error| format!("{error:#}")));
                }
            }
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    notes.say();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// What is to be said of pictures: each sentence once, with every place that it is about.
#[derive(Default)]
struct Notes {
    notes: Vec<(String, Vec<String>)>,
}

impl Notes {
    fn add(&mut self, option: &str, path: &std::path::Path, rendered: &Rendered) {
        let place = format!("{option}: `{}`", path.display());
        for warning in &rendered.warnings {
            let known = self.notes.iter_mut().find(|(said, _)| said == warning);
            match known {
                Some((_, places)) if places.contains(&place) => {}
                Some((_, places)) => places.push(place.clone()),
                None => self.notes.push((warning.clone(), vec![place.clone()])),
            }
        }
    }

    fn say(&self) {
        for (warning, places) in &self.notes {
            output::note(&format!("{}: {warning}", places.join(", ")));
        }
    }
}
