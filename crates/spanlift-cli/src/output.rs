//! What leaves the program: text, files and the exit code.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tempfile::NamedTempFile;

use spanlift_render::ColourDepth;

use crate::args::ColourArg;
use crate::log;

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Done,
    /// It is done, and a check failed.
    Negative,
}

impl Outcome {
    /// Negative where either is.
    pub(crate) fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

/// 0 done, 1 done with a negative outcome, 2 bad input or failure. A reader that went away is no failure.
pub(crate) fn exit_code(outcome: anyhow::Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Negative) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            line(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    io.into_iter()
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Results, to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")
}

/// Everything else, to standard error; nobody reading it is no reason to stop.
fn line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Something that the user may want to know.
pub(crate) fn note(text: &str) {
    line(&format!("note: {text}"));
}

/// Something that the user must not overlook.
pub(crate) fn warn(text: &str) {
    line(&format!("WARNING: {text}"));
}

/// `1 question`, `2 questions`.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Says what is being done where nobody can say how long it takes, on standard error where that is a terminal.
pub(crate) fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{prefix} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

/// A bar over so many questions with rate and time left, on standard error; where that is no terminal, a line a minute.
pub(crate) fn progress(questions: usize, name: &str) -> ProgressBar {
    let bar = ProgressBar::new(questions as u64);
    let template = if io::stderr().is_terminal() {
        "{prefix:8} {bar:30} {pos}/{len} {per_sec} {eta} left"
    } else {
        bar.set_draw_target(log::target(io::stderr(), log::EVERY));
        "{prefix}: {pos}/{len}, {per_sec}, {eta} left"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_owned());
    bar
}

/// The colours that standard output can show.
pub(crate) fn colour_depth(asked: ColourArg) -> ColourDepth {
    let stdout = supports_color::Stream::Stdout;
    match asked {
        ColourArg::Never => ColourDepth::None,
        ColourArg::Auto if !io::stdout().is_terminal() => ColourDepth::None,
        ColourArg::Auto => match supports_color::on(stdout) {
            Some(level) if level.has_16m => ColourDepth::TrueColour,
            // A terminal that is only known to have 16 colours: nearly all show 256.
            Some(_) => ColourDepth::Ansi256,
            None => ColourDepth::None,
        },
        // Through a pipe the terminal behind it is unknown: 256 colours are shown by nearly all.
        ColourArg::Always => match supports_color::on(stdout) {
            Some(level) if level.has_16m => ColourDepth::TrueColour,
            _ if std::env::var("COLORTERM").is_ok_and(|v| v == "truecolor" || v == "24bit") => {
                ColourDepth::TrueColour
            }
            _ => ColourDepth::Ansi256,
        },
    }
}

/// Columns of the terminal; 80 where there is none.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// Checks before the work is done that a page can be written there, under a name that a browser takes for one.
pub(crate) fn check_page(option: &str, path: &Path) -> anyhow::Result<()> {
    check_targets(&[(option, path)], &[])?;
    let ending = path.extension().unwrap_or_default();
    ensure!(
        ["html", "htm"]
            .iter()
            .any(|page| ending.eq_ignore_ascii_case(page)),
        "{option}: `{}`: expected a name in .html",
        path.display()
    );
    Ok(())
}

/// Checks before the work is done that every file can be written, that each is another one, and none an input.
pub(crate) fn check_targets(targets: &[(&str, &Path)], inputs: &[&Path]) -> anyhow::Result<()> {
    let inputs: Vec<PathBuf> = inputs
        .iter()
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    let mut seen = Vec::new();
    for (option, path) in targets {
        let name = path.display();
        let target = behind(path);
        ensure!(
            !path.is_dir(),
            "{option}: `{name}`: expected a file, got a folder"
        );
        // A device would be replaced by a file.
        ensure!(
            path.is_file() || !path.exists(),
            "{option}: `{name}`: expected a file, or a name for a new one"
        );
        let folder = folder(&target);
        ensure!(
            folder.is_dir(),
            "{option}: `{name}` cannot be written: there is no folder `{}`",
            folder.display()
        );
        NamedTempFile::new_in(folder)
            .with_context(|| format!("{option}: `{name}` cannot be written"))?;
        let place = (
            folder.canonicalize()?,
            target.file_name().map(ToOwned::to_owned),
        );
        ensure!(
            !seen.contains(&place),
            "{option}: `{name}`: expected a file of its own, but it is asked for twice"
        );
        seen.push(place);
        let is_input = path.canonicalize().is_ok_and(|path| inputs.contains(&path));
        ensure!(
            !is_input,
            "{option}: `{name}`: expected a file other than the input"
        );
    }
    Ok(())
}

/// Sees that a folder can be written to or, where it is not there, be made; makes none.
pub(crate) fn check_folder_to_be(option: &str, folder: &Path) -> anyhow::Result<()> {
    let name = folder.display();
    ensure!(
        folder.is_dir() || !folder.exists(),
        "{option}: `{name}`: expected a folder, got a file"
    );
    let there = folder.ancestors().find(|part| part.exists());
    let there = there.unwrap_or(Path::new("."));
    ensure!(
        there.is_dir(),
        "{option}: `{name}` cannot be made: `{}` is a file",
        there.display()
    );
    NamedTempFile::new_in(there)
        .with_context(|| format!("{option}: `{name}` cannot be written to"))?;
    Ok(())
}

/// Makes the folder where it is not there, and sees that it can be written to.
pub(crate) fn check_folder(option: &str, folder: &Path) -> anyhow::Result<()> {
    let name = folder.display();
    ensure!(
        folder.is_dir() || !folder.exists(),
        "{option}: `{name}`: expected a folder, got a file"
    );
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{option}: `{name}` cannot be made"))?;
    NamedTempFile::new_in(folder)
        .with_context(|| format!("{option}: `{name}` cannot be written to"))?;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a whole file, or nothing: to a temporary file beside it, then renamed.
pub(crate) fn write_whole(option: &str, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut files = WholeFiles::new(option, &[path])?;
    let written = files.write_all(bytes);
    written.with_context(|| files.failed(path))?;
    files.finish()
}

/// Writes files whole, all of them or, where one cannot be made, none.
pub(crate) fn write_each(option: &str, files: &[(PathBuf, Vec<u8>)]) -> anyhow::Result<()> {
    let written: Vec<WholeFiles<'_>> = files
        .iter()
        .map(|(path, bytes)| {
            let mut file = WholeFiles::new(option, &[path.as_path()])?;
            let written = file.write_all(bytes);
            written.with_context(|| file.failed(path))?;
            Ok(file)
        })
        .collect::<anyhow::Result<_>>()?;
    written.into_iter().try_for_each(WholeFiles::finish)
}

/// Files that get the same bytes, piece by piece, and are there when all is written: until then temporary files beside them.
pub(crate) struct WholeFiles<'a> {
    option: &'a str,
    files: Vec<(&'a Path, BufWriter<NamedTempFile>)>,
}

/// What a link leads to, be it there or not, so that the link stays.
fn behind(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match path.read_link() {
        Ok(to) => folder(path).join(to),
        Err(_) => path.to_owned(),
    }
}

impl<'a> WholeFiles<'a> {
    /// None of them is there yet.
    pub(crate) fn new(option: &'a str, paths: &[&'a Path]) -> anyhow::Result<Self> {
        let mut all = Self {
            option,
            files: Vec::new(),
        };
        for path in paths {
            let mut builder = tempfile::Builder::new();
            // Those of any new file, which the user's mask then narrows; a temporary file would be its owner's alone.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            let file = builder.tempfile_in(folder(&behind(path)));
            let file = file.with_context(|| all.failed(path))?;
            all.files.push((path, BufWriter::new(file)));
        }
        Ok(all)
    }

    /// All is written: each takes its name.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        for (path, file) in std::mem::take(&mut self.files) {
            let persist = || -> io::Result<()> {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(behind(path))?;
                Ok(())
            };
            persist().with_context(|| self.failed(path))?;
        }
        Ok(())
    }

    fn failed(&self, path: &Path) -> String {
        format!("{}: `{}` cannot be written", self.option, path.display())
    }
}

impl Write for WholeFiles<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.files
            .iter_mut()
            .try_for_each(|(_, file)| file.write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.iter_mut().try_for_each(|(_, file)| file.flush())
    }
}

/// Shows how many windows of a passage have been read, where there is more than one.
pub(crate) fn watch_windows() -> impl FnMut(usize, usize) {
    let mut bar = None;
    move |done, count| {
        let bar = bar.get_or_insert_with(|| progress(count, "reading"));
        bar.set_position(done as u64);
        if done == count {
            bar.finish_and_clear();
        }
    }
}
