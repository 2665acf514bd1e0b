//! The two JSON formats of an error body.

/// JSON format of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `{"error":{"message","type","code","param"}}`
    OpenAi,
    /// `{"type":"error","error":{"type","message"}}`
    Anthropic,
}

impl Dialect {
    /// Returns the format that clients of a path expect.
    pub fn from_path(path: &[u8]) -> Self {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if path.ends_with(b"/v1/messages") || path.ends_with(b"/v1/messages/count_tokens") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_paths_speak_anthropic() {
        assert_eq!(Dialect::from_path(b"/v1/messages"), Dialect::Anthropic);
        assert_eq!(
            Dialect::from_path(b"/upstream/m/v1/messages"),
            Dialect::Anthropic
        );
        assert_eq!(Dialect::from_path(b"/v1/chat/completions"), Dialect::OpenAi);
    }
}
