//! Tests of bodies that arrive in pieces.

use super::*;

fn follow_chunked(bytes: &[u8]) -> Result<(usize, bool), ChunkError> {
    let mut body = Body::new(Framing::Chunked);
    let taken = body.follow(bytes)?;
    Ok((taken, body.is_complete()))
}

#[test]
fn a_length_is_followed_and_not_overrun() {
    let mut body = Body::new(Framing::Length(5));
    assert_eq!(body.follow(b"abc"), Ok(3));
    assert!(!body.is_complete());
    assert_eq!(body.check_end(), Err(Truncated));
    assert_eq!(body.follow(b"deGET"), Ok(2));
    assert!(body.is_complete());
}

#[test]
fn chunks_end_at_the_last_chunk() {
    let whole = b"4\r\nwiki\r\n5;a=\"b\"\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n";
    assert_eq!(follow_chunked(whole), Ok((whole.len(), true)));
    let followed = [&whole[..], b"GET /"].concat();
    assert_eq!(follow_chunked(&followed), Ok((whole.len(), true)));
}

#[test]
fn chunks_are_followed_however_they_are_cut() {
    let whole = b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n";
    for cut in 0..whole.len() {
        let mut body = Body::new(Framing::Chunked);
        assert_eq!(body.follow(&whole[..cut]), Ok(cut));
        assert!(!body.is_complete());
        assert_eq!(body.follow(&whole[cut..]), Ok(whole.len() - cut));
        assert!(body.is_complete());
        assert_eq!(body.data_bytes(), 9);
    }
}

#[test]
fn the_largest_size_is_counted_whole() {
    let mut body = Body::new(Framing::Chunked);
    assert_eq!(body.follow(b"fffffffffffffff\r\nab"), Ok(19));
    assert_eq!((body.data_bytes(), body.filler(1 << 20)), (2, None));
}

#[test]
fn unframing_keeps_the_data() {
    let mut bytes = *b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n";
    let mut body = Body::new(Framing::Chunked);
    assert_eq!(body.follow_and_unframe(&mut bytes), Ok((bytes.len(), 9)));
    assert_eq!(&bytes[..9], b"wikipedia");
}

#[test]
fn data_is_passed_in_order_without_framing() {
    let mut body = Body::new(Framing::Chunked);
    let mut runs = Vec::new();
    let bytes = b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\nGET /";
    let followed = body.follow_with(bytes, |run| runs.push(run.to_vec()));
    assert_eq!(followed, Ok(bytes.len() - 5));
    assert_eq!(runs, [&b"wiki"[..], b"pedia"]);
    let mut body = Body::new(Framing::Length(3));
    let followed = body.follow_with(b"abcd", |run| assert_eq!(run, b"abc"));
    assert_eq!(followed, Ok(3));
}

#[test]
fn malformed_chunks_are_refused() {
    for (bytes, error) in [
        (&b"\r\n"[..], ChunkError::Size),
        (b"g\r\n", ChunkError::Size),
        (b"-1\r\n", ChunkError::Size),
        (b"0x4\r\n", ChunkError::Size),
        (b" 4\r\n", ChunkError::Size),
        (b"4 \r\n", ChunkError::Size),
        (b"4\n", ChunkError::Size),
        (b"1000000000000000\r\n", ChunkError::Size),
        (b"4\rwiki", ChunkError::LineEnd),
        (b"4\r\nwikiX\r\n", ChunkError::LineEnd),
        (b"4\r\nwiki\n", ChunkError::LineEnd),
        (b"4;a=\nb\r\n", ChunkError::Extension),
        (b"4;a\0\r\n", ChunkError::Extension),
        (b"0\r\n folded: x\r\n", ChunkError::Trailer),
        (b"0\r\nno colon\r\n", ChunkError::Trailer),
        (b"0\r\n: no name\r\n", ChunkError::Trailer),
        (b"0\r\nA : b\r\n", ChunkError::Trailer),
        (b"0\r\nContent-Length: 3\r\n\r\n", ChunkError::Trailer),
        (
            b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
            ChunkError::Trailer,
        ),
        (b"0\r\nA: b\n\r\n", ChunkError::Trailer),
        (b"0\r\n\rX", ChunkError::LineEnd),
    ] {
        assert_eq!(
            follow_chunked(bytes),
            Err(error),
            "{:?}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn request_trailers_contain_neither_framing_nor_routes_nor_credentials() {
    let follows = |mut body: Body, name: &str| {
        let bytes = format!("0\r\nX-Sum: 1\r\n{name}: x\r\n\r\n");
        body.follow(bytes.as_bytes()).map(|_| body.is_complete())
    };
    let request = |name| follows(Body::for_request(Framing::Chunked), name);
    let answer = |name| follows(Body::new(Framing::Chunked), name);
    for name in ["Content-Length", "Transfer-Encoding", "Host", "Connection"] {
        assert_eq!(request(name), Err(ChunkError::Trailer), "{name}");
        assert_eq!(answer(name), Err(ChunkError::Trailer), "{name}");
    }
    for name in [
        "Authorization",
        "PROXY-AUTHORIZATION",
        "x-api-key",
        "X_Api_Key",
        "Cookie",
        "Origin",
        "X-Paddock-Model",
        "X-Request-Id",
        "X-Conversation-Id",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "TE",
        "Trailer",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Connection",
        "Expect",
        "Max-Forwards",
        "Content-Type",
        "Content-Encoding",
        "Content-Range",
        "content_length",
    ] {
        assert_eq!(request(name), Err(ChunkError::Trailer), "{name}");
        assert_eq!(answer(name), Ok(true), "{name}");
    }
    for name in [
        "X-Checksum",
        "Digest",
        "ETag",
        "Authorization-Info-Of-This-Body",
        "Authorizatio",
        "Server-Timing",
    ] {
        assert_eq!(request(name), Ok(true), "{name}");
    }
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extension = [b"4;".to_vec(), vec![b'a'; 20_000]].concat();
    assert_eq!(follow_chunked(&extension), Err(ChunkError::TooLarge));
    let trailers = [b"0\r\n".to_vec(), b"A: b\r\n".repeat(4000)].concat();
    assert_eq!(follow_chunked(&trailers), Err(ChunkError::TooLarge));
}

#[test]
fn the_end_of_an_event_is_known_across_chunks() {
    let mut body = Body::new(Framing::Chunked);
    assert!(body.ends_with_blank_line());
    assert!(body.follow(b"6\r\ndata:\n\r\n").is_ok());
    assert!(!body.ends_with_blank_line());
    assert_eq!(body.filler(0), Some(Vec::new()));
    assert!(body.follow(b"1\r\n\n\r\n").is_ok());
    assert!(body.ends_with_blank_line());
}

#[test]
fn an_interrupted_chunk_can_be_filled() {
    let whole = b"1f;a=b\r\ndata: a chunk that has 31 bytes\r\n0a\r\ndata: ten\n\r\n";
    for cut in 0..whole.len() {
        let mut body = Body::new(Framing::Chunked);
        assert_eq!(body.follow(&whole[..cut]), Ok(cut));
        let filler = body.filler(31).expect("a filler");
        assert_eq!(body.follow(&filler), Ok(filler.len()), "{cut}");
        assert_eq!(body.filler(0), Some(Vec::new()), "{cut}");
        let end = [&whole[..cut], &filler, b"1\r\nx\r\n0\r\n\r\n"].concat();
        assert_eq!(follow_chunked(&end), Ok((end.len(), true)), "{cut}");
    }
    for (bytes, max) in [(&b"20\r\nab"[..], 29), (b"0\r\n", 100), (b"0;a", 100)] {
        let mut body = Body::new(Framing::Chunked);
        assert!(body.follow(bytes).is_ok());
        assert_eq!(body.filler(max), None, "{}", bytes.escape_ascii());
    }
    assert_eq!(Body::new(Framing::UntilClose).filler(0), Some(Vec::new()));
    assert_eq!(Body::new(Framing::Length(9)).filler(100), None);
}
