//! A repository's folder in the cache, laid out as Python's `huggingface_hub` lays it out, so that both share it.
//!
//! ```text
//! models--ORG--NAME/blobs/ETAG                 the contents, each once
//!                  /blobs/ETAG.incomplete      what has come of one
//!                  /snapshots/COMMIT/FILE      links to them: a checkpoint folder
//!                  /refs/REVISION              the commit that a branch or tag stood for
//! .locks/models--ORG--NAME/ETAG.lock           held by who fetches that content
//! ```

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::HubName;
use crate::error::HubError;
use crate::listing::{CONFIG, LISTING_LIMIT, Weights, is_commit, shards};

pub(crate) struct Cache<'a> {
    name: &'a HubName,
    folder: PathBuf,
    locks: PathBuf,
}

impl<'a> Cache<'a> {
    pub(crate) fn new(cache: &Path, name: &'a HubName) -> Self {
        let folder = format!("models--{}", name.repository().replace('/', "--"));
        Self {
            name,
            folder: cache.join(&folder),
            locks: cache.join(".locks").join(&folder),
        }
    }

    /// The checkpoint folder of a commit.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    pub(crate) fn incomplete(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// Whether a commit's file is there already.
    pub(crate) fn has(&self, commit: &str, file: &str) -> bool {
        self.snapshot(commit).join(file).is_file()
    }

    /// Waits until nobody else fetches that content, and keeps others from it until the file is dropped.
    pub(crate) fn lock(&self, etag: &str) -> Result<File, HubError> {
        let path = self.locks.join(format!("{etag}.lock"));
        let lock = || {
            fs::create_dir_all(&self.locks)?;
            fs::create_dir_all(self.folder.join("blobs"))?;
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|source| write(&path, source))
    }

    /// Gives a content its name in the commit's folder.
    pub(crate) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<(), HubError> {
        let path = self.snapshot(commit).join(file);
        let link = || {
            fs::create_dir_all(self.snapshot(commit))?;
            #[cfg(unix)]
            let link = std::os::unix::fs::symlink(Path::new("../../blobs").join(etag), &path);
            #[cfg(not(unix))]
            let link = fs::hard_link(self.blob(etag), &path);
            link
        };
        let link = || match link() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if path.is_file() {
                    // Another run was first.
                    return Ok(());
                }
                // A link to a content that somebody removed.
                fs::remove_file(&path)?;
                link()
            }
            linked => linked,
        };
        link().map_err(|source| write(&path, source))
    }

    /// Remembers what the revision stands for.
    pub(crate) fn remember(&self, commit: &str) -> Result<(), HubError> {
        let revision = self.name.revision();
        if revision == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        if fs::read_to_string(&path).is_ok_and(|known| known == commit) {
            return Ok(());
        }
        let remember = || {
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(commit.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        remember().map_err(|source| write(&path, source))
    }

    /// Folder and commit of a checkpoint that is whole, without asking the hub.
    pub(crate) fn whole(&self) -> Result<(PathBuf, String), HubError> {
        let revision = self.name.revision();
        let known = match is_commit(revision) {
            true => Some(revision.to_owned()),
            false => fs::read_to_string(self.folder.join("refs").join(revision)).ok(),
        };
        let commit = known.map(|text| text.trim().to_owned());
        let Some(commit) = commit.filter(|commit| is_commit(commit)) else {
            return Err(self.not_cached("commit of that name".to_owned()));
        };
        if !self.has(&commit, CONFIG) {
            return Err(self.not_cached(CONFIG.to_owned()));
        }
        let weights = Weights::find(|file| self.has(&commit, file))
            .ok_or_else(|| self.not_cached(Weights::forms()))?;
        if weights.is_index {
            let bytes = self.read(&commit, weights.file)?;
            let shards = shards(self.name.repository(), weights.file, &bytes)?;
            if let Some(absent) = shards.into_iter().find(|shard| !self.has(&commit, shard)) {
                return Err(self.not_cached(absent));
            }
        }
        Ok((self.snapshot(&commit), commit))
    }

    /// The bytes of an index.
    pub(crate) fn read(&self, commit: &str, file: &str) -> Result<Vec<u8>, HubError> {
        let path = self.snapshot(commit).join(file);
        let read = || match fs::metadata(&path)?.len() {
            size if size > LISTING_LIMIT => Err(io::Error::other(format!(
                "expected at most {LISTING_LIMIT} bytes, got {size}"
            ))),
            _ => fs::read(&path),
        };
        read().map_err(|source| HubError::Read {
            path: path.clone(),
            source,
        })
    }

    fn not_cached(&self, missing: String) -> HubError {
        HubError::NotCached {
            repository: self.name.repository().to_owned(),
            revision: self.name.revision().to_owned(),
            path: self.folder.clone(),
            missing,
        }
    }
}

pub(crate) fn write(path: &Path, source: io::Error) -> HubError {
    HubError::Write {
        path: path.to_owned(),
        source,
    }
}
