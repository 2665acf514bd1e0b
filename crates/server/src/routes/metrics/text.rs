//! Prometheus' text format.

use super::float;
use paddock_telemetry::{Histogram, MetricFamily, MetricSample, MetricValue};
use std::fmt::Write;

/// Version 0.0.4 of it.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics in the format's words.
pub(super) fn of(families: &[MetricFamily]) -> String {
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
                MetricValue::Number(number) => line(&mut out, name, labels, *number),
                MetricValue::Histogram(histogram) => lines(&mut out, name, labels, histogram),
            }
        }
    }
    out
}

fn line(out: &mut String, name: &str, labels: &[(String, String)], value: f64) {
    out.push_str(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        let _ = write!(out, "{before}{label}=\"{}\"", escaped(value));
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

fn lines(out: &mut String, name: &str, labels: &[(String, String)], histogram: &Histogram) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in histogram.buckets() {
        let bound = if bound.is_infinite() {
            "+Inf".to_owned()
        } else {
            bound.to_string()
        };
        let bound = [("le".to_owned(), bound)];
        line(out, &bucket, &[labels, &bound].concat(), float(count));
    }
    line(out, &format!("{name}_sum"), labels, histogram.sum());
    let count = float(histogram.count());
    line(out, &format!("{name}_count"), labels, count);
}

/// A label's value, as the format wants it.
pub(super) fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::Page;
    use super::*;

    #[test]
    fn a_page_is_in_the_formats_words() {
        let mut page = Page::default();
        page.family("a_total", "counter", "What it is.");
        page.sample("a_total", &[("model", "odd \"name\"\\\n")], 3.0);
        page.sample("a_total", &[], 0.5);
        let mut histogram = Histogram::with_request_bounds();
        histogram.add(std::time::Duration::from_secs(601));
        page.family("t", "histogram", "Time.");
        page.histogram("t", &[("model", "m")], &histogram);
        let text = of(&page.0);
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
