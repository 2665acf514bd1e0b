/// The field names that concern a proxy, told from all others by their length first: most fields
/// of a head cost no comparison at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Host,
    Expect,
    Connection,
    /// Another one of [`HOP_BY_HOP`](crate::HOP_BY_HOP).
    HopByHop,
    Trailer,
    ContentType,
    RequestId,
    /// `x-paddock-model`
    Model,
    ContentLength,
    ContentEncoding,
    TransferEncoding,
    Origin,
    /// `Sec-Fetch-Site`
    FetchSite,
    /// `Access-Control-Allow-Origin`
    AllowOrigin,
    /// `Content_Length` or `Transfer_Encoding`: a gateway that maps names to variables reads `_`
    /// as `-`.
    Underscored,
    Other,
}

impl Name {
    pub(crate) fn of(name: &str) -> Self {
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
                ("X-Request-Id", Self::RequestId),
            ],
            14 => &[
                ("Content-Length", Self::ContentLength),
                ("Content_Length", Self::Underscored),
                ("Sec-Fetch-Site", Self::FetchSite),
            ],
            15 => &[("X-Paddock-Model", Self::Model)],
            16 => &[
                ("Content-Encoding", Self::ContentEncoding),
                ("Proxy-Connection", Self::HopByHop),
            ],
            17 => &[
                ("Transfer-Encoding", Self::TransferEncoding),
                ("Transfer_Encoding", Self::Underscored),
            ],
            27 => &[("Access-Control-Allow-Origin", Self::AllowOrigin)],
            _ => &[],
        };
        // The first letter tells most others from these, and nearly all heads are written like this.
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
    use crate::HOP_BY_HOP;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Name::of("HOST"), Name::Host);
        assert_eq!(Name::of("Content-Length"), Name::ContentLength);
        assert_eq!(Name::of("Content_Length"), Name::Underscored);
        assert_eq!(Name::of("Content-Lengthy"), Name::Other);
        assert_eq!(Name::of(""), Name::Other);
    }

    #[test]
    fn every_hop_by_hop_name_is_known() {
        for name in HOP_BY_HOP {
            assert!(
                matches!(Name::of(name), Name::Connection | Name::HopByHop),
                "{name}"
            );
        }
    }
}
