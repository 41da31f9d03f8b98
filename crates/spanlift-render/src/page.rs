//! A page that needs nothing else: a web component of `web/` with its JSON inside it, and what a reader sees without the script.
//!
//! ```html
//! <TAG>
//!   <script type="application/json">…</script>
//!   …readable…
//! </TAG>
//! <script>…the component…</script>
//! ```
//!
//! Nothing foreign can act: text is escaped, `<` inside the JSON is `\u003c`, and the page's Content-Security-Policy
//! allows the one script by its hash and no address at all, so that a script that got in would neither run nor
//! reach a network. In the JSON `</script` would end the element and `<!--` with `<script` would keep it from
//! ending; U+2028 and U+2029 were no characters of a JavaScript string before 2019
//! (<https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

pub use crate::picture::xml::escape;

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The component's element: `spanlift-explanation`.
    pub tag: &'a str,
    /// Its attributes, a blank before each.
    pub attributes: &'a str,
    /// Its built file.
    pub component: &'a str,
    /// The page's title, as plain text.
    pub title: &'a str,
    /// What the component reads.
    pub json: &'a str,
    /// HTML for where the script does not run; what is foreign in it has gone through [`escape`].
    pub readable: &'a str,
}

impl Page<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let Self {
            tag,
            attributes,
            readable,
            ..
        } = self;
        let json = json_in_script(self.json);
        let component = script_in_script(self.component);
        let hash = STANDARD.encode(Sha256::digest(component.as_bytes()));
        let title = escape(self.title);
        format!(
            "<!doctype html>\n\
             <html lang=\"en\">\n\
             <head>\n\
             <meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             script-src 'sha256-{hash}'; style-src 'unsafe-inline'; img-src data: blob:; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}</title>\n\
             <style>body{{margin:0}}\
             {tag}:not(:defined){{display:block;max-width:60em;margin:0 auto;padding:1em;\
             font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}}\
             th{{text-align:start;font-weight:600;white-space:nowrap}}\
             td,th{{vertical-align:top;padding:.2em 1em .2em 0}}\
             td:not(:last-child),td span{{white-space:nowrap}}</style>\n\
             </head>\n\
             <body>\n\
             <{tag}{attributes}><script type=\"application/json\">{json}</script>\n\
             {readable}</{tag}>\n\
             <script>{component}</script>\n\
             </body>\n\
             </html>\n"
        )
    }
}

/// JSON that can stand in a script element: the same JSON, since all three characters stand only in strings.
fn json_in_script(json: &str) -> String {
    json.trim_end()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// JavaScript that can stand in a script element: `<` as `\x3c` where it would end the element or open a
/// comment, which in a built file it does only inside strings, templates and regular expressions.
fn script_in_script(script: &str) -> String {
    let mut safe = String::with_capacity(script.len());
    let mut rest = script;
    while let Some(at) = rest.find('<') {
        let (before, after) = rest.split_at(at);
        safe.push_str(before);
        let tail = &after[1..];
        let ends = tail
            .get(..7)
            .is_some_and(|tail| tail.eq_ignore_ascii_case("/script"));
        safe.push_str(if ends || tail.starts_with("!--") {
            "\\x3c"
        } else {
            "<"
        });
        rest = tail;
    }
    safe.push_str(rest);
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_script_early() {
        assert_eq!(
            script_in_script("a='</ScRiPt>';b=`<!--<script>`;c=1<2"),
            "a='\\x3c/ScRiPt>';b=`\\x3c!--<script>`;c=1<2"
        );
        assert_eq!(script_in_script("é</script"), "é\\x3c/script");
        assert!(
            !json_in_script("{\"a\":\"<\u{2028}\u{2029}\"}")
                .contains(['<', '\u{2028}', '\u{2029}'])
        );
    }
}
