//! Parses the query of `GET /api/requests` and `GET /api/lifecycle`.

use super::parameters::parse_number;
use paddock_telemetry::ActivityQuery;
use std::collections::HashMap;

/// The bounds of a list's length.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListLimits {
    /// Highest `limit`.
    pub(super) max: usize,
    /// Length without `limit`.
    pub(super) default: usize,
    /// Condition under which these bounds apply; ends the error message for an invalid `limit`.
    pub(super) condition: &'static str,
}

/// The bounds of lists that the database holds.
pub(super) const STORED_LIMITS: ListLimits = ListLimits {
    max: 1000,
    default: 100,
    condition: "",
};

/// Highest `seq`, the number of an entry, that the database can hold.
const MAX_SEQ: u64 = i64::MAX.cast_unsigned();

/// The name of an invalid parameter, and a message.
pub(super) type BadParameter = (&'static str, String);

/// The parameters that select entries of a list.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Maximum number of entries.
    #[param(required = false, default = 100, minimum = 1, maximum = 1000)]
    pub(super) limit: usize,
    /// Only entries with a smaller `seq`; for the next page, pass the smallest `seq` of this one.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    before: Option<u64>,
    /// Only the oldest entries with a greater `seq`.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    after: Option<u64>,
    /// Only entries of this model.
    pub(super) model: Option<String>,
}

impl ListQuery {
    /// Parses the query of a request.
    pub(super) fn parse(
        query: &HashMap<String, String>,
        limits: ListLimits,
    ) -> Result<Self, BadParameter> {
        let ListLimits {
            max,
            default,
            condition,
        } = limits;
        let limit = match query.get("limit") {
            None => default,
            Some(limit) => parse_limit(limit, max).ok_or_else(|| {
                let message = format!("`limit` must be a number from 1 to {max}{condition}");
                ("limit", message)
            })?,
        };
        let seq = |name: &'static str| {
            let seq = query.get(name).map(|seq| parse_number(seq, 0..=MAX_SEQ));
            let error = || (name, format!("`{name}` must be the `seq` of an entry"));
            seq.map(|seq| seq.ok_or_else(error)).transpose()
        };
        Ok(Self {
            limit,
            before: seq("before")?,
            after: seq("after")?,
            model: query.get("model").cloned(),
        })
    }

    /// Returns the filter of the activity log, for requests with this id only if one is given.
    pub(super) fn into_filter(self, id: Option<String>) -> ActivityQuery {
        ActivityQuery {
            limit: self.limit,
            before: self.before,
            after: self.after,
            model: self.model,
            id,
        }
    }
}

/// Parses a `limit` from 1 to `max`.
fn parse_limit(text: &str, max: usize) -> Option<usize> {
    usize::try_from(parse_number(text, 1..=max as u64)?).ok()
}
