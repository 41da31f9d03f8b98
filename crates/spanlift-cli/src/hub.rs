//! A model of the hub: fetched, with the download on standard error.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use spanlift_hub::{HubName, Progress, Settings};

use crate::output;

/// The folder, and the name, of a model that is no folder here.
pub(crate) fn fetch(
    option: &'static str,
    typed: &Path,
    offline: bool,
) -> anyhow::Result<(PathBuf, String)> {
    let no_folder = || format!("{option}: there is no folder `{}`", typed.display());
    let name: HubName = typed.to_string_lossy().parse().with_context(no_folder)?;
    let mut settings = Settings::from_env().context(option)?;
    settings.offline |= offline;
    let mut bar = None;
    let found = spanlift_hub::fetch(&name, &settings, &mut |now| {
        show(bar.get_or_insert_with(|| begin(&name, now.total)), now);
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let found = found.with_context(|| format!("{}, and from the hub", no_folder()))?;
    if let Some(error) = found.unasked {
        let (commit, error) = (found.commit, anyhow::Error::from(error));
        output::note(&format!(
            "`{name}` is the cached copy, commit {commit}: {error:#}"
        ));
    }
    Ok((found.folder, name.to_string()))
}

/// A line, and a bar where standard error is a terminal.
fn begin(name: &HubName, total: u64) -> ProgressBar {
    output::note(&format!("downloading `{name}`, {}", DecimalBytes(total)));
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    let template =
        "{msg} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn show(bar: &ProgressBar, now: Progress<'_>) {
    if bar.message() != now.file {
        bar.set_message(now.file.to_owned());
    }
    bar.set_position(now.done);
}
