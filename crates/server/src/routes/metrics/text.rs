//! Renders metrics in Prometheus' text format.

use super::to_f64;
use paddock_telemetry::{Histogram, MetricFamily, MetricSample, MetricValue};
use std::fmt::Write;

/// Content type of version 0.0.4 of the format.
pub(super) const CONTENT_TYPE_VALUE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders metric families.
pub(super) fn render(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for MetricFamily {
        name,
        kind,
        help,
        samples,
    } in families
    {
        // Writing to a string does not fail.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for MetricSample { labels, value } in samples {
            match value {
                MetricValue::Number(number) => write_sample(&mut out, name, labels, *number),
                MetricValue::Histogram(histogram) => {
                    write_histogram(&mut out, name, labels, histogram);
                }
            }
        }
    }
    out
}

/// Writes a line: name, labels and value.
fn write_sample(out: &mut String, name: &str, labels: &[(String, String)], value: f64) {
    out.push_str(name);
    for (index, (label, value)) in labels.iter().enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        let _ = write!(out, "{before}{label}=\"{}\"", escape(value));
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

/// Writes the lines of a histogram: its buckets, sum and count.
fn write_histogram(
    out: &mut String,
    name: &str,
    labels: &[(String, String)],
    histogram: &Histogram,
) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in histogram.buckets() {
        let bound = if bound.is_infinite() {
            "+Inf".to_owned()
        } else {
            bound.to_string()
        };
        let bound = [("le".to_owned(), bound)];
        write_sample(out, &bucket, &[labels, &bound].concat(), to_f64(count));
    }
    write_sample(out, &format!("{name}_sum"), labels, histogram.sum());
    let count = to_f64(histogram.count());
    write_sample(out, &format!("{name}_count"), labels, count);
}

/// Escapes a label's value.
pub(super) fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::FamilyList;
    use super::*;

    #[test]
    fn a_page_is_in_the_formats_words() {
        let mut list = FamilyList::default();
        list.family("a_total", "counter", "What it is.");
        list.sample("a_total", &[("model", "odd \"name\"\\\n")], 3.0);
        list.sample("a_total", &[], 0.5);
        let mut histogram = Histogram::with_request_bounds();
        histogram.add(std::time::Duration::from_secs(601));
        list.family("t", "histogram", "Time.");
        list.histogram("t", &[("model", "m")], &histogram);
        let text = render(&list.0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "# HELP a_total What it is.",
                "# TYPE a_total counter",
                r#"a_total{model="odd \"name\"\\\n"} 3"#,
                "a_total 0.5"
            ]
        );
        assert!(lines.contains(&r#"t_bucket{model="m",le="600"} 0"#));
        assert!(lines.contains(&r#"t_bucket{model="m",le="+Inf"} 1"#));
        assert_eq!(
            lines[lines.len() - 2..],
            [r#"t_sum{model="m"} 601"#, r#"t_count{model="m"} 1"#]
        );
    }
}
