//! Requests to the hub: redirects, who may see the token, and what a status means.
//!
//! Redirects are followed here and not by `ureq`: the first answer's headers say what the file is, and the token goes to
//! the hub's own address alone, never to the storage that it leads to.

use std::io::Read as _;
use std::time::Duration;

use ureq::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, LOCATION,
    RANGE,
};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::error::HubError;
use crate::settings::Settings;
use crate::url::Url;
use crate::{HubName, Token};

const MOST_REDIRECTS: usize = 10;
/// A server that takes longer to be connected to is not there.
const CONNECTING: Duration = Duration::from_secs(30);
/// What is shown of a server's own words.
const LONGEST_MESSAGE: usize = 200;

// The hub's own headers:
// https://github.com/huggingface/huggingface_hub/blob/03333b689b5a2dee604676791c0792ede6246a31/src/huggingface_hub/constants.py
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");

/// Who speaks to the hub about one repository.
pub(crate) struct Client<'a> {
    agent: Agent,
    endpoint: Url,
    token: Option<&'a Token>,
    name: &'a HubName,
}

/// What the hub says of a file before it gives it.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) url: Url,
    /// The content's name in the cache: git's id, or the SHA-256 of what is stored apart (LFS).
    pub(crate) etag: String,
    pub(crate) size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Head,
    Get,
}

impl<'a> Client<'a> {
    pub(crate) fn new(name: &'a HubName, settings: &'a Settings) -> Result<Self, HubError> {
        let endpoint = Url::parse(&settings.endpoint).ok_or_else(|| HubError::Setting {
            variable: "HF_ENDPOINT",
            expected: Url::EXPECTED,
            got: format!("`{}`", without_secrets(&settings.endpoint)),
        })?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECTING))
            .timeout_per_read(Some(settings.patience))
            .user_agent(concat!("spanlift/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_loopback() {
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().into(),
            endpoint,
            token: settings.token.as_ref(),
            name,
        })
    }

    /// What the hub knows of the repository at its revision: at most `limit` bytes.
    pub(crate) fn listing(&self, limit: u64) -> Result<(Url, Vec<u8>), HubError> {
        let (repository, revision) = (self.name.repository(), escaped(self.name.revision()));
        let path = format!("/api/models/{repository}/revision/{revision}");
        let (url, mut response) = self.follow(Method::Get, self.endpoint.below(&path), 0)?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(&url, &response, None));
        }
        let mut bytes = Vec::new();
        let mut body = response.body_mut().as_reader().take(limit + 1);
        if let Err(source) = body.read_to_end(&mut bytes) {
            return Err(transport(&url, source));
        }
        match bytes.len() as u64 {
            got if got > limit => Err(HubError::TooLarge {
                url: url.to_string(),
                limit,
                got,
            }),
            _ => Ok((url, bytes)),
        }
    }

    /// Size and name of a file's content.
    pub(crate) fn metadata(
        &self,
        commit: &str,
        file: &str,
        limit: u64,
    ) -> Result<Metadata, HubError> {
        let asked = self.endpoint.below(&format!(
            "/{}/resolve/{commit}/{file}",
            self.name.repository()
        ));
        let (url, response) = self.follow(Method::Head, asked.clone(), 0)?;
        let linked = is_linked(&response);
        if response.status() != StatusCode::OK && !(linked && response.status().is_redirection()) {
            return Err(self.refused(&url, &response, Some(file)));
        }
        let (etag, size) = if linked {
            (LINKED_ETAG, LINKED_SIZE)
        } else {
            (ETAG, CONTENT_LENGTH)
        };
        let missing = |name: &HeaderName, expected: &str| HubError::Header {
            url: url.to_string(),
            header: if *name == ETAG || *name == LINKED_ETAG {
                "ETag"
            } else {
                "Content-Length"
            },
            expected: expected.to_owned(),
            got: header(&response, name).map_or("none".to_owned(), |got| format!("{got:?}")),
        };
        let content = header(&response, &etag).and_then(content_name);
        let content =
            content.ok_or_else(|| missing(&etag, "git's or LFS's name of the content"))?;
        let bytes = header(&response, &size).and_then(|size| size.parse().ok());
        let bytes = bytes.ok_or_else(|| missing(&size, "the file's size"))?;
        if bytes > limit {
            return Err(HubError::TooLarge {
                url: asked.to_string(),
                limit,
                got: bytes,
            });
        }
        Ok(Metadata {
            url: asked,
            etag: content.to_owned(),
            size: bytes,
        })
    }

    /// A file's content from byte `from` on, and where it does begin: a server may know nothing of parts.
    pub(crate) fn content(
        &self,
        file: &str,
        of: &Metadata,
        from: u64,
    ) -> Result<(Body, u64), HubError> {
        let (url, response) = self.follow(Method::Get, of.url.clone(), from)?;
        let part = format!("bytes {from}-{}/{}", of.size.saturating_sub(1), of.size);
        let starts = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT
                if header(&response, &CONTENT_RANGE) == Some(part.as_str()) =>
            {
                from
            }
            // Another part, or none of it: then all of it.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => {
                return self.content(file, of, 0);
            }
            _ => return Err(self.refused(&url, &response, Some(file))),
        };
        let announced = header(&response, &CONTENT_LENGTH)
            .and_then(|length| length.parse::<u64>().ok())
            .map(|length| length.saturating_add(starts));
        match announced {
            Some(got) if got != of.size => Err(HubError::Size {
                url: of.url.to_string(),
                expected: of.size,
                got,
            }),
            _ => Ok((response.into_body(), starts)),
        }
    }

    /// Follows redirects; those of a `HEAD` only as far as an answer that says what the file is.
    fn follow(
        &self,
        method: Method,
        start: Url,
        from: u64,
    ) -> Result<(Url, Response<Body>), HubError> {
        let mut url = start;
        for _ in 0..=MOST_REDIRECTS {
            let mut request = match method {
                Method::Head => self.agent.head(url.whole()),
                Method::Get => self.agent.get(url.whole()),
            };
            request = request.header(ACCEPT_ENCODING, "identity");
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            if let Some(token) = self.token
                && url.same_origin(&self.endpoint)
            {
                request = request.header(AUTHORIZATION, format!("Bearer {}", token.secret()));
            }
            let response = request
                .call()
                .map_err(|error| transport(&url, error.into_io()))?;
            let redirected = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !redirected || (method == Method::Head && is_linked(&response)) {
                return Ok((url, response));
            }
            let location = header(&response, &LOCATION).unwrap_or_default();
            url = url.redirected(location).ok_or_else(|| HubError::Redirect {
                url: url.to_string(),
                expected: "a redirect to another address of http or https",
                got: "none, or one that is not".to_owned(),
            })?;
        }
        Err(HubError::Redirect {
            url: url.to_string(),
            expected: "at most 10 redirects",
            got: "more".to_owned(),
        })
    }

    /// The error that a status stands for. The hub's code says which thing is missing; another server's 404 does not.
    fn refused(&self, url: &Url, response: &Response<Body>, file: Option<&str>) -> HubError {
        let (repository, url) = (self.name.repository().to_owned(), url.to_string());
        let revision = self.name.revision().to_owned();
        let status = response.status().as_u16();
        let code = header(response, &ERROR_CODE);
        match (status, code, file) {
            (401 | 403, _, _) => HubError::Denied {
                repository,
                url,
                status,
                gated: code == Some("GatedRepo"),
                token: self.token.is_some(),
            },
            (404, Some("RevisionNotFound"), _) => HubError::NoRevision {
                repository,
                revision,
                url,
                status,
            },
            (404, Some("RepoNotFound"), _) | (404, _, None) => HubError::NoRepository {
                repository,
                url,
                status,
            },
            (404, _, Some(file)) => HubError::NoFile {
                repository,
                revision,
                file: file.to_owned(),
            },
            _ => HubError::Status {
                url,
                status,
                message: header(response, &ERROR_MESSAGE)
                    .map(|text| text.chars().take(LONGEST_MESSAGE).collect())
                    .unwrap_or_default(),
            },
        }
    }
}

/// Neither user and password nor a query.
fn without_secrets(address: &str) -> &str {
    let address = address.rsplit('@').next().unwrap_or_default();
    address.split('?').next().unwrap_or_default()
}

fn transport(url: &Url, source: std::io::Error) -> HubError {
    HubError::Transport {
        url: url.to_string(),
        source,
    }
}

/// Both of the hub's own headers are there: the content is stored apart.
fn is_linked(response: &Response<Body>) -> bool {
    let headers = response.headers();
    headers.contains_key(LINKED_ETAG) && headers.contains_key(LINKED_SIZE)
}

/// A header of visible ASCII characters.
fn header<'a>(response: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// What an entity tag quotes, where that can be a file's name: 40 (git) or 64 (LFS) digits on the hub itself.
fn content_name(etag: &str) -> Option<&str> {
    let name = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    let plain = name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && !name.is_empty()).then_some(name)
}

/// A revision as one part of a path: its `/` and `+` are none of the URL's.
fn escaped(revision: &str) -> String {
    revision.replace('/', "%2F").replace('+', "%2B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_a_files_name_or_nothing() {
        for etag in ["\"abc1\"", "W/\"abc1\"", "abc1"] {
            assert_eq!(content_name(etag), Some("abc1"));
        }
        for etag in [
            "",
            "\"\"",
            "\"../x\"",
            "\"a/b\"",
            "\"a.lock\"",
            &"a".repeat(129),
        ] {
            assert_eq!(content_name(etag), None, "{etag}");
        }
    }

    #[test]
    fn a_revision_is_one_part_of_a_path() {
        assert_eq!(escaped("refs/pr/1+x"), "refs%2Fpr%2F1%2Bx");
    }
}
