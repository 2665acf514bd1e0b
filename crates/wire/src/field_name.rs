//! Classifies field names, so that the parsers compare each name of a head only once.

/// A field name that concerns the proxy. The length of a name selects the candidates, so most
/// fields of a head cost no string comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldName {
    Host,
    Expect,
    Connection,
    /// Any other field in [`HOP_BY_HOP_FIELDS`](crate::HOP_BY_HOP_FIELDS).
    HopByHop,
    Trailer,
    ContentType,
    XRequestId,
    XPaddockModel,
    ContentLength,
    ContentEncoding,
    TransferEncoding,
    Origin,
    SecFetchSite,
    AccessControlAllowOrigin,
    /// `Content_Length` or `Transfer_Encoding`: a gateway that maps field names to variables reads
    /// `_` as `-`.
    UnderscoredFraming,
    Other,
}

impl FieldName {
    /// Returns the variant of a name, in any case; `Other` if the name does not concern the proxy.
    pub(crate) fn parse(name: &str) -> Self {
        let candidates: &[(&str, Self)] = match name.len() {
            2 => &[("TE", Self::HopByHop)],
            4 => &[("Host", Self::Host)],
            6 => &[("Expect", Self::Expect), ("Origin", Self::Origin)],
            7 => &[("Trailer", Self::Trailer), ("Upgrade", Self::HopByHop)],
            10 => &[
                ("Connection", Self::Connection),
                ("Keep-Alive", Self::HopByHop),
            ],
            12 => &[
                ("Content-Type", Self::ContentType),
                ("X-Request-Id", Self::XRequestId),
            ],
            14 => &[
                ("Content-Length", Self::ContentLength),
                ("Content_Length", Self::UnderscoredFraming),
                ("Sec-Fetch-Site", Self::SecFetchSite),
            ],
            15 => &[("X-Paddock-Model", Self::XPaddockModel)],
            16 => &[
                ("Content-Encoding", Self::ContentEncoding),
                ("Proxy-Connection", Self::HopByHop),
            ],
            17 => &[
                ("Transfer-Encoding", Self::TransferEncoding),
                ("Transfer_Encoding", Self::UnderscoredFraming),
            ],
            27 => &[(
                "Access-Control-Allow-Origin",
                Self::AccessControlAllowOrigin,
            )],
            _ => &[],
        };
        // The first letter rules out most other names, and nearly every client uses this
        // capitalization.
        let first = name.as_bytes().first().map(u8::to_ascii_uppercase);
        let is = |known: &str| {
            known.as_bytes().first().copied() == first
                && (name == known || name.eq_ignore_ascii_case(known))
        };
        candidates
            .iter()
            .find(|(known, _)| is(known))
            .map_or(Self::Other, |(_, known)| *known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HOP_BY_HOP_FIELDS;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(FieldName::parse("HOST"), FieldName::Host);
        assert_eq!(FieldName::parse("Content-Length"), FieldName::ContentLength);
        assert_eq!(
            FieldName::parse("Content_Length"),
            FieldName::UnderscoredFraming
        );
        assert_eq!(FieldName::parse("Content-Lengthy"), FieldName::Other);
        assert_eq!(FieldName::parse(""), FieldName::Other);
    }

    #[test]
    fn every_hop_by_hop_name_is_known() {
        for name in HOP_BY_HOP_FIELDS {
            assert!(
                matches!(
                    FieldName::parse(name),
                    FieldName::Connection | FieldName::HopByHop
                ),
                "{name}"
            );
        }
    }
}
