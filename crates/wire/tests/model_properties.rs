//! The scan finds the model that `serde_json` reads, wherever the body is cut, and no bytes cause a
//! panic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scan;

use paddock_wire::{ModelScan, ScanResult, UpstreamTarget, find_model_in_query};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

/// Generates text with characters that are difficult for a scanner.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-z]{0,8}",
        1 => ".{0,40}",
        2 => "([\"\\\\{}\\[\\]:,a]|model|\n|\u{e9}|\u{1f600}|\\\\u0041){0,20}",
        1 => "[a-zA-Z0-9+/]{60,200}",
        1 => Just("model".to_owned()),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let near = select(&["model", "mode", "models", "Model", "messages"][..]);
    prop_oneof![2 => text(), 1 => near.prop_map(str::to_owned)]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes a JSON string with some characters escaped.
fn string(text: &str, escapes: &[bool]) -> String {
    let mut written = String::from("\"");
    for (char, escape) in text.chars().zip(escapes.iter().cycle()) {
        if *escape {
            let mut units = [0; 2];
            written.extend(
                char.encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        } else {
            let plain = serde_json::to_string(&char).unwrap();
            written += &plain[1..plain.len() - 1];
        }
    }
    written + "\""
}

/// Generates a document: members in any order, and repeated names.
fn document() -> impl Strategy<Value = String> {
    let member = (key(), value(), vec(any::<bool>(), 1..8), any::<bool>());
    let space = select(&["", " ", "\n\t", "\r\n  "][..]);
    (vec(member, 0..8), space, any::<bool>()).prop_map(|(members, space, mark)| {
        let members: Vec<_> = members
            .iter()
            .map(|(key, value, escapes, pretty)| {
                let value = match value {
                    Value::String(text) => string(text, escapes),
                    value if *pretty => serde_json::to_string_pretty(value).unwrap(),
                    value => value.to_string(),
                };
                format!(
                    "{space}{}{space}:{space}{value}{space}",
                    string(key, escapes)
                )
            })
            .collect();
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{space}{{{}}}{space}", members.join(","))
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1..4_usize, 1..6), vec(1..200_usize, 1..6)]
}

/// Generates bytes that are significant to one of the parsers.
fn parser_like_bytes() -> impl Strategy<Value = Vec<u8>> {
    let token = select(
        &[
            "{",
            "}",
            "[",
            "]",
            "\"",
            "\\",
            ":",
            ",",
            "model",
            "\"model\"",
            "null",
            "1",
            " ",
            "\\u",
            "d83d",
            "\u{feff}",
            "\r\n",
            "\r",
            "--",
            "b",
            "--b",
            "\r\n--b",
            "\r\n--b--",
            "Content-Disposition: form-data; name=\"model\"",
            "filename=a",
            ";",
            "=",
            "\r\n\r\n",
        ][..],
    )
    .prop_map(|token| token.as_bytes().to_vec());
    let piece = prop_oneof![8 => token, 1 => vec(any::<u8>(), 1..4)];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A part of a form: whether the part is a file, its name and its content.
type FormPart = (bool, String, Vec<u8>);

fn part() -> impl Strategy<Value = FormPart> {
    let name = prop_oneof![Just("model".to_owned()), "[a-z]{0,6}"];
    let token = select(
        &[
            "\r\n", "\r", "\n", "-", "--", "--aab", "aa", "b", "\r\n--aa", "x",
        ][..],
    );
    let content = vec(token, 0..20).prop_map(|tokens| tokens.concat().into_bytes());
    (any::<bool>(), name, content).prop_filter("no boundary inside", |(_, _, content)| {
        let whole = [b"\r\n", &content[..]].concat();
        !whole.windows(7).any(|window| window == b"\r\n--aab")
    })
}

fn form(parts: &[FormPart]) -> Vec<u8> {
    let mut form = Vec::new();
    for (is_file, name, content) in parts {
        let file = if *is_file { "; filename=\"a b\"" } else { "" };
        let head =
            format!("--aab\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--aab--\r\n");
    form
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_name_is_the_one_a_parser_reads(body in document(), sizes in sizes(), chunk in 1..90_usize) {
        let model = scan::first_model(body.as_bytes());
        prop_assert!(model.is_some());
        let expected = scan::expected(model.flatten());
        let json = ModelScan::json();
        prop_assert_eq!(&scan::scan(json.clone(), body.as_bytes(), &sizes), &expected);
        prop_assert_eq!(&scan::scan_in_pieces(&json, body.as_bytes()), &expected);
        prop_assert_eq!(&scan::scan_chunked(&json, body.as_bytes(), chunk, sizes[0]), &expected);
    }

    #[test]
    fn a_document_as_serde_writes_it(members in vec((key(), value()), 0..8), sizes in sizes(), pretty in any::<bool>()) {
        let document = Value::Object(members.into_iter().collect());
        let body = if pretty {
            serde_json::to_vec_pretty(&document).unwrap()
        } else {
            serde_json::to_vec(&document).unwrap()
        };
        let expected = scan::expected(document.get("model").cloned());
        prop_assert_eq!(scan::scan(ModelScan::json(), &body, &sizes), expected);
    }

    #[test]
    fn a_mangled_document_is_handled_like_serde_does(body in document(), at in any::<Index>(), byte in any::<u8>(), kind in 0..3) {
        let mut body = body.into_bytes();
        let at = at.index(body.len());
        match kind {
            0 => body[at] = byte,
            1 => drop(body.remove(at)),
            _ => body.truncate(at),
        }
        scan::check_json(&body);
    }

    #[test]
    fn a_form_is_read_to_its_model(parts in vec(part(), 0..6), sizes in sizes()) {
        let body = form(&parts);
        let model = parts.iter().find(|(is_file, name, _)| !is_file && name == "model");
        let expected = scan::expected(model.map(|(_, _, content)| {
            Value::String(String::from_utf8(content.clone()).unwrap())
        }));
        let scanner = ModelScan::multipart(b"aab").unwrap();
        prop_assert_eq!(&scan::scan(scanner.clone(), &body, &sizes), &expected);
        prop_assert_eq!(&scan::scan_in_pieces(&scanner, &body), &expected);
        prop_assert_eq!(&scan::scan_chunked(&scanner, &body, sizes[0], 50), &expected);
    }

    #[test]
    fn any_bytes_are_handled_without_panic(body in prop_oneof![parser_like_bytes(), vec(any::<u8>(), 0..300)], boundary in "[ab-]{1,3}") {
        scan::check_json(&body);
        scan::check_json(&[b"{\"a\":", &body[..]].concat());
        scan::check_form(boundary.as_bytes(), &body);
        scan::check_form(b"b", &[b"--b\r\n", &body[..]].concat());
        let mut scanner = ModelScan::for_content_type(Some(&body));
        prop_assert_ne!(scanner.end(), ScanResult::More);
        let _ = ModelScan::for_content_type(Some(&[b"multipart/form-data;", &body[..]].concat()));
    }

    #[test]
    fn any_target_is_handled_without_panic(rest in "[/%20a-f?&=+m]{0,40}", bytes in vec(any::<u8>(), 0..60)) {
        for target in [rest.as_bytes(), &bytes[..]] {
            let _ = find_model_in_query(target);
            let _ = find_model_in_query(&[b"/?model=", target].concat());
            let target = [b"/upstream/", target].concat();
            let upstream = UpstreamTarget::parse(&target).unwrap();
            for found in upstream.candidates() {
                prop_assert!(!found.name.is_empty());
                let left = [&target[..found.cut.start()], &target[found.cut.end()..]].concat();
                prop_assert!(left.starts_with(b"/") && target.ends_with(&left[1..]));
            }
        }
    }
}

/// Checks the fuzzing corpus.
#[test]
fn the_corpus_is_read_alike() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/model_scan");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert!(files.len() >= 10);
    for file in files {
        let body = std::fs::read(file.unwrap().path()).unwrap();
        scan::check_json(&body);
        scan::check_form(b"b", &body);
    }
}
