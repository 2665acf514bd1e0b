//! The dashboard: a page and its parts, which are in the program itself.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What the page may do: run and show what comes from here, ask here, and nothing else. Names, logs
/// and answers of models are shown in it, and whoever wrote those is not trusted.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// A file of the page: its name beneath `/dashboard/`, what it is, and what is in it.
type File = (&'static str, &'static str, &'static str);

macro_rules! file {
    ($name:literal, $kind:expr) => {
        (
            $name,
            $kind,
            include_str!(concat!("../../dashboard/", $name)),
        )
    };
}

const PAGE: &str = include_str!("../../dashboard/index.html");

const FILES: &[File] = &[
    file!("style.css", STYLE),
    file!("icon.svg", PICTURE),
    file!("api.js", SCRIPT),
    file!("app.js", SCRIPT),
    file!("charts.js", SCRIPT),
    file!("chat.js", SCRIPT),
    file!("decisions.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("explain.js", SCRIPT),
    file!("format.js", SCRIPT),
    file!("history.js", SCRIPT),
    file!("logs.js", SCRIPT),
    file!("memory.js", SCRIPT),
    file!("models.js", SCRIPT),
    file!("notices.js", SCRIPT),
    file!("overview.js", SCRIPT),
    file!("requests.js", SCRIPT),
    file!("router.js", SCRIPT),
    file!("sse.js", SCRIPT),
    file!("store.js", SCRIPT),
    file!("stream.js", SCRIPT),
];

/// The page at `/`, and its parts.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = Router::new().route("/", serve(HTML, PAGE));
    FILES.iter().fold(page, |router, (name, kind, text)| {
        router.route(&format!("/dashboard/{name}"), serve(kind, text))
    })
}

fn serve<S: Clone + Send + Sync + 'static>(
    kind: &'static str,
    text: &'static str,
) -> axum::routing::MethodRouter<S> {
    let tag: Arc<str> = tag(text).into();
    get(move |headers: HeaderMap| async move { answer(&headers, kind, text, &tag) })
}

/// A file, or 304 where the client has it: it asks each time, so a newer paddock's page is a whole one.
fn answer(headers: &HeaderMap, kind: &'static str, text: &'static str, tag: &str) -> Response {
    let always: [(HeaderName, &str); 5] = [
        (ETAG, tag),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    if knows(headers, tag) {
        return (StatusCode::NOT_MODIFIED, always).into_response();
    }
    let body = Bytes::from_static(text.as_bytes());
    (always, [(CONTENT_TYPE, kind)], body).into_response()
}

/// Whether the client has what this tag names (RFC 9110 §13.1.2).
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter();
    let known = known.filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

/// A name for exactly this text.
fn tag(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let name = digest.iter().take(8);
    let name = name.fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
    format!("\"{name:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use tower::ServiceExt;

    async fn get(path: &str, tag: Option<&str>) -> Response {
        let mut request = Request::builder().uri(path);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let request = request.body(Body::empty()).unwrap();
        routes::<()>()
            .with_state(())
            .oneshot(request)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_page_that_the_client_has_is_not_sent_again() {
        let first = get("/", None).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(first.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = get("/", Some(&known)).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            let body = to_bytes(again.into_body(), 1).await.unwrap();
            assert!(body.is_empty());
        }
        assert_eq!(get("/", Some("\"x\"")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn every_file_is_served_and_asked_for_by_another_one() {
        let texts = FILES.iter().map(|(_, _, text)| *text).chain([PAGE]);
        let all: String = texts.collect();
        for (name, kind, text) in FILES {
            let answer = get(&format!("/dashboard/{name}"), None).await;
            assert_eq!(answer.headers()[CONTENT_TYPE], *kind);
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body, text.as_bytes());
            assert!(
                all.contains(&format!("/{name}\"")),
                "nobody asks for {name}"
            );
        }
    }

    #[test]
    fn every_part_a_script_imports_is_there() {
        for (name, _, text) in FILES.iter().filter(|file| file.1 == SCRIPT) {
            for rest in text.split("from \"./").skip(1) {
                let part = rest.split('"').next().unwrap();
                let known = FILES.iter().any(|(known, ..)| *known == part);
                assert!(known, "{name} imports {part}");
            }
        }
    }
}
