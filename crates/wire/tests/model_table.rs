//! Tables of request bodies and heads, each with the model it names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scan;

use paddock_wire::ScanResult::{Absent, NotAString, TooLong};
use paddock_wire::{
    InvalidRequest, ModelScan, RequestHead, ScanResult, UpstreamTarget, parse_model_header,
};

/// Bodies that name a model, with the name.
const NAMED: &[(&str, &str)] = &[
    (r#"{"model":"m"}"#, "m"),
    (r#"{"model":"m""#, "m"),
    (
        " \r\n\t{ \"model\" \n:\t\"org/m:q4\" , \"a\": 1 }",
        "org/m:q4",
    ),
    ("\u{feff}{\"model\":\"m\"}", "m"),
    (
        r#"{"a":1,"b":-1.5e+3,"c":null,"d":true , "model":"m"}"#,
        "m",
    ),
    (r#"{"a":"model","model":"m"}"#, "m"),
    (r#"{"a":{"model":"x"},"model":"m"}"#, "m"),
    (r#"{"a":[{"model":"x"},"}]"],"model":"m"}"#, "m"),
    (r#"{"a":[[[]],{"b":{}}],"model":"m"}"#, "m"),
    (r#"{"a":"\"model\":\"x\\","model":"m"}"#, "m"),
    (r#"{"a\"":1,"\"model":"x","model":"m"}"#, "m"),
    (
        r#"{"mode":"x","models":"x","Model":"x","":"x","model":"m"}"#,
        "m",
    ),
    (r#"{"model\u0000":"x","\ud83dmodel":"x","model":"m"}"#, "m"),
    (r#"{"mod\u0065l":"m"}"#, "m"),
    (r#"{"\u006D\u006f\u0064\u0065\u006C":"m"}"#, "m"),
    (r#"{"model":"m","model":"x"}"#, "m"),
    (
        r#"{"model":"a\/b\"\\\n\u00e9\ud83d\ude00😀"}"#,
        "a/b\"\\\n\u{e9}\u{1f600}\u{1f600}",
    ),
    (r#"{"model":"\u005c\u0022"}"#, "\\\""),
];

/// Bodies that name no model, with the result.
const NOT_NAMED: &[(&[u8], ScanResult)] = &[
    (b"", Absent),
    (b"  ", Absent),
    (b"\xef\xbb", Absent),
    (b"\xef\xbb{\"model\":\"m\"}", Absent),
    (b"{}", Absent),
    (b"{\"a\":1}", Absent),
    (b"[{\"model\":\"m\"}]", Absent),
    (b"\"model\"", Absent),
    (b"{\"a\":{\"model\":\"m\"}}", Absent),
    (b"{\"model\":null,\"model\":\"m\"}", Absent),
    (b"{\"model\":\"\"}", Absent),
    (b"{\"model\":\"m", Absent),
    (b"{\"model\":\"\\ud83d\"}", Absent),
    (b"{\"model\":\"\\ude00\"}", Absent),
    (b"{\"model\":\"a\\ud83d\"}", Absent),
    (b"{\"model\":\"\\ud83dx\"}", Absent),
    (b"{\"model\":\"\\ud83d\\n\"}", Absent),
    (b"{\"model\":\"\\ud83d\\ud83d\\ude00\"}", Absent),
    (b"{\"model\":\"\\u00g0\"}", Absent),
    (b"{\"model\":\"\\x\"}", Absent),
    (b"{\"model\":\"a\nb\"}", Absent),
    (b"{\"model\":\"\xff\"}", Absent),
    (b"{\"model\":\"\xe9\"}", Absent),
    (b"{\"model\":\\\"m\"}", Absent),
    (b"{\"model\" \"m\"}", Absent),
    (b"{model:\"m\"}", Absent),
    (b"{\"a\":1 \"model\":\"m\"}", Absent),
    (b"{\"a\":1 2,\"model\":\"m\"}", Absent),
    (b"{\"a\":,\"model\":\"m\"}", Absent),
    (b"{\"a\":1,,\"model\":\"m\"}", Absent),
    (b"{},\"model\":\"m\"", Absent),
    (b"{\"model\":1}", NotAString),
    (b"{\"model\":true}", NotAString),
    (b"{\"model\":{\"id\":\"m\"}}", NotAString),
    (b"{\"model\":[\"m\"]}", NotAString),
];

fn escape(body: &[u8]) -> String {
    body.escape_ascii().to_string()
}

#[test]
fn a_json_body_names_its_model() {
    for (body, name) in NAMED {
        let answer = scan::scan_in_pieces(&ModelScan::json(), body.as_bytes());
        assert_eq!(
            answer,
            (ScanResult::Found, Some((*name).to_owned())),
            "{body}"
        );
        for chunk in 1..8 {
            let chunked = scan::scan_chunked(&ModelScan::json(), body.as_bytes(), chunk, 3);
            assert_eq!(chunked, answer, "{body}");
        }
        scan::check_json(body.as_bytes());
    }
}

#[test]
fn a_json_body_without_model_names_none() {
    for (body, said) in NOT_NAMED {
        let answer = scan::scan_in_pieces(&ModelScan::json(), body);
        assert_eq!(answer, (*said, None), "{}", escape(body));
        scan::check_json(body);
    }
}

#[test]
fn a_model_name_is_limited_in_length() {
    for (len, said) in [(512, ScanResult::Found), (513, TooLong)] {
        let body = format!("{{\"model\":\"{}\"}}", "a".repeat(len));
        let answer = scan::scan_in_pieces(&ModelScan::json(), body.as_bytes());
        assert_eq!(answer.0, said);
        let form = form(&[("form-data; name=model", &"a".repeat(len))]);
        assert_eq!(scan_form(form.as_bytes()).0, said);
    }
}

#[test]
fn the_result_is_known_as_soon_as_possible() {
    for (start, said) in [
        ("{\"model\":\"m\"", ScanResult::Found),
        ("{\"model\":n", Absent),
        ("{\"model\":4", NotAString),
        ("[", Absent),
        ("{\"a\":1}", Absent),
    ] {
        let mut scanner = ModelScan::json();
        let (last, before) = start.as_bytes().split_last().unwrap();
        assert_eq!(scanner.feed(before), ScanResult::More, "{start}");
        assert_eq!(scanner.feed(&[*last]), said, "{start}");
        assert_eq!(scanner.feed(b"\"model\":\"x\"}"), said, "{start}");
        assert_eq!(scanner.end(), said, "{start}");
    }
}

/// Builds a form from pairs of Content-Disposition and content.
fn form(parts: &[(&str, &str)]) -> String {
    let parts = parts.iter().map(|(disposition, content)| {
        format!(
            "--b\r\nX-A: b\r\ncontent-DISPOSITION: {disposition}\r\n\
             Content-Type: text/plain\r\n\r\n{content}\r\n"
        )
    });
    parts.collect::<String>() + "--b--\r\n"
}

fn scan_form(body: &[u8]) -> scan::NamedModel {
    scan::check_form(b"b", body);
    scan::scan_in_pieces(&ModelScan::multipart(b"b").unwrap(), body)
}

#[test]
fn a_form_names_its_model() {
    let is = |name: &str| (ScanResult::Found, Some(name.to_owned()));
    let file = (
        "form-data; name=\"file\"; filename=\"a\"",
        "\r\n-\r\n--\r\n--a\r\n\r",
    );
    for disposition in [
        "form-data; name=\"model\"",
        "form-data; name=model",
        "Form-Data;NAME=\"model\";",
        "form-data; x=\"filename=a; \\\"\"; name=model",
    ] {
        let body = form(&[(disposition, "m 1")]);
        assert_eq!(scan_form(body.as_bytes()), is("m 1"), "{disposition}");
        let body = form(&[file, ("form-data; name=a", ""), (disposition, "\r\nm\r")]);
        assert_eq!(scan_form(body.as_bytes()), is("\r\nm\r"), "{disposition}");
    }
    let model = ("form-data; name=model", "m");
    let not = [
        ("form-data; name=\"model\"; filename=\"\"", "x"),
        ("form-data; filename*=utf-8''a; name=\"model\"", "x"),
        ("form-data; name=\"Model\"", "x"),
        ("attachment; name=\"model\"", "x"),
    ];
    for part in not {
        assert_eq!(
            scan_form(form(&[part, model]).as_bytes()),
            is("m"),
            "{part:?}"
        );
        assert_eq!(scan_form(form(&[part]).as_bytes()), (Absent, None));
    }
    let preamble = format!("for people\r\n--bc no\r\n{}", form(&[model]));
    assert_eq!(scan_form(preamble.as_bytes()), (Absent, None));
    let preamble = format!("for people\r\n--a\r\n{}", form(&[model]));
    assert_eq!(scan_form(preamble.as_bytes()), is("m"));
    let epilogue = format!("{}{}", form(&[]), form(&[model]));
    assert_eq!(scan_form(epilogue.as_bytes()), (Absent, None));
    let first = form(&[model, ("form-data; name=model", "x")]);
    assert_eq!(scan_form(first.as_bytes()), is("m"));
}

#[test]
fn a_form_without_model_names_none() {
    let long = format!("--b\r\nX: {}\r\n", "a".repeat(8192));
    let head = "--b\r\nContent-Disposition: form-data; name=model\r\n";
    for body in [
        String::new(),
        "{\"model\":\"m\"}".to_owned(),
        form(&[]),
        form(&[("form-data; name=model", "")]),
        form(&[("form-data; name=model; name=model", "m")]),
        form(&[("form-data; name=model x", "m")]),
        form(&[("form-data; name=\"model", "m")]),
        format!("{long}Content-Disposition: form-data; name=model\r\n\r\nm\r\n--b--"),
        format!("{head}\r\nm"),
        format!("{head}\r\n--b--"),
        format!("{head}\r\n{head}\r\nm\r\n--b--"),
        format!("{head}{}", &head[5..]) + "\r\nm\r\n--b--",
        format!("{head} folded: a\r\n\r\nm\r\n--b--"),
        format!("{head}no colon\r\n\r\nm\r\n--b--"),
        format!("{head}X : a\r\n\r\nm\r\n--b--"),
        format!("{head}X: a\n\r\nm\r\n--b--"),
        format!("{head}X: a\rb\r\n\r\nm\r\n--b--"),
        head.replace("--b\r\n", "--b x\r\n") + "\r\nm\r\n--b--",
        head.replace("--b\r\n", "--b\n") + "\r\nm\r\n--b--",
    ] {
        assert_eq!(scan_form(body.as_bytes()), (Absent, None), "{body:?}");
    }
    let without_content = format!("--b\r\nX: a\r\n\r\n{head}\r\nm\r\n--b--");
    assert_eq!(scan_form(without_content.as_bytes()).0, ScanResult::Found);
    let padded = head.replace("--b\r\n", "--b \t\r\n") + "\r\nm\r\n--b--";
    assert_eq!(scan_form(padded.as_bytes()).0, ScanResult::Found);
}

#[test]
fn the_content_type_selects_the_format() {
    let form = form(&[("form-data; name=model", "f")]);
    let named = |content_type: Option<&str>, body: &str| {
        let mut scanner = ModelScan::for_content_type(content_type.map(str::as_bytes));
        scanner.feed(body.as_bytes());
        scanner.name().map(str::to_owned)
    };
    for content_type in [
        "multipart/form-data; boundary=b",
        "Multipart/FORM-data;boundary=\"b\"",
    ] {
        assert_eq!(named(Some(content_type), &form).as_deref(), Some("f"));
    }
    for content_type in [
        None,
        Some("application/json"),
        Some("text/plain;charset=utf-8"),
        Some("multipart/form-data"),
        Some("multipart/form-data; boundary=\"b"),
        Some("multipart/form-data; boundary=b; boundary=c"),
        Some(""),
    ] {
        let found = named(content_type, "{\"model\":\"j\"}");
        assert_eq!(found.as_deref(), Some("j"), "{content_type:?}");
        assert_eq!(named(content_type, &form), None);
    }
}

#[test]
fn a_head_names_its_model_and_its_type() {
    let parse = |fields: &str| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        RequestHead::parse(head.as_bytes()).map(|request| {
            let text = |span: Option<paddock_wire::ByteSpan>| {
                span.map(|span| String::from_utf8(span.slice(head.as_bytes()).to_vec()).unwrap())
            };
            (text(request.content_type), text(request.model))
        })
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(parse(""), Ok((None, None)));
    assert_eq!(
        parse("Content-Type: a/b; c\r\nX-Paddock-Model:  m \r\nContent-Type: x\r\n"),
        Ok((some("a/b; c"), some("m")))
    );
    assert_eq!(
        parse("x-paddock-model: m\r\nX-PADDOCK-MODEL: m\r\n"),
        Ok((None, some("m")))
    );
    assert_eq!(
        parse("x-paddock-model: m\r\nx-paddock-model: n\r\n"),
        Err(InvalidRequest::ModelRepeated)
    );
    assert_eq!(
        parse("x-paddock-model:\r\nx-paddock-model: n\r\n"),
        Err(InvalidRequest::ModelRepeated)
    );
    assert_eq!(parse_model_header(b" m "), Ok(Some("m")));
    assert_eq!(parse_model_header(b" "), Ok(None));
    assert!(parse_model_header(b"\xff").is_err());
    assert!(parse_model_header(&[b'a'; 513]).is_err());
}

#[test]
fn the_prefix_is_cut_and_the_rest_stays_byte_for_byte() {
    for (target, minor, left) in [
        ("/upstream/m/v1/x?a=%20b", 1, "/v1/x?a=%20b"),
        ("/upstream/m?a", 1, "/?a"),
        ("/upstream/m", 0, "/"),
        ("/upstream/m//x/../%2e", 0, "//x/../%2e"),
    ] {
        let rest = "Host: a\r\nTE: x\r\nA:  b \r\n";
        let head = format!("GET {target} HTTP/1.{minor}\r\n{rest}\r\n");
        let mut request = RequestHead::parse(head.as_bytes()).unwrap();
        let upstream = UpstreamTarget::parse(request.target.slice(head.as_bytes())).unwrap();
        let found = upstream.candidates().find(|found| found.name == "m");
        request.cut_from_target(found.unwrap().cut);
        let mut out = Vec::new();
        request.edits.render(head.as_bytes(), &[], &mut out);
        let expected = format!("GET {left} HTTP/1.1\r\nHost: a\r\nA:  b \r\n\r\n");
        assert_eq!(escape(&out), escape(expected.as_bytes()), "{target}");
    }
}
