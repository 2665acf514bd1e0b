//! Parses the heads of received responses, and keeps their bytes as sent.

use std::fmt;

use serde_json::Value;

/// The head of a response.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// The bytes of the head, including the empty line.
    pub raw: Vec<u8>,
    /// The status code.
    pub status: u16,
    /// The fields in order, as sent.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// Parses a complete head.
    pub(super) fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap_or_default();
        let status = status.get(9..12).and_then(|code| code.parse().ok());
        let fields = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        });
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            fields: fields.collect(),
            raw: raw.to_owned(),
        }
    }

    /// Returns the first value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let named = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .find(named)
            .map(|(_, value)| value.as_str())
    }

    /// Returns every value of a field, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns true if the connection closes after this response.
    pub fn closes(&self) -> bool {
        self.all("connection")
            .any(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.raw))
    }
}

/// A complete response.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The head.
    pub head: Head,
    /// The status code.
    pub status: u16,
    /// The body, without framing.
    pub body: Vec<u8>,
    /// The trailer section of a chunked body.
    pub trailers: Vec<u8>,
}

impl HttpResponse {
    /// Returns the first value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the code of an error in `OpenAI`'s shape, or null.
    pub fn error_code(&self) -> Value {
        self.json()["error"]["code"].clone()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.head, self.text())
    }
}
