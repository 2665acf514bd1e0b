//! Tables of valid, invalid and merged metrics.

use super::*;

const ONE: &str = "\
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# HELP llamacpp:accepted_total Accepted tokens \\\\ position
# TYPE llamacpp:accepted_total counter
llamacpp:accepted_total{position=\"0\"} 7
llamacpp:accepted_total{position=\"1\"} 1.5e+06
";

fn page(all: &[(&str, &str)]) -> String {
    let all: Vec<_> = all
        .iter()
        .map(|(model, text)| (*model, EngineMetrics::parse(text.as_bytes())))
        .collect();
    let all: Vec<_> = all
        .iter()
        .map(|(model, metrics)| (*model, metrics))
        .collect();
    merge(&all)
}

/// Returns the lines of samples.
fn samples(text: &str) -> Vec<String> {
    let page = page(&[("m", text)]);
    page.lines().map(str::to_owned).collect()
}

#[test]
fn each_name_is_there_once_with_the_samples_of_every_model() {
    let other = "# TYPE llamacpp:requests_processing counter\nllamacpp:requests_processing 1\n\
                 # HELP llamacpp:requests_processing Something else.\nonly_here 3\n";
    let expected = "\
# HELP llamacpp:accepted_total Accepted tokens \\\\ position
# TYPE llamacpp:accepted_total counter
llamacpp:accepted_total{model=\"a\",position=\"0\"} 7
llamacpp:accepted_total{model=\"a\",position=\"1\"} 1500000
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing{model=\"a\"} 2
llamacpp:requests_processing{model=\"b \\\"\\\\\\n\"} 1
only_here{model=\"b \\\"\\\\\\n\"} 3
";
    assert_eq!(page(&[("a", ONE), ("b \"\\\n", other)]), expected);
}

#[test]
fn what_only_one_model_says_of_a_name_counts_for_all() {
    let bare = "llamacpp:requests_processing 4\n";
    let page = page(&[("bare", bare), ("told", ONE)]);
    assert_eq!(
        page.matches("# TYPE llamacpp:requests_processing gauge")
            .count(),
        1
    );
    assert!(page.contains("llamacpp:requests_processing{model=\"bare\"} 4\n"));
}

#[test]
fn a_model_label_of_the_childs_own_is_renamed() {
    assert_eq!(
        samples("a{model=\"x\",b=\"y\"} 1"),
        [r#"a{model="m",b="y",exported_model="x"} 1"#]
    );
    assert!(samples("a{model=\"x\",exported_model=\"y\"} 1").is_empty());
}

#[test]
fn every_way_to_write_a_sample_is_read() {
    for (text, expected) in [
        ("a 1", r#"a{model="m"} 1"#),
        ("\ta  \t1 \r", ""),
        ("  a  \t1\t", r#"a{model="m"} 1"#),
        ("a{} +Inf", r#"a{model="m"} inf"#),
        (
            "a{ b = \"c\" , } NaN 1700000000000",
            r#"a{model="m",b="c"} NaN"#,
        ),
        (
            "a{b=\"}\\\"\\\\\\n,\"}-2",
            r#"a{model="m",b="}\"\\\n,"} -2"#,
        ),
        ("a{b=\"\u{fc}\"} .5", "a{model=\"m\",b=\"\u{fc}\"} 0.5"),
    ] {
        assert_eq!(samples(text).concat(), expected, "{text:?}");
    }
}

#[test]
fn the_same_sample_is_there_once() {
    let twice = "a{b=\"1\",c=\"2\"} 1\na{c=\"2\",b=\"1\"} 2\n";
    assert_eq!(samples(twice), [r#"a{model="m",b="1",c="2"} 1"#]);
}

#[test]
fn what_is_not_in_the_format_is_left_out() {
    for text in [
        "",
        "a",
        "a b",
        "a 1 b",
        "a 1 2 3",
        "1a 1",
        "a-1",
        "a{b} 1",
        "a{b=c} 1",
        "a{b=\"c} 1",
        "a{b=\"c\"",
        "a{b=\"c\"} ",
        "a{b=\"\\x\"} 1",
        "a{b=\"c\" d=\"e\"} 1",
        "a{b=\"c\",b=\"d\"} 1",
        "a{__name__=\"c\"} 1",
        "a{:b=\"c\"} 1",
        "{a=\"b\"} 1",
        "<html>",
        // These are paddock's to say.
        "paddock_requests_total 1000",
        "# HELP paddock_requests_total nothing",
        // Nothing is said of a name that has no sample.
        "# HELP a b\n# TYPE a counter",
    ] {
        assert!(samples(text).is_empty(), "{text:?}: {:?}", samples(text));
    }
    let mut bytes = b"a{b=\"\xff\"} 1\n\0\n".to_vec();
    bytes.extend(ONE.as_bytes());
    assert_eq!(EngineMetrics::parse(&bytes).0.len(), 2);
}

#[test]
fn what_is_said_of_a_name_is_left_out_where_it_is_not_in_the_format() {
    for text in [
        "# HELP a bad \\escape\na 1",
        "# HELP a-b text\na 1",
        "# TYPE a histogram\na 1",
        "# TYPE a\na 1",
        "# EOF\na 1",
        "#\na 1",
    ] {
        assert_eq!(samples(text), [r#"a{model="m"} 1"#], "{text:?}");
    }
}

#[test]
fn a_histograms_parts_are_there_without_a_kind() {
    let text = "# HELP h Times.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n";
    assert_eq!(
        samples(text),
        [
            r#"h_bucket{model="m",le="+Inf"} 1"#,
            r#"h_count{model="m"} 1"#,
            r#"h_sum{model="m"} 2"#,
        ]
    );
}
