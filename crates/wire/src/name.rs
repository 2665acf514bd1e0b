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
    /// `Content_Length` or `Transfer_Encoding`: a gateway that maps names to variables reads `_`
    /// as `-`.
    Underscored,
    Other,
}

impl Name {
    pub(crate) fn of(name: &str) -> Self {
        let candidates: &[(&str, Self)] = match name.len() {
            2 => &[("te", Self::HopByHop)],
            4 => &[("host", Self::Host)],
            6 => &[("expect", Self::Expect)],
            7 => &[("trailer", Self::Trailer), ("upgrade", Self::HopByHop)],
            10 => &[
                ("connection", Self::Connection),
                ("keep-alive", Self::HopByHop),
            ],
            12 => &[
                ("content-type", Self::ContentType),
                ("x-request-id", Self::RequestId),
            ],
            14 => &[
                ("content-length", Self::ContentLength),
                ("content_length", Self::Underscored),
            ],
            15 => &[("x-paddock-model", Self::Model)],
            16 => &[
                ("content-encoding", Self::ContentEncoding),
                ("proxy-connection", Self::HopByHop),
            ],
            17 => &[
                ("transfer-encoding", Self::TransferEncoding),
                ("transfer_encoding", Self::Underscored),
            ],
            _ => &[],
        };
        // Most names of a length begin with another letter.
        let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
        candidates
            .iter()
            .find(|(known, _)| {
                known.as_bytes().first().copied() == first && name.eq_ignore_ascii_case(known)
            })
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
