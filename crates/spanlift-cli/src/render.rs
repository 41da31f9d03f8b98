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
        let name = folder.display();
        ensure!(
            folder.is_dir() || !folder.exists(),
            "--figures: `{name}`: expected a folder, got a file"
        );
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--figures: `{name}` cannot be made"))?;
        tempfile::NamedTempFile::new_in(folder)
            .with_context(|| format!("--figures: `{name}` cannot be written to"))?;
    }
    Ok(())
}

/// Writes every file that was asked for; one that fails does not keep the others from being written.
pub(crate) fn write(args: &PictureArgs, explanation: &Explanation) -> anyhow::Result<()> {
    let options = args.options();
    let mut failed = Vec::new();
    for path in &args.outputs {
        let rendered = format_for(path)
            .and_then(|format| format.write(explanation, &options))
            .with_context(|| format!("--output: `{}`", path.display()));
        let written = rendered.and_then(|rendered| save("--output", path, &rendered));
        failed.extend(written.err().map(|error| format!("{error:#}")));
    }
    if let Some(folder) = &args.figures {
        let rendered = figures(explanation, &options)
            .with_context(|| format!("--figures: `{}`", folder.display()));
        match rendered {
            Ok(rendered) => {
                for (name, rendered) in rendered {
                    let written = save("--figures", &folder.join(name), &rendered);
                    failed.extend(written.err().map(|error| format!("{error:#}")));
                }
            }
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn save(option: &str, path: &std::path::Path, rendered: &Rendered) -> anyhow::Result<()> {
    for warning in &rendered.warnings {
        output::note(&format!("{option}: `{}`: {warning}", path.display()));
    }
    output::write_whole(option, path, &rendered.bytes)
}
