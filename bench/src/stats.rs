//! Medians, quantiles and number conversions.

/// Returns the median; NaN for no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Returns the value below which `share` of the values lie, interpolated between the two nearest.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = float(last) * share;
    let (below, above) = (index(place.floor()), index(place.ceil()));
    let part = place - place.floor();
    sorted[below] * (1.0 - part) + sorted[above.min(last)] * part
}

/// Converts nanoseconds to microseconds.
pub(crate) fn micros(nanoseconds: u64) -> f64 {
    float(nanoseconds) / 1e3
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and times of a run are far below 2^52"
)]
pub(crate) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list: whole, and not below zero"
)]
fn index(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_values() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(close(quantile(&[0.0, 10.0], 0.99), 9.9));
        assert!(median(&[]).is_nan());
    }
}
