//! Recognises observations: requests that monitor a model's server, or fetch parts of its web page. Observations
//! neither load the model nor count as use of it: they are answered only while the model is loaded.

use paddock_wire::field_lines;

/// Monitoring routes (llama.cpp b11434, tools/server/README.md).
const MONITORING_PATHS: [&str; 4] = ["/health", "/v1/health", "/metrics", "/slots"];

/// Page of llama-server's web interface. A GET whose `Accept` field contains `text/html` comes from a browser and
/// counts as use of the model. Any other GET of the page, and any HEAD, is an observation.
const PAGE_PATHS: [&str; 2] = ["/", "/index.html"];

/// Files that browsers and crawlers fetch unasked, and those of llama-server's web interface
/// (tools/ui/src/lib/constants/pwa.constants.ts).
const FILE_PATHS: [&str; 17] = [
    "/.well-known/appspecific/com.chrome.devtools.json",
    "/.well-known/security.txt",
    "/apple-touch-icon-precomposed.png",
    "/apple-touch-icon.png",
    "/build.json",
    "/favicon-dark.ico",
    "/favicon-dark.svg",
    "/favicon.ico",
    "/favicon.png",
    "/favicon.svg",
    "/manifest.json",
    "/manifest.webmanifest",
    "/robots.txt",
    "/site.webmanifest",
    "/sitemap.xml",
    "/sw.js",
    "/version.json",
];

/// Prefixes and suffixes of the web interface's files whose names contain a hash, a size or a path.
const FILE_PATTERNS: [(&str, &str); 9] = [
    ("/_app/", ""),
    ("/apple-splash-", ".png"),
    ("/apple-touch-icon-", ".png"),
    ("/bundle", ".css"),
    ("/bundle", ".js"),
    ("/maskable-icon-", ".png"),
    ("/pwa-", ".png"),
    ("/recommended-mcp/", ""),
    ("/workbox-", ".js"),
];

/// Method of a request, as far as observations depend on it: only GET and HEAD can be observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestMethod {
    Get,
    Head,
    Other,
}

/// Returns true if a request only observes its model's server. `path` has no leading slash. `head` is the whole
/// request head; its `Accept` field decides whether a GET of the page comes from a browser.
pub(super) fn is_observation(method: RequestMethod, path: &[u8], head: &[u8]) -> bool {
    let is = |known: &&str| path == &known.as_bytes()[1..];
    let fits = |(start, end): &(&str, &str)| {
        let inside = path.strip_prefix(&start.as_bytes()[1..]);
        inside.is_some_and(|rest| rest.ends_with(end.as_bytes()))
    };
    match method {
        RequestMethod::Other => false,
        RequestMethod::Get if PAGE_PATHS.iter().any(&is) => !is_page_request(head),
        RequestMethod::Get | RequestMethod::Head => {
            MONITORING_PATHS
                .iter()
                .chain(&PAGE_PATHS)
                .chain(&FILE_PATHS)
                .any(is)
                || FILE_PATTERNS.iter().any(fits)
        }
    }
}

/// Returns true if the client asks for a page to display. Browsers do; probes such as `curl` do not.
fn is_page_request(head: &[u8]) -> bool {
    field_lines(head)
        .filter(|field| field.has_name("accept"))
        .flat_map(|field| field.value.split(|byte| *byte == b','))
        .filter_map(|range| range.split(|byte| *byte == b';').next())
        .any(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::RequestMethod::{Get, Head, Other};
    use super::*;

    const PROBE: &[u8] = b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n";
    const BROWSER: &[u8] =
        b"GET / HTTP/1.1\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\r\n";

    #[test]
    fn what_is_fetched_unasked_observes() {
        for path in [
            "health",
            "v1/health",
            "metrics",
            "slots",
            "favicon.ico",
            "sw.js",
            "bundle.Dk3_x.js",
            "_app/immutable/bundle.css",
            "apple-splash-portrait-640x1136.png",
        ] {
            for method in [Get, Head] {
                assert!(is_observation(method, path.as_bytes(), BROWSER), "{path}");
            }
            assert!(!is_observation(Other, path.as_bytes(), PROBE), "{path}");
        }
    }

    #[test]
    fn a_page_is_a_use_where_somebody_will_see_it() {
        for path in ["", "index.html"] {
            let path = path.as_bytes();
            assert!(is_observation(Get, path, PROBE));
            assert!(is_observation(Head, path, BROWSER));
            assert!(!is_observation(Get, path, BROWSER));
        }
    }

    #[test]
    fn what_asks_the_model_does_not() {
        for path in [
            "props",
            "v1/chat/completions",
            "lora-adapters",
            "slots/0",
            "metrics/",
            "/favicon.ico",
            "bundle.txt",
            "x/favicon.ico",
        ] {
            assert!(!is_observation(Get, path.as_bytes(), PROBE), "{path}");
        }
    }
}
