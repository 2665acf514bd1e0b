//! Readers that are simple enough to trust: they need the whole message and copy everything.

use super::hyper_reader::Fields;

/// Returns the field lines of a well-formed head or trailer section.
pub(crate) fn fields(lines: &[u8]) -> Fields {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_ascii_lowercase()).expect("a token");
    lines
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
            (
                text(&line[..colon]),
                line[colon + 1..].trim_ascii().to_vec(),
            )
        })
        .collect()
}

/// Removes the hop-by-hop fields.
pub(crate) fn end_to_end(mut fields: Fields) -> Fields {
    let named: Vec<Vec<u8>> = fields
        .iter()
        .filter(|(name, _)| name == "connection")
        .flat_map(|(_, value)| value.split(|byte| *byte == b','))
        .map(|option| option.trim_ascii().to_ascii_lowercase())
        .collect();
    let listed = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
    ];
    fields.retain(|(name, _)| {
        !listed.contains(&name.as_str()) && !named.iter().any(|option| option == name.as_bytes())
    });
    fields
}

/// Removes the framing fields of a response that must not announce a body.
pub(crate) fn without_framing(mut fields: Fields) -> Fields {
    let announces = |(name, value): &(String, Vec<u8>)| {
        name == "transfer-encoding"
            || (name == "content-length" && value.iter().any(|digit| *digit != b'0'))
    };
    if fields.iter().any(announces) {
        fields.retain(|field| !announces(field) && field.0 != "trailer");
    }
    fields
}

/// A complete chunked body at the start of some bytes.
#[derive(Debug)]
pub(crate) struct Chunks {
    pub(crate) len: usize,
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: Fields,
}

/// Reads a chunked body. Returns `None` if the body is incomplete or malformed.
pub(crate) fn chunks(bytes: &[u8]) -> Option<Chunks> {
    let mut left = bytes;
    let mut data = Vec::new();
    loop {
        let line = take_line(&mut left)?;
        let digits = line.split(|byte| *byte == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        data.extend_from_slice(left.get(..size)?);
        left = left.get(size..)?.strip_prefix(b"\r\n")?;
    }
    let mut trailers = Vec::new();
    loop {
        let line = take_line(&mut left)?;
        if line.is_empty() {
            break;
        }
        trailers.extend_from_slice(line);
        trailers.push(b'\n');
    }
    Some(Chunks {
        len: bytes.len() - left.len(),
        data,
        trailers: fields(&trailers),
    })
}

fn take_line<'a>(left: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = left.windows(2).position(|two| two == b"\r\n")?;
    let line = &left[..end];
    *left = &left[end + 2..];
    Some(line)
}
