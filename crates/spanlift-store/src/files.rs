//! Files that are there whole or not at all, and a lock that goes with its process.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::StoreError;

/// What the name of a file that is being written ends in.
const UNDER_WAY: &str = ".tmp";

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io {
        action,
        path,
        source,
    }
}

pub(crate) fn make_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(failed("made", path))
}

/// Writes a whole file, or nothing: to a temporary file beside it, then renamed.
///
/// # Errors
///
/// [`StoreError::Io`] where it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_through(path, |file| file.write_all(bytes))
}

fn write_through(
    path: &Path,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(UNDER_WAY);
    // Those of any new file, which the user's mask then narrows; a temporary file would be its owner's alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let written = builder.tempfile_in(folder).and_then(|mut file| {
        write(&mut file)?;
        file.as_file().sync_all()?;
        Ok(file.persist(path)?)
    });
    match written {
        Ok(_) => Ok(()),
        // Another process has done the same and tidied up.
        Err(error) if error.kind() == ErrorKind::NotFound && path.exists() => Ok(()),
        Err(error) => Err(failed("written", path)(error)),
    }
}

/// The file that says what a folder holds, and what that is.
const KINDS: [(&str, &str); 3] = [
    ("run.json", "a run of explanations"),
    ("compare.json", "a comparison of methods"),
    ("train.json", "a run of training"),
];

/// Refuses a folder that holds work of another kind than `own`'s, which is the name of the file that would say so.
///
/// # Errors
///
/// [`StoreError::OtherKind`].
pub fn check_kind(folder: &Path, own: &str) -> Result<(), StoreError> {
    for (name, holds) in KINDS {
        let path = folder.join(name);
        if name != own && path.exists() {
            return Err(StoreError::OtherKind { path, holds });
        }
    }
    Ok(())
}

/// Removes what killed processes left half written in a folder.
///
/// # Errors
///
/// [`StoreError::Io`] where the folder cannot be read, or a file not be removed.
pub fn tidy(folder: &Path) -> Result<(), StoreError> {
    for name in names(folder)? {
        let hidden = name.to_string_lossy();
        if hidden.starts_with('.') && hidden.ends_with(UNDER_WAY) {
            let path = folder.join(&name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("removed", &path)(error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What a folder holds.
pub(crate) fn names(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        let names = entries.map(|entry| Ok(PathBuf::from(entry?.file_name())));
        names.collect()
    });
    entries.map_err(failed("read", folder))
}

/// A lock that waits for its turn, and that the system lets go where the process dies. Where a file system has none, as some
/// that clusters share, nothing is locked: what is written under it is the same whoever writes it.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let file = lockable(path)?;
    match file.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(failed("locked", path)(error)),
        _ => Ok(file),
    }
}

/// The same without waiting: none where another has it.
///
/// # Errors
///
/// [`StoreError::Io`] where the file cannot be made or locked.
pub fn try_lock(path: &Path) -> Result<Option<File>, StoreError> {
    let file = lockable(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
            Err(failed("locked", path)(error))
        }
        _ => Ok(Some(file)),
    }
}

fn lockable(path: &Path) -> Result<File, StoreError> {
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(false);
    options.open(path).map_err(failed("written", path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests panic to fail")]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        write_whole(&path, b"old").unwrap();
        let full = |file: &mut NamedTempFile| {
            file.write_all(b"ne")?;
            Err(ErrorKind::StorageFull.into())
        };
        let error = write_through(&path, full).unwrap_err();
        let StoreError::Io { action, source, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(
            (*action, source.kind()),
            ("written", ErrorKind::StorageFull)
        );
        assert!(
            error.to_string().ends_with("part` cannot be written"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()).unwrap(), [PathBuf::from("part")]);
    }

    #[test]
    fn a_file_that_another_process_tidied_away_is_no_error_where_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        let tidied = |_: &mut NamedTempFile| tidy(folder.path()).map_err(io::Error::other);
        let error = write_through(&path, tidied).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
        write_whole(&path, b"whole").unwrap();
        write_through(&path, tidied).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn a_folder_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (own, _) in KINDS {
            check_kind(folder.path(), own).unwrap();
        }
        fs::write(folder.path().join("compare.json"), "").unwrap();
        check_kind(folder.path(), "compare.json").unwrap();
        for own in ["run.json", "train.json"] {
            let error = check_kind(folder.path(), own).unwrap_err().to_string();
            let says = "compare.json`: the folder holds a comparison of methods; take another";
            assert!(error.ends_with(says), "{error}");
        }
    }

    #[test]
    fn tidying_takes_what_is_half_written_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["chunk", ".hidden", ".chunk.x1.tmp", "notes.tmp"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        tidy(folder.path()).unwrap();
        let mut left = names(folder.path()).unwrap();
        left.sort();
        assert_eq!(left, [".hidden", "chunk", "notes.tmp"].map(PathBuf::from));
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path).unwrap();
        let other = File::options().write(true).open(&path).unwrap();
        assert!(other.try_lock().is_err());
        drop(held);
        other.try_lock().unwrap();
    }
}
