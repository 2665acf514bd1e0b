//! Parses parameters of paths and queries.

use super::errors::bad_query;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::Response;
use std::ops::RangeInclusive;

/// The name of a model or request in the path.
pub(super) struct PathName(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name))
            .map_err(|_| bad_query("id", "the name in the path is not UTF-8"))
    }
}

/// Parses a number that has only digits and lies in `range`.
pub(super) fn parse_number(text: &str, range: RangeInclusive<u64>) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_digits)?;
    range.contains(&number).then_some(number)
}
