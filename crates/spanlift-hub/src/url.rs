//! An address that can be shown: its query may be a signature, so nobody sees it but the server.

use std::fmt;

use ureq::http::Uri;

/// An absolute `http` or `https` address without a user or a password.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    /// `https://huggingface.co`, with the port where one is named.
    origin: String,
    /// From the first `/` on, with the query.
    rest: String,
}

impl Url {
    /// What would do, for an error.
    pub(crate) const EXPECTED: &'static str =
        "an address as https://huggingface.co, without user or password";

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri
            .scheme_str()
            .filter(|s| matches!(*s, "http" | "https"))?;
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        Some(Self {
            origin: format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()),
            rest: rest.to_owned(),
        })
    }

    /// The address of something below this one; `path` begins with `/`.
    pub(crate) fn below(&self, path: &str) -> Self {
        Self {
            origin: self.origin.clone(),
            rest: format!("{}{path}", self.rest.trim_end_matches('/')),
        }
    }

    /// Where a redirect from here leads to: an absolute address, or a path on the same server.
    pub(crate) fn redirected(&self, location: &str) -> Option<Self> {
        match location {
            path if path.starts_with('/') && !path.starts_with("//") => {
                Self::parse(&format!("{}{path}", self.origin))
            }
            absolute => Self::parse(absolute),
        }
    }

    /// Same scheme, host and port: who may see a token for one may see it for the other.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.origin == other.origin
    }

    /// On this machine, where no proxy leads to.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.whole().parse::<Uri>();
        let host = host.ok().and_then(|uri| uri.host().map(str::to_owned));
        host.is_some_and(|host| matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]"))
    }

    /// For the request alone.
    pub(crate) fn whole(&self) -> String {
        format!("{}{}", self.origin, self.rest)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.rest.split('?').next().unwrap_or_default();
        write!(f, "{}{path}", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_query_is_sent_and_not_shown() {
        let url = url("https://cdn.example/a/b?Signature=secret");
        assert_eq!(url.whole(), "https://cdn.example/a/b?Signature=secret");
        assert_eq!(url.to_string(), "https://cdn.example/a/b");
    }

    #[test]
    fn what_is_no_address_of_a_server_is_none() {
        for text in [
            "",
            "/a",
            "huggingface.co",
            "ftp://a/b",
            "file:///etc/passwd",
            "https://user:secret@a/b",
            "https://",
            "http://a b/",
        ] {
            assert!(Url::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_redirect_is_absolute_or_a_path() {
        let here = url("http://a:8/b/c?d");
        let to = |location| here.redirected(location).map(|url| url.whole());
        assert_eq!(to("/e?f").as_deref(), Some("http://a:8/e?f"));
        assert_eq!(to("https://g/h").as_deref(), Some("https://g/h"));
        for nowhere in ["", "e", "../e", "//g/h", "ftp://g/h", "https://u@g/h"] {
            assert_eq!(to(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn scheme_host_and_port_make_the_origin() {
        let hub = url("https://hub.example/x");
        assert!(hub.same_origin(&url("https://HUB.example/y?z")));
        for other in [
            "http://hub.example/x",
            "https://hub.example:8443/x",
            "https://hub.example.org/x",
        ] {
            assert!(!hub.same_origin(&url(other)), "{other}");
        }
    }

    #[test]
    fn an_endpoint_may_be_a_folder_of_a_server() {
        for endpoint in ["https://a/mirror", "https://a/mirror/"] {
            assert_eq!(
                url(endpoint).below("/api/x").whole(),
                "https://a/mirror/api/x"
            );
        }
        assert_eq!(url("https://a").below("/api/x").whole(), "https://a/api/x");
        assert!(url("http://127.0.0.1:80").is_loopback());
        assert!(!url("http://127.0.0.1.example").is_loopback());
    }
}
