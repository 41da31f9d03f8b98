//! `ORG/NAME@REVISION`, taken apart and checked: what is left can be part of a path and of a URL.

use std::fmt;
use std::str::FromStr;

use crate::HubError;

/// The revision that is meant where none is named.
const MAIN: &str = "main";
/// The hub's own bound on ORG/NAME; git's file systems bound a revision at about this.
const LONGEST_REPOSITORY: usize = 96;
const LONGEST_REVISION: usize = 255;

/// A model's repository on the hub, and which state of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubName {
    repository: String,
    revision: String,
}

impl HubName {
    /// `ORG/NAME`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// A branch, a tag or a commit; `main` where none was named.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if self.revision != MAIN {
            write!(f, "@{}", self.revision)?;
        }
        Ok(())
    }
}

impl FromStr for HubName {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let (repository, revision) = text.split_once('@').unwrap_or((text, MAIN));
        match problem(repository, revision) {
            Some(reason) => Err(HubError::Name {
                name: text.to_owned(),
                reason,
            }),
            None => Ok(Self {
                repository: repository.to_owned(),
                revision: revision.to_owned(),
            }),
        }
    }
}

fn problem(repository: &str, revision: &str) -> Option<&'static str> {
    let parts: Vec<&str> = repository.split('/').collect();
    if parts.len() != 2 || parts.contains(&"") {
        return Some("got another number of parts");
    }
    if repository.len() > LONGEST_REPOSITORY {
        return Some("got more than 96 characters");
    }
    if !parts.iter().all(|part| part.chars().all(is_plain)) {
        return Some("with letters, digits, `.`, `_` and `-`, got another character");
    }
    let ends = |part: &&str| part.starts_with(['.', '-']) || part.ends_with(['.', '-']);
    if parts.iter().any(ends) || repository.contains("--") || repository.contains("..") {
        return Some("got `.` or `-` at an end or twice");
    }
    if revision.is_empty() || revision.len() > LONGEST_REVISION {
        return Some("got a revision of no or more than 255 characters");
    }
    if !revision
        .chars()
        .all(|c| is_plain(c) || c == '/' || c == '+')
    {
        return Some(
            "got a revision with other characters than letters, digits, `.`, `_`, `-`, `+` and `/`",
        );
    }
    // As git itself has it; nor can such a part lead out of a folder.
    let lost = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with('.');
    if revision.split('/').any(lost) || revision.contains("..") {
        return Some("got a revision with an empty part, or one with `.` at an end or twice");
    }
    None
}

/// A character that means nothing to a URL or a path.
pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}
