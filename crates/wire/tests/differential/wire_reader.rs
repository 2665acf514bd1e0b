//! Reads a connection with this crate, as a server does.

use paddock_wire::{Body, ChunkError, Framing, HeadScan, InvalidRequest, RequestHead, Version};

/// An accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) head: Vec<u8>,
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) framing: Framing,
    /// The forwarded head.
    pub(crate) forwarded: Vec<u8>,
    /// The accepted body bytes, including framing.
    pub(crate) body: Vec<u8>,
    /// The body data, without framing.
    pub(crate) data: Vec<u8>,
    pub(crate) complete: bool,
}

/// The state after the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// More bytes are needed.
    Waits,
    /// The last request closes the connection.
    Closes,
    Refused(InvalidRequest),
}

/// The messages of one connection and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) messages: Vec<Message>,
    pub(crate) end: ConnectionEnd,
}

/// Reads `bytes` as a connection that delivers `step` bytes at a time.
pub(crate) fn read(bytes: &[u8], step: usize) -> Connection {
    let mut messages = Vec::new();
    let mut input = Input {
        bytes,
        step,
        at: 0,
        arrived: 0,
    };
    let end = loop {
        match read_one(&mut input, &mut messages) {
            Ok(None) => {}
            Ok(Some(end)) => break end,
            Err(refusal) => break ConnectionEnd::Refused(refusal),
        }
    };
    Connection { messages, end }
}

struct Input<'a> {
    bytes: &'a [u8],
    step: usize,
    at: usize,
    arrived: usize,
}

impl<'a> Input<'a> {
    fn here(&self) -> &'a [u8] {
        &self.bytes[self.at..self.arrived]
    }

    fn more(&mut self) -> bool {
        let before = self.arrived;
        self.arrived = before.saturating_add(self.step).min(self.bytes.len());
        self.arrived > before
    }
}

fn read_one(
    input: &mut Input<'_>,
    messages: &mut Vec<Message>,
) -> Result<Option<ConnectionEnd>, InvalidRequest> {
    let mut scan = HeadScan::default();
    let len = loop {
        match scan.find_end(input.here())? {
            Some(len) => break len,
            None if input.more() => {}
            None => return Ok(Some(ConnectionEnd::Waits)),
        }
    };
    let head = &input.here()[..len];
    let request = RequestHead::parse(head)?;
    input.at += len;
    let host: &[&[u8]] = if request.has_host {
        &[]
    } else {
        assert_eq!(request.version, Version::Http10);
        &[b"Host: added\r\n"]
    };
    let mut forwarded = Vec::new();
    request.edits.render(head, host, &mut forwarded);
    messages.push(Message {
        head: head.to_vec(),
        method: request.method.slice(head).to_vec(),
        target: request.target.slice(head).to_vec(),
        framing: request.framing,
        forwarded,
        body: Vec::new(),
        data: Vec::new(),
        complete: false,
    });
    let message = messages.last_mut().expect("one was just pushed");
    let complete = read_body(input, message)?;
    message.complete = complete;
    Ok(match complete {
        false => Some(ConnectionEnd::Waits),
        true if request.close => Some(ConnectionEnd::Closes),
        true => None,
    })
}

fn read_body(input: &mut Input<'_>, message: &mut Message) -> Result<bool, ChunkError> {
    let mut body = Body::for_request(message.framing);
    while !body.is_complete() {
        let here = input.here();
        if here.is_empty() {
            if input.more() {
                continue;
            }
            return Ok(false);
        }
        let taken = match follow(&mut body, here, message) {
            Ok(taken) => taken,
            Err(error) => {
                // Byte by byte up to the invalid byte, so that the accepted bytes do not depend on
                // how the input is cut.
                for byte in here {
                    assert!(!body.is_complete());
                    if let Err(again) = follow(&mut body, &[*byte], message) {
                        assert_eq!(again, error);
                        return Err(error);
                    }
                }
                panic!("refused as a whole and accepted byte for byte");
            }
        };
        assert!(taken > 0, "no progress");
        assert!(
            taken == here.len() || body.is_complete(),
            "stopped too early"
        );
        input.at += taken;
    }
    Ok(true)
}

/// Follows with both methods, which must agree; on an error `body` stays unchanged.
fn follow(body: &mut Body, bytes: &[u8], message: &mut Message) -> Result<usize, ChunkError> {
    let mut unframing = body.clone();
    let mut moved = bytes.to_vec();
    let mut following = body.clone();
    let result = following.follow(bytes);
    let (taken, kept) = match unframing.follow_and_unframe(&mut moved) {
        Ok((taken, kept)) => {
            assert_eq!(result, Ok(taken));
            (taken, kept)
        }
        Err(error) => {
            assert_eq!(result, Err(error));
            return Err(error);
        }
    };
    message.body.extend_from_slice(&bytes[..taken]);
    message.data.extend_from_slice(&moved[..kept]);
    assert_eq!(following.data_bytes(), message.data.len() as u64);
    assert_eq!(unframing.data_bytes(), message.data.len() as u64);
    assert_eq!(following.check_end().is_ok(), following.is_complete());
    if !message.data.is_empty() {
        let padded = [b"\n\n", &message.data[..]].concat();
        assert_eq!(
            following.ends_with_blank_line(),
            padded.ends_with(b"\n\n"),
            "the tail of the data"
        );
    }
    *body = following;
    Ok(taken)
}
