//! Why a checkpoint could not be had from the hub. No message holds a token, or a URL's query: it may be a signature.

use std::io;
use std::path::PathBuf;

/// Why there is no folder. Sizes are in bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// This cannot be the name of a repository and its revision.
    #[error("`{name}` is no name on the hub: expected ORG/NAME or ORG/NAME@REVISION, {reason}")]
    Name {
        /// What was given.
        name: String,
        /// Where it goes wrong.
        reason: &'static str,
    },
    /// An environment variable says something that cannot be used.
    #[error("{variable}: expected {expected}, got {got}")]
    Setting {
        /// Its name.
        variable: &'static str,
        /// What would do.
        expected: &'static str,
        /// What stands there; a token itself never does.
        got: String,
    },
    /// The hub knows no such repository.
    #[error("`{repository}`: no such repository ({url} answered {status})")]
    NoRepository {
        /// The repository.
        repository: String,
        /// What was asked.
        url: String,
        /// The answer.
        status: u16,
    },
    /// The repository has no such branch, tag or commit.
    #[error(
        "`{repository}`: no such revision as `{revision}`: expected a branch, a tag or a commit ({url} answered {status})"
    )]
    NoRevision {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// What was asked.
        url: String,
        /// The answer.
        status: u16,
    },
    /// The repository has no such file, and there is no checkpoint without it.
    #[error("`{repository}` at `{revision}`: expected {file}, got no such file")]
    NoFile {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// The file, or the choice of files one of which must be there.
        file: String,
    },
    /// 401 or 403. For a repository that is not there, the hub says 401 to whoever comes without a token.
    #[error("`{repository}`: {} ({url} answered {status})", denied(*gated, *token))]
    Denied {
        /// The repository.
        repository: String,
        /// What was asked.
        url: String,
        /// The answer.
        status: u16,
        /// The hub said that access must be asked for.
        gated: bool,
        /// A token was sent.
        token: bool,
    },
    /// Any other status than one that was hoped for.
    #[error("{url}: expected a file, got status {status}{}", said(message))]
    Status {
        /// What was asked.
        url: String,
        /// The answer.
        status: u16,
        /// What the server said to it; empty where it said nothing.
        message: String,
    },
    /// The server cannot be reached, or does not speak HTTP.
    #[error("{url} cannot be reached")]
    Transport {
        /// What was asked.
        url: String,
        /// What the system said.
        source: io::Error,
    },
    /// A redirect to nowhere, or one too many.
    #[error("{url}: expected {expected}, got {got}")]
    Redirect {
        /// What was asked.
        url: String,
        /// What would do.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// A header that is needed is missing or makes no sense.
    #[error("{url}: `{header}`: expected {expected}, got {got}")]
    Header {
        /// What was asked.
        url: String,
        /// Its name.
        header: &'static str,
        /// What would do.
        expected: String,
        /// What came.
        got: String,
    },
    /// The hub's answer about the repository cannot be read.
    #[error("{url}: expected the repository's commit and files, got {reason}")]
    Listing {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The index of the weights cannot be read.
    #[error("`{repository}`: {file}: expected the names of the weights' files, got {reason}")]
    Index {
        /// The repository.
        repository: String,
        /// The index.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The index of the weights names something that is no file beside it.
    #[error(
        "`{repository}`: {file}: expected names of files beside it (letters, digits, `.`, `_`, `-`), got {shard:?}"
    )]
    ShardName {
        /// The repository.
        repository: String,
        /// The index.
        file: String,
        /// The name.
        shard: String,
    },
    /// More bytes than such a file can reasonably have.
    #[error("{url}: expected at most {limit} bytes, got {got}")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The most that is taken.
        limit: u64,
        /// What was announced or, where nothing was, has come.
        got: u64,
    },
    /// The content is not as long as the hub announced. What had come of it is removed.
    #[error("{url}: expected {expected} bytes, got {got}")]
    Size {
        /// What was asked.
        url: String,
        /// As the hub announced.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// The content is not what the hub announced. It is removed.
    #[error("{url}: expected content of SHA-256 {expected}, got {got}; it is removed")]
    Checksum {
        /// What was asked.
        url: String,
        /// As the hub announced.
        expected: String,
        /// Of what came.
        got: String,
    },
    /// The connection broke, again and again. What has come is kept, and the next run goes on from there.
    #[error(
        "{url}: the connection broke: expected {expected} bytes, got {got}, which are kept: run it again to go on"
    )]
    Cut {
        /// What was asked.
        url: String,
        /// The file's size.
        expected: u64,
        /// What there is of it.
        got: u64,
        /// What the system said the last time.
        source: io::Error,
    },
    /// Offline, and the cache does not have it.
    #[error(
        "`{repository}` at `{revision}`: expected it in the cache as the hub is not to be asked (offline), got no {missing} under `{}`",
        path.display()
    )]
    NotCached {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// The repository's folder in the cache.
        path: PathBuf,
        /// What is not there.
        missing: String,
    },
    /// A file or folder of the cache, or the token's, cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder of the cache cannot be written.
    #[error("`{}` cannot be written", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn denied(gated: bool, token: bool) -> &'static str {
    match (gated, token) {
        (true, false) => {
            "access is gated: ask for it on the repository's page, and set HF_TOKEN to a token of yours (got no token)"
        }
        (true, true) => {
            "access is gated: ask for it on the repository's page, as the owner of the token that was sent"
        }
        (false, false) => {
            "no such repository, or a private one: for that set HF_TOKEN to a token with access (got no token)"
        }
        (false, true) => "the token that was sent is not valid, or gives no access",
    }
}

fn said(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!(": {message}"),
    }
}
