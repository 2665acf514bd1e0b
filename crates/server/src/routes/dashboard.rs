//! Serves the dashboard's files, which are embedded in the program.

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

/// Content security policy: the page uses nothing but this server. The page shows model names, logs and answers,
/// whose authors are not trusted.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML_TYPE: &str = "text/html; charset=utf-8";
const SCRIPT_TYPE: &str = "text/javascript; charset=utf-8";
const STYLE_TYPE: &str = "text/css; charset=utf-8";
const SVG_TYPE: &str = "image/svg+xml";

/// A file: its name below `/dashboard/`, media type and content.
type DashboardFile = (&'static str, &'static str, &'static str);

/// Embeds the dashboard's file `$name`.
macro_rules! file {
    ($name:literal, $media_type:expr) => {
        (
            $name,
            $media_type,
            include_str!(concat!("../../dashboard/", $name)),
        )
    };
}

const INDEX_HTML: &str = include_str!("../../dashboard/index.html");

/// The files below `/dashboard/`.
const DASHBOARD_FILES: &[DashboardFile] = &[
    file!("style.css", STYLE_TYPE),
    file!("icon.svg", SVG_TYPE),
    file!("api.js", SCRIPT_TYPE),
    file!("app.js", SCRIPT_TYPE),
    file!("charts.js", SCRIPT_TYPE),
    file!("chat.js", SCRIPT_TYPE),
    file!("decisions.js", SCRIPT_TYPE),
    file!("dom.js", SCRIPT_TYPE),
    file!("explain.js", SCRIPT_TYPE),
    file!("format.js", SCRIPT_TYPE),
    file!("history.js", SCRIPT_TYPE),
    file!("logs.js", SCRIPT_TYPE),
    file!("memory.js", SCRIPT_TYPE),
    file!("models.js", SCRIPT_TYPE),
    file!("notices.js", SCRIPT_TYPE),
    file!("overview.js", SCRIPT_TYPE),
    file!("requests.js", SCRIPT_TYPE),
    file!("router.js", SCRIPT_TYPE),
    file!("sse.js", SCRIPT_TYPE),
    file!("store.js", SCRIPT_TYPE),
    file!("stream.js", SCRIPT_TYPE),
];

/// Returns the routes of `/` and `/dashboard/`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = Router::new().route("/", serve(HTML_TYPE, INDEX_HTML));
    DASHBOARD_FILES
        .iter()
        .fold(page, |router, (name, media_type, text)| {
            router.route(&format!("/dashboard/{name}"), serve(media_type, text))
        })
}

fn serve<S: Clone + Send + Sync + 'static>(
    media_type: &'static str,
    text: &'static str,
) -> axum::routing::MethodRouter<S> {
    let etag: Arc<str> = compute_etag(text).into();
    get(move |headers: HeaderMap| async move { respond(&headers, media_type, text, &etag) })
}

/// Answers with a file, or 304 if the client has it. Clients revalidate each file on each load, so they never mix
/// versions.
fn respond(
    headers: &HeaderMap,
    media_type: &'static str,
    text: &'static str,
    tag: &str,
) -> Response {
    let always: [(HeaderName, &str); 5] = [
        (ETAG, tag),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, SECURITY_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    if has_etag(headers, tag) {
        return (StatusCode::NOT_MODIFIED, always).into_response();
    }
    let body = Bytes::from_static(text.as_bytes());
    (always, [(CONTENT_TYPE, media_type)], body).into_response()
}

/// Returns whether the client has the version with this entity tag (RFC 9110 §13.1.2).
fn has_etag(headers: &HeaderMap, tag: &str) -> bool {
    let etags = headers.get_all(IF_NONE_MATCH).iter();
    let etags = etags.filter_map(|value| value.to_str().ok());
    etags
        .flat_map(|value| value.split(','))
        .map(|etag| etag.trim().trim_start_matches("W/"))
        .any(|etag| etag == tag || etag == "*")
}

/// Derives an entity tag from a content hash.
fn compute_etag(text: &str) -> String {
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
        assert_eq!(first.headers()[CONTENT_SECURITY_POLICY], SECURITY_POLICY);
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
        let texts = DASHBOARD_FILES
            .iter()
            .map(|(_, _, text)| *text)
            .chain([INDEX_HTML]);
        let all: String = texts.collect();
        for (name, media_type, text) in DASHBOARD_FILES {
            let answer = get(&format!("/dashboard/{name}"), None).await;
            assert_eq!(answer.headers()[CONTENT_TYPE], *media_type);
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
        for (name, _, text) in DASHBOARD_FILES.iter().filter(|file| file.1 == SCRIPT_TYPE) {
            for rest in text.split("from \"./").skip(1) {
                let part = rest.split('"').next().unwrap();
                let known = DASHBOARD_FILES.iter().any(|(known, ..)| *known == part);
                assert!(known, "{name} imports {part}");
            }
        }
    }
}
